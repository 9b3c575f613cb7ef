/**
 * Work on parts of a trace in several threads: each worker opens the trace's file for itself.
 *
 * A worker's module calls {@linkcode serve}. Parts are numbers: windows, or groups of them. Answers
 * are handed over in the order of the parts, whichever worker was first, and only so many are worked on
 * ahead of the one that is next, so that memory stays bounded.
 */
import { MessageChannel, type MessagePort, parentPort, Worker } from "node:worker_threads";
import { openTrace, type Trace } from "../trace/reader.ts";
import { fileAccess } from "../trace/random_access.ts";
import { ReplayError } from "./replay_error.ts";

/** More workers than this gain little. */
const MOST_WORKERS = 8;
/** Parts per worker that may be done before their turn comes. */
const AHEAD = 2;

/** Bytes of changes of pages that a worker keeps decoded. */
const PAGES_KEPT = 32 << 20;
/** Megabytes that a worker makes before it looks for garbage; what is left free of them stays. */
const YOUNG_MB = 6;
/** And at most in all; garbage is collected the sooner the less that is. */
const OLD_MB = 512;

/** What a worker is told first. */
interface Start {
  readonly path: string;
  /** What is asked of every part; can be cloned. */
  readonly question: unknown;
  /** Through which parts come and answers go. */
  readonly port: MessagePort;
}

type Answer<T> = { readonly value: T } | { readonly error: string };

/**
 * In a worker's module: `open` gets the trace and the question, and gives what answers for each part.
 *
 * @param transfer gives buffers of an answer that are handed over, not copied
 */
export function serve<Q, T, P = number>(
  open: (trace: Trace, question: Q) => (part: P) => T,
  transfer: (answer: T) => ArrayBuffer[] = () => [],
): void {
  parentPort?.once("message", ({ path, question, port }: Start) => {
    const trace = openTrace(fileAccess(path));
    trace.keepPages(PAGES_KEPT);
    const answer = open(trace, question as Q);
    port.on("message", (part: P) => {
      let message: Answer<T>, handed: ArrayBuffer[] = [];
      try {
        const value = answer(part);
        message = { value };
        handed = transfer(value);
      } catch (error) {
        message = { error: (error as Error).message };
      }
      port.postMessage(message, handed);
    });
    port.postMessage(null);
  });
}

/** What a worker says about its job: how far it is, what came of it, why nothing did. */
type Report<T> = { readonly progress: unknown } | Answer<T>;

/** What a worker is told of its job. */
interface Job {
  readonly question: unknown;
  /** Through which it says what comes of it. */
  readonly port: MessagePort;
}

/**
 * In a worker's module: does the one job that the worker is for.
 *
 * @param work is given the question, and what tells how far it is
 */
export function serveJob<Q, T>(
  work: (question: Q, tell: (progress: unknown) => void) => T | Promise<T>,
): void {
  parentPort?.once("message", async ({ question, port }: Job) => {
    const say = (report: Report<T>) => port.postMessage(report);
    try {
      say({ value: await work(question as Q, (progress) => say({ progress })) });
    } catch (error) {
      say({ error: (error as Error).message });
    }
  });
}

/**
 * Lets a worker do a job, whose garbage is collected sooner than in the main thread.
 *
 * @param module calls {@linkcode serveJob}
 * @param told is called with how far it is
 * @throws ReplayError if it cannot
 */
export async function doJob<T>(
  module: URL,
  question: unknown,
  told: (progress: unknown) => void,
): Promise<T> {
  const worker = newWorker(module);
  const { port1, port2 } = new MessageChannel();
  try {
    return await new Promise<T>((resolve, reject) => {
      worker.on("error", (error) => reject(new ReplayError(error.message)));
      listen(port1, (report: Report<T>) => {
        if ("progress" in report) told(report.progress);
        else if ("error" in report) reject(new ReplayError(report.error));
        else resolve(report.value);
      });
      const job: Job = { question, port: port2 };
      worker.postMessage(job, [port2]);
    });
  } finally {
    port1.close();
    worker.terminate();
  }
}

/** Listens to a port. Not by `on`, with which Deno looks for ports in every element of arrays. */
function listen<T>(port: MessagePort, heard: (message: T) => void): void {
  port.addEventListener("message", (event) => {
    if (event instanceof MessageEvent) heard(event.data);
  });
  port.start();
}

function newWorker(module: URL): Worker {
  return new Worker(module, {
    resourceLimits: { maxYoungGenerationSizeMb: YOUNG_MB, maxOldGenerationSizeMb: OLD_MB },
  });
}

/** What {@linkcode askWorkers} is asked. */
export interface WorkerQuestion<T> {
  /** The trace's file. */
  readonly path: string;
  /** The worker's module. */
  readonly module: URL;
  /** What every worker is told; can be cloned. */
  readonly question?: unknown;
  /** The parts, in the order in which answers are wanted. */
  readonly parts: readonly number[];
  /** Threads; as many as there are processors if left out. */
  readonly workers?: number | undefined;
  /** Gets every answer in order; false ends the work. */
  readonly answer: (value: T, part: number) => boolean;
  /** Ends the work. */
  readonly signal?: AbortSignal;
}

/**
 * Asks workers about parts of a trace.
 *
 * @throws ReplayError if a worker cannot answer
 */
export async function askWorkers<T>(asked: WorkerQuestion<T>): Promise<void> {
  const count = workersFor(asked.parts.length, asked.workers);
  const queue = new Queue(asked, AHEAD * count);
  await Promise.all(Array.from({ length: count }, () => work(asked, queue)));
}

/** How many workers so many parts are given to. */
export function workersFor(parts: number, workers = navigator.hardwareConcurrency): number {
  return Math.max(1, Math.min(workers, MOST_WORKERS, parts));
}

/** Bytes that a thread takes beside what its guest loads and works on, which is some five times as much. */
const THREAD_BYTES = 100e6;
const PER_LOADED_BYTE = 5;
/** Bytes for all threads together. */
const MOST_BYTES = 800e6;

/** How many threads that execute a trace fit into a gigabyte. */
export function workersWithin({ loaded }: Trace): number {
  const bytes = (loaded ?? []).reduce((sum, { length }) => sum + length, 0);
  const fitting = Math.floor(MOST_BYTES / (THREAD_BYTES + PER_LOADED_BYTE * bytes));
  return Math.max(1, Math.min(fitting, navigator.hardwareConcurrency));
}

/** Which part is next, and the answers that came before their turn. */
class Queue<T> {
  #asked = 0;
  #given = 0;
  #ended = false;
  readonly #early = new Map<number, T>();
  #waiting: (() => void)[] = [];

  constructor(readonly what: WorkerQuestion<T>, readonly ahead: number) {}

  /** Index of a part to work on; undefined if there are none left. Waits while too many are early. */
  async take(): Promise<number | undefined> {
    while (!this.#ended && this.#asked - this.#given >= this.ahead) {
      await new Promise<void>((resolve) => this.#waiting.push(resolve));
    }
    return this.#ended || this.#asked === this.what.parts.length ? undefined : this.#asked++;
  }

  answered(index: number, value: T): void {
    this.#early.set(index, value);
    while (!this.#ended && this.#early.has(this.#given)) {
      const next = this.#early.get(this.#given)!;
      this.#early.delete(this.#given);
      if (!this.what.answer(next, this.what.parts[this.#given++])) this.end();
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

/** What comes instead of an answer. */
const ABORTED = Symbol("aborted");

/** Lets one worker answer for what the queue gives it. */
async function work<T>(
  { path, question, module, parts, signal }: WorkerQuestion<T>,
  queue: Queue<T>,
): Promise<void> {
  if (signal?.aborted) return;
  using worker = new TraceWorker<T>(path, module, question);
  const aborted = new Promise<typeof ABORTED>((resolve) => {
    signal?.addEventListener("abort", () => resolve(ABORTED));
  });
  try {
    await Promise.race([worker.ready, aborted]);
    while (!signal?.aborted) {
      const index = await queue.take();
      if (index === undefined) return;
      const answer = await Promise.race([worker.ask(parts[index]), aborted]);
      if (answer !== ABORTED) queue.answered(index, answer);
    }
    queue.end();
  } catch (error) {
    queue.end();
    throw error;
  }
}

/** One worker; it is terminated when it is disposed of. */
export class TraceWorker<T, P = number> {
  /** Resolves when it has opened the trace. */
  readonly ready: Promise<void>;
  readonly #worker: Worker;
  readonly #port: MessagePort;
  /** Who waits for an answer, in order. */
  readonly #waiting: { resolve: (value: T) => void; reject: (error: Error) => void }[] = [];
  #failure: Error | undefined;

  /** @param question what it is told first; can be cloned */
  constructor(path: string, module: URL, question?: unknown) {
    this.#worker = newWorker(module);
    const { port1, port2 } = new MessageChannel();
    this.#port = port1;
    this.ready = new Promise((resolve, reject) => {
      this.#worker.on("error", (error) => {
        this.#failure = new ReplayError(error.message);
        for (const waiting of this.#waiting.splice(0)) waiting.reject(this.#failure);
        reject(this.#failure);
      });
      listen(port1, (message: Answer<T> | null) => {
        if (message === null) resolve();
        else this.#answered(message);
      });
    });
    // Who asks hears of it.
    this.ready.catch(() => {});
    const start: Start = { path, question, port: port2 };
    this.#worker.postMessage(start, [port2]);
  }

  /**
   * The worker's answer for a part. Several parts may be asked for; they are answered in order.
   *
   * @throws ReplayError if it cannot answer
   */
  async ask(part: P): Promise<T> {
    const answer = new Promise<T>((resolve, reject) => this.#waiting.push({ resolve, reject }));
    // Whoever does not wait for what was asked last need not hear that it failed.
    answer.catch(() => {});
    await this.ready;
    if (this.#failure) throw this.#failure;
    this.#port.postMessage(part);
    return await answer;
  }

  /** Ends it, whatever it is doing. */
  [Symbol.dispose](): void {
    this.#port.close();
    this.#worker.terminate();
  }

  #answered(answer: Answer<T>): void {
    const { resolve, reject } = this.#waiting.shift()!;
    if ("error" in answer) reject(new ReplayError(answer.error));
    else resolve(answer.value);
  }
}
