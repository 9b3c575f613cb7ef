import { LAYOUT } from "./layout.ts";
import { returnIfFast } from "./simd_fp_fast.ts";
import {
  call,
  type Expression,
  type FunctionBuilder,
  type FunctionReference,
  i32,
  i64,
  load,
  type Local,
  op,
} from "./wasm/function_builder.ts";
import type { ModuleBuilder } from "./wasm/module_builder.ts";
import type { ValueType } from "./wasm/opcodes.ts";

/**
 * Floating-point arithmetic on vectors, element by element: each function calls that of one number
 * (`fp_*.ts`) for every element.
 *
 * A function takes vectors, numbers that are the same for all elements, and a `shape` as the
 * functions of `simd_helpers.ts` do. It works on elements of 2, 4 or 8 bytes; the rest of the
 * result is zero.
 */

/** Where the vectors stand while a function runs, 16 bytes each; the result comes last. */
const SCRATCH = LAYOUT.helperTables + 0x9000;
const RESULT = SCRATCH + 0x40;

/** log2 of the bytes of the elements that there are. */
const SIZES = [2, 3, 1] as const;
type Size = typeof SIZES[number];

const LOADS: Readonly<Record<Size, string>> = {
  1: "i64.load16_u",
  2: "i64.load32_u",
  3: "i64.load",
};
const STORES: Readonly<Record<Size, string>> = {
  1: "i64.store16",
  2: "i64.store32",
  3: "i64.store",
};

/** The functions of one number, by name. */
export type ScalarFunctions = ReadonlyMap<string, FunctionReference>;

/** What the code for one element works with. */
interface Element {
  readonly bits: number;
  /** The elements of the vectors, i64. */
  readonly operands: readonly Expression[];
  /** The numbers that are the same for all elements, i32. */
  readonly numbers: readonly Expression[];
  /** Calls the function of this name. */
  call(name: string, ...operands: Expression[]): Expression;
}

/** A function of vectors. */
interface Definition {
  readonly vectors: 1 | 2 | 3;
  readonly numbers?: number;
  /** Elements of the result, or of the operands, have twice the size. */
  readonly wide?: "result" | "operands";
  /** The sizes in `shape` that it is called with. */
  readonly sizes?: readonly Size[];
  readonly element: (element: Element) => Expression;
}

/** The function of each type that has this name and the number of bits. */
function named(name: string, vectors: 1 | 2 | 3, numbers = 0): Definition {
  return {
    vectors,
    numbers,
    element: ({ call, bits, operands, numbers }) => call(name + bits, ...operands, ...numbers),
  };
}

function magnitude(bits: number, value: Expression): Expression {
  return op("i64.and", value, i64((1n << BigInt(bits - 1)) - 1n));
}

/** All ones where the comparison is true. */
function comparison(name: string, operand = (_: number, value: Expression) => value): Definition {
  return {
    vectors: 2,
    element({ call, bits, operands }) {
      const truth = call(name + bits, ...operands.map((value) => operand(bits, value)));
      return op("i64.sub", i64(0n), op("i64.extend_i32_u", truth));
    },
  };
}

const BINARY: readonly string[] = [
  ..."FPAdd FPSub FPMul FPMulX FPDiv FPMax FPMin FPMaxNum FPMinNum".split(" "),
  ..."FPRecipStepFused FPRSqrtStepFused".split(" "),
];
const UNARY: readonly string[] = "FPSqrt FPRecipEstimate FPRSqrtEstimate FPRecpX".split(" ");

const DEFINITIONS: Readonly<Record<string, Definition>> = {
  ...Object.fromEntries(BINARY.map((name) => [name, named(name, 2)])),
  ...Object.fromEntries(UNARY.map((name) => [name, named(name, 1)])),
  FPMulAdd: named("FPMulAdd", 3),
  FPMulSub: {
    vectors: 3,
    element({ call, bits, operands: [addend, factor, other] }) {
      const negative = op("i64.xor", factor, i64(1n << BigInt(bits - 1)));
      return call(`FPMulAdd${bits}`, addend, negative, other);
    },
  },
  FPAbd: {
    vectors: 2,
    element: ({ call, bits, operands }) => magnitude(bits, call(`FPSub${bits}`, ...operands)),
  },
  FPCompareEQ: comparison("FPCompareEQ"),
  FPCompareGE: comparison("FPCompareGE"),
  FPCompareGT: comparison("FPCompareGT"),
  FPAbsCompareGE: comparison("FPCompareGE", magnitude),
  FPAbsCompareGT: comparison("FPCompareGT", magnitude),
  urecpe: estimate("UnsignedRecipEstimate"),
  ursqrte: estimate("UnsignedRSqrtEstimate"),
  // Rounding, and whether a result that is not exact says so.
  FPRoundInt: named("FPRoundInt", 1, 2),
  // Rounding, and the bits of the integers that fit.
  FPRoundIntSized: { ...named("FPRoundIntSized", 1, 2), sizes: [2, 3] },
  FPWidenHalf: { ...named("FPWidenHalf", 1), wide: "result", sizes: [1] },
  // Bits of fraction, whether unsigned, rounding.
  FPToFixed: conversion("FPToFixed"),
  FixedToFP: conversion("FixedToFP"),
  BFDotAdd: { ...named("BFDotAdd", 3), sizes: [2] },
  // The result's elements are halfwords, their shape is that of the result.
  FPConvertBF: {
    vectors: 1,
    wide: "operands",
    sizes: [1],
    element: ({ call, operands }) => call("FPConvertBF32", ...operands),
  },
  FPConvertLong: {
    vectors: 1,
    wide: "result",
    sizes: [1, 2],
    element: ({ call, bits, operands }) =>
      call(`FPConvert${bits}to${2 * bits}`, ...operands, i32(-1)),
  },
  // Rounding.
  FPConvertNarrow: {
    vectors: 1,
    numbers: 1,
    wide: "operands",
    sizes: [1, 2],
    element: ({ call, bits, operands, numbers }) =>
      call(`FPConvert${2 * bits}to${bits}`, ...operands, ...numbers),
  },
};

/** An estimate of unsigned integers, which are words alone. */
function estimate(name: string): Definition {
  return {
    vectors: 1,
    sizes: [2],
    element: ({ call, operands: [a] }) => op("i64.extend_i32_u", call(name, op("i32.wrap_i64", a))),
  };
}

/** A conversion to or from integers of the elements' size. */
function conversion(name: string): Definition {
  return {
    vectors: 1,
    numbers: 3,
    element: ({ call, bits, operands, numbers }) =>
      call(name + bits, ...operands, ...numbers, i32(bits)),
  };
}

/** Defines all of them; gives them by name. */
export function defineSimdFpHelpers(
  m: ModuleBuilder,
  scalars: ScalarFunctions,
): [string, FunctionReference][] {
  return Object.entries(DEFINITIONS).map(([name, definition]) => [
    name,
    defineOnVectors(m, name, definition, scalars),
  ]);
}

function defineOnVectors(
  m: ModuleBuilder,
  name: string,
  definition: Definition,
  scalars: ScalarFunctions,
): FunctionReference {
  const { vectors, numbers = 0, sizes = SIZES } = definition;
  const types: ValueType[] = [
    ...Array<ValueType>(vectors).fill("v128"),
    ...Array<ValueType>(numbers + 1).fill("i32"),
  ];
  const { reference, body: f } = m.function(types, "v128");
  const shape = f.parameter(vectors + numbers);
  const index = f.local("i32"), size = f.local("i32");
  const operands = Array.from({ length: vectors }, (_, n) => f.parameter(n));
  returnIfFast(f, name, operands, shape);
  operands.forEach((operand, n) => f.store("v128.store", i32(SCRATCH + 16 * n), operand));
  f.store("i64.store", i32(RESULT), i64(0n));
  f.store("i64.store", i32(RESULT), i64(0n), 8);
  f.set(index, op("i32.shr_u", shape, i32(2)));
  f.set(size, op("i32.and", shape, i32(3)));
  const same = Array.from({ length: numbers }, (_, n) => f.parameter(vectors + n));
  for (const each of sizes) {
    f.if(op("i32.eq", size, i32(each)), () => {
      elementLoop(f, definition, { size: each, index, numbers: same, scalars });
    });
  }
  f.return(load("v128.load", i32(RESULT)));
  return reference;
}

/** Goes through `index` elements from the highest. */
function elementLoop(
  f: FunctionBuilder,
  { vectors, wide, element }: Definition,
  { size, index, numbers, scalars }: {
    size: Size;
    index: Local;
    numbers: readonly Expression[];
    scalars: ScalarFunctions;
  },
): void {
  const operandSize = wide === "operands" ? size + 1 as Size : size;
  const resultSize = wide === "result" ? size + 1 as Size : size;
  const at = (log2: Size) => op("i32.shl", index, i32(log2));
  f.loop((next) => {
    f.set(index, op("i32.sub", index, i32(1)));
    const operands = Array.from(
      { length: vectors },
      (_, n) => load(LOADS[operandSize], at(operandSize), SCRATCH + 16 * n),
    );
    const result = element({
      bits: 8 << size,
      operands,
      numbers,
      call(name, ...operands) {
        const target = scalars.get(name);
        if (!target) throw new Error(`no function of one number is named ${name}`);
        return call(target, ...operands);
      },
    });
    f.store(STORES[resultSize], at(resultSize), result, RESULT);
    f.branchIf(next, index);
  });
}
