import type { Ops, Value } from "./ops.ts";
import type { Fields, Operand, Row, RowSpecification, Syntax } from "./row.ts";
import { memory, parseInteger, x, xsp } from "./operands.ts";
import { structurePart } from "../engine/simd_structure_helpers.ts";
import { fromHalves, KEEP, keepHalf, lowHalf, simdRow, zeroVector } from "./simd_common.ts";
import { registerList, vectorList } from "./simd_operands.ts";

/**
 * Loads and stores of Advanced SIMD structures (Arm ARM C4.1.94): LD1 to LD4, ST1 to ST4.
 *
 * The manual's groups with and without post-index are one row here: `post` is bit 23, and without
 * it Rm is zero. The address is checked for the alignment of an element.
 */

type Kind = "load" | "store";
const KINDS: readonly Kind[] = ["store", "load"];
const COUNTS = [1, 2, 3, 4];

// ---- addresses ----

/** Bytes transferred, which are the immediate that Rm = 31 stands for. */
type BytesOf = (f: Fields) => number;

function isAllocated({ post, Rm }: Fields): boolean {
  return post === 1 || Rm === 0;
}

/** `step`: what the base grows by, or -1 for Rm. */
function stepOf(bytesOf: BytesOf): Required<RowSpecification>["derive"] {
  return {
    step(f) {
      if (f.post === 0) return 0;
      return f.Rm === 31 ? bytesOf(f) : -1;
    },
  };
}

/** Writes the base back, moved by `step` or Rm. */
function moveBase(o: Ops): void {
  const step = o.immediate("step");
  const by = o.select(o.ltS(step, o.c32(0)), o.x("Rm"), o.extendS(step));
  o.setXsp("Rn", o.add(o.anyBase("Rn"), by));
}

/** The three ways to write the address. */
function syntaxes(mnemonic: string, list: Operand, bytesOf: BytesOf): readonly Syntax[] {
  const base = memory([xsp("Rn")]);
  const bytes: Operand = {
    format: (f) => `#${bytesOf(f)}`,
    parse: (text, _pc, f) => parseInteger(text) === BigInt(bytesOf(f)) ? {} : undefined,
  };
  return [
    {
      mnemonic,
      operands: [list, base],
      set: { post: 0, Rm: 0 },
      when: ({ post }) => post === 0,
    },
    {
      mnemonic,
      operands: [list, base, bytes],
      set: { post: 1, Rm: 31 },
      when: ({ Rm }) => Rm === 31,
    },
    { mnemonic, operands: [list, base, x("Rm")], set: { post: 1 }, when: ({ Rm }) => Rm !== 31 },
  ];
}

function mnemonicOf(kind: Kind, count: number): string {
  return `${kind === "load" ? "ld" : "st"}${count}`;
}

// ---- multiple structures ----

/** An opcode: `registers` in all, in structures of `count` elements. */
interface Multiple {
  readonly opcode: string;
  readonly registers: number;
  readonly count: number;
}

const MULTIPLE: readonly Multiple[] = [
  { opcode: "0000", registers: 4, count: 4 },
  { opcode: "0010", registers: 4, count: 1 },
  { opcode: "0100", registers: 3, count: 3 },
  { opcode: "0110", registers: 3, count: 1 },
  { opcode: "0111", registers: 1, count: 1 },
  { opcode: "1000", registers: 2, count: 2 },
  { opcode: "1010", registers: 2, count: 1 },
];

function multipleRow({ opcode, registers, count }: Multiple, kind: Kind): Row {
  const mnemonic = mnemonicOf(kind, count);
  const bytesOf = ({ Q }: Fields) => registers * (8 << Q);
  const L = KINDS.indexOf(kind);
  return simdRow(
    `${mnemonic.toUpperCase()} (multiple structures)`,
    `0 Q 001100 post ${L} 0 Rm ${opcode} size:2 Rn Rt`,
    {
      static: ["Q"],
      when: (f) => isAllocated(f) && (count === 1 || f.size < 3 || f.Q === 1),
      derive: stepOf(bytesOf),
      assembly: syntaxes(mnemonic, vectorList("Rt", registers), bytesOf),
      execute(o, { Q }) {
        const move = kind === "load" ? loadMultiple : storeMultiple;
        move(o, Q, registers, count);
        moveBase(o);
      },
    },
  );
}

/** Register after register; the elements of structures are told apart afterwards. */
function loadMultiple(o: Ops, Q: number, registers: number, count: number): void {
  const loaded = o.loadAll(o.anyBase("Rn"), {
    size: Q ? 16 : 8,
    count: registers,
    type: Q ? "v128" : "i64",
    alignedTo: o.immediate("size"),
  });
  if (count === 1) return loaded.forEach((value, i) => o.setV("Rt", value, i));
  const vectors = Q ? loaded : joined(o, loaded);
  for (let i = 0; i < count; i++) {
    const value = rearranged(o, "deinterleave", vectors, count, i);
    o.setV("Rt", Q ? value : lowHalf(o, value), i);
  }
}

function storeMultiple(o: Ops, Q: number, registers: number, count: number): void {
  const sources = Array.from({ length: registers }, (_, i) => o.v("Rt", i));
  const vectors = count === 1 || !Q
    ? sources
    : sources.map((_, i) => rearranged(o, "interleave", sources, count, i));
  const values = Q ? vectors : count === 1 ? sources.map((v) => lowHalf(o, v)) : halves(o, sources);
  o.store(o.anyBase("Rn"), values, { size: Q ? 16 : 8, alignedTo: o.immediate("size") });
}

/** Vectors of two halves each; a half that is missing is zero. */
function joined(o: Ops, parts: readonly Value[]): Value[] {
  const vectors: Value[] = [];
  for (let i = 0; i < parts.length; i += 2) {
    vectors.push(fromHalves(o, parts[i], parts[i + 1] ?? o.c64(0)));
  }
  return vectors;
}

/** The structures of half registers, eight bytes at a time. */
function halves(o: Ops, sources: readonly Value[]): Value[] {
  return sources.map((_, i) => {
    const vector = rearranged(o, "interleave", sources, sources.length, i >> 1);
    return o.lane("i64x2.extract_lane", i & 1, vector);
  });
}

function rearranged(
  o: Ops,
  helper: "interleave" | "deinterleave",
  vectors: readonly Value[],
  count: number,
  part: number,
): Value {
  const four = [0, 1, 2, 3].map((i) => vectors[i] ?? zeroVector(o));
  return o.helper(helper, "v128", ...four, o.immediate("size"), o.c32(structurePart(count, part)));
}

// ---- single structures ----

const LETTERS = "bhsd";
const BYTES = [1, 2, 4, 8] as const;
const STORES = ["i64.store8", "i64.store16", "i64.store32", "i64.store"];
const LOADS = ["i64.load8_u", "i64.load16_u", "i64.load32_u", "i64.load"];

/** `opcode<2:1>`, then S and size: in them and Q stands the index. */
const ELEMENTS: readonly { bits: readonly [string, string]; index: (f: Fields) => number }[] = [
  { bits: ["00", "S size:2"], index: ({ Q, S, size }) => Q << 3 | S << 2 | size },
  { bits: ["01", "S size:1 0"], index: ({ Q, S, size }) => Q << 2 | S << 1 | size },
  { bits: ["10", "S 00"], index: ({ Q, S }) => Q << 1 | S },
  { bits: ["10", "0 01"], index: ({ Q }) => Q },
];

/** The fields of an element's index, the inverse of `index` above. */
function indexFields(log2: number, index: number): Record<string, number> | undefined {
  if (index >= 16 >> log2) return undefined;
  const Q = index >> (3 - log2), S = index >> (2 - log2) & 1;
  if (log2 === 3) return { Q };
  return log2 === 2 ? { Q, S } : { Q, S, size: index & (1 << (2 - log2)) - 1 };
}

/** The count of elements is `opcode<0>:R` and one. */
function singlePattern(count: number, L: number, [high, rest]: readonly [string, string]): string {
  return `0 Q 001101 post ${L} ${(count - 1) & 1} Rm ${high} ${(count - 1) >> 1} ${rest} Rn Rt`;
}

function singleRow(log2: number, count: number, kind: Kind): Row {
  const { bits, index } = ELEMENTS[log2];
  const mnemonic = mnemonicOf(kind, count), letter = LETTERS[log2];
  const bytesOf = () => count << log2;
  const list = registerList(
    "Rt",
    count,
    () => letter,
    (suffix) => suffix === letter ? {} : undefined,
    { format: index, parse: (i) => indexFields(log2, i) },
  );
  return simdRow(
    `${mnemonic.toUpperCase()} (single structure)`,
    singlePattern(count, KINDS.indexOf(kind), bits),
    {
      when: isAllocated,
      derive: { ...stepOf(bytesOf), offset: (f) => index(f) << log2 },
      assembly: syntaxes(mnemonic, list, bytesOf),
      execute(o) {
        const address = o.anyBase("Rn"), size = BYTES[log2];
        if (kind === "load") {
          o.loadAll(address, { size, count, type: "i64" })
            .forEach((value, i) => o.setPart(STORES[log2], "Rt", "offset", value, i));
        } else {
          const values = Array.from(
            { length: count },
            (_, i) => o.vPart(LOADS[log2], "Rt", "offset", i),
          );
          o.store(address, values, { size });
        }
        moveBase(o);
      },
    },
  );
}

function replicateRow(count: number): Row {
  const mnemonic = `ld${count}r`;
  const bytesOf = ({ size }: Fields) => count << size;
  return simdRow(mnemonic.toUpperCase(), singlePattern(count, 1, ["11", "0 size:2"]), {
    static: ["size"],
    when: isAllocated,
    derive: { ...stepOf(bytesOf), ...KEEP },
    assembly: syntaxes(mnemonic, vectorList("Rt", count), bytesOf),
    execute(o, { size }) {
      const type = size < 3 ? "i32" : "i64";
      const splat = ["i8x16.splat", "i16x8.splat", "i32x4.splat", "i64x2.splat"][size];
      o.loadAll(o.anyBase("Rn"), { size: BYTES[size], count, type })
        .forEach((value, i) => o.setV("Rt", keepHalf(o, o.plain(splat, value)), i));
      moveBase(o);
    },
  });
}

/** All of them, multiple structures first. */
export const SIMD_STRUCTURES: readonly Row[] = [
  ...KINDS.flatMap((kind) => MULTIPLE.map((multiple) => multipleRow(multiple, kind))),
  ...KINDS.flatMap((kind) =>
    COUNTS.flatMap((count) => [0, 1, 2, 3].map((log2) => singleRow(log2, count, kind)))
  ),
  ...COUNTS.map(replicateRow),
];
