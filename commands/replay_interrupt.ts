/**
 * Ctrl-C while a command of `replay` is at work.
 *
 * The work is one synchronous call, during which no signal reaches this thread; another one counts
 * them in memory that both see, and the work looks there now and then.
 */

/** See the top of this file. */
export class Interrupts {
  readonly #worker: Worker;
  readonly #count: Int32Array;
  #seen = 0;

  private constructor(worker: Worker, count: Int32Array) {
    this.#worker = worker;
    this.#count = count;
  }

  /** Begins to count. */
  static async start(): Promise<Interrupts> {
    const shared = new SharedArrayBuffer(4);
    const url = new URL("./interrupt_worker.ts", import.meta.url);
    const worker = new Worker(url, { type: "module" });
    await new Promise<void>((resolve) => {
      worker.onmessage = () => resolve();
      worker.postMessage(shared);
    });
    return new Interrupts(worker, new Int32Array(shared));
  }

  /** Whether there was one since the last call. */
  take(): boolean {
    const count = Atomics.load(this.#count, 0);
    const taken = count !== this.#seen;
    this.#seen = count;
    return taken;
  }

  /** Ends the counting. */
  stop(): void {
    this.#worker.terminate();
  }
}
