/**
 * What is typed at the guest comes from standard input: `--input -`.
 *
 * While the guest waits for an interrupt, so does the host, as long as the guest's clock says; a
 * byte ends the wait. The guest cannot tell: it sees virtual time, which the trace has.
 */
import { type InputSource, POWER_KEY, type Wait } from "../core/input_source.ts";
import { InputRing } from "./input_ring.ts";

const CTRL_A = 0x01;
/** Longest wait at a stretch, so that signals are seen. */
const MOST_WAIT_MS = 50;

/** What a terminal needs of the recording. */
export interface TerminalHost {
  /** Shows what the guest has printed. */
  flush(): void;
  /** The user asks for the end. */
  quit(): void;
}

/** Standard input as a source of input. */
export class TerminalInput implements InputSource {
  readonly #ring = new InputRing();
  readonly #worker: Worker;
  readonly #raw: boolean;
  readonly #host: TerminalHost;
  #escaped = false;
  #next: number | undefined;
  #quit = false;

  /** Starts to read. {@linkcode TerminalInput.close} must follow. */
  constructor(host: TerminalHost) {
    this.#host = host;
    this.#raw = Deno.stdin.isTerminal();
    if (this.#raw) Deno.stdin.setRaw(true);
    this.#worker = new Worker(new URL("./input_worker.ts", import.meta.url), { type: "module" });
    this.#worker.postMessage(this.#ring.shared);
  }

  /** Gives the terminal back. */
  close(): void {
    if (this.#raw) Deno.stdin.setRaw(false);
    this.#worker.terminate();
  }

  get open(): boolean {
    return !this.#quit && (this.#peek() !== undefined || !this.#ring.ended);
  }

  get pressesPower(): boolean {
    return this.#peek() === POWER_KEY;
  }

  nextPosition(): number {
    return Infinity;
  }

  nextTime(): number {
    return this.#peek() === undefined ? Infinity : 0;
  }

  take(): number {
    const byte = this.#next!;
    this.#next = undefined;
    return byte;
  }

  sent(_byte: number): boolean {
    return false;
  }

  waitUntil({ from, to }: Wait): number {
    this.#host.flush();
    const started = performance.now();
    for (;;) {
      const passed = (performance.now() - started) * 1e6;
      if (from + passed >= to) return to;
      if (this.#peek() !== undefined) return Math.min(to, from + Math.round(passed));
      if (!this.open) return to;
      this.#ring.wait(Math.min(MOST_WAIT_MS, Math.ceil((to - from - passed) / 1e6)));
    }
  }

  /** A recording never goes back. */
  seek(_position: number): void {}

  /** What comes next, commands of the terminal taken out. */
  #peek(): number | undefined {
    while (this.#next === undefined) {
      const byte = this.#ring.read();
      if (byte === undefined) return undefined;
      this.#next = this.#raw ? this.#escape(byte) : byte;
    }
    return this.#next;
  }

  /** Ctrl-A begins a command, as on the reference. */
  #escape(byte: number): number | undefined {
    if (!this.#escaped) {
      this.#escaped = byte === CTRL_A;
      return this.#escaped ? undefined : byte;
    }
    this.#escaped = false;
    if (byte === CTRL_A) return byte;
    if (byte === "p".charCodeAt(0)) return POWER_KEY;
    if (byte === "x".charCodeAt(0)) {
      this.#quit = true;
      this.#host.quit();
    }
    return undefined;
  }
}
