import type { Clock } from "./devices/device.ts";

/**
 * Virtual time: what retired instructions take, and what was skipped while the CPU waited.
 *
 * A guest that reads it depends on time from there on, which the loop detector must know: reads
 * through {@linkcode clock} are counted, except the machine's own ({@linkcode quietly}).
 */
export class VirtualTime {
  /** Nanoseconds skipped while waiting for an interrupt. */
  skipped = 0;
  /** Reads so far whose answer depended on time; bytes of input count as well. */
  reads = 0;
  /**
   * What devices and system registers read. As on the reference, the instruction that asks has
   * already taken its own time.
   */
  readonly clock: Clock = {
    nanoseconds: () => {
      if (this.#quiet) return this.nanoseconds;
      this.reads++;
      return this.nanoseconds + this.nsPerInstruction;
    },
  };
  #quiet = false;

  /**
   * @param nsPerInstruction nanoseconds that a retired instruction takes
   * @param retired instructions retired so far
   */
  constructor(readonly nsPerInstruction: number, readonly retired: () => number) {}

  /** Nanoseconds since reset. */
  get nanoseconds(): number {
    return this.retired() * this.nsPerInstruction + this.skipped;
  }

  /** Skips to a later time; an earlier one is now. */
  skipTo(nanoseconds: number): void {
    this.skipped += Math.max(0, nanoseconds - this.nanoseconds);
  }

  /** Instructions that retire before a later time is reached, at least one. */
  instructionsUntil(nanoseconds: number): number {
    return Math.max(1, Math.ceil((nanoseconds - this.nanoseconds) / this.nsPerInstruction));
  }

  /** Does something with clocks and timers on the machine's own behalf, between instructions. */
  quietly<T>(action: () => T): T {
    const outer = this.#quiet;
    this.#quiet = true;
    const result = action();
    this.#quiet = outer;
    return result;
  }
}
