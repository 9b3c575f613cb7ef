/**
 * What the evaluators of Advanced SIMD share: functions on the elements of a vector.
 *
 * A `shape` is log2 of the element's bytes, and above it the number of elements.
 */

type Reading = "s" | "u" | "S" | "U";
/** Whether the elements of a result have the size that `shape` says, or twice that. */
export type Result = "same" | "wide";

/** Element `i` of a vector. */
export function elementOf(vector: bigint, i: number, bits: number, isSigned: boolean): bigint {
  const raw = vector >> BigInt(i * bits);
  return isSigned ? BigInt.asIntN(bits, raw) : BigInt.asUintN(bits, raw);
}

/** Applies `each` to the elements that `readings` tell; capitals are elements of twice the size. */
export function elementwise(
  readings: string,
  each: (bits: number, ...operands: bigint[]) => bigint,
  result: Result = "same",
): (...operands: bigint[]) => bigint {
  return (...operands) => {
    const shape = Number(operands[operands.length - 1]);
    const bits = 8 << (shape & 3), count = shape >> 2;
    const out = result === "wide" ? 2 * bits : bits;
    let all = 0n;
    for (let i = 0; i < count; i++) {
      const values = [...readings as Iterable<Reading>].map((reading, n) =>
        elementOf(
          operands[n],
          i,
          /[SU]/.test(reading) ? 2 * bits : bits,
          reading.toLowerCase() === "s",
        )
      );
      all |= BigInt.asUintN(out, each(bits, ...values)) << BigInt(i * out);
    }
    return all;
  };
}

/** The manual's shifts by a signed amount: to the right by a negative one, rounded or not. */
export function shifted(value: bigint, amount: bigint, round: boolean): bigint {
  if (amount >= 0n) return value << amount;
  const rounding = round ? 1n << (-amount - 1n) : 0n;
  return (value + rounding) >> -amount;
}

/** The product of polynomials over {0, 1}. */
export function polynomialProduct(a: bigint, b: bigint): bigint {
  let product = 0n;
  for (let i = 0n; b >> i > 0n; i++) if (b >> i & 1n) product ^= a << i;
  return product;
}

/** `bits` ones. */
export function ones(bits: number | bigint): bigint {
  return (1n << BigInt(bits)) - 1n;
}
