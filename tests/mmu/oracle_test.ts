/**
 * Compares walks, permissions, syndromes and PAR with the reference machine, on random tables.
 *
 * Needs QEMU and the aarch64 binutils; without them the tests are ignored.
 */
import { assertEquals } from "@std/assert";
import {
  type Access,
  addressTranslation,
  CORTEX_A57_MMU,
  type DescriptorBus,
  encodeSyndrome,
  makeRegime,
  type MmuFeatures,
  Translation,
} from "../../mmu/mod.ts";
import { cpuModel } from "../../core/cpu_models.ts";
import { hasQemu } from "../drivers/qemu.ts";
import {
  hasCrossTools,
  OPERATIONS,
  type OracleCase,
  type OracleResult,
  runOracle,
  TARGETS,
} from "./oracle.ts";
import { type CaseOptions, Random, randomCase } from "./random_cases.ts";

const missing = !hasQemu() || !hasCrossTools();
if (missing) {
  console.warn("mmu oracle tests ignored: needs qemu-system-aarch64 and aarch64-linux-gnu-as, -ld");
}

/** Cases of each test: about a second. */
const COUNT = 20_000;

/** Fault status codes that the cases must meet, so that a change of the generator loses none. */
const CODES = [
  [0x00, 0x01, 0x02, 0x03], // address size
  [0x04, 0x05, 0x06, 0x07], // translation
  [0x08, 0x09, 0x0a, 0x0b], // access flag
  [0x0c, 0x0d, 0x0e, 0x0f], // permission
  [0x10, 0x14, 0x15, 0x16, 0x17], // external abort, external abort on a walk
].flat();

Deno.test({
  name: "translate() and addressTranslation() agree with the reference's Cortex-A57",
  ignore: missing,
  fn: () => compare(1, { granules: [12, 16], anyGranule: true }, CORTEX_A57_MMU),
});

Deno.test({
  name: "translate() and addressTranslation() agree with the reference on 16 KB granules",
  ignore: missing,
  fn: () =>
    compare(2, { granules: [14], anyGranule: false }, {
      physicalAddressBits: 40,
      granules: [12, 14, 16],
      maxTxsz: 39,
      asidBits: 16,
      reservedBlocksFault: false,
    }, "cortex-a76"),
});

Deno.test({
  name: "translate() and addressTranslation() agree with the reference's max",
  ignore: missing,
  fn: () =>
    compare(
      3,
      { granules: [12, 14, 16], anyGranule: false, maxTxsz: 47, hardwareFlags: true },
      cpuModel("max").mmu,
      "max",
    ),
});

async function compare(
  seed: number,
  options: CaseOptions,
  features: MmuFeatures,
  cpu?: string,
): Promise<void> {
  const random = new Random(seed);
  const cases = Array.from({ length: COUNT }, () => randomCase(random, options));
  const results = await runOracle(cases, cpu);
  const differences: string[] = [];
  const codes = new Set<number>();
  cases.forEach((c, i) => {
    const ours = show(evaluate(c, features));
    const theirs = show(results[i]);
    const { esr } = { esr: 0n, ...results[i] };
    if (esr !== 0n && esr >> 26n !== 0x22n) codes.add(Number(esr & 0x3fn));
    if (ours !== theirs) differences.push(`${describe(c)}\n  ours ${ours}\n  reference ${theirs}`);
  });
  assertEquals(
    differences.length,
    0,
    `${differences.length}:\n${differences.slice(0, 8).join("\n")}`,
  );
  assertEquals([...codes].sort((a, b) => a - b), CODES);
}

/** What this implementation does with a case. */
function evaluate(c: OracleCase, features: MmuFeatures): OracleResult {
  const regime = makeRegime(c, features);
  const bus = features.hardwareFlags ? new UpdatedMemory(c) : new CaseMemory(c);
  const hi = Number(c.va >> 32n), lo = Number(c.va & 0xffff_ffffn);
  const name = OPERATIONS[c.operation];
  if (name.startsWith("AT")) {
    const el = name[6] === "1" ? 1 : 0;
    const access: Access = name.endsWith("W") ? 1 : 0;
    const result = addressTranslation(bus, regime, { hi, lo, access, el });
    if ("par" in result) return { kind: "par", par: result.par };
    const context = { access, fromEl: 2, toEl: 2, maintenance: true };
    const { esr } = encodeSyndrome(result.abort, context);
    return { kind: "exception", el: 2, esr: BigInt(esr), far: c.va };
  }
  const access: Access = name.startsWith("fetch") ? 2 : /^(st|zva)/.test(name) ? 1 : 0;
  const fromEl = name.endsWith("EL1") ? 1 : 0;
  const unprivileged = name.includes("tr ");
  return perform(c, new Translation({ bus, tlb: null, regime }), access, fromEl, unprivileged);
}

function perform(
  c: OracleCase,
  translation: Translation,
  access: Access,
  fromEl: number,
  unprivileged: boolean,
): OracleResult {
  const context = { access, fromEl, toEl: 1 };
  // A fetch goes to the address without its tag: ERET makes it canonical.
  const va = access === 2 ? branchAddress(c) : c.va;
  const hi = Number(va >> 32n), lo = Number(va & 0xffff_ffffn);
  const done = translation.translate(hi, lo, access, unprivileged ? 0 : fromEl);
  let fault = translation.fault;
  if (done) {
    const { pa } = translation;
    // The reference checks the alignment of PC after its translation, not before.
    if (access === 2 && (lo & 3) !== 0) fault = { kind: "pc-alignment" };
    else if (answers(pa)) return { kind: "done" };
    else fault = { kind: "external-abort", address: pa, slaveError: false };
  }
  const { esr } = encodeSyndrome(fault!, context);
  // An external abort of DC ZVA is that of its first byte; translation is checked at the operand.
  const block = OPERATIONS[c.operation] === "zva EL1" && fault!.kind === "external-abort";
  return { kind: "exception", el: 1, esr: BigInt(esr), far: block ? va & ~63n : va };
}

/** Whether an access of the program reaches something: RAM that it may use, or the PCIe window. */
function answers(pa: number): boolean {
  if (pa >= TARGETS.start && pa < 0x4800_0000) return true;
  if (pa >= 0x80_0000_0000 && pa < 0x100_0000_0000) return true;
  if (pa < 0x4800_0000) throw new Error(`A case uses physical address 0x${pa.toString(16)}`);
  return false;
}

/** AArch64.BranchAddr: with TBI and without TBID the top byte becomes copies of bit 55. */
function branchAddress(c: OracleCase): bigint {
  const select = c.va >> 55n & 1n;
  const tbi = c.tcr >> 37n + select & ~(c.tcr >> 51n + select) & 1n;
  return tbi ? BigInt.asUintN(64, BigInt.asIntN(56, c.va)) : c.va;
}

/** RAM of the reference with a case's descriptors in it. */
class CaseMemory implements DescriptorBus {
  readonly #values = new Map<number, bigint>();

  constructor(c: OracleCase) {
    for (const { address, value } of c.descriptors) this.#values.set(address, value);
  }

  readDescriptor(address: number, into: Uint32Array): boolean {
    const flash = address < 0x0800_0000;
    if (!flash && (address < 0x4000_0000 || address >= 0x4800_0000)) return false;
    const value = this.#values.get(address) ?? 0n;
    into[0] = Number(value & 0xffff_ffffn);
    into[1] = Number(value >> 32n);
    return true;
  }
}

/** As {@linkcode CaseMemory}, and hardware may write to it. */
class UpdatedMemory extends CaseMemory {
  writeDescriptor(address: number): boolean {
    return address >= 0x4000_0000 && address < 0x4800_0000;
  }
}

function show(result: OracleResult): string {
  switch (result.kind) {
    case "par":
      return `PAR ${hex(result.par)}`;
    case "exception":
      return `EL${result.el} ESR ${hex(result.esr)} FAR ${hex(result.far)}`;
    case "done":
      return "done";
  }
}

function describe(c: OracleCase): string {
  const registers = `SCTLR ${hex(c.sctlr)} TCR ${hex(c.tcr)} TTBR ${hex(c.ttbr0)} ${hex(c.ttbr1)}`;
  const tables = c.descriptors.map((d) => `[${hex(BigInt(d.address))}] = ${hex(d.value)}`);
  return `${OPERATIONS[c.operation]} ${hex(c.va)} ${registers} ${tables.join(" ")}`;
}

function hex(value: bigint): string {
  return `0x${value.toString(16)}`;
}
