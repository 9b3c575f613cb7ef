/**
 * Work on windows of a trace in several threads: each worker opens the trace's file for itself.
 *
 * A worker's module calls {@linkcode serveWindows}. Answers are handed over in the order of the
 * windows, whichever worker was first, and only so many are worked on ahead of the one that is
 * next, so that memory stays bounded.
 */
import { openTrace } from "../trace/mod.ts";
import { fileAccess } from "../trace/random_access.ts";
import { ReplayError } from "./replay_error.ts";
import { Session } from "./session.ts";

/** More workers than this gain little. */
const MOST_WORKERS = 8;
/** Windows per worker that may be done before their turn comes. */
const AHEAD = 4;

/** What a worker is told first. */
interface Start {
  readonly path: string;
  /** What is asked of every window; can be cloned. */
  readonly question: unknown;
}

type Answer<T> = { readonly value: T } | { readonly error: string };

/** In a worker's module: answers a question about each window that is asked for. */
export function serveWindows<Q, T>(
  answer: (session: Session, window: number, question: Q) => T,
): void {
  globalThis.addEventListener("message", (event) => {
    if (!(event instanceof MessageEvent)) return;
    const [port] = event.ports;
    const { path, question }: Start = event.data;
    const session = new Session(openTrace(fileAccess(path)));
    port.onmessage = ({ data }: MessageEvent<number>) => {
      let message: Answer<T>;
      try {
        message = { value: answer(session, data, question as Q) };
      } catch (error) {
        message = { error: (error as Error).message };
      }
      port.postMessage(message);
    };
    port.postMessage(null);
  });
}

/** What {@linkcode askWindows} is asked. */
export interface WindowQuestion<Q, T> {
  /** The trace's file. */
  readonly path: string;
  /** The worker's module. */
  readonly module: URL;
  readonly question: Q;
  /** Numbers of the windows, in the order in which answers are wanted. */
  readonly windows: readonly number[];
  readonly workers?: number;
  /** Gets every answer in order; false ends the work. */
  readonly answer: (value: T, window: number) => boolean;
}

/**
 * Asks workers about windows.
 *
 * @throws ReplayError if a worker cannot answer
 */
export async function askWindows<Q, T>(asked: WindowQuestion<Q, T>): Promise<void> {
  const { windows, workers = navigator.hardwareConcurrency } = asked;
  const count = Math.max(1, Math.min(workers, MOST_WORKERS, windows.length));
  const queue = new Queue(asked, AHEAD * count);
  await Promise.all(Array.from({ length: count }, () => runWorker(asked, queue)));
}

/** Which window is next, and the answers that came before their turn. */
class Queue<Q, T> {
  #asked = 0;
  #given = 0;
  #ended = false;
  readonly #early = new Map<number, T>();
  #waiting: (() => void)[] = [];

  constructor(readonly what: WindowQuestion<Q, T>, readonly ahead: number) {}

  /** Index of a window to work on; undefined if there are none left. Waits while too many are early. */
  async take(): Promise<number | undefined> {
    while (!this.#ended && this.#asked - this.#given >= this.ahead) {
      await new Promise<void>((resolve) => this.#waiting.push(resolve));
    }
    return this.#ended || this.#asked === this.what.windows.length ? undefined : this.#asked++;
  }

  answered(index: number, value: T): void {
    this.#early.set(index, value);
    while (!this.#ended && this.#early.has(this.#given)) {
      const next = this.#early.get(this.#given)!;
      this.#early.delete(this.#given);
      if (!this.what.answer(next, this.what.windows[this.#given++])) this.end();
    }
    this.#wake();
  }

  /** Nobody wants more. */
  end(): void {
    this.#ended = true;
    this.#early.clear();
    this.#wake();
  }

  #wake(): void {
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const resolve of waiting) resolve();
  }
}

async function runWorker<Q, T>(
  { path, question, module, windows }: WindowQuestion<Q, T>,
  queue: Queue<Q, T>,
): Promise<void> {
  const worker = new Worker(module.href, { type: "module" });
  const { port1, port2 } = new MessageChannel();
  let fail: (error: Error) => void = () => {};
  worker.onerror = (event) => {
    event.preventDefault();
    fail(new ReplayError(event.message));
  };
  const reply = () =>
    new Promise<Answer<T>>((resolve, reject) => {
      fail = reject;
      port1.onmessage = ({ data }) => resolve(data);
    });
  try {
    const ready = reply();
    const start: Start = { path, question };
    worker.postMessage(start, [port2]);
    await ready;
    for (let index = await queue.take(); index !== undefined; index = await queue.take()) {
      const answer = reply();
      port1.postMessage(windows[index]);
      const found = await answer;
      if ("error" in found) throw new ReplayError(found.error);
      queue.answered(index, found.value);
    }
  } catch (error) {
    queue.end();
    throw error;
  } finally {
    port1.close();
    worker.terminate();
  }
}
