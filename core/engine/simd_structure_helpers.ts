import { LAYOUT } from "./layout.ts";
import {
  call,
  type Expression,
  type FunctionBuilder,
  type FunctionReference,
  i32,
  lanes,
  load,
  op,
} from "./wasm/function_builder.ts";
import type { ModuleBuilder } from "./wasm/module_builder.ts";

/**
 * Helpers that move the elements of several vectors: between registers and structures in memory
 * (LD2 to LD4, ST2 to ST4), and the largest or smallest of a vector.
 *
 * `deinterleave` and `interleave` take four vectors, the elements' size (log2 of the bytes) and
 * {@linkcode structurePart}; they look the result's bytes up in the 64 bytes of the vectors, by
 * tables in memory.
 */

const DEINTERLEAVE = LAYOUT.helperTables, INTERLEAVE = LAYOUT.helperTables + 0x800;
const VECTORS_PER_SIZE = 4, SIZES = 4, MOST_REGISTERS = 4;

/**
 * Which of the vectors in memory, or registers, of structures of `count` elements is asked for, as
 * the helpers take it.
 */
export function structurePart(count: number, part: number): number {
  return 16 * (count * SIZES * VECTORS_PER_SIZE + part);
}

/** Defines them; gives them by name. */
export function defineStructureHelpers(m: ModuleBuilder): [string, FunctionReference][] {
  m.data(
    DEINTERLEAVE,
    indexTable((count, size, part, byte) => {
      const element = byte >> size;
      return ((element * count + part) << size) + (byte & ((1 << size) - 1));
    }),
  );
  m.data(
    INTERLEAVE,
    indexTable((count, size, part, byte) => {
      const element = (16 * part + byte) >> size;
      const place = Math.floor(element / count) << size;
      // Only registers of 16 bytes exist.
      return place < 16 ? 16 * (element % count) + place + (byte & ((1 << size) - 1)) : 255;
    }),
  );
  const lookUp = defineLookUp(m);
  return [
    ["deinterleave", defineMove(m, lookUp, DEINTERLEAVE)],
    ["interleave", defineMove(m, lookUp, INTERLEAVE)],
    ...["smax", "smin", "umax", "umin"].map((name): [string, FunctionReference] => [
      `${name}v`,
      defineExtreme(m, `${name.slice(1)}_${name[0]}`),
    ]),
  ];
}

/** The indices of every result's bytes, in the order of the addresses that {@linkcode defineMove} computes. */
function indexTable(
  indexOf: (count: number, size: number, part: number, byte: number) => number,
): Uint8Array {
  const table = new Uint8Array((MOST_REGISTERS + 1) * SIZES * VECTORS_PER_SIZE * 16).fill(255);
  for (let count = 2; count <= MOST_REGISTERS; count++) {
    for (let size = 0; size < SIZES; size++) {
      for (let part = 0; part < count; part++) {
        const at = structurePart(count, part) + 16 * VECTORS_PER_SIZE * size;
        for (let byte = 0; byte < 16; byte++) {
          const index = indexOf(count, size, part, byte);
          table[at + byte] = index < 64 ? index : 255;
        }
      }
    }
  }
  return table;
}

/** `(v128 × 4, indices: v128) → v128`: the bytes of the 64 with these numbers, zero beyond. */
function defineLookUp(m: ModuleBuilder): FunctionReference {
  const { reference, body: f } = m.function(["v128", "v128", "v128", "v128", "v128"], "v128");
  const indices = f.parameter(4);
  const found = [0, 1, 2, 3].map((n) => {
    const first = op("i8x16.splat", i32(16 * n));
    return op("i8x16.swizzle", f.parameter(n), op("i8x16.sub", indices, first));
  });
  f.return(found.reduce((a, b) => op("v128.or", a, b)));
  return reference;
}

function defineMove(
  m: ModuleBuilder,
  lookUp: FunctionReference,
  table: number,
): FunctionReference {
  const types = ["v128", "v128", "v128", "v128", "i32", "i32"] as const;
  const { reference, body: f } = m.function(types, "v128");
  const [a, b, c, d, size, part] = types.map((_, n) => f.parameter(n));
  const at = op("i32.add", op("i32.shl", size, i32(6)), part);
  f.return(call(lookUp, a, b, c, d, load("v128.load", at, table)));
  return reference;
}

/** `(v128, size: i32) → i64`: the element that `max_s` or its like prefers, zero-extended. */
function defineExtreme(m: ModuleBuilder, name: string): FunctionReference {
  const { reference, body: f } = m.function(["v128", "i32"], "i64");
  const value = f.parameter(0), size = f.parameter(1);
  const fold = (shape: string, by: number) =>
    f.set(value, op(`${shape}.${name}`, value, rotated(value, by)));
  const reduce = (shape: string, smallest: number, extract: Expression) => {
    for (let by = 8; by >= smallest; by /= 2) fold(shape, by);
    f.return(op("i64.extend_i32_u", extract));
  };
  const ofSize = (log2: number, body: () => void) => f.if(op("i32.eq", size, i32(log2)), body);
  ofSize(0, () => reduce("i8x16", 1, lanes("i8x16.extract_lane_u", 0, value)));
  ofSize(1, () => reduce("i16x8", 2, lanes("i16x8.extract_lane_u", 0, value)));
  reduce("i32x4", 4, lanes("i32x4.extract_lane", 0, value));
  return reference;
}

/** The bytes of a vector, `by` bytes further on. */
function rotated(value: Expression, by: number): Expression {
  const bytes = Array.from({ length: 16 }, (_, i) => (i + by) % 16);
  return {
    type: "v128",
    emit(f: FunctionBuilder) {
      value.emit(f);
      value.emit(f);
      f.plain("i8x16.shuffle", bytes);
    },
  };
}
