import type { TurnEvent } from "../core/observer.ts";

/** Which CPU made which steps: a trace's turns by position. */
export class TurnTable {
  readonly #starts: number[] = [];
  readonly #cpus: number[] = [];

  /**
   * From a trace's events.
   *
   * @param turns in order of position; the steps before the first are CPU 0's
   */
  constructor(turns: Iterable<TurnEvent>) {
    for (const { position, cpu } of turns) {
      this.#starts.push(position);
      this.#cpus.push(cpu);
    }
  }

  /** The CPU that makes the step behind a position. */
  cpuAt(position: number): number {
    return this.#cpus[this.#turnAt(position)] ?? 0;
  }

  /** The first position from `from` on whose step is a CPU's; Infinity if there is none. */
  next(cpu: number, from: number): number {
    let turn = this.#turnAt(from);
    if ((this.#cpus[turn] ?? 0) === cpu) return from;
    while (++turn < this.#cpus.length) if (this.#cpus[turn] === cpu) return this.#starts[turn];
    return Infinity;
  }

  /** The last position up to `from` whose step is a CPU's; -1 if there is none. */
  previous(cpu: number, from: number): number {
    let turn = this.#turnAt(from);
    if ((this.#cpus[turn] ?? 0) === cpu) return from;
    for (; turn >= 0; turn--) {
      if ((this.#cpus[turn - 1] ?? 0) === cpu) return this.#starts[turn] - 1;
    }
    return -1;
  }

  /** Index of the last turn that begins at or before a position; -1 before the first. */
  #turnAt(position: number): number {
    let low = 0, high = this.#starts.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.#starts[middle] <= position) low = middle + 1;
      else high = middle;
    }
    return low - 1;
  }
}
