/**
 * Adds the results of all instructions to a trace, made by executing its windows again.
 *
 * Windows are independent, so workers make several at the same time; they are written in order, and few are
 * made ahead. The bytes are the same however many there are.
 */
import { type FramedItem, type Trace, type TraceSink, ValuesCopy } from "../../trace/mod.ts";
import { ReplayError } from "../replay_error.ts";
import { isSameMachineVersion, otherVersion } from "../replay_machine.ts";
import { askWorkers, workersFor, workersWithin } from "../workers.ts";
import { WindowValues } from "./window_values.ts";

/** How values are made. */
export interface AddValuesOptions {
  /** The trace's file, for workers; without it there are none. */
  readonly path: string | null;
  /** How many workers; as many as fit into a gigabyte if left out. */
  readonly workers?: number;
  /** Called after each window with the steps so far. */
  readonly progress?: (steps: number) => void;
}

/**
 * Writes a trace again, with values.
 *
 * @returns bytes written
 * @throws ReplayError if the trace cannot be re-executed
 */
export async function addValues(
  trace: Trace,
  sink: TraceSink,
  { path, workers = workersWithin(trace), progress = () => {} }: AddValuesOptions,
): Promise<number> {
  if (!isSameMachineVersion(trace)) throw new ReplayError(otherVersion(trace));
  const copy = new ValuesCopy(trace, sink);
  const write = (items: FramedItem[], window: number) => {
    copy.window(window, items);
    progress(trace.windows[window].end);
    return true;
  };
  const parts = trace.windows.slice(1).map(({ number }) => number);
  if (path === null || workersFor(parts.length, workers) < 2) {
    const values = new WindowValues(trace);
    for (const window of parts) {
      write(values.make(window), window);
      // Signals arrive only while nothing runs.
      await new Promise<void>((resolve) => setTimeout(resolve));
    }
  } else {
    const module = new URL("values_worker.ts", import.meta.url);
    await askWorkers<FramedItem[]>({ path, module, parts, workers, answer: write });
  }
  return copy.finish();
}
