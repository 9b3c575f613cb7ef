import type { Clock } from "./devices/device.ts";
import { CLOCK, LAYOUT } from "./engine/layout.ts";

const TWO_32 = 0x1_0000_0000;

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
  get reads(): number {
    return this.#reads + (this.#shared?.[CLOCK.reads >> 2] ?? 0);
  }
  #reads = 0;
  /** What generated code knows of time: see {@linkcode CLOCK}. */
  #shared: Uint32Array | null = null;
  /**
   * What devices and system registers read. As on the reference, the instruction that asks has
   * already taken its own time.
   */
  readonly clock: Clock = {
    nanoseconds: () => {
      if (this.#quiet) return this.nanoseconds;
      this.#reads++;
      return this.nanoseconds + this.nsPerInstruction;
    },
    before: () => {
      if (!this.#quiet) this.#reads++;
      return this.nanoseconds;
    },
  };
  #quiet = false;
  /** An instruction takes a whole number of nanoseconds. */
  readonly #isWhole: boolean;

  /**
   * @param nsPerInstruction nanoseconds that a retired instruction takes
   * @param retired instructions retired so far
   */
  constructor(readonly nsPerInstruction: number, readonly retired: () => number) {
    this.#isWhole = Number.isSafeInteger(nsPerInstruction);
  }

  /** Nanoseconds since reset. */
  get nanoseconds(): number {
    return this.retired() * this.nsPerInstruction + this.skipped;
  }

  /** Counts something that depended on time or input. */
  noteRead(): void {
    this.#reads++;
  }

  /** Lets generated code answer reads of the counter, from what stands in the engine's memory. */
  share(memory: ArrayBuffer): void {
    this.#shared = new Uint32Array(memory, LAYOUT.clock, CLOCK.end / 4);
    if (!this.#isWhole) return;
    this.#shared[CLOCK.step >> 2] = this.nsPerInstruction;
    this.#shared[(CLOCK.step >> 2) + 1] = this.nsPerInstruction / TWO_32;
  }

  /**
   * Tells generated code the time for a slice of execution.
   *
   * @param retired instructions that have retired when its budget is just used up
   * @param counters which counters it may read by itself: bit 0 CNTPCT, bit 1 CNTVCT
   */
  beginSlice(retired: number, counters: number): void {
    const words = this.#shared;
    if (!words) return;
    const base = (retired + 1) * this.nsPerInstruction + this.skipped;
    words[CLOCK.open >> 2] = this.#isWhole && Number.isSafeInteger(base) ? counters : 0;
    words[CLOCK.base >> 2] = base;
    words[(CLOCK.base >> 2) + 1] = base / TWO_32;
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
