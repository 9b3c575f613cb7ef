import type { Ops, Value } from "./ops.ts";
import type { Fields, Operand, Row, Wide } from "./row.ts";
import { parseInteger, parseModifier, scalar } from "./operands.ts";
import { expandImmediate, floatImmediate } from "./fp_immediate.ts";
import { fromHalves, KEEP, setVector, simdRow } from "./simd_common.ts";
import { type Arrangement, vectorAs, vectorFixed } from "./simd_operands.ts";

/**
 * Advanced SIMD modified immediate (Arm ARM C4.1.96): MOVI, MVNI, ORR, BIC and FMOV.
 *
 * The eight bits of the immediate stand apart, as `abc` and `defgh`.
 */

/** The eight bits. */
function imm8({ abc, defgh }: Fields): number {
  return abc << 5 | defgh;
}

function fieldsOfImm8(value: number): Record<string, number> {
  return { abc: value >> 5, defgh: value & 31 };
}

/** The 64 bits with the value's low `bits` in every element. */
function replicated(element: number, bits: 8 | 16 | 32): Wide {
  let word = (element & (2 ** bits - 1)) >>> 0;
  for (let width: number = bits; width < 32; width *= 2) word = (word | word << width) >>> 0;
  return [word, word];
}

/** An element's value: the eight bits shifted, with ones (`msl`) or zeros shifted in. */
interface Form {
  readonly name: string;
  /** `cmode`; `x` is the amount in bytes. */
  readonly cmode: string;
  readonly bits: 8 | 16 | 32;
  readonly ones?: true;
}

const WORDS = { name: "32-bit shifted", cmode: "0 x:2", bits: 32 } as const;
const HALFWORDS = { name: "16-bit shifted", cmode: "10 x:1", bits: 16 } as const;
const SHIFTING_ONES = {
  name: "32-bit shifting ones",
  cmode: "110 x:1",
  bits: 32,
  ones: true,
} as const;
const BYTES = { name: "8-bit", cmode: "1110", bits: 8 } as const;

function elementOf({ ones }: Form, f: Fields): number {
  const shift = ones ? 8 << f.x : 8 * (f.x ?? 0);
  return imm8(f) << shift | (ones ? (1 << shift) - 1 : 0);
}

const IMMEDIATE: Operand = {
  format: (f) => `#0x${imm8(f).toString(16)}`,
  parse(text) {
    const value = parseInteger(text);
    return value !== undefined && value >= 0n && value < 256n
      ? fieldsOfImm8(Number(value))
      : undefined;
  },
};

/** `lsl #8`, left out for 0, or `msl #8`. */
function shiftOperand(ones: boolean): Operand {
  return {
    format({ x }) {
      if (ones) return `msl #${8 << x}`;
      return x === 0 ? undefined : `lsl #${8 * x}`;
    },
    parse(text) {
      if (text === undefined) return ones ? undefined : { x: 0 };
      const found = parseModifier(text);
      if (found?.name !== (ones ? "msl" : "lsl") || found.amount === undefined) return undefined;
      const x = ones ? found.amount / 8 - 1 : found.amount / 8;
      return Number.isInteger(x) && x >= 0 ? { x } : undefined;
    },
  };
}

/** What is done with the immediate in both halves of `value`. */
type Operation = (o: Ops, value: Value) => Value;

function immediateRow(
  mnemonic: string,
  form: Form,
  /** The bit `op`, and the lowest of `cmode` where the form leaves it. */
  [op, low]: readonly [op: 0 | 1, low: "0" | "1" | ""],
  operation: Operation,
): Row {
  const { name, cmode, bits, ones = false } = form;
  const invert = mnemonic === "mvni";
  const arrangement: Arrangement = { size: Math.log2(bits / 8) };
  const operands = [vectorAs("Rd", arrangement), IMMEDIATE];
  if (bits > 8) operands.push(shiftOperand(ones));
  return simdRow(
    `${mnemonic.toUpperCase()} (${low === "1" && !ones ? "vector, immediate, " : ""}${name})`,
    `0 Q ${op} 0111100000 abc:3 ${cmode} ${low} 0 1 defgh:5 Rd`,
    {
      derive: {
        ...KEEP,
        imm: (f) => replicated(invert ? ~elementOf(form, f) : elementOf(form, f), bits),
      },
      assembly: [{ mnemonic, operands }],
      execute: (o) => setVector(o, operation(o, o.plain("i64x2.splat", o.immediate64("imm")))),
    },
  );
}

function move(_o: Ops, value: Value): Value {
  return value;
}

function inclusiveOr(o: Ops, value: Value): Value {
  return o.plain("v128.or", o.v("Rd"), value);
}

function bitClear(o: Ops, value: Value): Value {
  return o.plain("v128.andnot", o.v("Rd"), value);
}

// ---- MOVI, 64-bit: each bit becomes a byte ----

function bytesOf(f: Fields): Wide {
  const word = (bits: number) =>
    [0, 1, 2, 3].reduce((all, i) => all + (bits >> i & 1) * 255 * 2 ** (8 * i), 0);
  return [word(imm8(f)), word(imm8(f) >> 4)];
}

const BYTE_MASK: Operand = {
  format(f) {
    const [low, high] = bytesOf(f);
    return `#0x${(BigInt(high) << 32n | BigInt(low)).toString(16)}`;
  },
  parse(text) {
    const value = parseInteger(text);
    if (value === undefined) return undefined;
    let bits = 0;
    for (let i = 0; i < 8; i++) {
      const byte = BigInt.asUintN(64, value) >> BigInt(8 * i) & 255n;
      if (byte !== 0n && byte !== 255n) return undefined;
      if (byte) bits |= 1 << i;
    }
    return fieldsOfImm8(bits);
  },
};

const MOVE_64: readonly Row[] = [scalar("Rd", "d"), vectorFixed("Rd", "2d")].map((register, Q) =>
  simdRow("MOVI (64-bit)", `0 ${Q} 1 0111100000 abc:3 1110 0 1 defgh:5 Rd`, {
    derive: { imm: bytesOf },
    assembly: [{ mnemonic: "movi", operands: [register, BYTE_MASK] }],
    execute(o) {
      const value = o.immediate64("imm");
      o.setV("Rd", Q ? o.plain("i64x2.splat", value) : value);
    },
  })
);

// ---- FMOV (vector, immediate): VFPExpandImm() ----

const FLOAT: Operand = floatImmediate(imm8, fieldsOfImm8);

/** The low word of a number of 16 or 32 bits in all places of two words. */
function repeatedFloat(f: Fields, bits: 16 | 32): Wide {
  return replicated(expandImmediate(imm8(f), bits)[0], bits);
}

/** Numbers of 16 or 32 bits in a vector of any length. */
function moveFloat(
  name: string,
  bits: 16 | 32,
  last: string,
  feature: Pick<Row, "feature">,
): Row {
  const size = Math.log2(bits / 8);
  return simdRow(
    `FMOV (vector, immediate), ${name}`,
    `0 Q 0 0111100000 abc:3 1111 ${last} 1 defgh:5 Rd`,
    {
      ...feature,
      derive: { ...KEEP, imm: (f) => repeatedFloat(f, bits) },
      assembly: [{ mnemonic: "fmov", operands: [vectorAs("Rd", { size }), FLOAT] }],
      execute(o) {
        const value = o.immediate64("imm");
        o.setV("Rd", fromHalves(o, value, o.and(value, o.extendS(o.immediate("keep")))));
      },
    },
  );
}

const MOVE_FLOAT: readonly Row[] = [
  moveFloat("half", 16, "1", { feature: "FEAT_FP16" }),
  moveFloat("single", 32, "0", {}),
  simdRow("FMOV (vector, immediate), double", "0 1 1 0111100000 abc:3 1111 0 1 defgh:5 Rd", {
    derive: { imm: (f) => expandImmediate(imm8(f), 64) },
    assembly: [{ mnemonic: "fmov", operands: [vectorFixed("Rd", "2d"), FLOAT] }],
    execute: (o) => o.setV("Rd", o.plain("i64x2.splat", o.immediate64("imm"))),
  }),
];

/** Advanced SIMD modified immediate. */
export const SIMD_IMMEDIATE: readonly Row[] = [
  immediateRow("movi", WORDS, [0, "0"], move),
  immediateRow("mvni", WORDS, [1, "0"], move),
  immediateRow("orr", WORDS, [0, "1"], inclusiveOr),
  immediateRow("bic", WORDS, [1, "1"], bitClear),
  immediateRow("movi", HALFWORDS, [0, "0"], move),
  immediateRow("mvni", HALFWORDS, [1, "0"], move),
  immediateRow("orr", HALFWORDS, [0, "1"], inclusiveOr),
  immediateRow("bic", HALFWORDS, [1, "1"], bitClear),
  immediateRow("movi", SHIFTING_ONES, [0, ""], move),
  immediateRow("mvni", SHIFTING_ONES, [1, ""], move),
  immediateRow("movi", BYTES, [0, ""], move),
  ...MOVE_64,
  ...MOVE_FLOAT,
];
