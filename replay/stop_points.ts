/**
 * Where to stop on the way through a trace, forwards or backwards.
 *
 * Each kind answers one question: the nearest stop in a range of positions, in a direction. What a
 * trace holds is looked up and never executed again: breakpoints in the flow, catchpoints in the
 * events. Only conditions, which need registers, and watchpoints, which need accesses, re-execute,
 * the latter with a watch on the pages concerned, in stretches that grow with the distance.
 *
 * Breakpoints and catchpoints stop before the step that they are about. So do watchpoints going
 * backwards; going forwards they stop behind the access, as a processor's do, so that what was
 * written can be looked at.
 */
import type { MachineEvent } from "../core/observer.ts";
import type { MemoryWatch, WatchedAccess } from "../core/memory/memory.ts";
import { PAGE_BYTES } from "../core/memory/memory.ts";
import type { EventKind, Trace } from "../trace/mod.ts";
import type { PhysicalRange } from "./queries/writers.ts";
import { writtenStretches } from "./queries/writers_stretches.ts";
import { ReplayError } from "./replay_error.ts";
import type { Session } from "./session.ts";
import type { Timeline } from "./timeline.ts";
import type { WatchedBytes } from "./watched_bytes.ts";

/** Which way to go. */
export type Direction = "forward" | "backward";

/** What stop points are looked for in. */
export interface Places {
  /** For what must be executed again. */
  readonly session: Session;
  /** For what the trace holds. */
  readonly timeline: Timeline;
}

/** Where to look for a stop: from, but not at, where one is, up to and including a limit. */
export interface Way {
  /** Whether to look behind `from` or before it. */
  readonly direction: Direction;
  /** Where one is. */
  readonly from: number;
  /** Behind `from` or before it. */
  readonly limit: number;
}

/** An access that a watchpoint saw. */
export interface AccessReport {
  /** Steps before the instruction that made it. */
  readonly position: number;
  /** The CPU whose step it was in. */
  readonly cpu: number;
  /** Address of that instruction. */
  readonly pc: bigint;
  /** Who made it: the instruction as a load or store, DC ZVA, the walker, a device, or a reset. */
  readonly by: "instruction" | "dc-zva" | "walker" | "dma" | "loader";
  /** Whether it wrote. */
  readonly write: boolean;
  /** Virtual address of the part below, where the access had one. */
  readonly va: bigint | null;
  /** Physical address of the part of the access that lies in the range. */
  readonly address: number;
  /** That part before the access. */
  readonly old: Uint8Array;
  /** That part after it. */
  readonly new: Uint8Array;
}

/** Somewhere to stop, and why. */
export interface Hit {
  /** Where to stop. */
  readonly position: number;
  /** For watchpoints. */
  readonly access?: AccessReport;
  /** For catchpoints. */
  readonly event?: MachineEvent;
}

/** Something to stop at. Looking may leave the session's cursor anywhere. */
export interface StopPoint {
  /** Text for lists. */
  readonly text: string;
  /** The nearest stop on a way. */
  find(places: Places, way: Way): Hit | undefined;
}

/** Stops before the instruction at an address, where a condition holds. */
export class Breakpoint implements StopPoint {
  /** Text for lists. */
  readonly text: string;
  readonly #address: bigint;
  readonly #condition: ((session: Session) => boolean) | null;
  readonly #cpu: number | undefined;

  /**
   * Makes a breakpoint.
   *
   * @param condition is asked with the session's cursor at the instruction
   * @param cpu the only CPU that stops there
   */
  constructor(
    address: bigint,
    text: string,
    condition: ((session: Session) => boolean) | null = null,
    cpu?: number,
  ) {
    this.#address = address;
    this.text = text;
    this.#condition = condition;
    this.#cpu = cpu;
  }

  /** The nearest stop on a way. */
  find(places: Places, { direction, from, limit }: Way): Hit | undefined {
    const { timeline } = places;
    const [first, end] = direction === "forward" ? [from + 1, limit + 1] : [limit, from];
    if (!this.#condition && this.#cpu === undefined) {
      const position = direction === "forward"
        ? timeline.next(this.#address, first, end)
        : timeline.previous(this.#address, end, first);
      return position === undefined ? undefined : { position };
    }
    const backwards = direction === "backward";
    for (const positions of timeline.beginnings(this.#address, first, end, backwards)) {
      const position = backwards
        ? this.#lastHolding(places.session, positions)
        : this.#firstHolding(places.session, positions);
      if (position !== undefined) return { position };
    }
    return undefined;
  }

  /** Whether it is an instruction of the CPU that stops, if only one does. */
  #isOwn(session: Session, position: number): boolean {
    return this.#cpu === undefined || session.trace.turns.cpuAt(position) === this.#cpu;
  }

  #firstHolding(session: Session, positions: readonly number[]): number | undefined {
    return positions.find((position) => this.#holds(session, position));
  }

  /** Looks at growing groups from the end, each in ascending order: seeking forwards is cheap. */
  #lastHolding(session: Session, positions: readonly number[]): number | undefined {
    let size = 1;
    for (let end = positions.length; end > 0; size *= 4) {
      const first = Math.max(0, end - size);
      const found = positions.slice(first, end)
        .filter((position) => this.#holds(session, position)).at(-1);
      if (found !== undefined) return found;
      end = first;
    }
    return undefined;
  }

  #holds(session: Session, position: number): boolean {
    if (!this.#isOwn(session, position)) return false;
    if (!this.#condition) return true;
    session.seek(position);
    return this.#condition(session);
  }
}

/** Stops before an event. */
export class Catchpoint implements StopPoint {
  /** Text for lists. */
  readonly text: string;
  readonly #kinds: ReadonlySet<EventKind>;
  readonly #matches: (event: MachineEvent) => boolean;
  /** Only the n-th from the trace's start, from 1; 0 for each. */
  readonly #nth: number;
  /** That one, once it was looked for; null if there is none. */
  #found: MachineEvent | null | undefined;

  /**
   * Makes a catchpoint.
   *
   * @param nth only the n-th matching event of the trace, from 1
   */
  constructor(
    text: string,
    kind: EventKind,
    matches: (event: MachineEvent) => boolean = () => true,
    nth = 0,
  ) {
    this.text = text;
    this.#kinds = new Set([kind]);
    this.#matches = matches;
    this.#nth = nth;
  }

  /** The nearest stop on a way. */
  find({ session, timeline: { trace } }: Places, { direction, from, limit }: Way): Hit | undefined {
    const forward = direction === "forward";
    const [first, end] = forward ? [from + 1, limit + 1] : [limit, from];
    if (this.#nth > 0) {
      const event = this.#theNth(trace);
      const inside = event && event.position >= first && event.position < end;
      return inside ? { position: event.position, event } : undefined;
    }
    const windows = trace.windows.filter(({ start, end: last }) => start < end && last > first);
    for (const { start, end: last } of forward ? windows : windows.reverse()) {
      session.poll();
      let found: MachineEvent | undefined;
      const range = { from: Math.max(first, start), to: Math.min(end, last) };
      for (const event of trace.events({ kinds: this.#kinds, ...range })) {
        if (!this.#matches(event)) continue;
        found = event;
        if (forward) break;
      }
      if (found) return { position: found.position, event: found };
    }
    return undefined;
  }

  #theNth(trace: Trace): MachineEvent | undefined {
    if (this.#found !== undefined) return this.#found ?? undefined;
    this.#found = null;
    let count = 0;
    for (const event of trace.events({ kinds: this.#kinds })) {
      if (!this.#matches(event) || ++count < this.#nth) continue;
      this.#found = event;
      return event;
    }
    return undefined;
  }
}

/** Which accesses a watchpoint is about; `change`: writes that change a byte. */
export type WatchKind = "write" | "read" | "access" | "change";

/** Stops at accesses to some bytes. */
export class Watchpoint implements StopPoint {
  /** Text for lists. */
  readonly text: string;
  readonly #kind: WatchKind;
  readonly #bytes: WatchedBytes;

  /** Makes a watchpoint. */
  constructor(text: string, kind: WatchKind, bytes: WatchedBytes) {
    this.text = text;
    this.#kind = kind;
    this.#bytes = bytes;
  }

  /** The nearest stop on a way. */
  find({ session }: Places, { direction, from, limit }: Way): Hit | undefined {
    const forward = direction === "forward";
    const isWrite = this.#kind === "write" || this.#kind === "change";
    const range = forward || !isWrite ? undefined : this.#bytes.range(session.trace, from);
    if (range) return this.#lastWrite(session, range, { from: limit, before: from });
    let size = FIRST_STRETCH;
    for (let at = from; forward ? at < limit : at > limit;) {
      const end = forward ? Math.min(limit, at + size) : Math.max(limit, at - size);
      const [first, last] = forward ? [at, end] : [end, at];
      const report = this.#scan(session, first, last, forward);
      if (report) {
        return { position: forward ? report.position + 1 : report.position, access: report };
      }
      at = end;
      size = Math.min(size * 4, LONGEST_STRETCH);
    }
    return undefined;
  }

  #lastWrite(
    session: Session,
    range: PhysicalRange,
    way: { readonly from: number; readonly before: number },
  ): Hit | undefined {
    for (const stretch of writtenStretches(session, range, way)) {
      const report = this.#scan(session, stretch.from, stretch.to, false);
      if (report) return { position: report.position, access: report };
    }
    return undefined;
  }

  /** The first access in `[from, to)`, or the first one of the last step that has one. */
  #scan(session: Session, from: number, to: number, first: boolean): AccessReport | undefined {
    let found: AccessReport | undefined;
    const pages = this.#bytes.pages(session.trace, to);
    for (const { start, end } of this.#windows(session, pages, from, to)) {
      session.poll();
      session.seek(Math.max(start, from));
      const until = Math.min(end, to);
      const watch: MemoryWatch = {
        covers: (page) => pages.has(page),
        accessed: (access) => {
          const { position } = session;
          // What is done once the target is reached belongs to the next step.
          if (position >= until || found?.position === position || (first && found)) return;
          const report = this.#report(session, access);
          if (!report) return;
          found = report;
          if (first) session.pause();
        },
      };
      const reason = session.observe(until, { watch });
      if (first && found) return found;
      if (reason !== null && session.position < until) throw ended(session.position, reason);
    }
    return found;
  }

  /** Stretches of `[from, to)` in which the range may be accessed: writes are in the summaries. */
  #windows(
    { trace }: Session,
    pages: ReadonlySet<number>,
    from: number,
    to: number,
  ): readonly { start: number; end: number }[] {
    if (this.#kind === "read" || this.#kind === "access") return [{ start: from, end: to }];
    return trace.windows.filter(({ number, start, end }) =>
      number > 0 && start < to && end > from &&
      trace.summary(number).written.some((page) => pages.has(page * PAGE_BYTES))
    );
  }

  #report(session: Session, access: WatchedAccess): AccessReport | undefined {
    if (this.#kind === "read" ? access.write : this.#kind !== "access" && !access.write) return;
    const { address, bytes, write, by } = access;
    const { machine, position } = session;
    const part = this.#bytes.part(machine, access);
    if (!part) return undefined;
    const { first, end: last } = part;
    const old = machine.memory.read(first, last - first).slice();
    const now = write ? bytes.slice(first - address, last - address) : old;
    if (this.#kind === "change" && old.every((byte, i) => byte === now[i])) return undefined;
    const va = access.va === undefined ? null : access.va + BigInt(first - address);
    return {
      position,
      cpu: machine.cpu.index,
      pc: machine.pc,
      by,
      write,
      va,
      address: first,
      old,
      new: now,
    };
  }
}

/** Steps that are looked through first, and at most at once. */
const FIRST_STRETCH = 1 << 14;
const LONGEST_STRETCH = 1 << 22;

function ended(position: number, reason: string): ReplayError {
  return new ReplayError(
    `The re-execution differs from the trace: the machine ended at #${position} (${reason}); ` +
      `verify finds the first difference`,
  );
}
