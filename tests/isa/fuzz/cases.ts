import { disassemble } from "../../../core/isa/disassemble.ts";
import { findRow } from "../../../core/isa/decode_tree.ts";
import type { Row } from "../../../core/isa/row.ts";
import { isSupported, ROWS } from "../../../core/isa/table.ts";
import { type Random, wordsOf } from "../random_words.ts";
import { CODE, type CpuSnapshot, DATA } from "../vectors.ts";
import type { Case } from "./reference_cpu.ts";

/**
 * Random instructions with random registers: words from the table's own patterns, row by row, and
 * now and then any word at all, so that what is UNDEFINED is compared too.
 */

/** One word in so many is any word. */
const ANY_WORD = 16;

const CORNERS = [
  ...[0n, 1n, 0x7fn, 0x80n, 0xffn, 0x7fffn, 0x8000n, 0x7fff_ffffn, 0x8000_0000n, 0xffff_ffffn],
  ...[1n << 63n, (1n << 63n) - 1n, (1n << 64n) - 1n],
];

/** Floating-point numbers at which results change their kind, by the bits of the format. */
const FLOATS: Readonly<Record<number, readonly bigint[]>> = {
  16: [
    ...[0n, 1n, 0x3ffn, 0x400n, 0x3c00n, 0x3bffn, 0x3c01n, 0x7bffn, 0x7c00n, 0x7c01n],
    ...[0x7e00n, 0x7e12n, 0x3800n, 0x4200n, 0x6400n, 0x6800n, 0x5bffn, 0x0801n],
  ],
  32: [
    ...[0n, 1n, 0x7f_ffffn, 0x80_0000n, 0x3f80_0000n, 0x3f7f_ffffn, 0x3f80_0001n, 0x7f7f_ffffn],
    ...[0x7f80_0000n, 0x7f80_0001n, 0x7fc0_0000n, 0x7fc1_2345n, 0x3f00_0000n, 0x4f00_0000n],
    ...[0x4eff_ffffn, 0x5f00_0000n, 0x4b00_0000n, 0x477f_e000n, 0x477f_f000n, 0x3380_0000n],
    ...[0x3300_0000n, 0x0100_0000n, 0x2000_0000n, 0x1fff_ffffn, 0x6000_0000n],
  ],
  64: [
    ...[0n, 1n, (1n << 52n) - 1n, 1n << 52n, 0x3ff0n << 48n, (0x3ff0n << 48n) - 1n],
    ...[(0x3ff0n << 48n) + 1n, (0x7ff0n << 48n) - 1n, 0x7ff0n << 48n, (0x7ff0n << 48n) + 1n],
    ...[0x7ff8n << 48n, (0x7ff8n << 48n) + 0x1234n, 0x3fe0n << 48n, 0x41e0n << 48n, 0x43e0n << 48n],
    ...[(0x43e0n << 48n) - 1n, 0x43f0n << 48n, 0x4330n << 48n, 0x47efn << 48n, 0x380fn << 48n],
    ...[0x36a0n << 48n, 0x36a0_0000_0000_0001n, 0x47ef_ffff_f000_0000n, 0x3810n << 48n],
  ],
};

/** Which rows and features a run is about. */
export interface CaseChoice {
  /** Features beyond Armv8.0-A. */
  readonly features: ReadonlySet<string>;
  /** Only rows whose name matches; any word is tried only if all do. */
  readonly only: RegExp;
}

/** An endless supply of cases. */
export function* makeCases({ features, only }: CaseChoice, random: Random): Generator<Case> {
  const rows = ROWS.filter(isSupported).filter((row) =>
    isComparable(row) && (row.feature === undefined || features.has(row.feature)) &&
    only.test(row.name)
  );
  const half = features.has("FEAT_FP16");
  const everything = only.source === "(?:)";
  if (rows.length === 0) throw new Error("no row of the instruction table has such a name");
  for (;;) {
    for (const row of rows) {
      for (const word of wordsOf(row, 1, random)) {
        if (findRow(word) === row && !isLoop(word) && !usesKeys(word)) {
          yield { word, state: stateFor(row, word, random, half) };
        }
        if (everything && random.u32() % ANY_WORD === 0) {
          const any = random.u32();
          if (isHarmless(any, features)) {
            yield { word: any, state: stateFor(findRow(any), any, random, half) };
          }
        }
      }
    }
  }
}

/** Whether a row's effect is on what is compared, and the same wherever it is executed. */
export function isComparable(row: Row): boolean {
  if (/^M(RS|SR) \((NZCV|FPCR|FPSR)\)$/.test(row.name)) return true;
  return row.ends !== "exception" && row.ends !== "sequential" &&
    !/^(MRS|MSR|SYS|SYSL|WFE|WFI|SEV|YIELD|DC ZVA)/.test(row.name);
}

/**
 * Whether any word may be tried: no exception that is asked for, no system instruction, and nothing
 * that only the reference has.
 */
function isHarmless(word: number, features: ReadonlySet<string>): boolean {
  const top = word >>> 24;
  if (top === 0xd4 || top === 0xd5) return false;
  const row = findRow(word);
  if (row === undefined) return true;
  if (!isSupported(row)) return features.size === 0;
  return isComparable(row) && !isLoop(word) && !usesKeys(word);
}

/** Pointer authentication: every process has keys of its own there. */
function usesKeys(word: number): boolean {
  return /^(pac|aut|xpac|ldra[ab]|bl?ra[ab]|reta[ab])/.test(disassemble(word, 0n));
}

/** Whether a word is a branch to itself. */
function isLoop(word: number): boolean {
  const row = findRow(word);
  if (!row || !isSupported(row) || row.ends === undefined) return false;
  const offset = row.pattern.fields.filter(({ name }) => /^imm(14|19|26)/.test(name));
  return offset.length > 0 &&
    offset.every(({ shift, width }) => ((word >>> shift) & (2 ** width - 1)) === 0);
}

/** Random registers; the base of a load or store points into the data window. */
function stateFor(
  row: { readonly name: string } | undefined,
  word: number,
  random: Random,
  half: boolean,
): CpuSnapshot {
  const state: CpuSnapshot = {
    x: Array.from({ length: 31 }, () => general(random)),
    v: Array.from({ length: 32 }, () => vector(random)),
    sp: BigInt(DATA + 0x200),
    pc: BigInt(CODE),
    nzcv: random.u32() & 15,
    fpcr: fpcr(random, half),
    fpsr: random.u32() & 1 ? 0n : BigInt((random.u32() & 0x0800_009f) >>> 0),
  };
  const n = (word >>> 5) & 31, m = (word >>> 16) & 31;
  if (/^(BR|BLR|RET)$/.test(row?.name ?? "") && n < 31) {
    state.x[n] = BigInt(CODE + 8 + 4 * (random.u32() & 0xff));
  }
  const text = disassemble(word, BigInt(CODE));
  if (!text.includes("[") || n === 31) return state;
  state.x[n] = BigInt(DATA + 0x200 + (random.u32() & 0x70) + (random.u32() % 8 ? 0 : 3));
  if (/register offset/.test(row?.name ?? "") && m !== 31) state.x[m] = BigInt(random.u32() & 15);
  if (/unsigned immediate/.test(row?.name ?? "")) state.x[n] -= BigInt((word >>> 10) & 0xfff);
  return state;
}

function wide(random: Random): bigint {
  return BigInt(random.u32()) << 32n | BigInt(random.u32());
}

function general(random: Random): bigint {
  const kind = random.u32() % 8;
  if (kind < 2) return CORNERS[random.u32() % CORNERS.length];
  if (kind < 4) return BigInt.asUintN(64, -(wide(random) & 0xffn));
  if (kind === 4) return wide(random) >> BigInt(random.u32() % 64);
  return wide(random);
}

/** Vectors of elements of one size: any bits, small integers, or floating-point numbers. */
function vector(random: Random): bigint {
  const bits = [8, 16, 32, 64][random.u32() % 4];
  const kind = random.u32() % 4;
  let value = 0n;
  for (let i = 0; i < 128 / bits; i++) value = value << BigInt(bits) | element(bits, kind, random);
  return value;
}

function element(bits: number, kind: number, random: Random): bigint {
  const any = BigInt.asUintN(bits, wide(random));
  if (kind === 0) return any;
  const floats = FLOATS[bits];
  if (kind === 1 || !floats) {
    return BigInt.asUintN(bits, random.u32() % 4 ? any % 16n : -(any % 16n));
  }
  const sign = BigInt(random.u32() & 1) << BigInt(bits - 1);
  if (random.u32() % 2) return floats[random.u32() % floats.length] | sign;
  // Near one, so that sums and products neither overflow nor vanish.
  const fraction = { 16: 10, 32: 23, 64: 52 }[bits]!;
  const bias = (1n << BigInt(bits - 2 - fraction)) - 1n;
  const exponent = bias + BigInt(random.u32() % 9) - 4n;
  return sign | exponent << BigInt(fraction) | BigInt.asUintN(fraction, any);
}

/** AHP, DN, FZ and RMode, and FZ16 where there is half-precision arithmetic; mostly clear. */
function fpcr(random: Random, half: boolean): bigint {
  if (random.u32() % 2) return 0n;
  return BigInt(random.u32() & (half ? 0x07c8_0000 : 0x07c0_0000));
}
