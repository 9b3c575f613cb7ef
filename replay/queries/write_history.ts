/**
 * Every write to some bytes of memory, first to last.
 *
 * The windows that wrote there (by the index, else the summary) are executed again with a watch on
 * the pages, several at the same time. A window's writes go between threads as columns.
 */
import { Session } from "../session.ts";
import { askWorkers } from "../workers.ts";
import { type MemoryWrite, type MemoryWriter, type PhysicalRange, watchWrites } from "./writers.ts";
import { windowsThatWrote } from "./writers_stretches.ts";

/** What is asked. */
export interface WriteHistoryOptions {
  /** Writes of steps from this position on. */
  readonly from: number;
  /** Writes of steps before this position. */
  readonly to: number;
  /** Threads for long histories; two if left out. */
  readonly workers?: number;
}

/** What workers are asked about each window. */
export interface WriteQuestion {
  readonly range: PhysicalRange;
  readonly from: number;
  readonly to: number;
}

/** So many windows are executed here while workers get ready. */
const FEW = 16;
/** With fewer windows than this, workers would not be ready before the end. */
const MANY = 32;
/** More threads take more memory and are no faster: what they do is to touch memory. */
const WORKERS = 2;

const BY = ["store", "atomic", "dc-zva", "walker", "dma", "loader", "reset"] as const;

/** Writes of one window as columns. */
export interface WriteColumns {
  readonly positions: Float64Array;
  readonly pcs: BigUint64Array;
  /** Virtual addresses, and where there is none 0 and no bit in `mapped`. */
  readonly vas: BigUint64Array;
  readonly mapped: Uint8Array;
  readonly addresses: Float64Array;
  readonly by: Uint8Array;
  readonly lengths: Uint32Array;
  /** What was there and what was written, of one write behind the other. */
  readonly old: Uint8Array;
  readonly bytes: Uint8Array;
}

/** The writes that a window made to a range. */
export function writesInWindow(
  session: Session,
  window: number,
  { range, from, to }: WriteQuestion,
): WriteColumns {
  const { start, end } = session.trace.windows[window];
  const writes: MemoryWrite[] = [];
  const stretch = { from: Math.max(from, start), to: Math.min(to, end) };
  watchWrites(session, range, stretch, (write) => writes.push(write));
  return columnsOf(writes);
}

/**
 * Hands over every write to a range in order, until `write` gives false. The session's cursor moves.
 *
 * @param path the trace's file, which workers open for themselves; null: there is none, and no workers
 */
export async function writeHistory(
  path: string | null,
  session: Session,
  range: PhysicalRange,
  options: WriteHistoryOptions,
  write: (write: MemoryWrite) => boolean,
): Promise<void> {
  const { from, to, workers = WORKERS } = options;
  const question: WriteQuestion = { range, from, to };
  const answer = (columns: WriteColumns) => {
    for (const each of writesOf(columns)) if (!write(each)) return false;
    return true;
  };
  const windows = windowsThatWrote(session.trace, range, { from, to }).reverse();
  const isLong = path !== null && windows.length >= MANY;
  const here = isLong ? windows.slice(0, FEW) : windows;
  const stop = new AbortController();
  const rest = isLong
    ? askWorkers<WriteColumns>({
      path,
      module: new URL("./write_history_worker.ts", import.meta.url),
      question,
      parts: windows.slice(FEW),
      workers,
      answer,
      signal: stop.signal,
    })
    : null;
  try {
    for (const window of here) {
      if (answer(writesInWindow(session, window, question))) continue;
      stop.abort();
      break;
    }
  } catch (error) {
    stop.abort();
    throw error;
  } finally {
    await rest;
  }
}

function columnsOf(writes: readonly MemoryWrite[]): WriteColumns {
  const total = writes.reduce((sum, { bytes }) => sum + bytes.length, 0);
  const old = new Uint8Array(total), bytes = new Uint8Array(total);
  let at = 0;
  for (const write of writes) {
    old.set(write.old, at);
    bytes.set(write.bytes, at);
    at += write.bytes.length;
  }
  return {
    positions: Float64Array.from(writes, ({ position }) => position),
    pcs: BigUint64Array.from(writes, ({ pc }) => pc ?? 0n),
    vas: BigUint64Array.from(writes, ({ va }) => va ?? 0n),
    mapped: Uint8Array.from(writes, ({ va }) => Number(va !== null)),
    addresses: Float64Array.from(writes, ({ address }) => address),
    by: Uint8Array.from(writes, ({ by }) => BY.indexOf(by)),
    lengths: Uint32Array.from(writes, (write) => write.bytes.length),
    old,
    bytes,
  };
}

function* writesOf(columns: WriteColumns): Generator<MemoryWrite> {
  let at = 0;
  for (let i = 0; i < columns.positions.length; i++) {
    const end = at + columns.lengths[i];
    const by: MemoryWriter = BY[columns.by[i]];
    yield {
      by,
      position: columns.positions[i],
      pc: columns.pcs[i],
      va: columns.mapped[i] ? columns.vas[i] : null,
      address: columns.addresses[i],
      old: columns.old.subarray(at, end),
      bytes: columns.bytes.subarray(at, end),
    };
    at = end;
  }
}
