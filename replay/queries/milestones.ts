/**
 * What a boot got done, and when: the first of each thing that matters.
 */
import type { ExceptionEvent, MachineEvent, SystemRegisterEvent } from "../../core/observer.ts";
import type { EventColumns, EventKind, Trace } from "../../trace/mod.ts";
import { CHOICES } from "../../trace/schema.ts";
import { isFaultEvent } from "../syndrome.ts";

/** Names of milestones. */
export type MilestoneName =
  | "first-console-byte"
  | "vectors-set"
  | "translation-table-set"
  | "mmu-on"
  | "caches-on"
  | "first-exception"
  | "first-fault"
  | "first-interrupt"
  | "first-el0"
  | "mmu-off";

/** Something that happened for the first time. */
export interface Milestone {
  /** What. */
  readonly name: MilestoneName;
  /** The event that shows it. */
  readonly event: MachineEvent;
}

const SCTLR_M = 1n << 0n;
const SCTLR_C = 1n << 2n;

/** Whether a system register write turned the MMU on: SCTLR_ELx.M from 0 to 1. */
export function isMmuEnable(event: Partial<SystemRegisterEvent>): boolean {
  return turnsOn(event, SCTLR_M);
}

/** Whether a system register write set the exception vectors: VBAR_ELx. */
export function isVectorWrite({ register }: Partial<SystemRegisterEvent>): boolean {
  return register?.startsWith("VBAR_EL") ?? false;
}

/** The first exception that is a fault of the guest: not a call, a BRK or an interrupt. */
export function firstFault(trace: Trace): ExceptionEvent | undefined {
  const [found] = find(trace, ["first-fault"]);
  return found?.event as ExceptionEvent | undefined;
}

/** Milestones that the trace has, in order of position. */
export function milestones(trace: Trace): Milestone[] {
  return find(trace, Object.keys(FINDERS) as MilestoneName[]);
}

/** How a milestone is recognised. */
interface Finder {
  readonly kind: EventKind;
  /** Whether events with these columns can be it: nearly all are skipped by that. */
  readonly may: (columns: EventColumns) => boolean;
  readonly is: (event: MachineEvent) => boolean;
}

const [SYNC, , , SERROR] = CHOICES.type.keys();
const always = () => true;

/** A write of a register whose name begins so. */
function register(
  prefix: string,
  is: (event: SystemRegisterEvent) => boolean = always,
): Finder {
  return {
    kind: "sysreg",
    may: ({ strings }) => strings.some((name) => name.startsWith(prefix)),
    is: (event) => event.kind === "sysreg" && event.register.startsWith(prefix) && is(event),
  };
}

/** In the order in which milestones at one position are listed. */
const FINDERS: Readonly<Record<MilestoneName, Finder>> = {
  "first-console-byte": { kind: "console", may: always, is: always },
  "first-exception": { kind: "exception", may: always, is: always },
  "first-fault": {
    kind: "exception",
    // Calls retire, faults do not.
    may: (columns) =>
      columns.bytes("exception", "retires").includes(0) ||
      columns.bytes("exception", "type").includes(SERROR),
    is: (event) => event.kind === "exception" && isFaultEvent(event),
  },
  "first-interrupt": {
    kind: "exception",
    may: (columns) => columns.bytes("exception", "type").some((type) => type !== SYNC),
    is: (event) => event.kind === "exception" && (event.type === "irq" || event.type === "fiq"),
  },
  "first-el0": {
    kind: "eret",
    may: (columns) => columns.bytes("eret", "toEl").includes(0),
    is: (event) => event.kind === "eret" && event.toEl === 0,
  },
  "vectors-set": register("VBAR_EL"),
  "translation-table-set": register("TTBR0_EL"),
  "mmu-on": register("SCTLR_EL", isMmuEnable),
  "caches-on": register("SCTLR_EL", (event) => turnsOn(event, SCTLR_C)),
  "mmu-off": register(
    "SCTLR_EL",
    (event) => turnsOn({ ...event, old: event.new, new: event.old }, SCTLR_M),
  ),
};

/** One pass over the events, as short as can be: there may be hundreds of millions. */
function find(trace: Trace, names: readonly MilestoneName[]): Milestone[] {
  const found: Milestone[] = [];
  const open = new Set(names);
  const kinds = new Set<EventKind>();
  const restrict = () => {
    kinds.clear();
    for (const name of open) kinds.add(FINDERS[name].kind);
  };
  const mayMatter = (columns: EventColumns) => {
    for (const name of open) {
      const { kind, may } = FINDERS[name];
      if (columns.has(kind) && may(columns)) return true;
    }
    return false;
  };
  restrict();
  for (const event of trace.events({ kinds, mayMatter })) {
    for (const name of open) {
      const { kind, is } = FINDERS[name];
      if (event.kind !== kind || !is(event)) continue;
      found.push({ name, event });
      open.delete(name);
      restrict();
    }
    if (open.size === 0) break;
  }
  return found.sort((a, b) => a.event.position - b.event.position);
}

function turnsOn(event: Partial<SystemRegisterEvent>, bit: bigint): boolean {
  const { register, old = 0n, new: now = 0n } = event;
  return (register?.startsWith("SCTLR_EL") ?? false) && (old & bit) === 0n && (now & bit) !== 0n;
}
