/**
 * Runs translation cases on the reference machine: the other half of `oracle.s`.
 *
 * A case is 16 little-endian 64-bit words: operation, SCTLR, TCR, TTBR0, TTBR1, MAIR, address,
 * number of descriptors (at most 4), and for each its physical address and value. The first
 * record holds only the number of cases. A result is three words: kind, PAR or ESR, FAR.
 */
import { runQemu } from "../drivers/qemu.ts";

/** Where tables may be: RAM that the program does not use, cleared after every case. */
export const TABLES = { start: 0x4600_0000, end: 0x47f0_0000 };
/** RAM for leaves that are accessed. It is zero, which executes as UDF, and stores store zero. */
export const TARGETS = { start: 0x4400_0000, end: 0x4600_0000 };
/** TTBR1 and the upper half of TCR that every case which enters EL1 must have. */
export const HIGH_TABLE = 0x4030_0000n;
export const HIGH_TCR = 25n << 16n | 2n << 30n;

/** In the order of the program's table. */
export const OPERATIONS = [
  "AT S1E1R",
  "AT S1E1W",
  "AT S1E0R",
  "AT S1E0W",
  "fetch EL1",
  "fetch EL0",
  "load EL1",
  "load EL0",
  "store EL1",
  "store EL0",
  "ldtr EL1",
  "sttr EL1",
  "zva EL1",
] as const;

/** One translation to try. */
export interface OracleCase {
  operation: number;
  sctlr: bigint;
  tcr: bigint;
  ttbr0: bigint;
  ttbr1: bigint;
  mair: bigint;
  va: bigint;
  descriptors: { address: number; value: bigint }[];
}

/** What happened: PAR_EL1, a synchronous exception at EL1 or at EL2 (AT), or the access was done. */
export type OracleResult =
  | { kind: "par"; par: bigint }
  | { kind: "exception"; el: 1 | 2; esr: bigint; far: bigint }
  | { kind: "done" };

/** Whether the cross assembler and linker are installed. */
export function hasCrossTools(): boolean {
  try {
    return ["as", "ld"].every((tool) =>
      new Deno.Command(`aarch64-linux-gnu-${tool}`, {
        args: ["--version"],
        stdout: "null",
        stderr: "null",
      }).outputSync().success
    );
  } catch {
    return false;
  }
}

/** Runs all cases in one start of QEMU. */
export async function runOracle(cases: OracleCase[], cpu?: string): Promise<OracleResult[]> {
  const directory = Deno.makeTempDirSync({ prefix: "unboot-oracle-" });
  try {
    const image = assemble(directory);
    const data = `${directory}/cases.bin`;
    Deno.writeFileSync(data, encodeCases(cases));
    const extra = ["-device", `loader,file=${data},addr=0x41000000,force-raw=on`];
    if (cpu !== undefined) extra.push("-cpu", cpu);
    const run = await runQemu(image, { machine: "virtualization=on", extra, timeoutMs: 60_000 });
    if (run.console.length !== 24 * cases.length) {
      throw new Error(
        `The reference gave ${run.console.length} bytes for ${cases.length} cases ` +
          `(${run.end}): ${run.errors}`,
      );
    }
    return decodeResults(run.console);
  } finally {
    Deno.removeSync(directory, { recursive: true });
  }
}

function assemble(directory: string): string {
  const source = new URL("oracle.s", import.meta.url).pathname;
  const [object, image] = [`${directory}/oracle.o`, `${directory}/oracle.elf`];
  tool("as", [source, "-o", object]);
  tool("ld", ["-Ttext=0x40200000", object, "-o", image]);
  return image;
}

function tool(name: string, args: string[]): void {
  const run = new Deno.Command(`aarch64-linux-gnu-${name}`, { args }).outputSync();
  if (!run.success) throw new Error(new TextDecoder().decode(run.stderr));
}

function encodeCases(cases: OracleCase[]): Uint8Array {
  const words = new BigUint64Array(16 * (cases.length + 1));
  words[0] = BigInt(cases.length);
  cases.forEach((c, i) => {
    const head = [c.operation, c.sctlr, c.tcr, c.ttbr0, c.ttbr1, c.mair, c.va];
    const record = [...head, c.descriptors.length].map(BigInt);
    for (const d of c.descriptors) record.push(BigInt(d.address), d.value);
    words.set(record, 16 * (i + 1));
  });
  return new Uint8Array(words.buffer);
}

function decodeResults(bytes: Uint8Array): OracleResult[] {
  const words = new BigUint64Array(bytes.slice().buffer);
  const results: OracleResult[] = [];
  for (let i = 0; i < words.length; i += 3) {
    const [kind, value, far] = words.subarray(i, i + 3);
    results.push(decodeResult(Number(kind), value, far));
  }
  return results;
}

function decodeResult(kind: number, value: bigint, far: bigint): OracleResult {
  if (kind === 0) return { kind: "par", par: value };
  if (kind === 4) return { kind: "exception", el: 2, esr: value, far };
  // A fetch that succeeds is UNDEFINED (class 0); `svc #3` follows a load or store.
  const exceptionClass = value >> 26n;
  if (exceptionClass === 0n || exceptionClass === 0x15n) return { kind: "done" };
  return { kind: "exception", el: 1, esr: value, far };
}
