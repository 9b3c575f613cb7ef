import type { Ops, Value } from "./ops.ts";
import { type Row, row, type Syntax, unsupported, type UnsupportedRow } from "./row.ts";
import { reg, w, x } from "./operands.ts";

/** Data processing with one, two and three register sources (Arm ARM C4.1.95). */

// ---- Data processing (2 source) ----

function twoSources(
  name: string,
  mnemonic: string,
  opcode: string,
  compute: (o: Ops, operand1: Value, operand2: Value) => Value,
): Row {
  const syntax = { mnemonic, operands: [reg("Rd"), reg("Rn"), reg("Rm")] };
  // LSLV and its like are always written as LSL, but their own names are read too.
  const own = { ...syntax, mnemonic: name.toLowerCase() };
  return row(name, `sf 0 0 11010110 Rm ${opcode} Rn Rd`, {
    static: ["sf"],
    assembly: own.mnemonic === mnemonic ? [syntax] : [syntax, own],
    execute(o, s) {
      o.setX("Rd", compute(o, o.x("Rn", s.sf), o.x("Rm", s.sf)));
    },
  });
}

/** Division by zero gives zero. */
function divideUnsigned(o: Ops, operand1: Value, operand2: Value): Value {
  const isZero = o.eqz(operand2);
  const quotient = o.divU(operand1, o.select(isZero, o.like(operand2, 1), operand2));
  return o.select(isZero, operand2, quotient);
}

/** Division by 0 gives 0 and by -1 the negative, which wraps: both are a product. */
function divideSigned(o: Ops, operand1: Value, operand2: Value): Value {
  const isProduct = o.ltU(o.add(operand2, o.like(operand2, 1)), o.like(operand2, 2));
  const quotient = o.divS(operand1, o.select(isProduct, o.like(operand2, 1), operand2));
  return o.select(isProduct, o.mul(operand1, operand2), quotient);
}

const SIZES = ["b", "h", "w", "x"];

function crcSyntax(c: number, sz: number): Syntax {
  return {
    mnemonic: `crc32${c ? "c" : ""}${SIZES[sz]}`,
    operands: [w("Rd"), w("Rn"), sz === 3 ? x("Rm") : w("Rm")],
    when: (f) => f.sz === sz,
    set: { sz, sf: sz === 3 ? 1 : 0 },
  };
}

function crc(name: string, c: number): Row {
  return row(name, `sf 0 0 11010110 Rm 010 ${c} sz:2 Rn Rd`, {
    static: ["sf", "sz"],
    when: (f) => (f.sf === 1) === (f.sz === 3),
    assembly: [0, 1, 2, 3].map((sz) => crcSyntax(c, sz)),
    execute(o, s) {
      const bits = o.c32(8 << s.sz);
      const helper = c ? "crc32c" : "crc32";
      o.setX("Rd", o.helper(helper, "i32", o.x("Rn", 0), o.x("Rm"), bits));
    },
  });
}

const MEMORY_TAGGING = "FEAT_MTE is not supported";

/** Data processing (2 source). */
export const TWO_SOURCES: readonly (Row | UnsupportedRow)[] = [
  unsupported("SUBP", "1 0 0 11010110 Rm 000000 Rn Rd", MEMORY_TAGGING),
  unsupported("SUBPS", "1 0 1 11010110 Rm 000000 Rn Rd", MEMORY_TAGGING),
  twoSources("UDIV", "udiv", "000010", divideUnsigned),
  twoSources("SDIV", "sdiv", "000011", divideSigned),
  unsupported("IRG", "1 0 0 11010110 Rm 000100 Rn Rd", MEMORY_TAGGING),
  unsupported("GMI", "1 0 0 11010110 Rm 000101 Rn Rd", MEMORY_TAGGING),
  twoSources("LSLV", "lsl", "001000", (o, operand1, operand2) => o.shl(operand1, operand2)),
  twoSources("LSRV", "lsr", "001001", (o, operand1, operand2) => o.shrU(operand1, operand2)),
  twoSources("ASRV", "asr", "001010", (o, operand1, operand2) => o.shrS(operand1, operand2)),
  twoSources("RORV", "ror", "001011", (o, operand1, operand2) => o.rotr(operand1, operand2)),
  crc("CRC32B, CRC32H, CRC32W, CRC32X", 0),
  crc("CRC32CB, CRC32CH, CRC32CW, CRC32CX", 1),
];

// ---- Data processing (1 source) ----

/** Exchanges neighbouring groups of `width` bits. */
function exchange(o: Ops, value: Value, width: number): Value {
  let pattern = 0n;
  for (let at = 0; at < 64; at += 2 * width) pattern |= ((1n << BigInt(width)) - 1n) << BigInt(at);
  const mask = value.type === "i64" ? o.c64(pattern) : o.c32(Number(pattern & 0xffff_ffffn));
  const by = o.like(value, width);
  return o.or(o.shl(o.and(value, mask), by), o.and(o.shrU(value, by), mask));
}

/** Exchanges neighbouring groups of each of the widths in turn. */
function exchangeAll(widths: readonly number[]): (o: Ops, operand: Value) => Value {
  return (o, operand) => widths.reduce((value, width) => exchange(o, value, width), operand);
}

/** Reverses the bytes of the whole register. */
function reverseBytes(o: Ops, operand: Value): Value {
  const pairs = exchange(o, operand, 8);
  if (operand.type === "i32") return o.rotr(pairs, o.c32(16));
  return o.rotr(exchange(o, pairs, 16), o.c64(32));
}

function reverseBits(o: Ops, operand: Value): Value {
  return reverseBytes(o, exchangeAll([1, 2, 4])(o, operand));
}

/** Counts the bits after the sign bit that equal it. */
function countLeadingSigns(o: Ops, operand: Value): Value {
  const one = o.like(operand, 1);
  return o.sub(o.clz(o.xor(operand, o.shrS(operand, one))), one);
}

function oneSource(
  name: string,
  pattern: string,
  compute: (o: Ops, operand: Value) => Value,
  fixed?: 0 | 1,
): Row {
  const mnemonic = name.toLowerCase();
  const register = fixed === undefined ? reg : fixed ? x : w;
  return row(name, `${pattern} Rn Rd`, {
    ...(fixed === undefined && { static: ["sf"] }),
    assembly: [{ mnemonic, operands: [register("Rd"), register("Rn")] }],
    execute(o, s) {
      o.setX("Rd", compute(o, o.x("Rn", fixed ?? s.sf)));
    },
  });
}

/** Data processing (1 source). */
export const ONE_SOURCE: readonly (Row | UnsupportedRow)[] = [
  oneSource("RBIT", "sf 1 0 11010110 00000 000000", reverseBits),
  oneSource("REV16", "sf 1 0 11010110 00000 000001", exchangeAll([8])),
  oneSource("REV", "0 1 0 11010110 00000 000010", reverseBytes, 0),
  oneSource("REV32", "1 1 0 11010110 00000 000010", exchangeAll([8, 16]), 1),
  oneSource("REV", "1 1 0 11010110 00000 000011", reverseBytes, 1),
  oneSource("CLZ", "sf 1 0 11010110 00000 000100", (o, operand) => o.clz(operand)),
  oneSource("CLS", "sf 1 0 11010110 00000 000101", countLeadingSigns),
];

// ---- Data processing (3 source) ----

/** The name for an addend of zero. */
function withoutAddend(syntax: Syntax, mnemonic: string): Syntax {
  return {
    mnemonic,
    operands: syntax.operands.slice(0, 3),
    when: (f) => f.Ra === 31,
    set: { Ra: 31 },
  };
}

function multiplyAdd(name: string, o0: number, alias: string): Row {
  const operands = [reg("Rd"), reg("Rn"), reg("Rm"), reg("Ra")];
  const syntax = { mnemonic: name.toLowerCase(), operands };
  return row(name, `sf 00 11011 000 Rm ${o0} Ra Rn Rd`, {
    static: ["sf"],
    assembly: [withoutAddend(syntax, alias), syntax],
    execute(o, s) {
      const product = o.mul(o.x("Rn", s.sf), o.x("Rm", s.sf));
      const addend = o.x("Ra", s.sf);
      o.setX("Rd", o0 ? o.sub(addend, product) : o.add(addend, product));
    },
  });
}

function multiplyAddLong(name: string, u: number, o0: number, alias: string): Row {
  const operands = [x("Rd"), w("Rn"), w("Rm"), x("Ra")];
  const syntax = { mnemonic: name.toLowerCase(), operands };
  return row(name, `1 00 11011 ${u}01 Rm ${o0} Ra Rn Rd`, {
    assembly: [withoutAddend(syntax, alias), syntax],
    execute(o) {
      const extend = (value: Value) => u ? o.extendU(value) : o.extendS(value);
      const product = o.mul(extend(o.x("Rn", 0)), extend(o.x("Rm", 0)));
      const addend = o.x("Ra");
      o.setX("Rd", o0 ? o.sub(addend, product) : o.add(addend, product));
    },
  });
}

/** The upper half of the 128-bit product, from four products of halves. */
function multiplyHigh(name: string, u: number): Row {
  const operands = [x("Rd"), x("Rn"), x("Rm")];
  return row(name, `1 00 11011 ${u}10 Rm 0 (11111) Rn Rd`, {
    assembly: [{ mnemonic: name.toLowerCase(), operands }],
    execute(o) {
      const half = o.c64(32);
      const low = (value: Value) => o.and(value, o.c64(0xffff_ffffn));
      const high = (value: Value) => u ? o.shrU(value, half) : o.shrS(value, half);
      const a = o.x("Rn"), b = o.x("Rm");
      const lowA = low(a), highA = high(a), lowB = low(b), highB = high(b);
      const middle = o.add(o.mul(highA, lowB), o.shrU(o.mul(lowA, lowB), half));
      const cross = o.add(o.mul(lowA, highB), low(middle));
      o.setX("Rd", o.add(o.mul(highA, highB), o.add(high(middle), high(cross))));
    },
  });
}

/** Data processing (3 source). */
export const THREE_SOURCES: readonly Row[] = [
  multiplyAdd("MADD", 0, "mul"),
  multiplyAdd("MSUB", 1, "mneg"),
  multiplyAddLong("SMADDL", 0, 0, "smull"),
  multiplyAddLong("SMSUBL", 0, 1, "smnegl"),
  multiplyHigh("SMULH", 0),
  multiplyAddLong("UMADDL", 1, 0, "umull"),
  multiplyAddLong("UMSUBL", 1, 1, "umnegl"),
  multiplyHigh("UMULH", 1),
];
