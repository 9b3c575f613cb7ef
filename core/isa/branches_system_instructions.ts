import { type Fields, type Row, row, type Syntax } from "./row.ts";
import type { Ops, Value } from "./ops.ts";
import { hexadecimal, literal, x } from "./operands.ts";
import {
  barrierOption,
  hintNumber,
  ignoredOption,
  isNamedInstruction,
  namedOperation,
  namedOperationRegister,
  systemInstructionField,
  systemInstructionOperands,
  systemRegisterField,
  systemRegisterOperand,
} from "./system_operands.ts";

/**
 * Hints, barriers, MSR, MRS, SYS and SYSL (Arm ARM C4.1.86, C5.1).
 *
 * The machine does their work, save for what only reads or writes state that engines keep in
 * registers of their own: NZCV, FPCR, FPSR and the exclusive monitor. Those encodings are special
 * cases of the general rows.
 */

// ---- hints ----

/** Hints by CRm:op2 that are instructions of later extensions; all are no-operations here. */
const LATER_HINTS: Readonly<Record<number, string>> = {
  17: "psb csync",
  18: "tsb csync",
  20: "csdb",
  22: "clearbhb",
  32: "bti",
  34: "bti c",
  36: "bti j",
  38: "bti jc",
};

function hintSyntax(number: number, text: string): Syntax {
  const [mnemonic, word] = text.split(" ");
  return {
    mnemonic,
    operands: word === undefined ? [] : [literal(word)],
    set: { CRm: number >> 3, op2: number & 7 },
    when: (f) => (f.CRm << 3 | f.op2) === number,
  };
}

/** NOP and every hint that is not listed: nothing happens. */
const HINT = row("HINT", "11010101000000110010 CRm:4 op2:3 11111", {
  assembly: [
    hintSyntax(0, "nop"),
    ...Object.entries(LATER_HINTS).map(([number, text]) => hintSyntax(Number(number), text)),
    { mnemonic: "hint", operands: [hintNumber()] },
  ],
  execute() {},
});

/** A hint that the machine is told of. The waiting ones end a block: an interrupt may follow. */
function machineHint(name: string, number: number, waits: boolean): Row {
  const bits = number.toString(2).padStart(7, "0");
  return row(name, `11010101000000110010 ${bits} 11111`, {
    ...(waits ? { ends: "sequential" } : {}),
    assembly: [{ mnemonic: name.toLowerCase(), operands: [] }],
    execute(o) {
      o.callOut("hint", o.c32(number));
    },
  });
}

const HINTS: readonly Row[] = [
  HINT,
  machineHint("YIELD", 1, false),
  machineHint("WFE", 2, true),
  machineHint("WFI", 3, true),
  machineHint("SEV", 4, false),
  machineHint("SEVL", 5, false),
  machineHint("ESB", 16, false),
];

// ---- barriers ----

function barrier(name: string, op2: string, assembly: readonly Syntax[]): Row {
  const code = parseInt(op2, 2) << 4;
  return row(name, `11010101000000110011 CRm:4 ${op2} 11111`, {
    ...(name === "ISB" ? { ends: "sequential" } : {}),
    derive: { argument: (f) => code | f.CRm },
    assembly,
    execute(o) {
      o.callOut("barrier", o.immediate("argument"));
    },
  });
}

const BARRIERS: readonly Row[] = [
  row("CLREX", "11010101000000110011 CRm:4 010 11111", {
    assembly: [{ mnemonic: "clrex", operands: [ignoredOption()] }],
    execute(o) {
      o.setState("exclusive-size", o.c64(0));
    },
  }),
  barrier("DSB", "100", [
    { mnemonic: "ssbb", operands: [], set: { CRm: 0 }, when: (f) => f.CRm === 0 },
    { mnemonic: "pssbb", operands: [], set: { CRm: 4 }, when: (f) => f.CRm === 4 },
    { mnemonic: "dsb", operands: [barrierOption()] },
  ]),
  barrier("DMB", "101", [{ mnemonic: "dmb", operands: [barrierOption()] }]),
  barrier("ISB", "110", [{ mnemonic: "isb", operands: [ignoredOption()] }]),
];

/** Nothing is executed speculatively here, so there is nothing to keep back. */
const SPECULATION_BARRIER = row("SB", "11010101000000110011 0000 111 11111", {
  feature: "FEAT_SB",
  assembly: [{ mnemonic: "sb", operands: [] }],
  execute() {},
});

// ---- PSTATE ----

function msrImmediate(field: string, op1: string, op2: string, feature?: string): Row {
  const code = parseInt(op1 + op2, 2) << 4;
  return row(`MSR (immediate) ${field}`, `1101010100 0 00 ${op1} 0100 CRm:4 ${op2} 11111`, {
    ...(feature ? { feature } : {}),
    ends: "sequential",
    derive: { argument: (f) => code | f.CRm },
    assembly: [{
      mnemonic: "msr",
      operands: [literal(field.toLowerCase()), hexadecimal("CRm")],
    }],
    execute(o) {
      o.callOut("msr-immediate", o.immediate("argument"));
    },
  });
}

// ---- registers that engines keep ----

const NZCV_BITS = { n: 31, z: 30, c: 29, v: 28 } as const;
/** Bits that a write sets: N, Z, C, V, QC and the cumulative exception bits. */
const FPSR_BITS = 0xf800_009fn;

function readNzcv(o: Ops): Value {
  const at = (value: Value, bit: number) => o.shl(value, o.c32(bit));
  const negative = (flag: "n" | "v") => o.ltS(o.flag(flag), o.c64(0));
  return o.or(
    o.or(at(negative("n"), NZCV_BITS.n), at(o.eqz(o.flag("z")), NZCV_BITS.z)),
    o.or(at(o.flag("c"), NZCV_BITS.c), at(negative("v"), NZCV_BITS.v)),
  );
}

function writeNzcv(o: Ops, value: Value): void {
  const z = o.c64(1 << NZCV_BITS.z);
  o.setFlags({
    n: o.shl(value, o.c64(63 - NZCV_BITS.n)),
    z: o.xor(o.and(value, z), z),
    c: o.and(o.wrap(o.shrU(value, o.c64(NZCV_BITS.c))), o.c32(1)),
    v: o.shl(value, o.c64(63 - NZCV_BITS.v)),
  });
}

const NZCV = "1 011 0100 0010 000", FPCR = "1 011 0100 0100 000", FPSR = "1 011 0100 0100 001";

function readRow(name: string, bits: string, fp: boolean, read: (o: Ops) => Value): Row {
  return row(`MRS (${name})`, `1101010100 1 1 ${bits} Rt`, {
    ...(fp ? { fp: true } : {}),
    assembly: [{ mnemonic: "mrs", operands: [x("Rt"), literal(name.toLowerCase())] }],
    execute(o) {
      o.setX("Rt", read(o));
    },
  });
}

function writeRow(name: string, bits: string, fp: boolean, write: (o: Ops) => void): Row {
  return row(`MSR (${name})`, `1101010100 0 1 ${bits} Rt`, {
    ...(fp ? { fp: true } : {}),
    ends: "sequential",
    assembly: [{ mnemonic: "msr", operands: [literal(name.toLowerCase()), x("Rt")] }],
    execute: write,
  });
}

const ENGINE_REGISTERS: readonly Row[] = [
  readRow("NZCV", NZCV, false, readNzcv),
  readRow("FPCR", FPCR, true, (o) => o.state("fpcr")),
  readRow("FPSR", FPSR, true, (o) => o.state("fpsr")),
  writeRow("NZCV", NZCV, false, (o) => writeNzcv(o, o.x("Rt"))),
  writeRow("FPCR", FPCR, true, (o) => o.setState("fpcr", o.and(o.x("Rt"), o.state("fpcr-bits")))),
  writeRow("FPSR", FPSR, true, (o) => o.setState("fpsr", o.and(o.x("Rt"), o.c64(FPSR_BITS)))),
];

// ---- SYS, SYSL, MRS, MSR ----

const SYSTEM_FIELDS = "op1:3 CRn:4 CRm:4 op2:3 Rt";

const SYS_ALIASES: readonly Syntax[] = ["ic", "dc", "at", "tlbi"].map((mnemonic) => ({
  mnemonic,
  operands: [namedOperation(mnemonic), namedOperationRegister()],
  when: (f: Fields) => isNamedInstruction(mnemonic, f),
}));

/** The register of SYS, left out if it is XZR. */
const optionalRegister = {
  format: (f: Fields, pc: bigint) => f.Rt === 31 ? undefined : x("Rt").format(f, pc),
  parse: (text: string | undefined, pc: bigint, f: Fields) =>
    text === undefined ? { Rt: 31 } : x("Rt").parse(text, pc, f),
};

const SYSTEM: readonly Row[] = [
  row("SYS", `1101010100 0 01 ${SYSTEM_FIELDS}`, {
    ends: "sequential",
    derive: { argument: systemInstructionField },
    assembly: [
      ...SYS_ALIASES,
      { mnemonic: "sys", operands: [...systemInstructionOperands(), optionalRegister] },
    ],
    execute(o) {
      o.callOut("sys", o.immediate("argument"), o.x("Rt"));
    },
  }),
  row("DC ZVA", "1101010100 0 01 011 0111 0100 001 Rt", {
    assembly: [{ mnemonic: "dc", operands: [literal("zva"), x("Rt")] }],
    execute(o) {
      o.callOut("dc-zva", o.c32(0), o.x("Rt"));
    },
  }),
  row("SYSL", `1101010100 1 01 ${SYSTEM_FIELDS}`, {
    derive: { argument: systemInstructionField },
    assembly: [{ mnemonic: "sysl", operands: [x("Rt"), ...systemInstructionOperands()] }],
    execute(o) {
      o.setX("Rt", o.callOut("sysl", o.immediate("argument")));
    },
  }),
  row("MSR (register)", `1101010100 0 1 o0 ${SYSTEM_FIELDS}`, {
    ends: "sequential",
    derive: { argument: systemRegisterField },
    assembly: [{ mnemonic: "msr", operands: [systemRegisterOperand(), x("Rt")] }],
    execute(o) {
      o.callOut("msr", o.immediate("argument"), o.x("Rt"));
    },
  }),
  row("MRS", `1101010100 1 1 o0 ${SYSTEM_FIELDS}`, {
    derive: { argument: systemRegisterField },
    assembly: [{ mnemonic: "mrs", operands: [x("Rt"), systemRegisterOperand()] }],
    execute(o) {
      o.setX("Rt", o.callOut("mrs", o.immediate("argument")));
    },
  }),
];

/** RNDR and RNDRRS: a random number, and NZCV says that there was one. */
function randomRow(name: string, op2: string): Row {
  return row(`MRS (${name})`, `1101010100 1 1 1 011 0010 0100 ${op2} Rt`, {
    feature: "FEAT_RNG",
    assembly: [{ mnemonic: "mrs", operands: [x("Rt"), literal(name.toLowerCase())] }],
    execute(o) {
      o.setX("Rt", o.callOut("random", o.c32(0)));
      o.setFlags({ n: o.c64(0), z: o.c64(1), c: o.c32(0), v: o.c64(0) });
    },
  });
}

/** Hints, barriers, PSTATE and system registers, SYS and SYSL. */
export const SYSTEM_INSTRUCTION_ROWS: readonly Row[] = [
  ...HINTS,
  ...BARRIERS,
  SPECULATION_BARRIER,
  msrImmediate("UAO", "000", "011", "FEAT_UAO"),
  msrImmediate("PAN", "000", "100", "FEAT_PAN"),
  msrImmediate("SPSel", "000", "101"),
  msrImmediate("SSBS", "011", "001", "FEAT_SSBS"),
  msrImmediate("DIT", "011", "010", "FEAT_DIT"),
  msrImmediate("DAIFSet", "011", "110"),
  msrImmediate("DAIFClr", "011", "111"),
  ...SYSTEM,
  ...ENGINE_REGISTERS,
  randomRow("RNDR", "000"),
  randomRow("RNDRRS", "001"),
];

/** `special > general` by name: the special cases of general rows here. */
export const SYSTEM_SPECIAL_CASES: readonly string[] = [
  ...["YIELD", "WFE", "WFI", "SEV", "SEVL", "ESB"].map((name) => `${name} > HINT`),
  "DC ZVA > SYS",
  ...["RNDR", "RNDRRS"].map((name) => `MRS (${name}) > MRS`),
  ...["NZCV", "FPCR", "FPSR"].flatMap((name) => [
    `MRS (${name}) > MRS`,
    `MSR (${name}) > MSR (register)`,
  ]),
];
