/**
 * WebAssembly's plain instructions on BigInts, as far as the rows use them: operands are unsigned,
 * results may be any number that is right modulo the width.
 */

type Operation = (width: number, a: bigint, b: bigint) => bigint;

function shiftAmount(width: number, b: bigint): bigint {
  return b % BigInt(width);
}

function signed(width: number, a: bigint): bigint {
  return BigInt.asIntN(width, a);
}

function truth(condition: boolean): bigint {
  return condition ? 1n : 0n;
}

const INTEGER: Readonly<Record<string, Operation>> = {
  add: (_, a, b) => a + b,
  sub: (_, a, b) => a - b,
  mul: (_, a, b) => a * b,
  and: (_, a, b) => a & b,
  or: (_, a, b) => a | b,
  xor: (_, a, b) => a ^ b,
  shl: (w, a, b) => a << shiftAmount(w, b),
  shr_u: (w, a, b) => a >> shiftAmount(w, b),
  shr_s: (w, a, b) => signed(w, a) >> shiftAmount(w, b),
  rotl: (w, a, b) => rotateRight(w, a, BigInt(w) - shiftAmount(w, b)),
  rotr: (w, a, b) => rotateRight(w, a, shiftAmount(w, b)),
  clz: (w, a) => BigInt(a === 0n ? w : w - a.toString(2).length),
  ctz: (w, a) => BigInt(a === 0n ? w : (a & -a).toString(2).length - 1),
  popcnt: (_, a) => BigInt(a.toString(2).replaceAll("0", "").length),
  eqz: (_, a) => truth(a === 0n),
  eq: (_, a, b) => truth(a === b),
  ne: (_, a, b) => truth(a !== b),
  lt_u: (_, a, b) => truth(a < b),
  gt_u: (_, a, b) => truth(a > b),
  le_u: (_, a, b) => truth(a <= b),
  ge_u: (_, a, b) => truth(a >= b),
  lt_s: (w, a, b) => truth(signed(w, a) < signed(w, b)),
  gt_s: (w, a, b) => truth(signed(w, a) > signed(w, b)),
  le_s: (w, a, b) => truth(signed(w, a) <= signed(w, b)),
  ge_s: (w, a, b) => truth(signed(w, a) >= signed(w, b)),
  div_u: (_, a, b) => divide(a, b),
  div_s: (w, a, b) => divideSigned(w, a, b),
  rem_u: (_, a, b) => a - b * divide(a, b),
  rem_s: (w, a, b) => signed(w, a) % signed(w, b),
  extend8_s: (_, a) => signed(8, a),
  extend16_s: (_, a) => signed(16, a),
  extend32_s: (_, a) => signed(32, a),
  wrap_i64: (_, a) => a,
  extend_i32_u: (_, a) => a,
  extend_i32_s: (_, a) => signed(32, a),
};

function rotateRight(width: number, a: bigint, amount: bigint): bigint {
  return a >> amount | a << (BigInt(width) - amount);
}

function divide(a: bigint, b: bigint): bigint {
  if (b === 0n) throw new Error("division by zero traps");
  return a / b;
}

function divideSigned(width: number, a: bigint, b: bigint): bigint {
  const quotient = divide(signed(width, a), signed(width, b));
  if (signed(width, quotient) !== quotient) throw new Error("division overflow traps");
  return quotient;
}

const VECTOR: Readonly<Record<string, (a: bigint, b: bigint) => bigint>> = {
  and: (a, b) => a & b,
  or: (a, b) => a | b,
  xor: (a, b) => a ^ b,
  andnot: (a, b) => a & ~b,
  not: (a) => ~a,
};

/** Evaluates one plain instruction by its text-format name. */
export function plainOperation(
  name: string,
  immediate: number,
  [a, b = 0n]: readonly bigint[],
): bigint {
  const [type, operation] = name.split(".");
  if (type === "v128" && VECTOR[operation]) return VECTOR[operation](a, b);
  const shape = /^i(\d+)x(\d+)$/.exec(type);
  if (shape) return laneOperation(operation, Number(shape[1]), immediate, a, b);
  const found = INTEGER[operation];
  if (!found) throw new Error(`the evaluator does not know ${name}`);
  return found(type === "i64" ? 64 : 32, a, b);
}

function laneOperation(
  operation: string,
  width: number,
  index: number,
  a: bigint,
  b: bigint,
): bigint {
  const lane = (vector: bigint, i: number) => BigInt.asUintN(width, vector >> BigInt(i * width));
  const lanes = (each: (i: number) => bigint) =>
    Array.from({ length: 128 / width }, (_, i) => BigInt.asUintN(width, each(i)))
      .reduceRight((high, value) => high << BigInt(width) | value, 0n);
  switch (operation) {
    case "splat":
      return lanes(() => a);
    case "extract_lane":
    case "extract_lane_u":
      return lane(a, index);
    case "extract_lane_s":
      return signed(width, lane(a, index));
    case "replace_lane":
      return lanes((i) => i === index ? b : lane(a, i));
    case "swizzle":
      return lanes((i) => lane(b, i) < 16n ? lane(a, Number(lane(b, i))) : 0n);
  }
  const found = INTEGER[operation];
  if (!found) throw new Error(`the evaluator does not know the lane operation ${operation}`);
  return lanes((i) => found(width, lane(a, i), lane(b, i)));
}

/** `Ops.helper` functions, from their definitions in the manual. */
export const HELPERS: Readonly<Record<string, (...operands: bigint[]) => bigint>> = {
  crc32: (accumulator, value, bits) => crc(0x04c1_1db7n, accumulator, value, Number(bits)),
  crc32c: (accumulator, value, bits) => crc(0x1edc_6f41n, accumulator, value, Number(bits)),
};

/** CRC32 (Arm ARM C6.2.68): BitReverse, Poly32Mod2, BitReverse. */
function crc(polynomial: bigint, accumulator: bigint, value: bigint, bits: number): bigint {
  const reversedValue = reverse(BigInt.asUintN(bits, value), bits);
  let data = reverse(accumulator, 32) << BigInt(bits) ^ reversedValue << 32n;
  for (let i = 31 + bits; i >= 32; i--) {
    if (data >> BigInt(i) & 1n) data ^= (1n << 32n | polynomial) << BigInt(i - 32);
  }
  return reverse(data, 32);
}

function reverse(value: bigint, bits: number): bigint {
  return BigInt(`0b${[...value.toString(2).padStart(bits, "0")].reverse().join("")}`);
}
