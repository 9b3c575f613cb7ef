import { elementwise, ones, type Result, shifted } from "./evaluate_elements.ts";

/** The helpers that saturate and say so, on BigInts (J1, shared/functions: SatQ()). */

/** What a helper of {@linkcode SATURATING_HELPERS} gives. */
export interface Saturating {
  readonly value: bigint;
  /** FPSR.QC is set. */
  readonly saturated: boolean;
}

/** Saturates what `each` gives to signed (`s`) or unsigned (`u`) elements. */
function saturating(
  readings: string,
  to: "s" | "u",
  each: (bits: number, ...operands: bigint[]) => bigint,
  result: Result = "same",
): (...operands: bigint[]) => Saturating {
  return (...operands) => {
    let saturated = false;
    const value = elementwise(readings, (bits, ...values) => {
      const limited = saturate(each(bits, ...values), result === "wide" ? 2 * bits : bits, to);
      saturated ||= limited.saturated;
      return limited.value;
    }, result)(...operands);
    return { value, saturated };
  };
}

/** SatQ(). */
function saturate(value: bigint, bits: number, to: "s" | "u"): Saturating {
  const most = to === "s" ? ones(bits - 1) : ones(bits), least = to === "s" ? -most - 1n : 0n;
  if (value > most) return { value: most, saturated: true };
  return value < least ? { value: least, saturated: true } : { value, saturated: false };
}

function saturatingShift(reading: "s" | "u", to: "s" | "u", round: boolean) {
  return saturating(
    reading + "s",
    to,
    (_, a, b) => shifted(a, BigInt.asIntN(8, b), round),
  );
}

function narrowing(reading: "S" | "U", to: "s" | "u", round: boolean) {
  return saturating(reading + "u", to, (_, a, n) => {
    const by = n & 255n;
    return shifted(a, -by, round && by > 0n);
  });
}

/** SQDMLAL and SQDMLSL saturate the product, then the sum. */
function doublingSum(sign: bigint): (...operands: bigint[]) => Saturating {
  return (...operands) => {
    let saturated = false;
    const sum = saturating("ssS", "s", (bits, a, b, d) => {
      const product = saturate(2n * a * b, 2 * bits, "s");
      saturated ||= product.saturated;
      return d + sign * product.value;
    }, "wide")(...operands);
    return { value: sum.value, saturated: saturated || sum.saturated };
  };
}

function accumulatingHighHalf(sign: bigint): (...operands: bigint[]) => Saturating {
  return saturating("sss", "s", (w, a, b, d) => {
    const sum = (d << BigInt(w)) + sign * 2n * a * b + (1n << BigInt(w - 1));
    return sum >> BigInt(w);
  });
}

/** `Ops.cumulative` functions. */
export const SATURATING_HELPERS: Readonly<Record<string, (...operands: bigint[]) => Saturating>> = {
  sqadd: saturating("ss", "s", (_, a, b) => a + b),
  uqadd: saturating("uu", "u", (_, a, b) => a + b),
  sqsub: saturating("ss", "s", (_, a, b) => a - b),
  uqsub: saturating("uu", "u", (_, a, b) => a - b),
  suqadd: saturating("us", "s", (_, a, d) => a + d),
  usqadd: saturating("su", "u", (_, a, d) => a + d),
  sqabs: saturating("s", "s", (_, a) => a < 0n ? -a : a),
  sqneg: saturating("s", "s", (_, a) => -a),
  sqshl: saturatingShift("s", "s", false),
  uqshl: saturatingShift("u", "u", false),
  sqrshl: saturatingShift("s", "s", true),
  uqrshl: saturatingShift("u", "u", true),
  sqshlu: saturatingShift("s", "u", false),
  sqshrn: narrowing("S", "s", false),
  uqshrn: narrowing("U", "u", false),
  sqshrun: narrowing("S", "u", false),
  sqrshrn: narrowing("S", "s", true),
  uqrshrn: narrowing("U", "u", true),
  sqrshrun: narrowing("S", "u", true),
  sqdmulh: saturating("ss", "s", (w, a, b) => 2n * a * b >> BigInt(w)),
  sqrdmulh: saturating("ss", "s", (w, a, b) => (2n * a * b + (1n << BigInt(w - 1))) >> BigInt(w)),
  sqrdmlah: accumulatingHighHalf(1n),
  sqrdmlsh: accumulatingHighHalf(-1n),
  sqdmull: saturating("ss", "s", (_, a, b) => 2n * a * b, "wide"),
  sqdmlal: doublingSum(1n),
  sqdmlsl: doublingSum(-1n),
};
