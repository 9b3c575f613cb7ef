/** Chooses what the comparison asks about, from the trace, so that any guest will do. */
import type { MemoryWatch } from "../core/memory/memory.ts";
import { RAM_BASE } from "../core/board_map.ts";
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
  /** The last instruction, executed only once: there both sides begin. */
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
}

const NEAR = 200_000;

/** Chooses places in a trace of a guest that powered off. */
export function choosePlaces(trace: Trace): Places {
  const timeline = new Timeline(trace);
  const session = new Session(trace);
  const last = timeline.instructionAt(trace.end - 1);
  if (!last || timeline.previous(last.pc, trace.end - 1) !== undefined) {
    throw new Error("the guest's last instruction was executed before: choose another guest");
  }
  const counts = new Map<bigint, number>();
  for (const { pc } of trace.executed(Math.max(0, trace.end - NEAR))) {
    counts.set(pc, (counts.get(pc) ?? 0) + 1);
  }
  const [often] = [...counts].sort((a, b) => b[1] - a[1]).find(([, count]) => count < NEAR / 20) ??
    [...counts][0];
  return {
    steps: trace.end,
    last: hex(last.pc),
    lastPosition: trace.end - 1,
    early: hex(earlyInstruction(trace, timeline)),
    often: hex(often),
    recent: writtenIn(session, Math.max(0, trace.end - NEAR), trace.end - NEAR / 10),
    old: writtenIn(session, 0, Math.min(trace.end, NEAR)),
  };
}

function earlyInstruction(trace: Trace, timeline: Timeline): bigint {
  for (const { pc, position } of trace.executed(1, NEAR)) {
    if (timeline.previous(pc, trace.end, position + 1) === undefined) return pc;
  }
  throw new Error("no instruction is executed only near the start");
}

/** The first aligned 8 bytes written in a stretch by one store, and not behind it. */
function writtenIn(session: Session, from: number, to: number): Word {
  const found = new Map<number, string>();
  const watch: MemoryWatch = {
    covers: (page) => page >= RAM_BASE,
    accessed({ write, address, va, bytes }) {
      if (!write || va === undefined || bytes.length !== 8 || address % 8 !== 0) return;
      if (found.size < 1000) found.set(address, hex(va));
    },
  };
  const before = session.trace.end;
  session.seek(from);
  session.observe(Math.max(from + 1, to), { watch });
  for (const [address, va] of found) {
    const range = { address, length: 8 };
    const [{ pc, position }] = whoWrote(session, { kind: "memory", range }, { before });
    if (pc !== null && position < Math.max(from + 1, to)) return { address, va, pc: hex(pc) };
  }
  throw new Error(`nothing fit was written from #${from} to #${to}`);
}

function hex(address: bigint): string {
  return `0x${address.toString(16)}`;
}
