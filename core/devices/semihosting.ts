/**
 * Semihosting (Arm "Semihosting for AArch32 and AArch64", 2.0): what a guest asks of its debugger
 * by `HLT #0xf000`, as far as it needs nothing of the host. Output goes to the console; there is no
 * input, and the host's files are refused.
 */

/** Operations, in W0. X1 points to the arguments, 8 bytes each. */
const OPEN = 0x01, CLOSE = 0x02, WRITEC = 0x03, WRITE0 = 0x04, WRITE = 0x05, READ = 0x06;
const READC = 0x07, ISERROR = 0x08, ISTTY = 0x09, CLOCK = 0x10, TIME = 0x11, ERRNO = 0x13;
const GET_CMDLINE = 0x15, HEAPINFO = 0x16, EXIT = 0x18, EXIT_EXTENDED = 0x20;
const ELAPSED = 0x30, TICK_FREQUENCY = 0x31;

/** Reason of EXIT that is an ordinary end: ADP_Stopped_ApplicationExit. */
const APPLICATION_EXIT = 0x20026n;
/** Handles of `:tt`: input for modes 0 to 3, output for 4 to 7, errors for 8 to 11. */
const HANDLES = [1n, 2n, 3n] as const;
const MODES = 12n;
const ENOENT = 2n, EBADF = 9n, EINVAL = 22n, ENOSYS = 38n;
const FAILED = 0xffff_ffff_ffff_ffffn;
const MOST_BYTES = 1 << 20;

/** What semihosting needs of the machine. Addresses are virtual. */
export interface SemihostingHost {
  /** Bytes of guest memory, or undefined where it cannot be read. */
  read(address: bigint, length: number): Uint8Array | undefined;
  /** Stores bytes; false where they cannot be. */
  write(address: bigint, bytes: Uint8Array): boolean;
  /** A byte for the console. */
  print(byte: number): void;
  /** Virtual time in ns. */
  nanoseconds(): number;
  /** Seconds since 1970. */
  seconds(): number;
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

/** The debugger's side. It keeps one thing: the number of the last error. */
export class Semihosting {
  /** What ERRNO answers. */
  errno = 0n;
  readonly #options: SemihostingOptions;
  readonly #host: SemihostingHost;

  constructor(options: SemihostingOptions, host: SemihostingHost) {
    this.#options = options;
    this.#host = host;
  }

  /** Does what `operation` says with X1, and gives X0. */
  call(operation: number, x1: bigint): bigint {
    const host = this.#host;
    switch (operation) {
      case OPEN:
        return this.#open(x1);
      case CLOSE:
        return this.#isHandle(this.#argument(x1, 0)) ? 0n : this.#fail(EBADF);
      case WRITEC:
        this.#print(host.read(x1, 1));
        return x1;
      case WRITE0:
        this.#print(this.#string(x1));
        return x1;
      case WRITE:
        return this.#write(x1);
      case READ:
        return this.#isHandle(this.#argument(x1, 0)) ? this.#argument(x1, 2)! : this.#fail(EBADF);
      case READC:
        return FAILED;
      case ISERROR:
        return (this.#argument(x1, 0) ?? 0n) >> 63n;
      case ISTTY:
        return this.#isHandle(this.#argument(x1, 0)) ? 1n : this.#fail(EBADF);
      case CLOCK:
        return BigInt(Math.floor(host.nanoseconds() / 1e7));
      case TIME:
        return BigInt(host.seconds());
      case ERRNO:
        return this.errno;
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
        return this.#fail(ENOSYS);
    }
  }

  #open(x1: bigint): bigint {
    const [name, mode, length] = [0, 1, 2].map((n) => this.#argument(x1, n));
    if (name === undefined || mode === undefined || length === undefined) return FAILED;
    const bytes = length < MOST_BYTES ? this.#host.read(name, Number(length) + 1) : undefined;
    if (bytes?.at(-1) !== 0 || mode >= MODES) return this.#fail(EINVAL);
    return new TextDecoder().decode(bytes) === ":tt\0"
      ? HANDLES[Number(mode / 4n)]
      : this.#fail(ENOENT);
  }

  #write(x1: bigint): bigint {
    const [handle, address, length] = [0, 1, 2].map((n) => this.#argument(x1, n));
    if (!this.#isHandle(handle)) {
      this.#fail(EBADF);
      return length ?? FAILED;
    }
    const bytes = length! < MOST_BYTES ? this.#host.read(address!, Number(length)) : undefined;
    if (!bytes) return length!;
    this.#print(bytes);
    return 0n;
  }

  #commandLine(x1: bigint): bigint {
    const text = new TextEncoder().encode(`${this.#options.commandLine}\0`);
    const address = this.#argument(x1, 0), room = this.#argument(x1, 1);
    if (address === undefined || room === undefined || room < text.length) return FAILED;
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
    this.#host.exit(reason === APPLICATION_EXIT ? code ?? 1n : 1n);
    return 0n;
  }

  #isHandle(handle: bigint | undefined): boolean {
    return HANDLES.some((known) => known === handle);
  }

  #argument(x1: bigint, number: number): bigint | undefined {
    const bytes = this.#host.read(x1 + BigInt(8 * number), 8);
    return bytes && new DataView(bytes.buffer, bytes.byteOffset, 8).getBigUint64(0, true);
  }

  /** Bytes up to a zero. */
  #string(address: bigint): Uint8Array {
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
    this.errno = errno;
    return FAILED;
  }
}

function words(...values: bigint[]): Uint8Array {
  return new Uint8Array(BigUint64Array.from(values).buffer);
}
