/** Results of instructions as a trace holds them: what a listing shows where nothing is executed again. */
import type { InstructionResults, Trace } from "../trace/mod.ts";
import { hex } from "./output.ts";

/** Results by position, taken in ascending order. */
export class DumpResults {
  readonly #trace: Trace;
  #window = 0;
  #results: Iterator<InstructionResults> | undefined;
  #next: InstructionResults | undefined;

  constructor(trace: Trace) {
    this.#trace = trace;
  }

  /** What the instruction at a position wrote to registers; undefined if the trace does not say. */
  at(position: number): readonly bigint[] | undefined {
    const { number } = this.#trace.windowAt(position);
    if (number !== this.#window) {
      this.#window = number;
      this.#results = this.#trace.values(number)?.[Symbol.iterator]();
      this.#next = this.#results?.next().value;
    }
    while (this.#next && this.#next.position < position) this.#next = this.#results!.next().value;
    return this.#next?.position === position ? this.#next.words : undefined;
  }
}

/** `= 0x1, 0x2`. */
export function resultsText(words: readonly bigint[] | undefined): string {
  return words && words.length > 0 ? `= ${words.map((word) => hex(word)).join(", ")}` : "";
}
