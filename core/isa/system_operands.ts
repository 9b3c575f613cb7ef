import type { Fields, Operand } from "./row.ts";
import { parseInteger, x } from "./operands.ts";
import {
  namedInstruction,
  namedInstructionEncoding,
  systemRegisterEncoding,
  systemRegisterName,
} from "./system_names.ts";

/** Operands of barriers and system instructions. */

const BARRIER_OPTIONS = [
  ...[, "oshld", "oshst", "osh", , "nshld", "nshst", "nsh"],
  ...[, "ishld", "ishst", "ish", , "ld", "st", "sy"],
];

/** CRm of DSB and DMB: `ish`, or a number where it has no name. */
export function barrierOption(): Operand {
  return {
    format: ({ CRm }) => BARRIER_OPTIONS[CRm] ?? `#0x${CRm.toString(16).padStart(2, "0")}`,
    parse(text) {
      const named = BARRIER_OPTIONS.indexOf(text ?? "");
      return named >= 0 ? { CRm: named } : parseFourBits(text, "CRm");
    },
  };
}

/** CRm of ISB and CLREX: a number, left out if it is 15. */
export function ignoredOption(): Operand {
  return {
    format: ({ CRm }) => CRm === 15 ? undefined : `#0x${CRm.toString(16)}`,
    parse: (text) => text === undefined || text === "sy" ? { CRm: 15 } : parseFourBits(text, "CRm"),
  };
}

function parseFourBits(text: string | undefined, field: string) {
  const value = parseInteger(text);
  return value === undefined || value < 0n || value > 15n ? undefined : { [field]: Number(value) };
}

/** The number of a hint, CRm:op2: `#0x22`. */
export function hintNumber(): Operand {
  return {
    format: ({ CRm, op2 }) => `#0x${(CRm << 3 | op2).toString(16)}`,
    parse(text) {
      const value = parseInteger(text);
      if (value === undefined || value < 0n || value > 127n) return undefined;
      return { CRm: Number(value) >> 3, op2: Number(value) & 7 };
    },
  };
}

/** op0:op1:CRn:CRm:op2 of MRS and MSR in 16 bits; the field o0 is the low bit of op0. */
export function systemRegisterField({ o0, op1, CRn, CRm, op2 }: Fields): number {
  return (2 | o0) << 14 | op1 << 11 | CRn << 7 | CRm << 3 | op2;
}

/** A system register by name, `vbar_el1`, or generic, `s3_0_c12_c0_0`. */
export function systemRegisterOperand(): Operand {
  return {
    format: (fields) => systemRegisterName(systemRegisterField(fields)),
    parse(text) {
      const encoding = text === undefined ? undefined : systemRegisterEncoding(text);
      if (encoding === undefined || encoding >> 15 === 0) return undefined;
      return { o0: encoding >> 14 & 1, ...instructionFields(encoding) };
    },
  };
}

/** op1:CRn:CRm:op2 of SYS in 14 bits. */
export function systemInstructionField({ op1, CRn, CRm, op2 }: Fields): number {
  return op1 << 11 | CRn << 7 | CRm << 3 | op2;
}

function instructionFields(encoding: number): Record<string, number> {
  return {
    op1: encoding >> 11 & 7,
    CRn: encoding >> 7 & 15,
    CRm: encoding >> 3 & 15,
    op2: encoding & 7,
  };
}

/** Whether SYS with these fields is written `mnemonic` and an operation. */
export function isNamedInstruction(mnemonic: string, fields: Fields): boolean {
  const named = namedInstruction(systemInstructionField(fields));
  return named?.mnemonic === mnemonic && (named.operand || fields.Rt === 31);
}

/** The operation of IC, DC, AT or TLBI, for example `vae1is`. */
export function namedOperation(mnemonic: string): Operand {
  return {
    format: (fields) => namedInstruction(systemInstructionField(fields))?.operation,
    parse(text) {
      const encoding = namedInstructionEncoding(mnemonic, text ?? "");
      return encoding === undefined ? undefined : instructionFields(encoding);
    },
  };
}

/** Its register, left out where the operation takes none. */
export function namedOperationRegister(): Operand {
  const register = x("Rt");
  const takes = (fields: Fields) => namedInstruction(systemInstructionField(fields))?.operand;
  return {
    format: (fields, pc) => takes(fields) ? register.format(fields, pc) : undefined,
    parse(text, pc, fields) {
      if (!takes(fields)) return text === undefined ? { Rt: 31 } : undefined;
      return register.parse(text, pc, fields);
    },
  };
}

/** The operands `#3, C7, C4, #1` of SYS and SYSL. */
export function systemInstructionOperands(): readonly Operand[] {
  return [smallNumber("op1"), controlRegister("CRn"), controlRegister("CRm"), smallNumber("op2")];
}

function smallNumber(field: string): Operand {
  return {
    format: (fields) => `#${fields[field]}`,
    parse(text) {
      const value = parseInteger(text);
      return value === undefined || value < 0n || value > 7n
        ? undefined
        : { [field]: Number(value) };
    },
  };
}

function controlRegister(field: string): Operand {
  return {
    format: (fields) => `C${fields[field]}`,
    parse(text) {
      const match = /^c(\d|1[0-5])$/.exec(text ?? "");
      return match ? { [field]: Number(match[1]) } : undefined;
    },
  };
}
