/** Workers that execute the two boots that are compared, each some chunks of effects ahead. */
import { TraceWorker } from "../workers.ts";
import type { EffectChunk, EffectChunks } from "./diff_effects.ts";

/** What a worker is told first. */
export interface EffectQuestion {
  readonly cpu: number | undefined;
  /** The window behind which it begins. */
  readonly window: number;
}

/** Asks for the next chunk; other numbers are windows, behind which it is to begin. */
export const NEXT = -1;

const MODULE = new URL("./diff_worker.ts", import.meta.url);
/** Chunks that are asked for before they are wanted, some megabytes; more where they hold little. */
const AHEAD = 4;
const ENOUGH = 1 << 14;

/** The workers of a comparison; they end when it is disposed of. */
export class EffectWorkers {
  readonly #workers: TraceWorker<EffectChunk>[] = [];
  #failure: Error | undefined;
  #wake: () => void = () => {};

  /** Starts one. What it cannot do is told by {@linkcode EffectWorkers.more}. */
  start(path: string, question: EffectQuestion): EffectChunks {
    const worker = new TraceWorker<EffectChunk>(path, MODULE, question);
    this.#workers.push(worker);
    return new RemoteChunks(worker, (error) => {
      this.#failure ??= error;
      this.#wake();
    });
  }

  /**
   * Waits until one of them has more.
   *
   * @throws ReplayError if it cannot go on
   */
  async more(): Promise<void> {
    if (!this.#failure) await new Promise<void>((resolve) => this.#wake = resolve);
    if (this.#failure) throw this.#failure;
  }

  /** Ends them. */
  end(): void {
    for (const worker of this.#workers.splice(0)) worker[Symbol.dispose]();
  }

  /** Ends them. */
  [Symbol.dispose](): void {
    this.end();
  }
}

class RemoteChunks implements EffectChunks {
  readonly #worker: TraceWorker<EffectChunk>;
  readonly #notify: (error?: Error) => void;
  #queue: EffectChunk[] = [];
  /** Chunks that were asked for and have not come. */
  #asked = 0;
  /** Answers to what was asked for before the last skip do not count. */
  #skips = 0;
  #isComplete = false;
  #count = 0;

  constructor(worker: TraceWorker<EffectChunk>, notify: (error?: Error) => void) {
    this.#worker = worker;
    this.#notify = notify;
    this.#askAhead();
  }

  get ready(): number {
    return this.#isComplete ? Infinity : this.#count;
  }

  next(): EffectChunk {
    const chunk = this.#queue.shift();
    if (!chunk) throw new Error("effects were asked for before they were there");
    this.#count -= countOf(chunk);
    this.#askAhead();
    return chunk;
  }

  skipTo(window: number): void {
    this.#skips++;
    this.#queue = [];
    this.#count = this.#asked = 0;
    this.#isComplete = false;
    this.#ask(window);
    this.#askAhead();
  }

  #askAhead(): void {
    if (this.#isComplete) return;
    const isShort = this.#count < ENOUGH;
    while (this.#asked + (isShort ? 0 : this.#queue.length) < AHEAD) this.#ask(NEXT);
  }

  async #ask(part: number): Promise<void> {
    const skips = this.#skips;
    this.#asked++;
    try {
      const chunk = await this.#worker.ask(part);
      if (skips !== this.#skips) return;
      this.#asked--;
      this.#queue.push(chunk);
      this.#count += countOf(chunk);
      this.#isComplete ||= chunk.isLast;
      this.#askAhead();
      this.#notify();
    } catch (error) {
      this.#notify(error as Error);
    }
  }
}

/** Effects that are complete. */
function countOf({ effects, held }: EffectChunk): number {
  return effects.kinds.length - held;
}
