import type { ExceptionEvent } from "../core/observer.ts";

/**
 * ESR_ELx in words (Arm ARM D17.2.37).
 */

/** Exception classes, ESR_ELx.EC. */
const CLASSES: Readonly<Record<number, string>> = {
  0x00: "undefined instruction",
  0x01: "trapped WFI or WFE",
  0x07: "trapped FP or SIMD instruction",
  0x0d: "branch target",
  0x0e: "illegal execution state",
  0x11: "SVC in AArch32",
  0x15: "SVC",
  0x16: "HVC",
  0x17: "SMC",
  0x18: "trapped system register access",
  0x20: "instruction abort from a lower EL",
  0x21: "instruction abort",
  0x22: "PC alignment fault",
  0x24: "data abort from a lower EL",
  0x25: "data abort",
  0x26: "SP alignment fault",
  0x2c: "trapped FP exception",
  0x2f: "SError",
  0x30: "breakpoint from a lower EL",
  0x31: "breakpoint",
  0x32: "software step from a lower EL",
  0x33: "software step",
  0x34: "watchpoint from a lower EL",
  0x35: "watchpoint",
  0x3c: "BRK",
};

/** DFSC and IFSC without the level, for the codes that carry one in bits 1:0. */
const LEVEL_FAULTS: Readonly<Record<number, string>> = {
  0b0000: "address size fault",
  0b0001: "translation fault",
  0b0010: "access flag fault",
  0b0011: "permission fault",
  0b0101: "external abort on a table walk",
  0b0111: "parity error on a table walk",
};

/** DFSC and IFSC without a level. */
const OTHER_FAULTS: Readonly<Record<number, string>> = {
  0b010000: "external abort",
  0b011000: "parity error",
  0b100001: "alignment fault",
  0b110000: "TLB conflict",
  0b110001: "unsupported atomic update",
};

const EC = { svc: 0x15, hvc: 0x16, smc: 0x17, sysreg: 0x18, brk: 0x3c } as const;
const INSTRUCTION_ABORTS = [0x20, 0x21];
const DATA_ABORTS = [0x24, 0x25];

/** ESR_ELx.EC, 0 to 63. */
export function exceptionClass(esr: bigint): number {
  return Number((esr >> 26n) & 0x3fn);
}

/** The exception class in words, without where it came from. */
export function exceptionClassName(esr: bigint): string {
  const ec = exceptionClass(esr);
  const name = CLASSES[ec] ?? `exception class 0x${ec.toString(16)}`;
  return name.replace(" from a lower EL", "");
}

/** Whether the class is a fault: not a call (SVC, HVC, SMC) and not a BRK. */
export function isFault(esr: bigint): boolean {
  const ec = exceptionClass(esr);
  return !(Object.values(EC) as number[]).includes(ec) || ec === EC.sysreg;
}

/** Whether an exception is a fault: an SError, or a synchronous one whose class {@linkcode isFault}. */
export function isFaultEvent({ type, esr }: ExceptionEvent): boolean {
  return type === "serror" || (type === "sync" && isFault(esr));
}

/** Whether FAR_ELx holds the faulting address for this syndrome: aborts, PC alignment, watchpoints. */
export function hasFaultAddress(esr: bigint): boolean {
  const FAR_NOT_VALID = 1n << 10n;
  const ec = exceptionClass(esr);
  if (ec === 0x22 || ec === 0x34 || ec === 0x35) return true;
  return [...INSTRUCTION_ABORTS, ...DATA_ABORTS].includes(ec) && (esr & FAR_NOT_VALID) === 0n;
}

/** In words, for example `data abort, write: level 3 translation fault`. */
export function describeSyndrome(esr: bigint): string {
  const ec = exceptionClass(esr);
  const iss = Number(esr & 0x1ff_ffffn);
  const name = CLASSES[ec] ?? `exception class 0x${ec.toString(16)}`;
  if (INSTRUCTION_ABORTS.includes(ec)) return `${name}: ${faultStatus(iss & 0x3f)}`;
  if (DATA_ABORTS.includes(ec)) {
    const access = (iss & 0x100) !== 0
      ? "cache maintenance"
      : (iss & 0x40) !== 0
      ? "write"
      : "read";
    const walk = (iss & 0x80) !== 0 ? ", on the stage 1 walk" : "";
    return `${name}, ${access}: ${faultStatus(iss & 0x3f)}${walk}`;
  }
  if (ec === EC.sysreg) return `${name}: ${registerOf(iss)}`;
  if (ec === EC.svc || ec === EC.hvc || ec === EC.smc || ec === EC.brk) {
    return `${name} #${iss & 0xffff}`;
  }
  return name;
}

function faultStatus(status: number): string {
  const other = OTHER_FAULTS[status];
  if (other !== undefined) return other;
  const named = LEVEL_FAULTS[status >> 2];
  return named === undefined
    ? `fault status 0x${status.toString(16)}`
    : `level ${status & 3} ${named}`;
}

/** The register of a trapped MSR, MRS or system instruction, as `S3_0_C1_C0_0 read`. */
function registerOf(iss: number): string {
  const field = (low: number, bits: number) => (iss >> low) & ((1 << bits) - 1);
  const [op0, op2, op1] = [field(20, 2), field(17, 3), field(14, 3)];
  const [crn, crm] = [field(10, 4), field(1, 4)];
  return `S${op0}_${op1}_C${crn}_C${crm}_${op2} ${(iss & 1) !== 0 ? "read" : "write"}`;
}
