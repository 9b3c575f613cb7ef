/**
 * What a boot got done, and when: the first of each thing that matters.
 */
import type { ExceptionEvent, MachineEvent, SystemRegisterEvent } from "../../core/observer.ts";
import type { EventKind, Trace } from "../../trace/mod.ts";
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
  return firstOf(trace, "exception", isFaultEvent);
}

/** Milestones that the trace has, in order of position. */
export function milestones(trace: Trace): Milestone[] {
  const found: Milestone[] = [];
  const add = (name: MilestoneName, event: MachineEvent | undefined) => {
    if (event) found.push({ name, event });
  };
  add("first-console-byte", firstOf(trace, "console", () => true));
  add("first-exception", firstOf(trace, "exception", () => true));
  add("first-fault", firstFault(trace));
  add(
    "first-interrupt",
    firstOf(trace, "exception", ({ type }) => type === "irq" || type === "fiq"),
  );
  add("first-el0", firstOf(trace, "eret", ({ toEl }) => toEl === 0));
  addRegisterWrites(trace, add);
  return found.sort((a, b) => a.event.position - b.event.position);
}

/** One pass over the writes of system registers, which can be many. */
function addRegisterWrites(
  trace: Trace,
  add: (name: MilestoneName, event: MachineEvent) => void,
): void {
  const tests: [MilestoneName, (event: SystemRegisterEvent) => boolean][] = [
    ["vectors-set", isVectorWrite],
    ["translation-table-set", ({ register }) => register.startsWith("TTBR0_EL")],
    ["mmu-on", isMmuEnable],
    ["caches-on", (event) => turnsOn(event, SCTLR_C)],
    ["mmu-off", (event) => turnsOn({ ...event, old: event.new, new: event.old }, SCTLR_M)],
  ];
  const open = new Map(tests);
  for (const event of trace.events({ kinds: new Set<EventKind>(["sysreg"]) })) {
    if (event.kind !== "sysreg") continue;
    for (const [name, test] of open) {
      if (!test(event)) continue;
      add(name, event);
      open.delete(name);
    }
    if (open.size === 0) return;
  }
}

function turnsOn(event: Partial<SystemRegisterEvent>, bit: bigint): boolean {
  const { register, old = 0n, new: now = 0n } = event;
  return (register?.startsWith("SCTLR_EL") ?? false) && (old & bit) === 0n && (now & bit) !== 0n;
}

function firstOf<K extends EventKind>(
  trace: Trace,
  kind: K,
  matches: (event: Extract<MachineEvent, { kind: K }>) => boolean,
): Extract<MachineEvent, { kind: K }> | undefined {
  for (const event of trace.events({ kinds: new Set<EventKind>([kind]) })) {
    const own = event as Extract<MachineEvent, { kind: K }>;
    if (matches(own)) return own;
  }
  return undefined;
}
