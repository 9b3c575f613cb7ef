import type { CpuSnapshot } from "../vectors.ts";
import { DATA_BYTES, dataWindow } from "../vectors.ts";

/**
 * Single instructions on `qemu-aarch64`: the other side of `harness.c`, which it compiles.
 */

/** An instruction and the registers before it; it stands at `CODE`, memory is the data window. */
export interface Case {
  readonly word: number;
  readonly state: CpuSnapshot;
}

/** What an instruction did. Of a fault only that it was one is compared. */
export type CaseOutcome =
  | { readonly kind: "retired"; readonly state: CpuSnapshot; readonly data: Uint8Array }
  | { readonly kind: "undefined" }
  | { readonly kind: "fault" };

/** Most cases in a batch: `BATCH` of harness.c. */
export const BATCH = 128;

const SIGNALS: Readonly<Record<number, CaseOutcome["kind"]>> = {
  4: "undefined", // SIGILL
  5: "retired", // SIGTRAP, by the BRK that comes next
  7: "fault", // SIGBUS
  11: "fault", // SIGSEGV
};

// struct cpu: 31 X registers, SP, PC, then four 32-bit words, the vectors and the data window.
const WORDS_64 = 33, AT_32 = 8 * WORDS_64, AT_V = AT_32 + 16, AT_DATA = AT_V + 512;
const CASE_BYTES = AT_DATA + DATA_BYTES;

const COMPILER = "aarch64-linux-gnu-gcc", EMULATOR = "qemu-aarch64";

/** Where the harness stands: out of reach of accesses relative to the data window, 16 GB. */
const PROGRAM_BASE = "0x4000000000";

/** The program that is missing for a comparison, if one is. */
export function missingProgram(): string | undefined {
  return [COMPILER, EMULATOR].find((name) => {
    try {
      return !new Deno.Command(name, { args: ["--version"], stdout: "null", stderr: "null" })
        .outputSync().success;
    } catch {
      return true;
    }
  });
}

/** A running `qemu-aarch64`. */
export class ReferenceCpu implements AsyncDisposable {
  readonly #folder: string;
  readonly #process: Deno.ChildProcess;
  readonly #in: WritableStreamDefaultWriter<Uint8Array<ArrayBuffer>>;
  readonly #out: ReadableStreamBYOBReader;

  /** @param cpu QEMU's name, for example `cortex-a57` or `max` */
  constructor(cpu: string) {
    this.#folder = Deno.makeTempDirSync({ prefix: "unboot-fuzz-" });
    const program = `${this.#folder}/harness`;
    const source = new URL("harness.c", import.meta.url).pathname;
    const compiled = new Deno.Command(COMPILER, {
      args: ["-O1", "-static", `-Wl,-Ttext-segment=${PROGRAM_BASE}`, "-o", program, source],
      stderr: "inherit",
    }).outputSync();
    if (!compiled.success) throw new Error(`${COMPILER} cannot compile ${source}`);
    this.#process = new Deno.Command(EMULATOR, {
      // With SVE the frames of signals have the vectors in another place.
      args: ["-cpu", cpu === "max" ? "max,sve=off,sme=off" : cpu, program],
      stdin: "piped",
      stdout: "piped",
      stderr: "null",
    }).spawn();
    this.#in = this.#process.stdin.getWriter();
    this.#out = this.#process.stdout.getReader({ mode: "byob" });
    this.#in.write(new Uint8Array(dataWindow()));
  }

  /** Runs at most {@linkcode BATCH} cases. */
  async run(cases: readonly Case[]): Promise<CaseOutcome[]> {
    const bytes = new Uint8Array(4 + cases.length * CASE_BYTES);
    new DataView(bytes.buffer).setUint32(0, cases.length, true);
    cases.forEach((one, i) => writeCase(new DataView(bytes.buffer, 4 + i * CASE_BYTES), one));
    await this.#in.write(bytes);
    const answer = await this.#read(cases.length * CASE_BYTES);
    return cases.map((_, i) => readOutcome(answer.subarray(i * CASE_BYTES, (i + 1) * CASE_BYTES)));
  }

  async #read(length: number): Promise<Uint8Array> {
    let buffer = new ArrayBuffer(length);
    for (let done = 0; done < length;) {
      const { value } = await this.#out.read(new Uint8Array(buffer, done, length - done));
      if (!value || value.length === 0) {
        throw new Error(`${EMULATOR} ended: ${JSON.stringify(await this.#process.status)}`);
      }
      done += value.length;
      buffer = value.buffer;
    }
    return new Uint8Array(buffer);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#in.close().catch(() => {});
    await this.#out.cancel();
    await this.#process.status;
    Deno.removeSync(this.#folder, { recursive: true });
  }
}

function writeCase(view: DataView, { word, state }: Case): void {
  state.x.forEach((value, n) => view.setBigUint64(8 * n, value, true));
  view.setBigUint64(8 * 31, state.sp, true);
  view.setBigUint64(8 * 32, state.pc, true);
  const { nzcv, fpcr, fpsr } = state;
  [word, nzcv, Number(fpcr), Number(fpsr)].forEach((value, i) =>
    view.setUint32(AT_32 + 4 * i, value, true)
  );
  state.v.forEach((value, n) => {
    view.setBigUint64(AT_V + 16 * n, BigInt.asUintN(64, value), true);
    view.setBigUint64(AT_V + 16 * n + 8, value >> 64n, true);
  });
}

function readOutcome(bytes: Uint8Array): CaseOutcome {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const signal = view.getUint32(AT_32, true);
  const kind = SIGNALS[signal];
  if (kind === undefined) throw new Error(`${EMULATOR} raised signal ${signal}`);
  if (kind !== "retired") return { kind };
  const state: CpuSnapshot = {
    x: Array.from({ length: 31 }, (_, n) => view.getBigUint64(8 * n, true)),
    v: Array.from(
      { length: 32 },
      (_, n) =>
        view.getBigUint64(AT_V + 16 * n + 8, true) << 64n | view.getBigUint64(AT_V + 16 * n, true),
    ),
    sp: view.getBigUint64(8 * 31, true),
    pc: view.getBigUint64(8 * 32, true),
    nzcv: view.getUint32(AT_32 + 4, true),
    fpcr: BigInt(view.getUint32(AT_32 + 8, true)),
    fpsr: BigInt(view.getUint32(AT_32 + 12, true)),
  };
  return { kind, state, data: bytes.slice(AT_DATA) };
}
