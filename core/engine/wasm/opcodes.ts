// A table: WebAssembly instructions by their text-format name (binary format, section 5.4).

/** The value types used here. */
export type ValueType = "i32" | "i64" | "f32" | "f64" | "v128";

/** Binary encoding of each value type. */
export const VALUE_TYPE: Readonly<Record<ValueType, number>> = {
  i32: 0x7f,
  i64: 0x7e,
  f32: 0x7d,
  f64: 0x7c,
  v128: 0x7b,
};

/** One plain instruction: opcode bytes, operand types and result type ("" for none). */
export interface Instruction {
  readonly code: readonly number[];
  readonly operands: readonly ValueType[];
  readonly result: ValueType | "";
  /** log2 of the natural alignment, for loads and stores, which carry a memory immediate. */
  readonly align?: number;
  /** Number of immediate bytes: 1 for a lane index, 16 for those of a shuffle or constant. */
  readonly lanes?: number;
}

const table = new Map<string, Instruction>();

function define(names: string, first: number, operands: ValueType[], result: ValueType | ""): void {
  names.split(" ").forEach((name, i) => table.set(name, { code: [first + i], operands, result }));
}

function prefixed(type: string, names: string): string {
  return names.split(" ").map((name) => `${type}.${name}`).join(" ");
}

const COMPARE_INT = "eq ne lt_s lt_u gt_s gt_u le_s le_u ge_s ge_u";
const COMPARE_FLOAT = "eq ne lt gt le ge";
const BINARY_INT = "add sub mul div_s div_u rem_s rem_u and or xor shl shr_s shr_u rotl rotr";
const UNARY_FLOAT = "abs neg ceil floor trunc nearest sqrt";
const BINARY_FLOAT = "add sub mul div min max copysign";

define("i32.eqz", 0x45, ["i32"], "i32");
define(prefixed("i32", COMPARE_INT), 0x46, ["i32", "i32"], "i32");
define("i64.eqz", 0x50, ["i64"], "i32");
define(prefixed("i64", COMPARE_INT), 0x51, ["i64", "i64"], "i32");
define(prefixed("f32", COMPARE_FLOAT), 0x5b, ["f32", "f32"], "i32");
define(prefixed("f64", COMPARE_FLOAT), 0x61, ["f64", "f64"], "i32");
define(prefixed("i32", "clz ctz popcnt"), 0x67, ["i32"], "i32");
define(prefixed("i32", BINARY_INT), 0x6a, ["i32", "i32"], "i32");
define(prefixed("i64", "clz ctz popcnt"), 0x79, ["i64"], "i64");
define(prefixed("i64", BINARY_INT), 0x7c, ["i64", "i64"], "i64");
define(prefixed("f32", UNARY_FLOAT), 0x8b, ["f32"], "f32");
define(prefixed("f32", BINARY_FLOAT), 0x92, ["f32", "f32"], "f32");
define(prefixed("f64", UNARY_FLOAT), 0x99, ["f64"], "f64");
define(prefixed("f64", BINARY_FLOAT), 0xa0, ["f64", "f64"], "f64");
define("i32.wrap_i64", 0xa7, ["i64"], "i32");
define("i64.extend_i32_s i64.extend_i32_u", 0xac, ["i32"], "i64");
define("f32.convert_i32_s f32.convert_i32_u", 0xb2, ["i32"], "f32");
define("f32.convert_i64_s f32.convert_i64_u", 0xb4, ["i64"], "f32");
define("f32.demote_f64", 0xb6, ["f64"], "f32");
define("f64.convert_i32_s f64.convert_i32_u", 0xb7, ["i32"], "f64");
define("f64.convert_i64_s f64.convert_i64_u", 0xb9, ["i64"], "f64");
define("f64.promote_f32", 0xbb, ["f32"], "f64");
define("i32.reinterpret_f32", 0xbc, ["f32"], "i32");
define("i64.reinterpret_f64", 0xbd, ["f64"], "i64");
define("f32.reinterpret_i32", 0xbe, ["i32"], "f32");
define("f64.reinterpret_i64", 0xbf, ["i64"], "f64");
define("i32.extend8_s i32.extend16_s", 0xc0, ["i32"], "i32");
define("i64.extend8_s i64.extend16_s i64.extend32_s", 0xc2, ["i64"], "i64");

function memory(
  name: string,
  code: number[],
  align: number,
  operands: ValueType[],
  result: ValueType | "",
): void {
  table.set(name, { code, operands, result, align });
}

memory("i32.load", [0x28], 2, ["i32"], "i32");
memory("i64.load", [0x29], 3, ["i32"], "i64");
memory("f32.load", [0x2a], 2, ["i32"], "f32");
memory("f64.load", [0x2b], 3, ["i32"], "f64");
memory("i32.load8_s", [0x2c], 0, ["i32"], "i32");
memory("i32.load8_u", [0x2d], 0, ["i32"], "i32");
memory("i32.load16_s", [0x2e], 1, ["i32"], "i32");
memory("i32.load16_u", [0x2f], 1, ["i32"], "i32");
memory("i64.load8_s", [0x30], 0, ["i32"], "i64");
memory("i64.load8_u", [0x31], 0, ["i32"], "i64");
memory("i64.load16_s", [0x32], 1, ["i32"], "i64");
memory("i64.load16_u", [0x33], 1, ["i32"], "i64");
memory("i64.load32_s", [0x34], 2, ["i32"], "i64");
memory("i64.load32_u", [0x35], 2, ["i32"], "i64");
memory("i32.store", [0x36], 2, ["i32", "i32"], "");
memory("i64.store", [0x37], 3, ["i32", "i64"], "");
memory("f32.store", [0x38], 2, ["i32", "f32"], "");
memory("f64.store", [0x39], 3, ["i32", "f64"], "");
memory("i32.store8", [0x3a], 0, ["i32", "i32"], "");
memory("i32.store16", [0x3b], 1, ["i32", "i32"], "");
memory("i64.store8", [0x3c], 0, ["i32", "i64"], "");
memory("i64.store16", [0x3d], 1, ["i32", "i64"], "");
memory("i64.store32", [0x3e], 2, ["i32", "i64"], "");

// Vector instructions: prefix 0xfd and an unsigned LEB128.
function leb(value: number): number[] {
  return value < 0x80 ? [0xfd, value] : [0xfd, (value & 0x7f) | 0x80, value >> 7];
}

function vector(names: string, codes: number[], operands: ValueType[], result: ValueType): void {
  names.split(" ").forEach((name, i) => table.set(name, { code: leb(codes[i]), operands, result }));
}

memory("v128.load", leb(0x00), 4, ["i32"], "v128");
memory("v128.store", leb(0x0b), 4, ["i32", "v128"], "");
"8x8_s 8x8_u 16x4_s 16x4_u 32x2_s 32x2_u".split(" ").forEach((name, i) => {
  memory(`v128.load${name}`, leb(0x01 + i), 3, ["i32"], "v128");
});
"8 16 32 64".split(" ").forEach((bits, i) => {
  memory(`v128.load${bits}_splat`, leb(0x07 + i), i, ["i32"], "v128");
});
memory("v128.load32_zero", leb(0x5c), 2, ["i32"], "v128");
memory("v128.load64_zero", leb(0x5d), 3, ["i32"], "v128");
vector("i8x16.swizzle", [0x0e], ["v128", "v128"], "v128");
vector("i8x16.splat i16x8.splat i32x4.splat", [0x0f, 0x10, 0x11], ["i32"], "v128");
vector("i64x2.splat", [0x12], ["i64"], "v128");

function lane(
  name: string,
  code: number,
  operands: ValueType[],
  result: ValueType,
  lanes = 1,
): void {
  table.set(name, { code: leb(code), operands, result, lanes });
}

lane("i8x16.extract_lane_s", 0x15, ["v128"], "i32");
lane("i8x16.extract_lane_u", 0x16, ["v128"], "i32");
lane("i8x16.replace_lane", 0x17, ["v128", "i32"], "v128");
lane("i16x8.extract_lane_s", 0x18, ["v128"], "i32");
lane("i16x8.extract_lane_u", 0x19, ["v128"], "i32");
lane("i16x8.replace_lane", 0x1a, ["v128", "i32"], "v128");
lane("i32x4.extract_lane", 0x1b, ["v128"], "i32");
lane("i32x4.replace_lane", 0x1c, ["v128", "i32"], "v128");
lane("i64x2.extract_lane", 0x1d, ["v128"], "i64");
lane("i64x2.replace_lane", 0x1e, ["v128", "i64"], "v128");
lane("v128.const", 0x0c, [], "v128", 16);
lane("i8x16.shuffle", 0x0d, ["v128", "v128"], "v128", 16);

function range(names: string, first: number, operands: ValueType[], result: ValueType): void {
  names.split(" ").forEach((name, i) =>
    table.set(name, { code: leb(first + i), operands, result })
  );
}

const BOTH: ValueType[] = ["v128", "v128"];

range("v128.not", 0x4d, ["v128"], "v128");
range("v128.and v128.andnot v128.or v128.xor", 0x4e, BOTH, "v128");
range("v128.bitselect", 0x52, ["v128", "v128", "v128"], "v128");
range("v128.any_true", 0x53, ["v128"], "i32");
range(prefixed("i8x16", COMPARE_INT), 0x23, BOTH, "v128");
range(prefixed("i16x8", COMPARE_INT), 0x2d, BOTH, "v128");
range(prefixed("i32x4", COMPARE_INT), 0x37, BOTH, "v128");
range(prefixed("i64x2", "eq ne lt_s gt_s le_s ge_s"), 0xd6, BOTH, "v128");

// The integer shapes repeat from these codes; what a shape lacks is left out below.
const SHAPES = { i8x16: 0x60, i16x8: 0x80, i32x4: 0xa0, i64x2: 0xc0 } as const;
const NARROWER = { i16x8: "i8x16", i32x4: "i16x8", i64x2: "i32x4" } as const;
for (const [shape, first] of Object.entries(SHAPES)) {
  range(prefixed(shape, "abs neg"), first, ["v128"], "v128");
  range(prefixed(shape, "all_true bitmask"), first + 0x03, ["v128"], "i32");
  range(prefixed(shape, "shl shr_s shr_u"), first + 0x0b, ["v128", "i32"], "v128");
  range(`${shape}.add`, first + 0x0e, BOTH, "v128");
  range(`${shape}.sub`, first + 0x11, BOTH, "v128");
  if (shape !== "i8x16") range(`${shape}.mul`, first + 0x15, BOTH, "v128");
  if (shape !== "i64x2") {
    range(prefixed(shape, "min_s min_u max_s max_u"), first + 0x16, BOTH, "v128");
  }
}
for (const shape of ["i8x16", "i16x8"] as const) {
  range(prefixed(shape, "add_sat_s add_sat_u"), SHAPES[shape] + 0x0f, BOTH, "v128");
  range(prefixed(shape, "sub_sat_s sub_sat_u"), SHAPES[shape] + 0x12, BOTH, "v128");
  range(`${shape}.avgr_u`, SHAPES[shape] + 0x1b, BOTH, "v128");
}
for (const shape of ["i16x8", "i32x4", "i64x2"] as const) {
  const from = NARROWER[shape];
  const halves = (name: string) =>
    ["low", "high"].map((half) => `${shape}.${name}_${half}_${from}`);
  const [low, high] = halves("extend");
  range(`${low}_s ${high}_s ${low}_u ${high}_u`, SHAPES[shape] + 0x07, ["v128"], "v128");
  const [lowProduct, highProduct] = halves("extmul");
  range(
    `${lowProduct}_s ${highProduct}_s ${lowProduct}_u ${highProduct}_u`,
    SHAPES[shape] + 0x1c,
    BOTH,
    "v128",
  );
}
for (const [shape, comparisons, first] of [["f32x4", 0x41, 0xe0], ["f64x2", 0x47, 0xec]] as const) {
  range(prefixed(shape, COMPARE_FLOAT), comparisons, BOTH, "v128");
  range(prefixed(shape, "abs neg"), first, ["v128"], "v128");
  range(`${shape}.sqrt`, first + 3, ["v128"], "v128");
  range(prefixed(shape, "add sub mul div min max"), first + 4, BOTH, "v128");
}
range("f32x4.demote_f64x2_zero f64x2.promote_low_f32x4", 0x5e, ["v128"], "v128");
range("i8x16.popcnt", 0x62, ["v128"], "v128");
range("i8x16.narrow_i16x8_s i8x16.narrow_i16x8_u", 0x65, BOTH, "v128");
range("i16x8.narrow_i32x4_s i16x8.narrow_i32x4_u", 0x85, BOTH, "v128");
range("i16x8.q15mulr_sat_s", 0x82, BOTH, "v128");
range("i16x8.extadd_pairwise_i8x16_s i16x8.extadd_pairwise_i8x16_u", 0x7c, ["v128"], "v128");
range("i32x4.extadd_pairwise_i16x8_s i32x4.extadd_pairwise_i16x8_u", 0x7e, ["v128"], "v128");

/** Looks up an instruction by its text-format name; an unknown name is a programming error. */
export function instruction(name: string): Instruction {
  const found = table.get(name);
  if (!found) throw new Error(`no WebAssembly instruction is named ${name}`);
  return found;
}
