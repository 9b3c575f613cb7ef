/**
 * Reads QEMU's log of what it executes (`-d exec,nochain`, with `cpu` for registers and `fpu` for
 * vectors): an entry each time that a translated block is begun.
 *
 *     Trace 0: 0x7f6a1c000240 [0000000000004000/0000000040400004/00000121/ff020201] _start
 *      PC=0000000040400004 X00=0000000000000000 X01=0000000000000000
 *     …
 *     X29=0000000000000000 X30=0000000000000000  SP=0000000000000000
 *     PSTATE=400003c5 -Z-- EL1h    FPU disabled
 *
 * The log is about 800 bytes per entry, 2,500 with vectors, so it is read in place: lines of
 * registers have fixed columns. Two things in it are no execution: a block that was `Stopped` at
 * its head, because instructions up to the next timer were used up, and a block that is given up
 * at a device access, to be done again with the access as its end ({@linkcode LogEntry.isRetry}).
 */

/** Indices into {@linkcode LogEntry.words}; 64-bit values are low word, high word. */
export const WORD = { x: 0, sp: 62, pstate: 64, fpcr: 65, fpsr: 66, v: 67, end: 195 } as const;

/** What the reference was about to execute. Valid until the next one is read. */
export interface LogEntry {
  pc: bigint;
  /** Whether `words` up to `pstate` were logged, and those from `fpcr` on. */
  hasRegisters: boolean;
  hasVectors: boolean;
  /** It does a device access that the entry before gave up. */
  isRetry: boolean;
  readonly words: Int32Array;
}

/** More than an entry and the start of the next. */
const LONGEST = 8192;
/** Bytes per line of registers, and where values stand in a line of general registers. */
const LINE = 63, VECTOR_LINE = 76;
const COLUMNS = [4, 25, 46];
/** Lines of general registers. */
const LINES = 11;
/** `CF_LAST_IO` of QEMU's cflags: the block's last instruction may access devices. */
const LAST_IO = 0x8000;
/** Lines that come with `exec`. */
const OTHER_LINES = ["Stopped execution", "cpu_io_recompile"];
const MOST_NOISE = 20;

const DIGIT = new Int32Array(128);
for (let n = 0; n < 16; n++) DIGIT[n.toString(16).charCodeAt(0)] = n;

/** See the top of this file. */
export class QemuLog {
  /** Lines that are no log: what QEMU complains about. */
  readonly noise: string[] = [];
  readonly #entry: LogEntry = {
    pc: 0n,
    hasRegisters: false,
    hasVectors: false,
    isRetry: false,
    words: new Int32Array(WORD.end),
  };
  #bytes = new Uint8Array(1 << 20);
  #at = 0;
  #end = 0;
  #isWhole = false;

  /** Whether {@linkcode next} would want more than it has. */
  get isHungry(): boolean {
    return !this.#isWhole && this.#end - this.#at < LONGEST;
  }

  /** Adds what was read; `null` says that there will be no more. */
  push(chunk: Uint8Array | null): void {
    if (chunk === null) {
      this.#isWhole = true;
      return;
    }
    const rest = this.#bytes.subarray(this.#at, this.#end);
    if (rest.length + chunk.length > this.#bytes.length) {
      this.#bytes = new Uint8Array(2 * (rest.length + chunk.length));
    }
    if (this.#end + chunk.length > this.#bytes.length || rest.buffer !== this.#bytes.buffer) {
      this.#bytes.set(rest);
      this.#at = 0;
      this.#end = rest.length;
    }
    this.#bytes.set(chunk, this.#end);
    this.#end += chunk.length;
  }

  /** The next entry that was executed, or null where the log ends or is hungry. */
  next(): LogEntry | null {
    while (!this.isHungry && this.#at < this.#end) {
      const lineEnd = this.#lineEnd(this.#at);
      if (lineEnd < 0) return null;
      if (!this.#startsWith("Trace ", this.#at)) {
        this.#skip(lineEnd);
        continue;
      }
      this.#readTrace(lineEnd);
      if (!this.#startsWith(OTHER_LINES[0], this.#at)) return this.#entry;
    }
    return null;
  }

  #skip(lineEnd: number): void {
    const isLog = OTHER_LINES.some((start) => this.#startsWith(start, this.#at));
    if (!isLog && lineEnd > this.#at + 1 && this.noise.length < MOST_NOISE) {
      this.noise.push(new TextDecoder().decode(this.#bytes.subarray(this.#at, lineEnd)));
    }
    this.#at = lineEnd + 1;
  }

  #readTrace(lineEnd: number): void {
    const entry = this.#entry;
    const fields = this.#bytes.indexOf(0x5b, this.#at) + 1;
    entry.pc = BigInt.asUintN(
      64,
      BigInt(this.#hex(fields + 17)) << 32n | BigInt(this.#hex(fields + 25) >>> 0),
    );
    entry.isRetry = (this.#hex(fields + 43) & LAST_IO) !== 0;
    this.#at = lineEnd + 1;
    entry.hasRegisters = this.#startsWith(" PC=", this.#at);
    entry.hasVectors = false;
    if (entry.hasRegisters) this.#readRegisters();
  }

  #readRegisters(): void {
    const { words } = this.#entry;
    let word = 0;
    for (let line = 0; line < LINES; line++) {
      for (let column = line === 0 ? 1 : 0; column < 3; column++) {
        const at = this.#at + line * LINE + COLUMNS[column];
        words[word++] = this.#hex(at + 8);
        words[word++] = this.#hex(at);
      }
    }
    const state = this.#at + LINES * LINE;
    words[WORD.pstate] = this.#hex(state + 7);
    const end = this.#lineEnd(state);
    const fpcr = this.#bytes.subarray(state, end).indexOf(0x46, 15);
    this.#at = end + 1;
    this.#entry.hasVectors = this.#startsWith("Q00=", this.#at);
    if (!this.#entry.hasVectors) return;
    words[WORD.fpcr] = this.#hex(state + fpcr + 5);
    words[WORD.fpsr] = this.#hex(state + fpcr + 19);
    for (let n = 0; n < 32; n++) {
      const at = this.#at + (n >> 1) * VECTOR_LINE + (n & 1) * 38 + 4;
      const first = WORD.v + 4 * n;
      words[first] = this.#hex(at + 25);
      words[first + 1] = this.#hex(at + 17);
      words[first + 2] = this.#hex(at + 8);
      words[first + 3] = this.#hex(at);
    }
    this.#at += 16 * VECTOR_LINE;
  }

  /** Eight digits. */
  #hex(at: number): number {
    const bytes = this.#bytes;
    let value = 0;
    for (let i = at; i < at + 8; i++) value = value << 4 | DIGIT[bytes[i] & 127];
    return value;
  }

  #lineEnd(from: number): number {
    const end = this.#bytes.indexOf(10, from);
    return end >= this.#end ? -1 : end;
  }

  #startsWith(text: string, at: number): boolean {
    if (at + text.length > this.#end) return false;
    for (let i = 0; i < text.length; i++) {
      if (this.#bytes[at + i] !== text.charCodeAt(i)) return false;
    }
    return true;
  }
}
