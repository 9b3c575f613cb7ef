import { type Format, FORMATS, ones } from "./fp_pseudocode.ts";

/**
 * Operands for the floating-point functions: the edges of a format, and seeded random numbers that
 * meet the edges of an operation often.
 */

/** A function's operands: `n` for a number of its format, otherwise what the parameter can be. */
export type Parameter =
  | "n"
  | "rounding"
  | "any rounding"
  | "flag"
  | "fbits"
  | "size"
  | "any size"
  | "integer";

/** The rounding modes that FPRound() knows: FPCR's, and with -1 what it says. */
const ROUND = [-1n, 0n, 1n, 2n, 3n];

/** FPCR: RMode with FZ, DN, AHP, FZ16 in all combinations. */
export const FPCR_SETTINGS: readonly bigint[] = Array.from({ length: 64 }, (_, n) => {
  const i = BigInt(n);
  return (i & 3n) << 22n | (i >> 2n & 7n) << 24n | (i >> 5n & 1n) << 19n;
});

/** The edges of a format, of both signs. */
export function edges({ N, E, F }: Format): bigint[] {
  const f = BigInt(F), bias = ones(E - 1);
  const power = (e: bigint) => (bias + e) << f;
  const infinity = ones(E) << f, one = power(0n), smallest = 1n << f;
  const positive = [
    ...[0n, 1n, 2n, 3n, smallest >> 2n, smallest >> 1n, smallest - 2n, smallest - 1n],
    ...[smallest, smallest + 1n, 2n * smallest - 1n, 2n * smallest],
    ...[power(-1n), power(-1n) + 1n, power(-2n), one - 1n, one, one + 1n, one + 2n],
    ...[one | smallest >> 1n, power(1n), power(1n) | smallest >> 1n, power(1n) | smallest >> 2n],
    ...[power(f) - 1n, power(f), power(f) + 1n, power(f + 1n), power(f + 1n) - 1n],
    ...[infinity - smallest, infinity - 2n, infinity - 1n, infinity],
    ...[infinity | 1n, infinity | smallest >> 2n, infinity | smallest >> 1n, (infinity << 1n) - 1n],
    ...[31n, 32n, 63n, 64n, 15n, 16n].filter((e) => e <= bias)
      .flatMap((e) => [power(e) - 1n, power(e), power(e) + 1n]),
    one | ones(F) & 0x5555_5555_5555_5555n,
  ].map((value) => value & ones(N - 1));
  return positive.flatMap((value) => [value, value | 1n << BigInt(N - 1)]);
}

/** A source of seeded random numbers (xorshift64*). */
export class Random {
  #state: bigint;
  constructor(seed: number) {
    this.#state = BigInt(seed) * 0x9e37_79b9_7f4a_7c15n | 1n;
  }

  /** 64 bits. */
  bits(): bigint {
    let x = BigInt.asUintN(64, this.#state);
    x ^= x >> 12n;
    x ^= BigInt.asUintN(64, x << 25n);
    x ^= x >> 27n;
    this.#state = x;
    return BigInt.asUintN(64, x * 0x2545_f491_4f6c_dd1dn);
  }

  /** 0 to count - 1. */
  below(count: number): number {
    return Number(this.bits() >> 32n) % count;
  }

  pick<T>(of: readonly T[]): T {
    return of[this.below(of.length)];
  }

  /** A number: fractions of few bits or runs of ones, exponents that meet. */
  number(format: Format, edge: readonly bigint[]): bigint {
    const { N, E, F } = format;
    const kind = this.below(16);
    if (kind === 0) return this.pick(edge);
    const sign = (this.bits() & 1n) << BigInt(N - 1);
    let fraction = this.bits() & ones(F);
    const cut = BigInt(this.below(F + 1));
    if (kind & 1) fraction = fraction >> cut << cut;
    else if (kind & 2) fraction = (1n << cut) - BigInt(this.below(2)) & ones(F);
    if (kind & 8) fraction ^= ones(F);
    const bias = 2 ** (E - 1) - 1;
    const near = this.pick([
      bias,
      bias,
      bias,
      bias / 2 | 0,
      1,
      2 * bias,
      bias + F,
      bias * 3 / 2 | 0,
    ]);
    const span = this.pick([2, 2 * F + 6]);
    const exponent = kind < 3 ? this.below(2 ** E) : near + this.below(span) - (span >> 1);
    return sign | BigInt(Math.min(Math.max(exponent, 0), 2 ** E - 1)) << BigInt(F) | fraction;
  }

  /** Operands for the parameters of a function. */
  operands(
    parameters: readonly Parameter[],
    format: Format,
    edge: readonly bigint[],
  ): bigint[] {
    return parameters.map((parameter) => {
      switch (parameter) {
        case "n":
          return this.number(format, edge);
        case "rounding":
          return this.pick(ROUND);
        case "any rounding":
          return this.pick([...ROUND, 4n]);
        case "flag":
          return BigInt(this.below(2));
        case "fbits":
          return this.below(2) ? 0n : BigInt(this.below(65));
        case "size":
          return this.pick([32n, 64n]);
        case "any size":
          return this.pick([16n, 32n, 64n]);
        case "integer":
          return this.bits() >> BigInt(this.below(64));
      }
    });
  }
}

/** The parameters of the functions that exist for every format. */
export const PARAMETERS: Readonly<Record<string, readonly Parameter[]>> = {
  FPAdd: ["n", "n"],
  FPSub: ["n", "n"],
  FPMul: ["n", "n"],
  FPMulX: ["n", "n"],
  FPDiv: ["n", "n"],
  FPMax: ["n", "n"],
  FPMin: ["n", "n"],
  FPMaxNum: ["n", "n"],
  FPMinNum: ["n", "n"],
  FPRecipStepFused: ["n", "n"],
  FPRSqrtStepFused: ["n", "n"],
  FPMulAdd: ["n", "n", "n"],
  FPSqrt: ["n"],
  FPRecipEstimate: ["n"],
  FPRSqrtEstimate: ["n"],
  FPRecpX: ["n"],
  FPCompare: ["n", "n", "flag"],
  FPCompareEQ: ["n", "n"],
  FPCompareGE: ["n", "n"],
  FPCompareGT: ["n", "n"],
  FPRoundInt: ["n", "any rounding", "flag"],
  FPRoundIntSized: ["n", "rounding", "size"],
  FPToFixed: ["n", "fbits", "flag", "any rounding", "any size"],
  FixedToFP: ["integer", "fbits", "flag", "rounding", "any size"],
};

/** Every function with its parameters and the format of its numbers. */
export function* functions(): Generator<[string, readonly Parameter[], Format]> {
  for (const [bits, format] of Object.entries(FORMATS)) {
    for (const [name, parameters] of Object.entries(PARAMETERS)) {
      // The manual has it for 32 and 64 bits only.
      if (name === "FPRoundIntSized" && bits === "16") continue;
      yield [`${name}${bits}`, parameters, format];
    }
    for (const to of Object.keys(FORMATS)) {
      if (to !== bits) yield [`FPConvert${bits}to${to}`, ["n", "rounding"], format];
    }
  }
  yield ["FPToFixedJS64", ["n"], FORMATS[64]];
  yield ["FPWidenHalf16", ["n"], FORMATS[16]];
  yield ["FPConvertBF32", ["n"], FORMATS[32]];
  yield ["BFDotAdd32", ["n", "n", "n"], FORMATS[32]];
  yield ["UnsignedRecipEstimate", ["integer"], FORMATS[32]];
  yield ["UnsignedRSqrtEstimate", ["integer"], FORMATS[32]];
}
