/**
 * `explain`: why a boot stopped. The fault, the walk, the bits to blame, who wrote them, and the
 * smallest change that would have let the access pass.
 */
import type { ExceptionEvent } from "../../core/observer.ts";
import { SECURE_RAM } from "../../core/memory/physical_spaces.ts";
import type { Trace } from "../../trace/mod.ts";
import type { Session } from "../session.ts";
import { type Cause, diagnose, type Diagnosis } from "./cause.ts";
import { type ChosenFault, faultAt, faultToExplain } from "./explain_fault.ts";
import { findFix, type Fix } from "./fix.ts";
import { type ByteWriters, byteWriters } from "./provenance.ts";
import { whoWrote, type WriteAnswer } from "./who_wrote.ts";

/** Why a boot stopped. */
export interface Explanation {
  /** The fault. */
  readonly event: ExceptionEvent;
  /** Its handler came back: the boot did not stop there. */
  readonly handled: boolean;
  /** What stopped the boot. */
  readonly cause: Cause;
  /** The fault's own cause; the same but for `vectors-not-installed`. */
  readonly firstCause: Cause;
  /** Of the fault itself. */
  readonly diagnosis: Diagnosis;
  /** Level of the guilty descriptor; else of the fault, where its syndrome has one. */
  readonly level: number | null;
  /** All writers of what is to blame, latest first. */
  readonly writers: readonly ByteWriters[];
  /** The writer of the guilty bits; where the vectors were never set, of VBAR. */
  readonly writer: WriteAnswer | null;
  /** The smallest change that would have helped; null if none was found. */
  readonly fix: Fix | null;
}

/**
 * Explains the fault that stopped the boot, or the one at a position.
 *
 * @returns undefined if the trace has no fault
 */
export function explain(session: Session, at?: number): Explanation | undefined {
  const { trace } = session;
  const chosen = at === undefined ? faultToExplain(trace) : faultAt(trace, at);
  return chosen && explainFault(session, chosen);
}

function explainFault(session: Session, { event, handled }: ChosenFault): Explanation {
  const { trace } = session;
  const diagnosis = diagnose(session, event);
  session.seek(event.position);
  const fix = findFix(session, event, diagnosis);
  const writers = writersOf(session, diagnosis);
  const [vectors] = vectorsMissing(trace, event)
    ? whoWrote(session, { kind: "system", name: vectorsOf(event) }, { before: event.position })
    : [];
  return {
    event,
    handled: handled && !vectors,
    cause: vectors ? "vectors-not-installed" : diagnosis.cause,
    firstCause: diagnosis.cause,
    diagnosis,
    level: levelOf(event, diagnosis),
    writers,
    writer: vectors ?? guiltyWriter(diagnosis, writers),
    fix,
  };
}

/** The register that names the vectors an exception is taken through. */
export function vectorsOf({ toEl }: Pick<ExceptionEvent, "toEl">): string {
  return `VBAR_EL${toEl}`;
}

/** Whether the handler could not be entered because VBAR was never written. */
function vectorsMissing(trace: Trace, exception: ExceptionEvent): boolean {
  const { position, vector, cpu } = exception;
  const next = position + 1;
  const kinds = new Set(["exception"] as const);
  const [after] = trace.events({ kinds, from: next, to: next + 1 });
  if (after?.kind !== "exception" || after.retires || after.elr !== vector) return false;
  for (const event of trace.events({ kinds: new Set(["sysreg"]), to: position })) {
    if (event.kind === "sysreg" && event.cpu === cpu && event.register === vectorsOf(exception)) {
      return false;
    }
  }
  return true;
}

function writersOf(session: Session, { guilty, asOf }: Diagnosis): ByteWriters[] {
  if (!guilty) return [];
  if (guilty.kind === "register") {
    const [write] = whoWrote(session, { kind: "system", name: guilty.name }, { before: asOf });
    return write ? [{ write, bytes: [0, 1, 2, 3, 4, 5, 6, 7] }] : [];
  }
  const range = guilty.kind === "memory"
    ? { address: guilty.address, length: guilty.length }
    : { address: placeOf(session, guilty.step.address), length: 8 };
  if (!session.machine.memory.contains(range.address, range.length)) return [];
  return byteWriters(session, range, asOf);
}

/** Where guest memory has a physical address: Secure RAM stands behind RAM. */
function placeOf({ machine: { spaces } }: Session, address: number): number {
  return address < SECURE_RAM.base || address >= SECURE_RAM.base + SECURE_RAM.bytes
    ? address
    : spaces.place(address, true);
}

/** The writer of the first guilty bit; else the latest. */
function guiltyWriter(
  { guilty }: Diagnosis,
  writers: readonly ByteWriters[],
): WriteAnswer | null {
  const bit = guilty?.kind === "descriptor" ? guilty.bits[0] : undefined;
  const own = bit === undefined
    ? undefined
    : writers.find(({ bytes }) => bytes.includes(bit >> 3))?.write;
  return own ?? writers[0]?.write ?? null;
}

function levelOf({ esr }: ExceptionEvent, { guilty, walk }: Diagnosis): number | null {
  if (guilty?.kind === "descriptor") return guilty.step.level;
  const status = Number(esr & 0x3fn);
  const isAbort = (esr >> 28n & 0xfn) === 0x8n || (esr >> 28n & 0xfn) === 0x9n;
  const hasLevel = status < 0x10 || status >> 2 === 5;
  return isAbort && hasLevel && walk !== null ? status & 3 : null;
}
