/**
 * Scripts of what is typed at the guest, and of when its power key is pressed: `--input FILE`.
 *
 * The moments at which bytes reach the guest follow from the script and from what the guest does,
 * never from the host's clock, so that two recordings with one script are the same.
 */
import { type InputSource, POWER_KEY, type Wait } from "../core/input_source.ts";
import { UserError } from "./user_error.ts";

/** One line of a script. */
export interface InputEntry {
  /** Text that the guest must have printed since the entry before was typed. */
  readonly after?: Uint8Array;
  /** Virtual time in ns before which it is not typed. */
  readonly at?: number;
  /** What is typed; none for a press. */
  readonly bytes: Uint8Array;
  /** A key of the board is pressed. */
  readonly press?: "power";
}

/** What a script looks like, for the help. */
export const INPUT_HELP: readonly string[] = [
  '--input FILE types by a script. Its lines, in order: after "TEXT" send "BYTES" waits until the',
  'guest has printed TEXT since the line before was typed; at 1.5s send "BYTES" waits for that',
  'virtual time (s, ms, us, ns); send "BYTES" types at once. Escapes: \\r \\n \\t \\e \\" \\\\ \\xHH.',
  "press power in place of send presses the board's power key, as QEMU's system_powerdown does.",
  "Empty lines and lines that begin with # do not count. Return is \\r, Ctrl-C is \\x03.",
  "--input - types what comes on standard input. A terminal is put into raw mode: every key goes to",
  "the guest, Ctrl-C too; Ctrl-A x ends the recording, Ctrl-A p presses the power key, Ctrl-A Ctrl-A",
  "sends Ctrl-A.",
];

const UNITS: Readonly<Record<string, number>> = { s: 1e9, ms: 1e6, us: 1e3, ns: 1 };
const LINE =
  /^(?:after\s+("(?:[^"\\]|\\.)*")\s+|at\s+(\d+(?:\.\d+)?)(s|ms|us|ns)\s+)?(?:send\s+("(?:[^"\\]|\\.)*")|press\s+(power))$/;
const ESCAPES: Readonly<Record<string, number>> = {
  r: 13,
  n: 10,
  t: 9,
  e: 27,
  '"': 34,
  "\\": 92,
};

/**
 * Reads a script.
 *
 * @param name the file, for errors
 * @throws UserError naming the first line that is none
 */
export function parseInputScript(text: string, name: string): InputEntry[] {
  const entries: InputEntry[] = [];
  text.split(/\r?\n/).forEach((line, index) => {
    const trimmed = line.trim();
    if (trimmed === "" || trimmed.startsWith("#")) return;
    const where = `Cannot read ${name}, line ${index + 1}`;
    const match = LINE.exec(trimmed);
    if (!match) {
      throw new UserError(
        `${where}: expected [after "TEXT" | at TIME] send "BYTES" or press power, found ${trimmed}`,
      );
    }
    const [, after, time, unit, send, press] = match;
    const needle = after === undefined ? undefined : unescape(after, where);
    if (needle?.length === 0) throw new UserError(`${where}: expected a text behind after`);
    entries.push({
      bytes: press ? new Uint8Array() : unescape(send, where),
      ...(press ? { press: "power" } : {}),
      ...(needle ? { after: needle } : {}),
      ...(time === undefined ? {} : { at: Math.round(Number(time) * UNITS[unit]) }),
    });
  });
  return entries;
}

/** The bytes of a quoted string. */
function unescape(quoted: string, where: string): Uint8Array {
  const bytes: number[] = [];
  const parts = quoted.slice(1, -1).matchAll(/\\x([0-9a-fA-F]{2})|\\(.)|([^\\]+)/gs);
  for (const [whole, hex, escape, plain] of parts) {
    if (hex !== undefined) bytes.push(parseInt(hex, 16));
    else if (plain !== undefined) bytes.push(...new TextEncoder().encode(plain));
    else if (escape in ESCAPES) bytes.push(ESCAPES[escape]);
    else {throw new UserError(
        `${where}: expected \\r \\n \\t \\e \\" \\\\ or \\xHH, found ${whole}`,
      );}
  }
  return Uint8Array.from(bytes);
}

/** A script as a source of input. */
export class ScriptInput implements InputSource {
  readonly #entries: readonly InputEntry[];
  #entry = 0;
  #byte = 0;
  /** How much of the awaited text the guest's last bytes are. */
  #matched = 0;
  #heard = false;

  /** @param entries what is typed, in order */
  constructor(entries: readonly InputEntry[]) {
    this.#entries = entries;
    this.#skipEmpty();
  }

  /** Entries that were typed completely. */
  get done(): number {
    return this.#entry;
  }

  /** Only time opens it by itself; text must come from the guest. */
  get open(): boolean {
    return this.#current?.at !== undefined;
  }

  get #current(): InputEntry | undefined {
    return this.#entries[this.#entry];
  }

  get pressesPower(): boolean {
    return this.#current?.press !== undefined;
  }

  nextPosition(): number {
    return Infinity;
  }

  nextTime(): number {
    const entry = this.#current;
    if (!entry || (entry.after && !this.#heard)) return Infinity;
    return entry.at ?? 0;
  }

  take(): number {
    const { bytes, press } = this.#current!;
    const taken = press ? POWER_KEY : bytes[this.#byte++];
    if (this.#byte === bytes.length) {
      this.#entry++;
      this.#begin();
      this.#skipEmpty();
    }
    return taken;
  }

  sent(byte: number): boolean {
    const needle = this.#current?.after;
    if (!needle || this.#heard) return false;
    while (this.#matched > 0 && needle[this.#matched] !== byte) {
      this.#matched = border(needle, this.#matched);
    }
    if (needle[this.#matched] === byte) this.#matched++;
    this.#heard = this.#matched === needle.length;
    if (this.#heard) this.#skipEmpty();
    return true;
  }

  waitUntil({ from, to }: Wait): number {
    return Math.min(to, Math.max(from, this.nextTime()));
  }

  /** A recording never goes back. */
  seek(_position: number): void {}

  #begin(): void {
    this.#byte = 0;
    this.#matched = 0;
    this.#heard = false;
  }

  /** Entries that only wait, and need not any more. */
  #skipEmpty(): void {
    for (
      let entry = this.#current;
      entry?.bytes.length === 0 && !entry.press && (!entry.after || this.#heard);
      entry = this.#current
    ) {
      this.#entry++;
      this.#begin();
    }
  }
}

/** Length of the longest proper prefix of the first `length` bytes that is their suffix, too. */
function border(needle: Uint8Array, length: number): number {
  for (let size = length - 1; size > 0; size--) {
    const from = length - size;
    if (needle.subarray(0, size).every((byte, i) => byte === needle[from + i])) return size;
  }
  return 0;
}
