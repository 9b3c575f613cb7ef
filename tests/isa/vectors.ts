import { gunzipSync } from "node:zlib";

/**
 * Single-instruction test vectors: a JSON object per line, gzip'd.
 *
 * `{"c": class, "w": [hex words], "b": before, "a": after}`; other members are ignored. The words
 * are executed in a straight line at EL0 from {@linkcode CODE}. Registers are given only where they
 * differ from a default ({@linkcode stateBefore}), `a` only what changed. Memory is
 * {@linkcode DATA} with a fixed pattern, and code in which every other word is BRK #1.
 */

/** Address of the first word. */
export const CODE = 0x2020_0000;
/** Where code is mapped: `[CODE_START, CODE_START + CODE_BYTES)`. */
export const CODE_START = 0x2000_0000;
export const CODE_BYTES = 0x40_0000;
/** BRK #1. */
export const FILLER = 0xd420_0020;
/** Address of the data window; bytes around it are mapped too, and zero. */
export const DATA = 0x1000_0000;
export const DATA_BYTES = 0x400;
/** How far memory is mapped on both sides of {@linkcode DATA}. */
export const DATA_REACH = 0x1_0000;

/** Registers as a line gives them. Numbers of registers are keys, values hexadecimal. */
interface Registers {
  readonly x?: Readonly<Record<string, string>>;
  readonly v?: Readonly<Record<string, string>>;
  readonly sp?: string;
  readonly nzcv?: number;
  readonly fpcr?: string;
  readonly fpsr?: string;
}

/** One vector as it stands in the file. */
export interface Vector {
  /** Class, for example `addsub_imm`. */
  readonly c: string;
  readonly w: readonly string[];
  readonly b: Registers;
  readonly a: Registers & {
    readonly pc?: string;
    readonly mem?: readonly (readonly [offset: number, bytes: string])[];
    readonly exc?: "undef";
  };
}

/** What an instruction at EL0 can see of the processor. */
export interface CpuSnapshot {
  /** X0 to X30. */
  readonly x: bigint[];
  /** V0 to V31, 128 bits each. */
  readonly v: bigint[];
  sp: bigint;
  pc: bigint;
  /** N is 8, Z 4, C 2, V 1. */
  nzcv: number;
  fpcr: bigint;
  fpsr: bigint;
}

/** A processor that vectors can be run on. */
export interface BareCpu {
  /**
   * Executes `words` from {@linkcode CODE} with these registers. `data` is the window at
   * {@linkcode DATA} and is changed in place.
   *
   * @returns the registers afterwards; `undefined` if an instruction was UNDEFINED, with the
   * registers it left
   */
  execute(
    before: CpuSnapshot,
    words: readonly number[],
    data: Uint8Array,
  ): { state: CpuSnapshot; undefined: boolean };
}

/** Reads a file of vectors, gzip'd or plain. */
export function* readVectors(file: Uint8Array): Generator<Vector> {
  const plain = file[0] === 0x1f && file[1] === 0x8b ? gunzipSync(file) : file;
  const text = new TextDecoder().decode(plain);
  for (let at = 0; at < text.length;) {
    const end = text.indexOf("\n", at);
    const line = text.slice(at, end < 0 ? undefined : end);
    if (line.trim() !== "") yield JSON.parse(line) as Vector;
    at = end < 0 ? text.length : end + 1;
  }
}

/** The registers before a vector: its own, else the defaults. */
export function stateBefore({ b }: Vector): CpuSnapshot {
  const state: CpuSnapshot = {
    x: Array.from({ length: 31 }, (_, i) => 0xa5a5_0000_0000_0000n | BigInt(i * 0x0101)),
    v: Array.from({ length: 32 }, (_, i) => {
      const high = 0xb0b0_0000_0000_0000n | BigInt(i * 0x0101);
      return high << 64n | 0xc0c0_0000_0000_0000n | BigInt(i * 0x0303);
    }),
    sp: 0x1000_0200n,
    pc: BigInt(CODE),
    nzcv: 0,
    fpcr: 0n,
    fpsr: 0n,
  };
  change(state, b);
  return state;
}

/** What a vector expects: registers and the data window. */
export function expected(vector: Vector): { state: CpuSnapshot; data: Uint8Array } {
  const { a, w } = vector;
  const state = stateBefore(vector);
  state.pc = a.pc === undefined ? BigInt(CODE + 4 * w.length) : BigInt(`0x${a.pc}`);
  change(state, a);
  const data = dataWindow();
  for (const [offset, bytes] of a.mem ?? []) {
    bytes.match(/../g)!.forEach((byte, i) => data[offset + i] = parseInt(byte, 16));
  }
  return { state, data };
}

/** The data window's contents before a vector. */
export function dataWindow(): Uint8Array {
  return Uint8Array.from({ length: DATA_BYTES }, (_, k) => Math.imul(k, 0x9e37_79b1) >>> 24);
}

function change(state: CpuSnapshot, registers: Registers): void {
  const { x, v, sp, nzcv, fpcr, fpsr } = registers;
  for (const [n, value] of Object.entries(x ?? {})) state.x[Number(n)] = BigInt(`0x${value}`);
  for (const [n, value] of Object.entries(v ?? {})) state.v[Number(n)] = BigInt(`0x${value}`);
  if (sp !== undefined) state.sp = BigInt(`0x${sp}`);
  if (nzcv !== undefined) state.nzcv = nzcv;
  if (fpcr !== undefined) state.fpcr = BigInt(`0x${fpcr}`);
  if (fpsr !== undefined) state.fpsr = BigInt(`0x${fpsr}`);
}
