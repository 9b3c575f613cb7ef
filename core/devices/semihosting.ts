import type { DeviceState } from "./device.ts";
import type { FileAnswer, FileRequest } from "./semihosting_files.ts";

/**
 * Semihosting (Arm "Semihosting for AArch32 and AArch64", 2.0): what a guest asks of its debugger
 * by `HLT #0xf000`, answered as the reference does. Output goes to the console, and input is what
 * is typed there; where nobody types the reference waits for ever, and here there is none. Files of the host are there if somebody answers for them, and are refused otherwise;
 * SYSTEM is always refused.
 */

/** Operations, in W0. X1 points to the arguments, 8 bytes each. */
const OPEN = 0x01, CLOSE = 0x02, WRITEC = 0x03, WRITE0 = 0x04, WRITE = 0x05, READ = 0x06;
const READC = 0x07, ISERROR = 0x08, ISTTY = 0x09, SEEK = 0x0a, FLEN = 0x0c, TMPNAM = 0x0d;
const REMOVE = 0x0e, RENAME = 0x0f, CLOCK = 0x10, TIME = 0x11, ERRNO = 0x13;
const GET_CMDLINE = 0x15, HEAPINFO = 0x16, EXIT = 0x18, EXIT_EXTENDED = 0x20;
const ELAPSED = 0x30, TICK_FREQUENCY = 0x31;

/** Reason of EXIT that is an ordinary end: ADP_Stopped_ApplicationExit. */
const APPLICATION_EXIT = 0x20026n;
/** Modes of OPEN. On `:tt` 0 to 3 are for input, 4 to 7 for output and 8 to 11 for errors. */
const MODES = 12n, INPUT_MODES = 4n, FEATURES_MODES = 2n;
/** Magic, EXIT_EXTENDED, and `:tt` in two. */
const FEATURES = Uint8Array.of(0x53, 0x48, 0x46, 0x42, 3);
const ENOENT = 2n,
  E2BIG = 7n,
  EBADF = 9n,
  EACCES = 13n,
  EFAULT = 14n,
  EINVAL = 22n,
  ENOTTY = 25n,
  ENOSYS = 38n;
const FAILED = 0xffff_ffff_ffff_ffffn;
const MOST_BYTES = 1 << 20;

/** What is behind a handle. */
type Open = { kind: "terminal"; input: boolean } | { kind: "features"; at: number } | {
  kind: "file";
};

/** What semihosting needs of the machine. Addresses are virtual. */
export interface SemihostingHost {
  /** Bytes of guest memory, or undefined where it cannot be read. */
  read(address: bigint, length: number): Uint8Array | undefined;
  /** Stores bytes; false where they cannot be. */
  write(address: bigint, bytes: Uint8Array): boolean;
  /** A byte for the console. */
  print(byte: number): void;
  /** Waits for what is typed: 1 to `most` bytes, none if nobody types. */
  typed(most: number): Uint8Array;
  /** Virtual time in ns. */
  nanoseconds(): number;
  /** Seconds since 1970. */
  seconds(): number;
  /** Asks for a file of the host; undefined if there are none. */
  ask?(request: FileRequest): FileAnswer | undefined;
  /** The guest is done. */
  exit(code: bigint): void;
}

/** What the guest is told. */
export interface SemihostingOptions {
  /** The image's name and its command line. */
  readonly commandLine: string;
  /** Addresses of the largest stretch of RAM that nothing was loaded to. */
  readonly heap: { readonly base: number; readonly limit: number };
}

/** The largest stretch of `[start, end)` outside of the ranges. */
export function largestGap(
  ranges: readonly { address: number; length: number }[],
  start: number,
  end: number,
): { base: number; limit: number } {
  let best = { base: start, limit: start };
  let at = start;
  const border = { address: end, length: 0 };
  for (const { address, length } of [...ranges, border].sort((a, b) => a.address - b.address)) {
    if (address - at > best.limit - best.base) best = { base: at, limit: address };
    at = Math.max(at, address + length);
  }
  return best;
}

/** The debugger's side. It keeps the number of the last error, and the handles that are open. */
export class Semihosting {
  #errno = 0n;
  readonly #open = new Map<number, Open>();
  readonly #options: SemihostingOptions;
  readonly #host: SemihostingHost;

  constructor(options: SemihostingOptions, host: SemihostingHost) {
    this.#options = options;
    this.#host = host;
  }

  save(): DeviceState {
    const handles = [...this.#open].map(([handle, open]) => ({ handle, ...open }));
    return { errno: Number(this.#errno), ...handles.length > 0 ? { handles } : {} };
  }

  /** Restores what {@linkcode save} gave; nothing is as at `#0`. */
  restore(state: DeviceState | undefined): void {
    const { errno = 0, handles = [] } = (state ?? {}) as {
      errno?: number;
      handles?: ({ handle: number } & Open)[];
    };
    this.#errno = BigInt(errno);
    this.#open.clear();
    for (const { handle, ...open } of handles) this.#open.set(handle, open);
  }

  /** Does what `operation` says with X1, and gives X0. */
  call(operation: number, x1: bigint): bigint {
    const host = this.#host;
    switch (operation) {
      case WRITEC:
        this.#print(host.read(x1, 1));
        return x1;
      case WRITE0:
        this.#print(this.#text(x1));
        return x1;
      case READC:
        return BigInt(host.typed(1)[0] ?? -1) & FAILED;
      case ISERROR:
        return (this.#argument(x1, 0) ?? 0n) >> 63n;
      case CLOCK:
        return BigInt(Math.floor(host.nanoseconds() / 1e7));
      case TIME:
        return BigInt(host.seconds());
      case ERRNO:
        return this.#errno;
      case GET_CMDLINE:
        return this.#commandLine(x1);
      case HEAPINFO:
        return this.#heapInfo(x1);
      case EXIT:
      case EXIT_EXTENDED:
        return this.#exit(x1);
      case ELAPSED:
        return host.write(x1, words(BigInt(host.nanoseconds()))) ? 0n : FAILED;
      case TICK_FREQUENCY:
        return 1_000_000_000n;
      default:
        return this.#fileCall(operation, x1);
    }
  }

  /** Calls about files and handles. */
  #fileCall(operation: number, x1: bigint): bigint {
    switch (operation) {
      case OPEN:
        return this.#openFile(x1);
      case WRITE:
        return this.#write(x1);
      case READ:
        return this.#read(x1);
      case REMOVE:
      case RENAME:
        return this.#changeName(operation, x1);
      case TMPNAM:
        return this.#temporaryName(x1);
      case CLOSE:
      case ISTTY:
      case SEEK:
      case FLEN:
        return this.#aboutHandle(operation, x1);
      default:
        return this.#fail(ENOSYS);
    }
  }

  #openFile(x1: bigint): bigint {
    const mode = this.#argument(x1, 1);
    if (mode === undefined || mode >= MODES) return this.#fail(EINVAL);
    const name = this.#name(x1, 0, 2);
    if (typeof name !== "string") return this.#fail(name.error);
    const handle = this.#freeHandle();
    if (name === ":tt") {
      this.#open.set(handle, { kind: "terminal", input: mode < INPUT_MODES });
    } else if (name === ":semihosting-features") {
      if (mode >= FEATURES_MODES) return this.#fail(EACCES);
      this.#open.set(handle, { kind: "features", at: 0 });
    } else {
      const result = this.#ask({ what: "open", handle, name, mode: Number(mode) });
      if (result === FAILED) return FAILED;
      this.#open.set(handle, { kind: "file" });
    }
    return BigInt(handle);
  }

  /** As on the reference: the lowest that is free, from 1. */
  #freeHandle(): number {
    for (let handle = 1;; handle++) if (!this.#open.has(handle)) return handle;
  }

  #aboutHandle(operation: number, x1: bigint): bigint {
    const handle = Number(this.#argument(x1, 0));
    const open = this.#open.get(handle);
    if (!open) return this.#fail(EBADF);
    const isFile = open.kind === "file";
    switch (operation) {
      case CLOSE:
        this.#open.delete(handle);
        return isFile ? this.#ask({ what: "close", handle }) : 0n;
      case ISTTY:
        if (open.kind === "terminal") return 1n;
        this.#errno = ENOTTY;
        return 0n;
      case FLEN:
        if (isFile) return this.#ask({ what: "length", handle });
        return open.kind === "features" ? BigInt(FEATURES.length) : 0n;
      default:
        return this.#seek(open, handle, this.#argument(x1, 1) ?? FAILED);
    }
  }

  #seek(open: Open, handle: number, offset: bigint): bigint {
    if (offset > BigInt(Number.MAX_SAFE_INTEGER)) return this.#fail(EINVAL);
    if (open.kind === "file") return this.#ask({ what: "seek", handle, offset: Number(offset) });
    if (open.kind !== "features" || offset > FEATURES.length) return this.#fail(EINVAL);
    open.at = Number(offset);
    return 0n;
  }

  /** Gives the number of bytes that were not read. As on the reference no error is noted. */
  #read(x1: bigint): bigint {
    const [handle, address, length] = [0, 1, 2].map((n) => this.#argument(x1, n));
    const open = this.#open.get(Number(handle));
    if (!open || address === undefined || length === undefined) return length ?? FAILED;
    const bytes = this.#bytesOf(open, Number(handle), Math.min(Number(length), MOST_BYTES));
    return bytes.length > 0 && !this.#host.write(address, bytes)
      ? length
      : length - BigInt(bytes.length);
  }

  #bytesOf(open: Open, handle: number, length: number): Uint8Array {
    if (open.kind === "file") {
      return this.#host.ask!({ what: "read", handle, length })!.bytes.subarray(0, length);
    }
    if (open.kind === "terminal") return this.#host.typed(length);
    const bytes = FEATURES.subarray(open.at, open.at + length);
    open.at += bytes.length;
    return bytes;
  }

  /** Gives the number of bytes that were not written. As on the reference no error is noted. */
  #write(x1: bigint): bigint {
    const [handle, address, length] = [0, 1, 2].map((n) => this.#argument(x1, n));
    const open = this.#open.get(Number(handle));
    if (!open || open.kind === "features") return length ?? FAILED;
    const bytes = length! < MOST_BYTES ? this.#host.read(address!, Number(length)) : undefined;
    if (!bytes) return length!;
    if (open.kind === "terminal") {
      this.#print(bytes);
      return 0n;
    }
    const answer = this.#host.ask!({ what: "write", handle: Number(handle), bytes })!;
    return length! - BigInt(Math.max(0, answer.result));
  }

  #changeName(operation: number, x1: bigint): bigint {
    const name = this.#name(x1, 0, 1);
    if (typeof name !== "string") return this.#fail(name.error);
    if (operation === REMOVE) return this.#ask({ what: "remove", name });
    const to = this.#name(x1, 2, 3);
    if (typeof to !== "string") return this.#fail(to.error);
    return this.#ask({ what: "rename", name, to });
  }

  /** A name that follows from the number that the guest gives. */
  #temporaryName(x1: bigint): bigint {
    const [address, number, room] = [0, 1, 2].map((n) => this.#argument(x1, n));
    const digits = (Number(number ?? 0n) & 0xff).toString(16).padStart(2, "0");
    const name = new TextEncoder().encode(`tmp-${digits}\0`);
    if (address === undefined || room === undefined || room < name.length) return FAILED;
    return this.#host.write(address, name) ? 0n : FAILED;
  }

  /** What the host answers; the same as where there is no such file if nobody answers. */
  #ask(request: FileRequest): bigint {
    const answer = this.#host.ask?.(request);
    if (!answer) return this.#fail(ENOENT);
    if (answer.result >= 0) return BigInt(answer.result);
    return this.#fail(BigInt(answer.errno));
  }

  /** A name of which one argument is the address and another the length, or the error of having none. */
  #name(x1: bigint, at: number, of: number): string | { error: bigint } {
    const address = this.#argument(x1, at), length = this.#argument(x1, of);
    if (address === undefined || length === undefined) return { error: EFAULT };
    const bytes = length < MOST_BYTES ? this.#host.read(address, Number(length) + 1) : undefined;
    if (!bytes) return { error: EFAULT };
    if (bytes.at(-1) !== 0) return { error: EINVAL };
    return new TextDecoder().decode(bytes.subarray(0, -1));
  }

  #commandLine(x1: bigint): bigint {
    const text = new TextEncoder().encode(`${this.#options.commandLine}\0`);
    const address = this.#argument(x1, 0), room = this.#argument(x1, 1);
    if (address === undefined || room === undefined || room < text.length) {
      return this.#fail(E2BIG);
    }
    const done = this.#host.write(address, text) &&
      this.#host.write(x1 + 8n, words(BigInt(text.length - 1)));
    return done ? 0n : FAILED;
  }

  #heapInfo(x1: bigint): bigint {
    const block = this.#argument(x1, 0);
    const { base, limit } = this.#options.heap;
    const [low, high] = [BigInt(base), BigInt(limit)];
    if (block !== undefined) this.#host.write(block, words(low, high, high, low));
    return 0n;
  }

  #exit(x1: bigint): bigint {
    const reason = this.#argument(x1, 0), code = this.#argument(x1, 1);
    // As on the reference: without arguments that can be read the guest goes on.
    if (reason === undefined || code === undefined) return this.#fail(EFAULT);
    this.#host.exit(reason === APPLICATION_EXIT ? code : 1n);
    return 0n;
  }

  #argument(x1: bigint, number: number): bigint | undefined {
    const bytes = this.#host.read(x1 + BigInt(8 * number), 8);
    return bytes && new DataView(bytes.buffer, bytes.byteOffset, 8).getBigUint64(0, true);
  }

  /** Bytes up to a zero. */
  #text(address: bigint): Uint8Array {
    const bytes: number[] = [];
    for (; bytes.length < MOST_BYTES; address++) {
      const byte = this.#host.read(address, 1);
      if (!byte || byte[0] === 0) break;
      bytes.push(byte[0]);
    }
    return Uint8Array.from(bytes);
  }

  #print(bytes: Uint8Array | undefined): void {
    for (const byte of bytes ?? []) this.#host.print(byte);
  }

  #fail(errno: bigint): bigint {
    this.#errno = errno;
    return FAILED;
  }
}

function words(...values: bigint[]): Uint8Array {
  return new Uint8Array(BigUint64Array.from(values).buffer);
}
