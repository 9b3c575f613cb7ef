/** Chooses what the comparison asks about, from the trace, so that any guest will do. */
import type { MemoryWatch } from "../core/memory/memory.ts";
import { RAM_BASE } from "../core/board_map.ts";
import { translationOf } from "../replay/guest_view.ts";
import { whoWrote } from "../replay/queries/who_wrote.ts";
import { Session } from "../replay/session.ts";
import { Timeline } from "../replay/timeline.ts";
import type { Trace } from "../trace/mod.ts";

/** A word of memory. */
export interface Word {
  readonly address: number;
  readonly va: string;
  /** The instruction that wrote it last. */
  readonly pc: string;
}

/** What is asked about; addresses of instructions are hexadecimal. */
export interface Places {
  readonly steps: number;
  /** One of the last instructions, executed only once: there both sides begin. */
  readonly last: string;
  /** Steps before it. */
  readonly lastPosition: number;
  /** An instruction executed only near the start. */
  readonly early: string;
  /** An instruction executed often near the end. */
  readonly often: string;
  /** Written near the end. */
  readonly recent: Word;
  /** Written near the start and not since. */
  readonly old: Word;
  /** Some stores from all over the boot. */
  readonly stores: readonly Store[];
}

/** A store, to ask about behind it. */
export interface Store {
  readonly address: number;
  readonly va: string;
  /** A position soon after it. */
  readonly position: number;
}

/** How many {@linkcode Places.stores}. */
const STORES = 40;

const NEAR = 200_000;

/** Chooses places in a trace of a guest that powered off. */
export function choosePlaces(trace: Trace): Places {
  const timeline = new Timeline(trace);
  const session = new Session(trace);
  const counts = new Map<bigint, number>();
  for (const { pc } of trace.executed(Math.max(0, trace.end - NEAR))) {
    counts.set(pc, (counts.get(pc) ?? 0) + 1);
  }
  const last = lastOnce(trace, timeline, counts);
  const [often] = [...counts].sort((a, b) => b[1] - a[1]).find(([, count]) => count < NEAR / 20) ??
    [...counts][0];
  return {
    steps: trace.end,
    last: hex(last.pc),
    lastPosition: last.position,
    early: hex(earlyInstruction(trace, timeline)),
    often: hex(often),
    recent: writtenIn(session, Math.max(0, last.position - NEAR), last.position - NEAR / 10, last),
    old: writtenEarly(session, last),
    stores: storesOf(session),
  };
}

/** The last instruction that was executed once and never again. */
function lastOnce(
  trace: Trace,
  timeline: Timeline,
  counts: ReadonlyMap<bigint, number>,
): { pc: bigint; position: number } {
  const executed = [...trace.executed(Math.max(0, trace.end - NEAR))].reverse();
  for (const { pc, position } of executed) {
    if (counts.get(pc) === 1 && timeline.previous(pc, position) === undefined) {
      return { pc, position };
    }
  }
  throw new Error("no instruction near the end was executed only once: choose another guest");
}

/** Where the boot has not yet written what lasts, or at addresses that go away, a later stretch will do. */
function writtenEarly(session: Session, last: { position: number }): Word {
  for (let from = 0;; from = 4 * from + NEAR) {
    try {
      return writtenIn(session, from, Math.min(from + NEAR, last.position), last);
    } catch (error) {
      if (from > last.position / 4) throw error;
    }
  }
}

/** Stores at places that are spread over the boot. */
function storesOf(session: Session): Store[] {
  const stores: Store[] = [];
  const { end } = session.trace;
  for (let i = 0; i < STORES; i++) {
    const from = Math.floor(end * (i + 0.5) / STORES);
    let found: Omit<Store, "position"> | undefined;
    const watch: MemoryWatch = {
      covers: (page) => page >= RAM_BASE,
      accessed({ write, address, va, bytes }) {
        if (write && va !== undefined && bytes.length === 8) found = { address, va: hex(va) };
      },
    };
    session.seek(from);
    session.observe(Math.min(end, from + 2000), { watch });
    if (found) stores.push({ ...found, position: session.position });
  }
  return stores;
}

function earlyInstruction(trace: Trace, timeline: Timeline): bigint {
  for (const { pc, position } of trace.executed(1, NEAR)) {
    if (timeline.previous(pc, trace.end, position + 1) === undefined) return pc;
  }
  throw new Error("no instruction is executed only near the start");
}

/** The first aligned 8 bytes written in a stretch by one store, and not behind it, that are still mapped there at the end. */
function writtenIn(session: Session, from: number, to: number, last: { position: number }): Word {
  const found = new Map<number, bigint>();
  const watch: MemoryWatch = {
    covers: (page) => page >= RAM_BASE,
    accessed({ write, address, va, bytes }) {
      if (!write || va === undefined || bytes.length !== 8 || address % 8 !== 0) return;
      if (found.size < 1000) found.set(address, va);
    },
  };
  session.seek(from);
  session.observe(Math.max(from + 1, to), { watch });
  session.seek(last.position);
  const mapped = [...found].filter(([address, va]) =>
    translationOf(session.machine, va).pa === address
  );
  for (const [address, va] of mapped.slice(0, 100)) {
    const range = { address, length: 8 };
    const before = last.position;
    const [{ pc, position }] = whoWrote(session, { kind: "memory", range }, { before });
    if (pc !== null && position < Math.max(from + 1, to)) {
      return { address, va: hex(va), pc: hex(pc) };
    }
  }
  throw new Error(`nothing fit was written from #${from} to #${to}`);
}

function hex(address: bigint): string {
  return `0x${address.toString(16)}`;
}
