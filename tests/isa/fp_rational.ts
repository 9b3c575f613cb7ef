/** Exact rational numbers: the manual's `real`. The denominator is positive. */
export interface Rational {
  readonly n: bigint;
  readonly d: bigint;
}

/** A whole number, or a fraction. */
export function rational(n: bigint, d = 1n): Rational {
  return { n, d };
}

/** a + b. */
export function add(a: Rational, b: Rational): Rational {
  return { n: a.n * b.d + b.n * a.d, d: a.d * b.d };
}

/** -a. */
export function negate(a: Rational): Rational {
  return { n: -a.n, d: a.d };
}

/** a * b. */
export function multiply(a: Rational, b: Rational): Rational {
  return { n: a.n * b.n, d: a.d * b.d };
}

/** `a / b`, where b is not zero. */
export function divide(a: Rational, b: Rational): Rational {
  return b.n < 0n ? { n: -a.n * b.d, d: -a.d * b.n } : { n: a.n * b.d, d: a.d * b.n };
}

/** a * 2^by. */
export function scale(a: Rational, by: number): Rational {
  return by < 0 ? { n: a.n, d: a.d << BigInt(-by) } : { n: a.n << BigInt(by), d: a.d };
}

/** Negative, zero or positive as a is less than, equal to or greater than b. */
export function compare(a: Rational, b: Rational): bigint {
  return a.n * b.d - b.n * a.d;
}

/** The manual's RoundDown(): the greatest integer not above a. */
export function floor(a: Rational): bigint {
  const quotient = a.n / a.d;
  return a.n < 0n && quotient * a.d !== a.n ? quotient - 1n : quotient;
}

/** e with 2^e <= a < 2^(e + 1), of a positive number. */
export function log2(a: Rational): number {
  const e = a.n.toString(2).length - a.d.toString(2).length;
  return compare(a, scale(rational(1n), e)) < 0n ? e - 1 : e;
}

/**
 * The square root to 200 bits; where it is not exact, a number between what is below and above it
 * at that place, which rounds as the root does.
 */
export function squareRoot(a: Rational): Rational {
  const shift = 200 - Math.floor(log2(a) / 2);
  const square = scale(a, 2 * shift);
  const whole = square.n / square.d;
  const root = integerRoot(whole);
  const exact = root * root * square.d === square.n;
  return scale(rational(2n * root + (exact ? 0n : 1n)), -shift - 1);
}

function integerRoot(n: bigint): bigint {
  let root = 1n << BigInt(Math.ceil(n.toString(2).length / 2));
  for (;;) {
    const next = (root + n / root) >> 1n;
    if (next >= root) return root;
    root = next;
  }
}
