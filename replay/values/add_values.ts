/**
 * Adds the results of all instructions to a trace, made by executing its windows again.
 *
 * Windows are independent, so workers make several at the same time; they are written in order, and few are
 * made ahead. The bytes are the same however many there are.
 */
import { type FramedItem, type Trace, type TraceSink, ValuesCopy } from "../../trace/mod.ts";
import { ReplayError } from "../replay_error.ts";
import { isSameMachineVersion, otherVersion } from "../replay_machine.ts";
import type { ValuesAnswer } from "./values_worker.ts";
import { WindowValues } from "./window_values.ts";

/** More workers than this gain little. */
const MOST_WORKERS = 8;
/** Windows per worker that may be made and not written yet. */
const AHEAD = 2;

/** How values are made. */
export interface AddValuesOptions {
  /** The trace's file, for workers; without it there are none. */
  readonly path: string | null;
  /** How many workers; as many as there are processors if left out. */
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
  { path, workers = navigator.hardwareConcurrency, progress = () => {} }: AddValuesOptions,
): Promise<number> {
  if (!isSameMachineVersion(trace)) throw new ReplayError(otherVersion(trace));
  const copy = new ValuesCopy(trace, sink);
  const last = trace.windows.length - 1;
  const size = path === null ? 0 : Math.min(workers, MOST_WORKERS, last);
  if (path === null || size < 2) {
    const values = new WindowValues(trace);
    for (let window = 1; window <= last; window++) {
      copy.window(window, values.make(window));
      progress(trace.windows[window].end);
    }
  } else {
    const queue = new Queue(last, size * AHEAD, (window, items) => {
      copy.window(window, items);
      progress(trace.windows[window].end);
    });
    await Promise.all(Array.from({ length: size }, () => runWorker(path, queue)));
  }
  return copy.finish();
}

/** Hands out windows, and their items on in order. */
class Queue {
  readonly #made = new Map<number, FramedItem[]>();
  readonly #waiting: ((window: number | null) => void)[] = [];
  #next = 1;
  #written = 0;

  constructor(
    readonly last: number,
    readonly ahead: number,
    readonly write: (window: number, items: FramedItem[]) => void,
  ) {}

  /** Calls back with a window to make as soon as there is one, or with null where there are no more. */
  take(then: (window: number | null) => void): void {
    this.#waiting.push(then);
    this.#serve();
  }

  /** Takes the items of a window. */
  put(window: number, items: FramedItem[]): void {
    this.#made.set(window, items);
    for (;;) {
      const next = this.#made.get(this.#written + 1);
      if (!next) break;
      this.#made.delete(++this.#written);
      this.write(this.#written, next);
    }
    this.#serve();
  }

  #serve(): void {
    while (this.#waiting.length > 0) {
      if (this.#next > this.last) this.#waiting.shift()!(null);
      else if (this.#next - this.#written > this.ahead) return;
      else this.#waiting.shift()!(this.#next++);
    }
  }
}

/** Keeps one worker busy until there are no windows left. */
async function runWorker(path: string, queue: Queue): Promise<void> {
  const worker = new Worker(new URL("values_worker.ts", import.meta.url).href, { type: "module" });
  const { port1, port2 } = new MessageChannel();
  try {
    await new Promise<void>((done, fail) => {
      worker.onerror = (event) => {
        event.preventDefault();
        fail(new ReplayError(event.message));
      };
      port1.onmessage = ({ data }: MessageEvent<ValuesAnswer | null>) => {
        if (data && "error" in data) return fail(new ReplayError(data.error));
        try {
          if (data) queue.put(data.window, data.items);
        } catch (error) {
          return fail(error as Error);
        }
        queue.take((window) => window === null ? done() : port1.postMessage(window));
      };
      worker.postMessage(path, [port2]);
    });
  } finally {
    port1.close();
    worker.terminate();
  }
}
