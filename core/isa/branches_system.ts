import { type Fields, type Row, row } from "./row.ts";
import {
  CONDITIONS,
  hexadecimal,
  label,
  optional,
  parseInteger,
  reg,
  signed,
  x,
} from "./operands.ts";
import type { Operand } from "./row.ts";
import type { ExceptionCause, Ops } from "./ops.ts";
import { SYSTEM_INSTRUCTION_ROWS } from "./branches_system_instructions.ts";

/** Branches, exception generation and system instructions (Arm ARM C4.1.86). */

/** The derived byte offset of a branch whose field counts words. */
function branchOffset(field: string, width: number) {
  return { target: (f: Fields) => signed(f[field], width) * 4 };
}

function returnAddress(o: Ops) {
  return o.add(o.pc(), o.c64(4));
}

const CONDITIONAL_BRANCH = row("B.cond", "01010100 imm19:19 0 cond:4", {
  static: ["cond"],
  derive: branchOffset("imm19", 19),
  ends: "conditional",
  assembly: [...CONDITIONS.entries(), [2, "hs"] as const, [3, "lo"] as const].map(
    ([cond, name]) => ({
      mnemonic: `b.${name}`,
      operands: [label("imm19", 19)],
      set: { cond },
      when: (f: Fields) => f.cond === cond && name !== "hs" && name !== "lo",
    }),
  ),
  execute(o, s) {
    o.branch("target", o.condition(s.cond));
  },
});

function exceptionRow(name: string, opc: string, tail: string, cause: ExceptionCause): Row {
  return row(name, `11010100 ${opc} imm16:16 ${tail}`, {
    ends: "exception",
    assembly: [{
      mnemonic: name.toLowerCase(),
      operands: [
        name.startsWith("DCPS")
          ? optional(hexadecimal("imm16"), { imm16: 0 })
          : hexadecimal("imm16"),
      ],
    }],
    execute(o) {
      o.exception(cause, o.immediate("imm16"));
    },
  });
}

/** DCPSn and DRPS are UNDEFINED outside of Debug state, which this processor never enters. */
const EXCEPTION_GENERATION: readonly Row[] = [
  exceptionRow("SVC", "000", "000 01", "svc"),
  exceptionRow("HVC", "000", "000 10", "hvc"),
  exceptionRow("SMC", "000", "000 11", "smc"),
  exceptionRow("BRK", "001", "000 00", "brk"),
  exceptionRow("HLT", "010", "000 00", "hlt"),
  exceptionRow("DCPS1", "101", "000 01", "undefined"),
  exceptionRow("DCPS2", "101", "000 10", "undefined"),
  exceptionRow("DCPS3", "101", "000 11", "undefined"),
];

/** PSTATE.BTYPE behind a call. */
export const CALL_LANDING = 2;

/** PSTATE.BTYPE behind BR: X16 and X17 may go where calls go. From a page that is not guarded, all may. */
export function jumpLanding({ Rn }: Readonly<Record<string, number>>): number {
  return Rn === 16 || Rn === 17 ? 1 : 3;
}

const BRANCH_REGISTER: readonly Row[] = [
  row("BR", "1101011 0000 11111 000000 Rn 00000", {
    ends: "indirect",
    derive: { landing: jumpLanding },
    assembly: [{ mnemonic: "br", operands: [x("Rn")] }],
    execute(o) {
      o.branchTo(o.x("Rn"), o.immediate("landing"));
    },
  }),
  row("BLR", "1101011 0001 11111 000000 Rn 00000", {
    ends: "indirect-call",
    assembly: [{ mnemonic: "blr", operands: [x("Rn")] }],
    execute(o) {
      o.setLink(returnAddress(o));
      o.branchTo(o.x("Rn"), o.c32(CALL_LANDING));
    },
  }),
  row("RET", "1101011 0010 11111 000000 Rn 00000", {
    ends: "return",
    assembly: [{ mnemonic: "ret", operands: [optional(x("Rn"), { Rn: 30 })] }],
    execute(o) {
      o.branchTo(o.x("Rn"));
    },
  }),
  row("ERET", "1101011 0100 11111 000000 11111 00000", {
    ends: "exception",
    assembly: [{ mnemonic: "eret", operands: [] }],
    execute(o) {
      o.exceptionReturn();
    },
  }),
  row("DRPS", "1101011 0101 11111 000000 11111 00000", {
    ends: "exception",
    assembly: [{ mnemonic: "drps", operands: [] }],
    execute(o) {
      o.exception("undefined", o.c32(0));
    },
  }),
];

const BRANCH_IMMEDIATE: readonly Row[] = [
  row("B", "0 00101 imm26:26", {
    derive: branchOffset("imm26", 26),
    ends: "direct",
    assembly: [{ mnemonic: "b", operands: [label("imm26", 26)] }],
    execute(o) {
      o.branch("target");
    },
  }),
  row("BL", "1 00101 imm26:26", {
    derive: branchOffset("imm26", 26),
    ends: "call",
    assembly: [{ mnemonic: "bl", operands: [label("imm26", 26)] }],
    execute(o) {
      o.setLink(returnAddress(o));
      o.branch("target");
    },
  }),
];

const COMPARE_AND_BRANCH = row("CBZ, CBNZ", "sf 011010 op imm19:19 Rt", {
  static: ["sf", "op"],
  derive: branchOffset("imm19", 19),
  ends: "conditional",
  assembly: ["cbz", "cbnz"].map((mnemonic, op) => ({
    mnemonic,
    operands: [reg("Rt"), label("imm19", 19)],
    set: { op },
    when: (f) => f.op === op,
  })),
  execute(o, s) {
    const operand1 = o.x("Rt", s.sf);
    o.branch("target", s.op ? o.ne(operand1, o.like(operand1, 0)) : o.eqz(operand1));
  },
});

/** The register of TBZ: W where the bit is below 32. Reading `x0` accepts any bit. */
const testedRegister: Operand = {
  format: (f, pc) => reg("Rt", "b5").format(f, pc),
  parse(text, pc, fields) {
    const found = reg("Rt", "b5").parse(text, pc, fields);
    if (!found) return undefined;
    return found.b5 ? { Rt: found.Rt } : found;
  },
};

/** The bit number b5:b40. */
const testedBit: Operand = {
  format: (f) => `#${f.b5 << 5 | f.b40}`,
  parse(text) {
    const bit = Number(parseInteger(text) ?? -1);
    return bit < 0 || bit > 63 ? undefined : { b5: bit >> 5, b40: bit & 31 };
  },
};

const TEST_AND_BRANCH = row("TBZ, TBNZ", "b5 011011 op b40:5 imm14:14 Rt", {
  static: ["op"],
  derive: {
    ...branchOffset("imm14", 14),
    /** Brings the bit to the sign. */
    shift: (f) => 63 - (f.b5 << 5 | f.b40),
  },
  ends: "conditional",
  assembly: ["tbz", "tbnz"].map((mnemonic, op) => ({
    mnemonic,
    operands: [testedRegister, testedBit, label("imm14", 14)],
    set: { op },
    when: (f) => f.op === op,
  })),
  execute(o, s) {
    const bit = o.shl(o.x("Rt"), o.extendU(o.immediate("shift")));
    o.branch("target", s.op ? o.ltS(bit, o.c64(0)) : o.geS(bit, o.c64(0)));
  },
});

/** All branches, exception-generating and system instructions of Armv8.0-A. */
export const BRANCHES_SYSTEM: readonly Row[] = [
  CONDITIONAL_BRANCH,
  ...EXCEPTION_GENERATION,
  ...SYSTEM_INSTRUCTION_ROWS,
  ...BRANCH_REGISTER,
  ...BRANCH_IMMEDIATE,
  COMPARE_AND_BRANCH,
  TEST_AND_BRANCH,
];
