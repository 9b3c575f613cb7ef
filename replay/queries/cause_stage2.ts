/**
 * Faults of stage 2: what EL2 did not map, or maps without the right that the access needs.
 *
 * The access may be the guest's own, or the walker's read of one of its stage 1 descriptors.
 */
import type { StageFault } from "../../mmu/fault.ts";
import type { Session } from "../session.ts";
import type { Diagnosis, Guilty } from "./cause.ts";
import { isEmptyTable, mistakenSecond, MISTAKES, stage2Shape } from "./cause_tables.ts";
import { readDescriptor, regimeAt, type SecondFault, type WalkOutcome } from "./provenance_walk.ts";

/** Causes that are stage 2's own. */
export type Stage2Cause = "permission-stage2" | "not-mapped-stage2";

const REASONS = {
  "s2ap-read": { bits: [6], why: "may not be read: S2AP[0] is clear" },
  "s2ap-write": { bits: [7], why: "may not be written: S2AP[1] is clear" },
  "s2-xn": { bits: [54], why: "may not be executed: XN is set" },
  "protected-walk": { bits: [5, 4], why: "is Device memory, where HCR_EL2.PTW forbids tables" },
} as const;

/** The cause of a walk that stage 2 ended; undefined if stage 2 let it pass. */
export function stage2Diagnosis(
  session: Session,
  base: Diagnosis,
  { second }: WalkOutcome,
): Diagnosis | undefined {
  if (second === null) return undefined;
  const { ipa, onWalk } = second;
  const what = onWalk ? `IPA ${hex(ipa)} (of a stage 1 descriptor)` : `IPA ${hex(ipa)}`;
  return { ...base, ipa, ...verdict(session, second, what) };
}

type Verdict = Pick<Diagnosis, "cause" | "why" | "guilty"> & Partial<Pick<Diagnosis, "mistake">>;

function verdict(session: Session, { fault, walk, ipa }: SecondFault, what: string): Verdict {
  const stage2 = regimeAt(session).stage2!;
  const start = wrongStart(session, fault, ipa, what);
  if (start) return start;
  const mistaken = mistakenSecond(session, stage2, walk);
  if (mistaken && !(fault.kind === "permission" && mistaken.mistake === "misaligned-block")) {
    const { step, mistake } = mistaken;
    return {
      cause: "block-encoding",
      why: `of ${what}, at stage 2: ${MISTAKES[mistake]}`,
      guilty: guilty(step, [1]),
      mistake,
    };
  }
  const last = walk.steps.at(-1);
  const blame = (bits: readonly number[]) => last ? guilty(last, bits) : null;
  switch (fault.kind) {
    case "permission": {
      const { bits, why } = REASONS[fault.reason];
      return { cause: "permission-stage2", why: `at stage 2, ${what} ${why}`, guilty: blame(bits) };
    }
    case "access-flag":
      return {
        cause: "access-flag",
        why: `at stage 2, ${what} has the access flag, AF, clear`,
        guilty: blame([10]),
      };
    case "unsupported-atomic-update":
      return {
        cause: "access-flag",
        why: `at stage 2, the descriptor of ${what} is to be changed by hardware and is not in RAM`,
        guilty: blame([10]),
      };
    case "address-size":
      return {
        cause: "address-size",
        why: `stage 2 maps ${what} to ${hex(fault.address)}, larger than VTCR_EL2.PS permits ` +
          `(${stage2.outputSize} bits)`,
        guilty: blame([32, 40]),
      };
    case "external-abort-on-walk":
      return {
        cause: "external-abort",
        why: `stage 2 has the next table of ${what} at ${
          hex(fault.address)
        }, where nothing answers`,
        guilty: blame([12]),
      };
    case "translation":
      return {
        cause: "not-mapped-stage2",
        why: `stage 2 does not map ${what}: the level ${fault.level} descriptor is invalid`,
        guilty: blame([0]),
      };
  }
}

/** Faults that VTCR_EL2 or VTTBR_EL2 makes. */
function wrongStart(
  session: Session,
  fault: StageFault,
  ipa: number,
  what: string,
): Verdict | undefined {
  const stage2 = regimeAt(session).stage2!;
  const { tableBase, inputSize, startLevel, granuleLog2 } = stage2.range;
  const by = (name: string, why: string): Verdict => ({
    cause: "not-mapped-stage2",
    why: `stage 2 does not map ${what}: ${why}`,
    guilty: { kind: "register", name },
  });
  if (fault.kind === "translation" && fault.cause === "txsz") {
    return by("VTCR_EL2", "T0SZ, SL0 and PS do not go together, or the processor has no such T0SZ");
  }
  if (fault.kind === "translation" && fault.cause === "hole") {
    return by("VTCR_EL2", `${hex(ipa)} is outside the ${inputSize} bits that T0SZ gives`);
  }
  if (fault.kind === "address-size" && fault.cause === "ttbr") {
    return by("VTTBR_EL2", "it holds an address that is larger than physical memory can be");
  }
  if (fault.kind === "external-abort-on-walk" && fault.level === startLevel) {
    return by("VTTBR_EL2", `it names a table at ${hex(tableBase)}, where there is no memory`);
  }
  if (fault.kind !== "translation" || fault.level !== startLevel) return undefined;
  const page = tableBase - tableBase % 2 ** granuleLog2;
  if (!isEmptyTable(session, stage2Shape(stage2), page)) return undefined;
  return by("VTTBR_EL2", `the table at ${hex(tableBase)} that it names is empty`);
}

function guilty(
  step: Parameters<typeof readDescriptor>[0],
  bits: readonly number[],
): Guilty {
  return { kind: "descriptor", step: { ...readDescriptor(step), stage: 2 }, bits };
}

function hex(value: number): string {
  return `0x${value.toString(16)}`;
}
