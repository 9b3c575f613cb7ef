import type { Ops } from "./ops.ts";
import {
  type Fields,
  type Operand,
  type Row,
  row,
  type Syntax,
  type UnsupportedRow,
} from "./row.ts";
import {
  hexAddress,
  hexadecimal,
  parseInteger,
  parseModifier,
  reg,
  regsp,
  signed,
  x,
} from "./operands.ts";
import {
  addFlags,
  amount,
  decodeBitMask,
  encodeBitMask,
  logicalFlags,
  moveWidePreferred,
  subtractFlags,
} from "./pseudocode.ts";
import { unsupported } from "./row.ts";
import { BITFIELD, EXTRACT } from "./data_processing_bitfield.ts";

/** Data processing, immediate: rows of the Arm ARM's C4.1.92 (C4.1.86 in later issues). */

// ---- PC-relative addressing ----

/** ADR's 21-bit offset in bytes, or ADRP's in pages. */
function pcOffset(f: Fields): number {
  return signed((f.immhi << 2) | f.immlo, 21);
}

/** The address that ADR (scale 0) or ADRP (scale 12) makes. */
function pcRelative(scale: bigint): Operand {
  return {
    format: (f, pc) => hexAddress(((pc >> scale) + BigInt(pcOffset(f))) << scale),
    parse(text, pc) {
      const target = parseInteger(text);
      if (target === undefined) return undefined;
      if (scale !== 0n && (target & 0xfffn) !== 0n) return undefined;
      const offset = BigInt.asIntN(64, target - ((pc >> scale) << scale)) >> scale;
      if (offset !== BigInt.asIntN(21, offset)) return undefined;
      const bits = Number(BigInt.asUintN(21, offset));
      return { immlo: bits & 3, immhi: bits >> 2 };
    },
  };
}

const PC_RELATIVE: readonly Row[] = [
  row("ADR", "0 immlo:2 10000 immhi:19 Rd", {
    derive: { offset: pcOffset },
    assembly: [{ mnemonic: "adr", operands: [x("Rd"), pcRelative(0n)] }],
    execute(o) {
      o.setX("Rd", o.add(o.pc(), o.extendS(o.immediate("offset"))));
    },
  }),
  row("ADRP", "1 immlo:2 10000 immhi:19 Rd", {
    derive: { pages: pcOffset },
    assembly: [{ mnemonic: "adrp", operands: [x("Rd"), pcRelative(12n)] }],
    execute(o) {
      const base = o.and(o.pc(), o.c64(-4096));
      o.setX("Rd", o.add(base, o.shl(o.extendS(o.immediate("pages")), o.c64(12))));
    },
  }),
];

// ---- Add/subtract (immediate) ----

/** The 12-bit immediate; a multiple of 4096 beyond it is read as the shifted form. */
const arithmeticImmediate: Operand = {
  format: (f) => `#0x${f.imm12.toString(16)}`,
  parse(text) {
    const value = parseInteger(text);
    if (value === undefined || value < 0n || value > 0xff_f000n) return undefined;
    if (value <= 0xfffn) return { imm12: Number(value) };
    return value % 4096n === 0n ? { imm12: Number(value / 4096n), sh: 1 } : undefined;
  },
};

const arithmeticShift: Operand = {
  format: (f) => f.sh ? "lsl #12" : undefined,
  parse(text, _pc, fields) {
    if (text === undefined) return { sh: fields.sh ?? 0 };
    const found = parseModifier(text);
    if (found?.name !== "lsl" || (found.amount !== 0 && found.amount !== 12)) return undefined;
    return { sh: found.amount === 12 ? 1 : 0 };
  },
};

function addSubtractImmediate(op: number, setFlags: number, alias?: Syntax): Row {
  const mnemonic = (op ? "sub" : "add") + (setFlags ? "s" : "");
  const rd = setFlags ? reg("Rd") : regsp("Rd");
  const syntax = { mnemonic, operands: [rd, regsp("Rn"), arithmeticImmediate, arithmeticShift] };
  const pattern = `sf ${op} ${setFlags} 100010 sh imm12:12 Rn Rd`;
  return row(`${mnemonic.toUpperCase()} (immediate)`, pattern, {
    static: ["sf"],
    derive: { imm: (f) => f.imm12 << (f.sh ? 12 : 0) },
    assembly: alias ? [alias, syntax] : [syntax],
    execute(o, s) {
      const operand1 = o.xsp("Rn", s.sf);
      const operand2 = s.sf ? o.extendU(o.immediate("imm")) : o.immediate("imm");
      if (!setFlags) {
        o.setXsp("Rd", op ? o.sub(operand1, operand2) : o.add(operand1, operand2));
        return;
      }
      const { result, nzcv } = (op ? subtractFlags : addFlags)(o, operand1, operand2);
      o.setX("Rd", result);
      o.setFlags(nzcv);
    },
  });
}

/** CMN and CMP: the result is dropped. */
function compareImmediate(mnemonic: string): Syntax {
  return {
    mnemonic,
    operands: [regsp("Rn"), arithmeticImmediate, arithmeticShift],
    when: (f) => f.Rd === 31,
    set: { Rd: 31 },
  };
}

const ADD_SUBTRACT: readonly Row[] = [
  addSubtractImmediate(0, 0, {
    mnemonic: "mov",
    operands: [regsp("Rd"), regsp("Rn")],
    when: (f) => (f.Rd === 31 || f.Rn === 31) && f.imm12 === 0 && f.sh === 0,
    set: { imm12: 0, sh: 0 },
  }),
  addSubtractImmediate(0, 1, compareImmediate("cmn")),
  addSubtractImmediate(1, 0),
  addSubtractImmediate(1, 1, compareImmediate("cmp")),
];

// ---- Logical (immediate) ----

const bitMask: Operand = {
  format(f) {
    const [low, high] = decodeBitMask(f) ?? [0, 0];
    return `#0x${((BigInt(high) << 32n) | BigInt(low)).toString(16)}`;
  },
  parse(text, _pc, fields) {
    const value = parseInteger(text);
    if (value === undefined) return undefined;
    const size = fields.sf ? 64 : 32;
    if (BigInt.asIntN(size, value) !== value && BigInt.asUintN(size, value) !== value) {
      return undefined;
    }
    return encodeBitMask(value, fields.sf);
  },
};

function logicalImmediate(name: string, opc: string, alias?: Syntax): Row {
  const setFlags = opc === "11";
  const mnemonic = name.toLowerCase();
  const rd = setFlags ? reg("Rd") : regsp("Rd");
  const syntax = { mnemonic, operands: [rd, reg("Rn"), bitMask] };
  return row(`${name} (immediate)`, `sf ${opc} 100100 N immr:6 imms:6 Rn Rd`, {
    static: ["sf"],
    when: (f) => decodeBitMask(f) !== undefined,
    derive: { imm: (f) => decodeBitMask(f) ?? [0, 0] },
    assembly: alias ? [alias, syntax] : [syntax],
    execute(o, s) {
      const operand1 = o.x("Rn", s.sf);
      const imm = s.sf ? o.immediate64("imm") : o.wrap(o.immediate64("imm"));
      const result = opc === "01"
        ? o.or(operand1, imm)
        : opc === "10"
        ? o.xor(operand1, imm)
        : o.and(operand1, imm);
      if (!setFlags) return o.setXsp("Rd", result);
      o.setX("Rd", result);
      o.setFlags(logicalFlags(o, result));
    },
  });
}

const LOGICAL: readonly Row[] = [
  logicalImmediate("AND", "00"),
  logicalImmediate("ORR", "01", {
    mnemonic: "mov",
    operands: [regsp("Rd"), bitMask],
    when: (f) => f.Rn === 31 && (f.Rd === 31 || !moveWidePreferred(f)),
    set: { Rn: 31 },
  }),
  logicalImmediate("EOR", "10"),
  logicalImmediate("ANDS", "11", {
    mnemonic: "tst",
    operands: [reg("Rn"), bitMask],
    when: (f) => f.Rd === 31,
    set: { Rd: 31 },
  }),
];

// ---- Move wide (immediate) ----

const wideShift: Operand = {
  format: (f) => f.hw ? `lsl #${f.hw * 16}` : undefined,
  parse(text) {
    if (text === undefined) return { hw: 0 };
    const found = parseModifier(text);
    if (found?.name !== "lsl" || found.amount === undefined || found.amount % 16) return undefined;
    return { hw: found.amount / 16 };
  },
};

/** The immediate at its place: what MOVZ writes and MOVN writes inverted. */
function placed(f: Fields): bigint {
  return BigInt(f.imm16) << BigInt(16 * f.hw);
}

/** MOV of a value that MOVZ or MOVN (`inverted`) can make. */
function moveWideAlias(inverted: boolean): Syntax {
  const value: Operand = {
    format: (f) => {
      const bits = inverted ? ~placed(f) : placed(f);
      return `#0x${BigInt.asUintN(f.sf ? 64 : 32, bits).toString(16)}`;
    },
    parse(text, _pc, { sf }) {
      const size = sf ? 64 : 32;
      const number = parseInteger(text);
      if (number === undefined) return undefined;
      if (number < -(1n << BigInt(size - 1)) || number >= 1n << BigInt(size)) return undefined;
      const bits = BigInt.asUintN(size, inverted ? ~number : number);
      for (let hw = 0; hw < size / 16; hw++) {
        const imm16 = Number((bits >> BigInt(16 * hw)) & 0xffffn);
        if (BigInt(imm16) << BigInt(16 * hw) === bits) return { hw, imm16 };
      }
      return undefined;
    },
  };
  return {
    mnemonic: "mov",
    operands: [reg("Rd"), value],
    when: (f) => !(f.imm16 === 0 && f.hw !== 0) && !(inverted && f.sf === 0 && f.imm16 === 0xffff),
  };
}

function moveWide(name: string, opc: string, assembly: readonly Syntax[], body: MoveBody): Row {
  const mnemonic = name.toLowerCase();
  const operands = [reg("Rd"), hexadecimal("imm16"), wideShift];
  return row(name, `sf ${opc} 100101 hw:2 imm16:16 Rd`, {
    static: ["sf"],
    when: (f) => f.sf === 1 || f.hw < 2,
    derive: { imm: body.imm, ...(body.keep && { keep: body.keep }) },
    assembly: [...assembly, { mnemonic, operands }],
    execute: body.execute,
  });
}

interface MoveBody {
  imm(f: Fields): number | readonly [number, number];
  keep?(f: Fields): number;
  execute(o: Ops, s: Fields): void;
}

function wide(f: Fields, value: bigint): readonly [number, number] {
  const bits = BigInt.asUintN(f.sf ? 64 : 32, value);
  return [Number(bits & 0xffff_ffffn), Number(bits >> 32n)];
}

const setWide = (o: Ops) => o.setX("Rd", o.immediate64("imm"));

const MOVE_WIDE: readonly Row[] = [
  moveWide("MOVN", "00", [moveWideAlias(true)], {
    imm: (f) => wide(f, ~placed(f)),
    execute: setWide,
  }),
  moveWide("MOVZ", "10", [moveWideAlias(false)], {
    imm: (f) => wide(f, placed(f)),
    execute: setWide,
  }),
  moveWide("MOVK", "11", [], {
    imm: (f) => f.imm16,
    keep: (f) => f.hw * 16,
    execute(o, s) {
      const operand1 = o.x("Rd", s.sf);
      const place = (value: number | "imm") => {
        const bits = value === "imm" ? o.immediate("imm") : o.c32(value);
        return o.shl(s.sf ? o.extendU(bits) : bits, amount(o, operand1, "keep"));
      };
      o.setX("Rd", o.or(o.and(operand1, o.not(place(0xffff))), place("imm")));
    },
  }),
];

/** All rows of the group. */
export const DATA_PROCESSING_IMMEDIATE: readonly (Row | UnsupportedRow)[] = [
  ...PC_RELATIVE,
  ...ADD_SUBTRACT,
  unsupported("ADDG", "1 0 0 100011 0 uimm6:6 (00) uimm4:4 Rn Rd", "FEAT_MTE is not supported"),
  unsupported("SUBG", "1 1 0 100011 0 uimm6:6 (00) uimm4:4 Rn Rd", "FEAT_MTE is not supported"),
  ...LOGICAL,
  ...MOVE_WIDE,
  ...BITFIELD,
  ...EXTRACT,
];
