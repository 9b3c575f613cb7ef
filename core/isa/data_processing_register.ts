import type { Ops, Value } from "./ops.ts";
import { type Fields, type Operand, type Row, row, type Syntax } from "./row.ts";
import type { UnsupportedRow } from "./row.ts";
import {
  condition,
  hexadecimal,
  invertedCondition,
  parseModifier,
  reg,
  regsp,
  shift,
} from "./operands.ts";
import {
  addFlags,
  addWithCarry,
  type FlagValues,
  logicalFlags,
  shiftRegister,
  subtractFlags,
} from "./pseudocode.ts";
import { extendRegister, extendShifts } from "./pseudocode.ts";
import { ONE_SOURCE, THREE_SOURCES, TWO_SOURCES } from "./data_processing_sources.ts";

/** Data processing, register: rows of the Arm ARM's C4.1.95, but those of one to three sources. */

// ---- Logical (shifted register) ----

function logicalShifted(opc: string, n: number, name: string, alias?: Syntax): Row {
  const mnemonic = name.toLowerCase();
  const operands = [reg("Rd"), reg("Rn"), reg("Rm"), shift("shift", "imm6")];
  const syntax = { mnemonic, operands };
  return row(`${name} (shifted register)`, `sf ${opc} 01010 shift:2 ${n} Rm imm6:6 Rn Rd`, {
    static: ["sf", "shift"],
    when: (f) => f.sf === 1 || f.imm6 < 32,
    assembly: alias ? [alias, syntax] : [syntax],
    execute(o, s) {
      const operand1 = o.x("Rn", s.sf);
      const shifted = shiftRegister(o, o.x("Rm", s.sf), s.shift, "imm6");
      const operand2 = n ? o.not(shifted) : shifted;
      const result = opc === "01"
        ? o.or(operand1, operand2)
        : opc === "10"
        ? o.xor(operand1, operand2)
        : o.and(operand1, operand2);
      o.setX("Rd", result);
      if (opc === "11") o.setFlags(logicalFlags(o, result));
    },
  });
}

const LOGICAL_SHIFTED: readonly Row[] = [
  logicalShifted("00", 0, "AND"),
  logicalShifted("00", 1, "BIC"),
  logicalShifted("01", 0, "ORR", {
    mnemonic: "mov",
    operands: [reg("Rd"), reg("Rm")],
    when: (f) => f.Rn === 31 && f.shift === 0 && f.imm6 === 0,
    set: { Rn: 31, shift: 0, imm6: 0 },
  }),
  logicalShifted("01", 1, "ORN", {
    mnemonic: "mvn",
    operands: [reg("Rd"), reg("Rm"), shift("shift", "imm6")],
    when: (f) => f.Rn === 31,
    set: { Rn: 31 },
  }),
  logicalShifted("10", 0, "EOR"),
  logicalShifted("10", 1, "EON"),
  logicalShifted("11", 0, "ANDS", {
    mnemonic: "tst",
    operands: [reg("Rn"), reg("Rm"), shift("shift", "imm6")],
    when: (f) => f.Rd === 31,
    set: { Rd: 31 },
  }),
  logicalShifted("11", 1, "BICS"),
];

// ---- Add/subtract (shifted register) ----

function addSubtractShifted(op: number, setFlags: number, aliases: readonly Syntax[]): Row {
  const mnemonic = (op ? "sub" : "add") + (setFlags ? "s" : "");
  const operands = [reg("Rd"), reg("Rn"), reg("Rm"), shift("shift", "imm6")];
  const pattern = `sf ${op} ${setFlags} 01011 shift:2 0 Rm imm6:6 Rn Rd`;
  return row(`${mnemonic.toUpperCase()} (shifted register)`, pattern, {
    static: ["sf", "shift"],
    when: (f) => f.shift !== 3 && (f.sf === 1 || f.imm6 < 32),
    assembly: [...aliases, { mnemonic, operands }],
    execute(o, s) {
      const operand2 = shiftRegister(o, o.x("Rm", s.sf), s.shift, "imm6");
      addSubtract(o, op, setFlags, o.x("Rn", s.sf), operand2);
    },
  });
}

function addSubtract(o: Ops, op: number, setFlags: number, a: Value, b: Value): void {
  const { result, nzcv } = (op ? subtractFlags : addFlags)(o, a, b);
  o.setX("Rd", result);
  if (setFlags) o.setFlags(nzcv);
}

function dropsResult(mnemonic: string): Syntax {
  return {
    mnemonic,
    operands: [reg("Rn"), reg("Rm"), shift("shift", "imm6")],
    when: (f) => f.Rd === 31,
    set: { Rd: 31 },
  };
}

function negates(mnemonic: string): Syntax {
  return {
    mnemonic,
    operands: [reg("Rd"), reg("Rm"), shift("shift", "imm6")],
    when: (f) => f.Rn === 31,
    set: { Rn: 31 },
  };
}

const ADD_SUBTRACT_SHIFTED: readonly Row[] = [
  addSubtractShifted(0, 0, []),
  addSubtractShifted(0, 1, [dropsResult("cmn")]),
  addSubtractShifted(1, 0, [negates("neg")]),
  addSubtractShifted(1, 1, [dropsResult("cmp"), negates("negs")]),
];

// ---- Add/subtract (extended register) ----

const EXTENSIONS = ["uxtb", "uxth", "uxtw", "uxtx", "sxtb", "sxth", "sxtw", "sxtx"];

/** Rm is an X register only where all 64 bits are used. */
const extendedRegister: Operand = {
  format: (f, pc) => reg("Rm", "wide").format({ ...f, wide: f.sf && f.length === 3 ? 1 : 0 }, pc),
  parse: (text, pc, f) => reg("Rm", "wide").parse(text, pc, f),
};

function matchesWidth(f: Fields, length: number): boolean {
  return f.wide === (f.sf && length === 3 ? 1 : 0);
}

const extension: Operand = {
  format: (f) => EXTENSIONS[f.sign * 4 + f.length] + (f.imm3 ? ` #${f.imm3}` : ""),
  parse(text, _pc, f) {
    const found = text === undefined ? undefined : parseModifier(text);
    const option = found ? EXTENSIONS.indexOf(found.name) : -1;
    if (!found || option < 0 || !matchesWidth(f, option & 3)) return undefined;
    return { sign: option >> 2, length: option & 3, imm3: found.amount ?? 0 };
  },
};

/** UXTX, or UXTW of a W register, where SP is involved: written as LSL, or not at all. */
const extensionAsShift: Operand = {
  format: (f) => f.imm3 ? `lsl #${f.imm3}` : undefined,
  parse(text, _pc, f) {
    const found = parseModifier(text ?? "lsl #0");
    const length = f.sf ? 3 : 2;
    if (found?.name !== "lsl" || found.amount === undefined) return undefined;
    return matchesWidth(f, length) ? { sign: 0, length, imm3: found.amount } : undefined;
  },
};

/** Both spellings of one syntax. */
function extendedSyntaxes(
  mnemonic: string,
  operands: readonly Operand[],
  isStack: (f: Fields) => boolean,
  fixed?: { when: (f: Fields) => boolean; set: Record<string, number> },
): Syntax[] {
  const plain = (f: Fields) => isStack(f) && f.sign === 0 && f.length === (f.sf ? 3 : 2);
  const set = fixed && { set: fixed.set };
  return [
    {
      mnemonic,
      operands: [...operands, extendedRegister, extensionAsShift],
      when: (f) => plain(f) && (!fixed || fixed.when(f)),
      ...set,
    },
    {
      mnemonic,
      operands: [...operands, extendedRegister, extension],
      ...(fixed && { when: fixed.when }),
      ...set,
    },
  ];
}

function addSubtractExtended(op: number, setFlags: number): Row {
  const mnemonic = (op ? "sub" : "add") + (setFlags ? "s" : "");
  const pattern = `sf ${op} ${setFlags} 01011001 Rm sign length:2 imm3:3 Rn Rd`;
  const rd = setFlags ? reg("Rd") : regsp("Rd");
  const isStack = (f: Fields) => f.Rn === 31 || (!setFlags && f.Rd === 31);
  const compare = { when: (f: Fields) => f.Rd === 31, set: { Rd: 31 } };
  const shifts = (f: Fields) => extendShifts(f.sf ? 64 : 32, f.length, f.imm3);
  return row(`${mnemonic.toUpperCase()} (extended register)`, pattern, {
    static: ["sf", "sign"],
    when: (f) => f.imm3 <= 4,
    derive: { extendLeft: (f) => shifts(f).left, extendRight: (f) => shifts(f).right },
    assembly: [
      ...(setFlags ? extendedSyntaxes(op ? "cmp" : "cmn", [regsp("Rn")], isStack, compare) : []),
      ...extendedSyntaxes(mnemonic, [rd, regsp("Rn")], isStack),
    ],
    execute(o, s) {
      const operand1 = o.xsp("Rn", s.sf);
      const operand2 = extendRegister(o, o.x("Rm", s.sf), s.sign === 1);
      if (setFlags) return addSubtract(o, op, 1, operand1, operand2);
      o.setXsp("Rd", op ? o.sub(operand1, operand2) : o.add(operand1, operand2));
    },
  });
}

const ADD_SUBTRACT_EXTENDED: readonly Row[] = [
  addSubtractExtended(0, 0),
  addSubtractExtended(0, 1),
  addSubtractExtended(1, 0),
  addSubtractExtended(1, 1),
];

// ---- Add/subtract (with carry) ----

function addSubtractCarry(op: number, setFlags: number, alias?: string): Row {
  const mnemonic = (op ? "sbc" : "adc") + (setFlags ? "s" : "");
  const syntax: Syntax = { mnemonic, operands: [reg("Rd"), reg("Rn"), reg("Rm")] };
  const negate: Syntax[] = alias
    ? [{
      mnemonic: alias,
      operands: [reg("Rd"), reg("Rm")],
      when: (f) => f.Rn === 31,
      set: { Rn: 31 },
    }]
    : [];
  return row(mnemonic.toUpperCase(), `sf ${op} ${setFlags} 11010000 Rm 000000 Rn Rd`, {
    static: ["sf"],
    assembly: [...negate, syntax],
    execute(o, s) {
      const operand2 = o.x("Rm", s.sf);
      const { result, nzcv } = addWithCarry(
        o,
        o.x("Rn", s.sf),
        op ? o.not(operand2) : operand2,
        o.flag("c"),
      );
      o.setX("Rd", result);
      if (setFlags) o.setFlags(nzcv);
    },
  });
}

const ADD_SUBTRACT_CARRY: readonly Row[] = [
  addSubtractCarry(0, 0),
  addSubtractCarry(0, 1),
  addSubtractCarry(1, 0, "ngc"),
  addSubtractCarry(1, 1, "ngcs"),
];

// ---- Conditional compare ----

/** Four flags as the immediate gives them, in the engines' form. */
function immediateFlags(o: Ops): FlagValues {
  const nzcv = o.extendU(o.immediate("nzcv"));
  return {
    n: o.shl(nzcv, o.c64(60)),
    z: o.and(o.not(nzcv), o.c64(4)),
    c: o.and(o.shrU(o.immediate("nzcv"), o.c32(1)), o.c32(1)),
    v: o.shl(nzcv, o.c64(63)),
  };
}

function conditionalCompare(op: number, isImmediate: boolean): Row {
  const mnemonic = op ? "ccmp" : "ccmn";
  const second = isImmediate ? "imm5:5" : "Rm";
  const name = `${mnemonic.toUpperCase()} (${isImmediate ? "immediate" : "register"})`;
  return row(name, `sf ${op} 1 11010010 ${second} cond:4 ${isImmediate ? 1 : 0} 0 Rn 0 nzcv:4`, {
    static: ["sf", "cond"],
    assembly: [{
      mnemonic,
      operands: [
        reg("Rn"),
        isImmediate ? hexadecimal("imm5") : reg("Rm"),
        hexadecimal("nzcv"),
        condition("cond"),
      ],
    }],
    execute(o, s) {
      const imm = () => s.sf ? o.extendU(o.immediate("imm5")) : o.immediate("imm5");
      const operand2 = isImmediate ? imm() : o.x("Rm", s.sf);
      const { nzcv } = (op ? subtractFlags : addFlags)(o, o.x("Rn", s.sf), operand2);
      const holds = o.condition(s.cond), otherwise = immediateFlags(o);
      o.setFlags({
        n: o.select(holds, nzcv.n, otherwise.n),
        z: o.select(holds, nzcv.z, otherwise.z),
        c: o.select(holds, nzcv.c, otherwise.c),
        v: o.select(holds, nzcv.v, otherwise.v),
      });
    },
  });
}

const CONDITIONAL_COMPARE: readonly Row[] = [
  conditionalCompare(0, false),
  conditionalCompare(1, false),
  conditionalCompare(0, true),
  conditionalCompare(1, true),
];

// ---- Conditional select ----

/** One register that is both sources. */
const bothSources: Operand = {
  format: reg("Rn").format,
  parse(text, pc, f) {
    const found = reg("Rn").parse(text, pc, f);
    return found && { ...found, Rm: found.Rn };
  },
};

const isInvertible = (f: Fields) => f.cond < 14;

/** CSET, CSETM: both sources are zero. */
function conditionalSet(mnemonic: string): Syntax {
  return {
    mnemonic,
    operands: [reg("Rd"), invertedCondition("cond")],
    when: (f) => f.Rn === 31 && f.Rm === 31 && isInvertible(f),
    set: { Rn: 31, Rm: 31 },
  };
}

/** CINC, CINV, CNEG: one source. */
function conditionalChange(mnemonic: string): Syntax {
  return {
    mnemonic,
    operands: [reg("Rd"), bothSources, invertedCondition("cond")],
    when: (f) => f.Rn === f.Rm && isInvertible(f),
  };
}

function conditionalSelect(
  name: string,
  op: number,
  o2: number,
  aliases: readonly Syntax[],
  otherwise: (o: Ops, operand2: Value) => Value,
): Row {
  const operands = [reg("Rd"), reg("Rn"), reg("Rm"), condition("cond")];
  return row(name, `sf ${op} 0 11010100 Rm cond:4 0 ${o2} Rn Rd`, {
    static: ["sf", "cond"],
    assembly: [...aliases, { mnemonic: name.toLowerCase(), operands }],
    execute(o, s) {
      const operand2 = otherwise(o, o.x("Rm", s.sf));
      o.setX("Rd", o.select(o.condition(s.cond), o.x("Rn", s.sf), operand2));
    },
  });
}

const CONDITIONAL_SELECT: readonly Row[] = [
  conditionalSelect("CSEL", 0, 0, [], (_o, operand2) => operand2),
  conditionalSelect(
    "CSINC",
    0,
    1,
    [conditionalSet("cset"), conditionalChange("cinc")],
    (o, operand2) => o.add(operand2, o.like(operand2, 1)),
  ),
  conditionalSelect(
    "CSINV",
    1,
    0,
    [conditionalSet("csetm"), conditionalChange("cinv")],
    (o, operand2) => o.not(operand2),
  ),
  conditionalSelect(
    "CSNEG",
    1,
    1,
    [conditionalChange("cneg")],
    (o, operand2) => o.sub(o.like(operand2, 0), operand2),
  ),
];

/** All rows of the group. */
export const DATA_PROCESSING_REGISTER: readonly (Row | UnsupportedRow)[] = [
  ...TWO_SOURCES,
  ...ONE_SOURCE,
  ...LOGICAL_SHIFTED,
  ...ADD_SUBTRACT_SHIFTED,
  ...ADD_SUBTRACT_EXTENDED,
  ...ADD_SUBTRACT_CARRY,
  ...CONDITIONAL_COMPARE,
  ...CONDITIONAL_SELECT,
  ...THREE_SOURCES,
];
