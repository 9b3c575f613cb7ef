import type { Output } from "./output.ts";

const ERASE_LINE = "\r\x1b[K";
/** Nothing is shown before, so that short work stays quiet; in milliseconds. */
const QUIET_MS = 1000;
const EVERY_MS = 250;

/** One line that is overwritten, on a terminal only. */
export class Progress {
  readonly #output: Output;
  readonly #enabled: boolean;
  #next: number;
  #shown = false;

  /** @param now milliseconds, any origin */
  constructor(output: Output, now: number) {
    this.#output = output;
    this.#enabled = output.isTerminal;
    this.#next = now + QUIET_MS;
  }

  /** Shows a text if it is time to. */
  show(now: number, text: () => string): void {
    if (!this.#enabled || now < this.#next) return;
    this.#next = now + EVERY_MS;
    this.#shown = true;
    this.#output.text(ERASE_LINE + text());
    this.#output.flush();
  }

  /** Removes the line, before something else is printed. */
  clear(): void {
    if (!this.#shown) return;
    this.#shown = false;
    this.#output.text(ERASE_LINE);
    this.#output.flush();
  }
}
