import type { ByteSink } from "./output.ts";

/** Collects the bytes that a guest sends, and hands them on when asked. */
export class GuestConsole {
  #sink: ByteSink | null;
  #pending: number[] = [];
  #last = 0x0a;
  /** Bytes so far. */
  count = 0;
  /** Why nothing is handed on any more, if the sink failed. */
  error: unknown;

  /** @param sink where the bytes go; null throws them away */
  constructor(sink: ByteSink | null) {
    this.#sink = sink;
  }

  /** Whether the last byte ended a line, or there was none. */
  get atLineStart(): boolean {
    return this.#last === 0x0a;
  }

  /** Takes a byte. */
  add(byte: number): void {
    this.count++;
    this.#last = byte;
    if (this.#sink) this.#pending.push(byte);
  }

  /** Whether there is something to hand on. */
  get hasPending(): boolean {
    return this.#pending.length > 0;
  }

  /** Hands on what was collected. It never throws, so that the recording can end in good order. */
  flush(): void {
    if (this.#pending.length === 0) return;
    const bytes = Uint8Array.from(this.#pending);
    this.#pending = [];
    try {
      this.#sink?.write(bytes);
      this.#sink?.flush();
    } catch (error) {
      this.error = error;
      this.#sink = null;
    }
  }
}
