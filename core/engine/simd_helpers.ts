import { SLOT } from "../state.ts";
import { LAYOUT } from "./layout.ts";
import { type Definition, ONE, ZERO } from "./simd_element.ts";
import { SIMD_ELEMENTWISE } from "./simd_elementwise.ts";
import {
  type Expression,
  type FunctionReference,
  i32,
  i64,
  load,
  op,
} from "./wasm/function_builder.ts";
import type { ModuleBuilder } from "./wasm/module_builder.ts";

/**
 * Helpers that work on integer vectors element by element, for operations that WebAssembly has no
 * instruction for: saturating, rounding, by a shift of each element's own.
 *
 * Each takes vectors and a `shape`, log2 of the element's bytes in bits 1:0 and the number of
 * elements above, works through that many elements from the lowest, and gives a vector whose other
 * bits are zero. A scalar is a shape of one element. Those that saturate set FPSR.QC, so rows call
 * them by `Ops.cumulative`, the others by `Ops.helper`.
 */

/** Where the vectors stand while a helper runs, 16 bytes each; the result comes last. */
const SCRATCH = LAYOUT.helperTables + 0x8000;
const RESULT = SCRATCH + 0x40;
const QC = 27n;

/** Defines all of them in a module that is being built; gives them by name. */
export function defineSimdHelpers(m: ModuleBuilder): [string, FunctionReference][] {
  const lanes = defineLanes(m);
  return Object.entries(SIMD_ELEMENTWISE).map(([name, definition]) => [
    name,
    defineElementwise(m, definition, lanes),
  ]);
}

/** Functions that read and write one element at an address, by log2 of its bytes. */
interface Lanes {
  readonly signed: FunctionReference;
  readonly unsigned: FunctionReference;
  readonly store: FunctionReference;
}

const LANE_BITS = ["8", "16", "32", ""];

function defineLanes(m: ModuleBuilder): Lanes {
  const reader = (sign: "s" | "u") => {
    const { reference, body: f } = m.function(["i32", "i32"], "i64");
    const address = f.parameter(0), size = f.parameter(1);
    LANE_BITS.forEach((bits, i) => {
      const value = load(bits ? `i64.load${bits}_${sign}` : "i64.load", address);
      if (i === 3) f.return(value);
      else f.if(op("i32.eq", size, i32(i)), () => f.return(value));
    });
    f.unreachable();
    return reference;
  };
  const { reference: store, body: f } = m.function(["i32", "i32", "i64"], "");
  const [address, size, value] = [0, 1, 2].map((n) => f.parameter(n));
  LANE_BITS.forEach((bits, i) => {
    f.if(op("i32.eq", size, i32(i)), () => f.store(`i64.store${bits}`, address, value));
  });
  return { signed: reader("s"), unsigned: reader("u"), store };
}

function callOf(target: FunctionReference, ...operands: Expression[]): Expression {
  return {
    type: "i64",
    emit(f) {
      for (const operand of operands) operand.emit(f);
      f.code.byte(0x10).unsigned(target.index);
    },
  };
}

/** The function around a body: stores the operands, goes through the elements, loads the result. */
function defineElementwise(
  m: ModuleBuilder,
  { operands, result: width, body }: Definition,
  lanes: Lanes,
): FunctionReference {
  const types = [...operands.map(() => "v128" as const), "i32" as const];
  const { reference, body: f } = m.function(types, "v128");
  const shape = f.parameter(operands.length);
  const size = f.local("i32"), wide = f.local("i32"), index = f.local("i32");
  const bits = f.local("i64"), result = f.local("i64"), saturated = f.local("i32");
  operands.forEach((_, n) => f.store("v128.store", i32(SCRATCH + 16 * n), f.parameter(n)));
  f.store("i64.store", i32(RESULT), ZERO);
  f.store("i64.store", i32(RESULT), ZERO, 8);
  f.set(size, op("i32.and", shape, i32(3)));
  f.set(wide, op("i32.add", size, i32(1)));
  f.set(index, op("i32.shr_u", shape, i32(2)));
  f.set(bits, op("i64.extend_i32_u", op("i32.shl", i32(8), size)));
  const values = operands.map(() => f.local("i64"));
  const resultBits = width ? op("i64.shl", bits, ONE) : bits;
  f.loop((next) => {
    f.set(index, op("i32.sub", index, i32(1)));
    operands.forEach((reading, n) => {
      const isWide = reading === "S" || reading === "U";
      const at = op("i32.shl", index, isWide ? wide : size);
      const read = reading === "s" || reading === "S" ? lanes.signed : lanes.unsigned;
      const address = op("i32.add", at, i32(SCRATCH + 16 * n));
      if (reading === "b") f.set(values[n], load("i64.load8_s", address));
      else f.set(values[n], callOf(read, address, isWide ? wide : size));
    });
    body({ f, operands: values, bits, resultBits, result, saturated });
    const log2 = width ? wide : size;
    f.call(lanes.store, op("i32.add", op("i32.shl", index, log2), i32(RESULT)), log2, result);
    f.branchIf(next, index);
  });
  f.if(saturated, () => {
    const sticky = op("i64.or", load("i64.load", i32(0), SLOT.fpsr), i64(1n << QC));
    f.store("i64.store", i32(0), sticky, SLOT.fpsr);
  });
  f.return(load("v128.load", i32(RESULT)));
  return reference;
}
