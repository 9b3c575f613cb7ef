/**
 * The cause of one fault: what in the tables or registers made the access fail.
 *
 * The state just before the exception entry is looked at. A fault of a walk is explained by walking
 * again there; a fault behind a successful translation by the translation that was used, which may
 * be an entry of the TLB that the tables no longer agree with.
 */
import { cpuInTurn } from "../../core/machine_state.ts";
import type { DescriptorRead, ExceptionEvent, TlbFillEvent } from "../../core/observer.ts";
import type { Access } from "../../mmu/permissions.ts";
import type { Walk } from "../../mmu/walk.ts";
import { tableMemory } from "../guest_view.ts";
import type { Session } from "../session.ts";
import { exceptionClass } from "../syndrome.ts";
import { bitsOf, denialText, guiltyTable, type PermissionCause } from "./cause_permission.ts";
import { type Stage2Cause, stage2Diagnosis } from "./cause_stage2.ts";
import { type FailedAccess, type WrongStart, wrongStart } from "./cause_start.ts";
import { type EncodingMistake, type MistakenStep, mistakenStep, MISTAKES } from "./cause_tables.ts";
import { stalePointer, staleTranslation } from "./cause_stale.ts";
import { fpTrap } from "./cause_trap.ts";
import { illegalReturn } from "./illegal_return.ts";
import { readDescriptor, regimeAt, walkFor, type WalkOutcome } from "./provenance_walk.ts";
import { outputSizeField, registersAt } from "./stage_registers.ts";
import { effectsOf } from "./writers_effects.ts";

/** Causes that are named. */
export type Cause =
  | PermissionCause
  | "access-flag"
  | "not-mapped"
  | "block-encoding"
  | "stale-tlb"
  | "ttbr"
  | "tcr-range"
  | "address-size"
  | "alignment"
  | "device-alignment"
  | "sp-alignment"
  | "branch-target"
  | "pc-alignment"
  | "external-abort"
  | "undefined"
  | "fp-trapped"
  | Stage2Cause
  | "vectors-not-installed";

/** What is to blame. */
export type Guilty =
  /** A descriptor; `bits` are those that made the access fail. */
  | { readonly kind: "descriptor"; readonly step: ReadDescriptor; readonly bits: readonly number[] }
  | { readonly kind: "register"; readonly name: string }
  /** Bytes that were executed. */
  | { readonly kind: "memory"; readonly address: number; readonly length: number };

/** A descriptor that a walk read. */
export type ReadDescriptor = DescriptorRead;

/** Why a fault was taken. */
export interface Diagnosis {
  /** Its name. */
  readonly cause: Cause;
  /** In words: what is wrong. */
  readonly why: string;
  /** What to blame; null where there is nothing that was written. */
  readonly guilty: Guilty | null;
  /** The access that failed; null where it was none. */
  readonly failed: FailedAccess | null;
  /** The walk that produced the translation used; null without one. */
  readonly walk: readonly ReadDescriptor[] | null;
  /** The TLB fill that the walk belongs to; null if the walk was made for this access. */
  readonly fill: TlbFillEvent | null;
  /** What the tables say at the fault, where that is something else. */
  readonly now: readonly ReadDescriptor[] | null;
  /** The intermediate physical address that stage 2 did not let pass; null where it was not stage 2. */
  readonly ipa: number | null;
  /** Position up to which writes of the guilty descriptor count. */
  readonly asOf: number;
  /** For `ttbr` and `tcr-range`. */
  readonly start: WrongStart | null;
  /** For `block-encoding`. */
  readonly mistake: EncodingMistake | null;
}

const EC = {
  fpTrapped: 0x07,
  branchTarget: 0x0d,
  illegalState: 0x0e,
  instructionAborts: [0x20, 0x21],
  dataAborts: [0x24, 0x25],
  pcAlignment: 0x22,
  spAlignment: 0x26,
} as const;
const STATUS = { external: 0x10, alignment: 0x21, addressSize: 0, translation: 1, accessFlag: 2 };

/** Explains the fault of an exception. The session's cursor moves. */
export function diagnose(session: Session, event: ExceptionEvent): Diagnosis {
  session.seek(event.position);
  const ec = exceptionClass(event.esr);
  if (event.type === "serror") {
    return plain(event, "external-abort", "something outside the processor reported an error");
  }
  if ([...EC.instructionAborts, ...EC.dataAborts].some((code) => code === ec)) {
    return abort(session, event, (EC.instructionAborts as readonly number[]).includes(ec));
  }
  if (ec === EC.fpTrapped) {
    const { name, field } = fpTrap(event, cpuInTurn(session.state()).system);
    const why = `${name}.${field} traps FP and SIMD instructions`;
    return { ...plain(event, "fp-trapped", why), guilty: { kind: "register", name } };
  }
  if (ec === EC.pcAlignment) {
    return plain(event, "pc-alignment", "the program counter is not a multiple of 4");
  }
  if (ec === EC.branchTarget) {
    const how = (event.esr & 3n) === 2n ? "BLR" : "BR";
    const why = `${how} to an instruction of a guarded page that is no target of ${how} (BTI)`;
    return plain(event, "branch-target", why);
  }
  if (ec === EC.spAlignment) {
    return plain(event, "sp-alignment", "the stack pointer is not a multiple of 16");
  }
  return undefinedInstruction(session, event, ec === EC.illegalState);
}

function plain(event: ExceptionEvent, cause: Cause, why: string): Diagnosis {
  return {
    cause,
    why,
    guilty: null,
    failed: null,
    walk: null,
    fill: null,
    now: null,
    ipa: null,
    asOf: event.position,
    start: null,
    mistake: null,
  };
}

function abort(session: Session, event: ExceptionEvent, fetch: boolean): Diagnosis {
  const failed = failedAccess(session, event, fetch);
  const status = Number(event.esr & 0x3fn);
  const base = { ...plain(event, "not-mapped", ""), failed };
  const regime = regimeAt(session);
  if (!regime.enabled && regime.stage2 === null) return untranslated(session, base, status);
  const usesTranslation = status === STATUS.external || status === STATUS.alignment;
  const stale = staleTranslation(session, failed, usesTranslation);
  if (stale) return { ...base, ...stale };
  const outcome = walkFor(tableMemory(session.machine), regime, failed.va, failed);
  const walked: Diagnosis = { ...base, walk: outcome.descriptors };
  if (usesTranslation) return behindTranslation(session, walked, outcome, status);
  return staleOrigin(session, event, fetch) ?? stage2Diagnosis(session, walked, outcome) ??
    walkFault(session, walked, outcome, status);
}

/** An abort with the MMU off. */
function untranslated(session: Session, base: Diagnosis, status: number): Diagnosis {
  if (status === STATUS.alignment) return alignment(session, base, null);
  return status === STATUS.external
    ? { ...base, cause: "external-abort", why: "nothing answers at that address" }
    : { ...base, cause: "address-size", why: "the address is larger than physical memory can be" };
}

/** The access: what, from which exception level's rights. */
function failedAccess(session: Session, event: ExceptionEvent, fetch: boolean): FailedAccess {
  const { position, fromEl, esr, far } = event;
  const write = (esr & 0x40n) !== 0n;
  const access: Access = fetch ? 2 : write ? 1 : 0;
  const word = fetch ? undefined : wordAt(session, event.pc);
  const unprivileged = word !== undefined && effectsOf(word).unprivileged;
  return { position, va: far, access, el: unprivileged ? 0 : fromEl };
}

/** The instruction word at a virtual address at the cursor. */
function wordAt(session: Session, pc: bigint): number | undefined {
  const { memory } = session.machine;
  const pa = translated(session, pc);
  return pa !== undefined && memory.contains(pa, 4) ? memory.word(pa) : undefined;
}

function translated(session: Session, pc: bigint): number | undefined {
  const bus = tableMemory(session.machine);
  return walkFor(bus, regimeAt(session), pc, { access: 2, el: 1 }).pa ?? undefined;
}

function guiltyStep(step: MistakenStep["step"], bits: readonly number[]): Guilty {
  return { kind: "descriptor", step: readDescriptor(step), bits };
}

/** A fault that the walk itself ended with, or a denied access. */
function walkFault(
  session: Session,
  base: Diagnosis,
  outcome: WalkOutcome,
  status: number,
): Diagnosis {
  const { walk, denied } = outcome;
  const regime = regimeAt(session);
  const start = wrongStart(session, regime, walk, base.failed!);
  if (start) {
    const guilty: Guilty = { kind: "register", name: start.register };
    return { ...base, cause: start.cause, why: start.why, guilty, start };
  }
  const mistaken = encodingFault(session, base, outcome);
  if (mistaken) return mistaken;
  const last = walk.steps[walk.steps.length - 1];
  if (denied) {
    const step = denied === "table-attributes" ? guiltyTable(walk, base.failed!) ?? last : last;
    const bits = bitsOf(denied, base.failed!);
    const why = denialText(denied, regime.el);
    return { ...base, cause: denied, why, guilty: guiltyStep(step, bits) };
  }
  const nowhere = tableNowhere(session, walk);
  if (nowhere) {
    const cause = walk.fault?.kind === "translation" ? "not-mapped" : "address-size";
    return { ...base, cause, ...nowhere };
  }
  switch (walk.fault?.kind) {
    case "access-flag":
      return {
        ...base,
        cause: "access-flag",
        why: session.machine.processor.model.features.has("FEAT_HAFDBS")
          ? `the access flag, AF, is clear and TCR_EL${regime.el}.HA does not have hardware set it`
          : "the access flag, AF, is clear and this processor does not set it by itself",
        guilty: guiltyStep(last, [10]),
      };
    case "address-size":
      return {
        ...base,
        cause: "address-size",
        why: `the descriptor holds address 0x${walk.fault.address.toString(16)}, ` +
          `larger than TCR_EL${regime.el}.${outputSizeField(regime).name} permits ` +
          `(${regime.outputSize} bits)`,
        guilty: guiltyStep(last, [32, 40]),
      };
    case "external-abort-on-walk":
      return {
        ...base,
        cause: "external-abort",
        why: `the next table is at 0x${walk.fault.address.toString(16)}, where nothing answers`,
        guilty: last ? guiltyStep(last, [12]) : null,
      };
    case "translation":
      return {
        ...base,
        why: `no translation: the level ${walk.fault.level} descriptor is invalid`,
        guilty: guiltyStep(last, [0]),
      };
  }
  return byStatus(base, status);
}

/** A descriptor that names a table where there is no memory, but something that answers. */
function tableNowhere(
  { machine: { memory, spaces } }: Session,
  { steps, fault }: Walk,
): Pick<Diagnosis, "why" | "guilty"> | undefined {
  if (fault?.kind !== "translation" && fault?.kind !== "address-size") return undefined;
  const index = steps.findIndex(({ address, secure = false }) =>
    !memory.contains(spaces.place(address, secure), 8)
  );
  // All ones are what answers where nothing is; tables in flash are as good as others.
  const isNothing = steps[index]?.lo === 0xffff_ffff && steps[index].hi === 0xffff_ffff;
  if (index < 1 || !isNothing) return undefined;
  const { level } = steps[index - 1];
  const why = `the level ${level} descriptor names a table where there is no RAM: what was read ` +
    `at 0x${steps[index].address.toString(16)} is no descriptor`;
  return { why, guilty: guiltyStep(steps[index - 1], [12]) };
}

/** What the syndrome says, where walking again does not give the same fault. */
function byStatus(base: Diagnosis, status: number): Diagnosis {
  const why = "the syndrome says so; the tables at the fault would let the access pass";
  const kind = status >> 2;
  if (kind === STATUS.addressSize) return { ...base, cause: "address-size", why };
  if (kind === STATUS.accessFlag) return { ...base, cause: "access-flag", why };
  return { ...base, cause: kind === STATUS.translation ? "not-mapped" : "ap", why };
}

/** The walk went through a descriptor that is encoded as something else than it was meant to be. */
function encodingFault(
  session: Session,
  base: Diagnosis,
  { walk, denied }: WalkOutcome,
): Diagnosis | undefined {
  const mistaken = mistakenStep(session, regimeAt(session), walk);
  if (!mistaken) return undefined;
  const { step, mistake } = mistaken;
  // The low address bits of a block are ignored: they do not deny an access.
  if (denied && mistake === "misaligned-block") return undefined;
  return {
    ...base,
    cause: "block-encoding",
    why: MISTAKES[mistake],
    guilty: guiltyStep(step, [1]),
    mistake,
  };
}

/** An external abort or alignment fault of an access that was translated. */
function behindTranslation(
  session: Session,
  base: Diagnosis,
  outcome: WalkOutcome,
  status: number,
): Diagnosis {
  const { descriptors, pa } = outcome;
  const mistaken = encodingFault(session, base, outcome);
  if (mistaken) return mistaken;
  if (status === STATUS.alignment) return alignment(session, base, outcome);
  const last = descriptors.at(-1);
  return {
    ...base,
    cause: "external-abort",
    why: pa === null
      ? "nothing answers at the physical address"
      : `nothing answers at physical address 0x${pa.toString(16)}`,
    guilty: last ? { kind: "descriptor", step: last, bits: [12] } : null,
  };
}

const SCTLR_A = 2n;
const FIRST_NORMAL = 0x10;

function alignment(session: Session, base: Diagnosis, outcome: WalkOutcome | null): Diagnosis {
  if ((registersAt(session).sctlr & SCTLR_A) !== 0n) {
    const name = `SCTLR_EL${regimeAt(session).el}`;
    const why = `${name}.A is set: unaligned accesses fault`;
    return { ...base, cause: "alignment", why, guilty: { kind: "register", name } };
  }
  const last = outcome?.descriptors.at(-1);
  if (outcome?.attributes != null && outcome.attributes < FIRST_NORMAL) {
    const why = "an access to Device memory must be aligned";
    return {
      ...base,
      cause: "device-alignment",
      why,
      guilty: last ? { kind: "descriptor", step: last, bits: [2] } : null,
    };
  }
  if (outcome === null && base.failed?.access !== 2 && session.trace.header.options.strict) {
    return {
      ...base,
      cause: "device-alignment",
      why: "with the MMU off all data is Device memory",
    };
  }
  const why = "an exclusive or ordered access must be aligned";
  return { ...base, cause: "alignment", why };
}

/** UNDEFINED: what was executed, and whether the translation that it came through is right. */
function undefinedInstruction(
  session: Session,
  event: ExceptionEvent,
  illegalState: boolean,
): Diagnosis {
  const { position, fromEl, pc } = event;
  const failed: FailedAccess = { position, va: pc, access: 2, el: fromEl };
  const why = illegalState
    ? illegalReturn(session.trace, event)
    : "the instruction is not one of this processor's, or not permitted there";
  const base: Diagnosis = { ...plain(event, "undefined", why), failed };
  if (illegalState) return base;
  const regime = regimeAt(session);
  const bus = tableMemory(session.machine);
  if (!regime.enabled && regime.stage2 === null) {
    return withExecuted(session, base, walkFor(bus, regime, pc, failed).pa);
  }
  const stale = staleTranslation(session, failed, true);
  if (stale) return { ...base, ...stale };
  const outcome = walkFor(bus, regime, pc, failed);
  const walked: Diagnosis = { ...base, walk: outcome.descriptors };
  const mistaken = encodingFault(session, walked, outcome);
  if (mistaken) return mistaken;
  return staleOrigin(session, event, false) ?? withExecuted(session, walked, outcome.pa);
}

/** Names the bytes that were executed. */
function withExecuted(session: Session, base: Diagnosis, pa: number | null): Diagnosis {
  if (pa === null || !session.machine.memory.contains(pa, 4)) return base;
  return { ...base, guilty: { kind: "memory", address: pa, length: 4 } };
}

/** Whether the address that failed was loaded through a stale translation. */
function staleOrigin(
  session: Session,
  event: ExceptionEvent,
  fetch: boolean,
): Diagnosis | undefined {
  const stale = stalePointer(session, event, fetch);
  session.seek(event.position);
  return stale && { ...plain(event, "stale-tlb", stale.why), ...stale };
}
