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

/** Operations that only lanes have. */
const LANE: Readonly<Record<string, Operation>> = {
  abs: (w, a) => signed(w, a) < 0n ? -a : a,
  neg: (_, a) => -a,
  min_s: (w, a, b) => signed(w, a) < signed(w, b) ? a : b,
  max_s: (w, a, b) => signed(w, a) > signed(w, b) ? a : b,
  min_u: (_, a, b) => a < b ? a : b,
  max_u: (_, a, b) => a > b ? a : b,
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
  immediate: number | readonly number[],
  [a = 0n, b = 0n, c = 0n]: readonly bigint[],
): bigint {
  const [type, operation] = name.split(".");
  if (typeof immediate !== "number") {
    const both = b << 128n | a;
    const byte = (i: number) => operation === "const" ? BigInt(i) : both >> BigInt(8 * i) & 0xffn;
    return immediate.reduceRight((high, i) => high << 8n | byte(i), 0n);
  }
  if (name === "v128.bitselect") return a & c | b & ~c;
  if (type === "v128" && VECTOR[operation]) return VECTOR[operation](a, b);
  const shape = /^i(\d+)x(\d+)$/.exec(type);
  if (shape) {
    const width = Number(shape[1]);
    return wideOperation(operation, width, a, b) ??
      laneOperation(operation, width, immediate, a, b);
  }
  const found = INTEGER[operation];
  if (!found) throw new Error(`the evaluator does not know ${name}`);
  return found(type === "i64" ? 64 : 32, a, b);
}

/** What a load instruction makes of the bits at its address. */
export function loadOperation(name: string, bits: bigint): bigint {
  const [type, operation] = name.split(".");
  const width = /^load(?:(\d+)(?:x(\d+))?(?:_(\w+))?)?$/.exec(operation);
  if (!width) throw new Error(`the evaluator does not know ${name}`);
  const [, first, count, how] = width;
  const size = Number(first ?? (type === "i32" ? 32 : 64));
  if (count) {
    const source = BigInt.asUintN(64, bits);
    return wideOperation(`extend_low_i${size}_${how}`, 2 * size, source, 0n)!;
  }
  const value = BigInt.asUintN(size, bits);
  if (how === "splat") return laneOperation("splat", size, 0, value, 0n);
  return how === "s" ? signed(size, value) : value;
}

/** Operations whose operands' elements are narrower or wider than the result's of `width`. */
function wideOperation(
  operation: string,
  width: number,
  a: bigint,
  b: bigint,
): bigint | undefined {
  const match = /^(extend|extmul|extadd)_(?:(low|high|pairwise)_)?i(\d+)(?:x\d+)?_([su])$/
    .exec(operation);
  if (!match) return undefined;
  const [, kind, part, from, sign] = match;
  const bits = Number(from), count = 128 / width;
  const read = (vector: bigint, i: number, sign: string) => {
    const raw = BigInt.asUintN(bits, vector >> BigInt(i * bits));
    return sign === "s" ? signed(bits, raw) : raw;
  };
  const first = part === "high" ? count : 0;
  const each = (i: number): bigint => {
    switch (kind) {
      case "extend":
        return read(a, first + i, sign);
      case "extmul":
        return read(a, first + i, sign) * read(b, first + i, sign);
      default:
        return read(a, 2 * i, sign) + read(a, 2 * i + 1, sign);
    }
  };
  return Array.from({ length: count }, (_, i) => BigInt.asUintN(width, each(i)))
    .reduceRight((high, value) => high << BigInt(width) | value, 0n);
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
  const found = INTEGER[operation] ?? LANE[operation];
  if (!found) throw new Error(`the evaluator does not know the lane operation ${operation}`);
  if (/^sh[lr]/.test(operation)) return lanes((i) => found(width, lane(a, i), b));
  // A comparison gives all ones or zeros.
  const sign = /^(eq|ne|[lg][te]_[su])$/.test(operation) ? -1n : 1n;
  return lanes((i) => sign * found(width, lane(a, i), lane(b, i)));
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
