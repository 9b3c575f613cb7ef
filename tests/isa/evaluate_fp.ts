import { evaluateFp, type FpResult } from "./fp_evaluator.ts";

/**
 * Floating-point functions on vectors, on BigInts: the manual's loop over the elements around the
 * functions of one number (`fp_evaluator.ts`), by their names in
 * `core/engine/simd_fp_helpers.ts`.
 *
 * A `shape` is log2 of the element's bytes, and above it the number of elements.
 */

/** What one element's result is computed with. */
interface Element {
  readonly bits: number;
  readonly operands: readonly bigint[];
  readonly numbers: readonly bigint[];
  call(name: string, ...operands: bigint[]): bigint;
}

/** A function of `vectors` vectors, numbers that are the same for all elements, and a shape. */
interface Definition {
  readonly vectors: number;
  /** Factors of the element's bits, in operands and results. */
  readonly from?: 1 | 2;
  readonly to?: 1 | 2;
  readonly element: (e: Element) => bigint;
}

function ones(bits: number): bigint {
  return (1n << BigInt(bits)) - 1n;
}

/** The function of one number of the same name. */
function same(name: string, vectors: number): Definition {
  return { vectors, element: (e) => e.call(name + e.bits, ...e.operands, ...e.numbers) };
}

function conversion(name: string): Definition {
  return {
    vectors: 1,
    element: (e) => e.call(name + e.bits, ...e.operands, ...e.numbers, BigInt(e.bits)),
  };
}

function compared(name: string, magnitudes: boolean): Definition {
  return {
    vectors: 2,
    element({ call, bits, operands }) {
      const values = operands.map((value) => magnitudes ? value & ones(bits - 1) : value);
      return call(name + bits, ...values) !== 0n ? ones(bits) : 0n;
    },
  };
}

const SAME: readonly (readonly [vectors: number, names: string])[] = [
  [1, "FPSqrt FPRecipEstimate FPRSqrtEstimate FPRecpX FPRoundInt FPRoundIntSized"],
  [2, "FPAdd FPSub FPMul FPMulX FPDiv FPMax FPMin FPMaxNum FPMinNum"],
  [2, "FPRecipStepFused FPRSqrtStepFused"],
  [3, "FPMulAdd"],
];

const DEFINITIONS: Readonly<Record<string, Definition>> = {
  ...Object.fromEntries(
    SAME.flatMap(([vectors, names]) =>
      names.split(" ").map((name) => [name, same(name, vectors)] as const)
    ),
  ),
  FPToFixed: conversion("FPToFixed"),
  FixedToFP: conversion("FixedToFP"),
  FPMulSub: {
    vectors: 3,
    element: ({ call, bits, operands: [addend, factor, other] }) =>
      call(`FPMulAdd${bits}`, addend, factor ^ 1n << BigInt(bits - 1), other),
  },
  FPAbd: {
    vectors: 2,
    element: ({ call, bits, operands }) => call(`FPSub${bits}`, ...operands) & ones(bits - 1),
  },
  FPCompareEQ: compared("FPCompareEQ", false),
  FPCompareGE: compared("FPCompareGE", false),
  FPCompareGT: compared("FPCompareGT", false),
  FPAbsCompareGE: compared("FPCompareGE", true),
  FPAbsCompareGT: compared("FPCompareGT", true),
  BFDotAdd: same("BFDotAdd", 3),
  FPConvertBF: {
    vectors: 1,
    from: 2,
    element: ({ call, operands }) => call("FPConvertBF32", ...operands),
  },
  FPConvertLong: {
    vectors: 1,
    to: 2,
    element: ({ call, bits, operands }) => call(`FPConvert${bits}to${2 * bits}`, ...operands, -1n),
  },
  FPWidenHalf: {
    vectors: 1,
    to: 2,
    element: ({ call, operands }) => call("FPWidenHalf16", ...operands),
  },
  FPConvertNarrow: {
    vectors: 1,
    from: 2,
    element: ({ call, bits, operands, numbers }) =>
      call(`FPConvert${2 * bits}to${bits}`, ...operands, ...numbers),
  },
};

/**
 * Evaluates a function of floating point, on vectors or on one number; operands that are no numbers
 * or vectors are signed.
 */
export function evaluateFloat(
  name: string,
  operands: readonly bigint[],
  fpcr: bigint,
): FpResult {
  const definition = DEFINITIONS[name];
  return definition ? onVectors(definition, operands, fpcr) : evaluateFp(name, operands, fpcr);
}

function onVectors(
  { vectors, from = 1, to = 1, element }: Definition,
  all: readonly bigint[],
  fpcr: bigint,
): FpResult {
  const shape = Number(all[all.length - 1]);
  const bits = 8 << (shape & 3);
  const numbers = all.slice(vectors, -1);
  let flags = 0, value = 0n;
  const call = (name: string, ...operands: bigint[]) => {
    const result = evaluateFp(name, operands, fpcr);
    flags |= result.flags;
    return result.value;
  };
  for (let i = 0; i < shape >> 2; i++) {
    const operands = all.slice(0, vectors)
      .map((v) => v >> BigInt(i * from * bits) & ones(from * bits));
    value |= element({ bits, operands, numbers, call }) << BigInt(i * to * bits);
  }
  return { value, flags };
}
