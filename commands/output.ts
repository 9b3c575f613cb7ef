/** Writing to standard output and standard error: buffered, complete, and synchronous. */
import { explain } from "./files.ts";

/** The part of `Deno.stdout` that is needed here. */
export interface SyncWriter {
  writeSync(bytes: Uint8Array): number;
  isTerminal(): boolean;
}

/** Something that takes bytes, for example the guest's console. */
export interface ByteSink {
  write(bytes: Uint8Array): void;
  flush(): void;
}

const BUFFER_BYTES = 1 << 16;

/** Buffered output. Nothing is lost if {@linkcode Output.flush} is called at the end. */
export class Output implements ByteSink {
  readonly #writer: SyncWriter;
  readonly #encoder = new TextEncoder();
  readonly #buffer = new Uint8Array(BUFFER_BYTES);
  #used = 0;

  /** @param writer `Deno.stdout` or `Deno.stderr` */
  constructor(writer: SyncWriter) {
    this.#writer = writer;
  }

  /** Whether a person is looking. */
  get isTerminal(): boolean {
    return this.#writer.isTerminal();
  }

  /** Writes text without adding a line break. */
  text(text: string): void {
    this.write(this.#encoder.encode(text));
  }

  /** Writes one line. */
  line(text = ""): void {
    this.text(text + "\n");
  }

  /** Writes a value as one line of JSON; BigInts as `"0x…"`. */
  json(value: unknown): void {
    this.line(toJson(value));
  }

  /** Writes bytes as they are. */
  write(bytes: Uint8Array): void {
    if (this.#used + bytes.length > BUFFER_BYTES) this.flush();
    if (bytes.length > BUFFER_BYTES) return this.#writeAll(bytes);
    this.#buffer.set(bytes, this.#used);
    this.#used += bytes.length;
  }

  /** Hands everything to the operating system. */
  flush(): void {
    const used = this.#used;
    // First, so that an error does not have the same bytes written again.
    this.#used = 0;
    this.#writeAll(this.#buffer.subarray(0, used));
  }

  #writeAll(bytes: Uint8Array): void {
    for (let done = 0; done < bytes.length;) {
      try {
        done += this.#writer.writeSync(bytes.subarray(done));
      } catch (error) {
        if (error instanceof Deno.errors.BrokenPipe) throw error;
        // A pipe that somebody else made non-blocking, and that is full.
        if (!(error instanceof Deno.errors.WouldBlock)) {
          explain("write", "the output", () => {
            throw error;
          });
        }
        Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 1);
      }
    }
  }
}

/** JSON in one line; BigInts as `"0x…"` strings. */
export function toJson(value: unknown): string {
  return JSON.stringify(value, (_, item) => typeof item === "bigint" ? hex(item) : item);
}

/** A number as `0x…`, with at least `digits` digits. */
export function hex(value: number | bigint, digits = 1): string {
  return `0x${value.toString(16).padStart(digits, "0")}`;
}

/** A number with commas between groups of three digits. */
export function grouped(value: number): string {
  return value.toString().replace(/\B(?=(\d{3})+$)/g, ",");
}

/** Bytes for people: `812 bytes`, `12.3 KB`, `4.0 MB` (decimal units). */
export function bytesText(bytes: number): string {
  if (bytes < 1000) return `${bytes} bytes`;
  const units = ["KB", "MB", "GB"];
  let unit = 0;
  let scaled = bytes / 1000;
  for (; scaled >= 999.95 && unit < units.length - 1; unit++) scaled /= 1000;
  return `${scaled.toFixed(1)} ${units[unit]}`;
}

/** `1 instruction`, `2 instructions`. */
export function plural(number: number, one: string, several = `${one}s`): string {
  return `${grouped(number)} ${number === 1 ? one : several}`;
}

/** Text from a guest or a file, made safe for a terminal: control characters become `\x1b` and so on. */
export function printable(text: string): string {
  // deno-lint-ignore no-control-regex
  return text.replace(/[\u0000-\u001f\u007f-\u009f]/g, (character) => {
    const code = character.charCodeAt(0);
    return `\\x${code.toString(16).padStart(2, "0")}`;
  });
}
