/**
 * Messages from one thread to others through memory that they share: one writer, every reader gets
 * all of them in order. The writer waits while the slowest reader has not made room.
 *
 * Positions count words modulo 2^32; a message is `[type, length, payload…]` and never wraps: where it
 * does not fit before the end, {@linkcode PAD} stands there. Long byte strings come in
 * several messages, so that any length passes through a ring of any size.
 */

/** Type of no message: the rest up to the ring's end is not used. */
const PAD = 0;
/** Type of the first bytes of a string that goes on in the next message. */
const PART = 1;
/** First type for others. */
export const FIRST_TYPE = 2;

/** Words behind which sleeping readers are woken: to wake one takes as long as some thousand words. */
const WAKE_WORDS = 1 << 18;
/** Bytes of a string in one message. */
const PART_BYTES = 1 << 16;
/** Longest wait without a look at whether there is still somebody. */
const LOOK_MS = 1000;
/** Looks in vain after which the other thread counts as dead. */
const MOST_LOOKS = 120;

/** A ring; can be posted to other threads. */
export interface SharedRing {
  /** Position of the writer, then of each reader. */
  readonly positions: Int32Array;
  /** A power of two of them. */
  readonly words: Uint32Array;
}

/** Makes a ring of `words` words, a power of two. */
export function makeRing(words: number, readers: number): SharedRing {
  return {
    positions: new Int32Array(new SharedArrayBuffer(4 * (1 + readers))),
    words: new Uint32Array(new SharedArrayBuffer(4 * words)),
  };
}

/** Counts what happens, for one thread that waits for any of it. */
export type Signal = Int32Array;

/** Makes a signal. */
export function makeSignal(): Signal {
  return new Int32Array(new SharedArrayBuffer(4));
}

/** Wakes the thread that waits for `signal`. */
export function raise(signal: Signal): void {
  Atomics.add(signal, 0, 1);
  Atomics.notify(signal, 0);
}

/**
 * Waits until `done()`, which is asked again after every change of `at`.
 *
 * @throws Error if nothing changes for minutes
 */
export function waitUntil(words: Int32Array, at: number, done: () => boolean): void {
  for (let looks = 0;;) {
    const before = Atomics.load(words, at);
    if (done()) return;
    if (Atomics.wait(words, at, before, LOOK_MS) !== "timed-out") looks = 0;
    else if (++looks === MOST_LOOKS) {
      throw new Error("a thread of the recorder does not answer any more");
    }
  }
}

/** The writer's side. */
export class RingWriter {
  readonly #ring: SharedRing;
  readonly #readers: number;
  readonly #wait: (hasRoom: () => boolean) => void;
  readonly #after: () => void;
  #head = 0;
  #next = 0;
  #woken = 0;

  /**
   * @param wait returns when the condition holds
   * @param after called behind every message
   */
  constructor(
    ring: SharedRing,
    wait: (hasRoom: () => boolean) => void,
    after: () => void = () => {},
  ) {
    this.#ring = ring;
    this.#readers = ring.positions.length - 1;
    this.#wait = wait;
    this.#after = after;
  }

  /** Behind the last message. */
  get position(): number {
    return this.#head;
  }

  /** Waits until all readers have taken what stands before a position. */
  waitUntilRead(position: number): void {
    const isRead = () => {
      for (let reader = 0; reader < this.#readers; reader++) {
        const tail = Atomics.load(this.#ring.positions, 1 + reader);
        if (((position - tail) | 0) > 0) return false;
      }
      return true;
    };
    if (isRead()) return;
    this.wake();
    this.#wait(isRead);
  }

  /** Words that may be written at {@linkcode begin}'s result. */
  get words(): Uint32Array {
    return this.#ring.words;
  }

  /** Begins a message of `length` words; gives the index of its first. */
  begin(type: number, length: number): number {
    const { words } = this.#ring;
    const size = words.length;
    const left = size - ((this.#head >>> 0) & (size - 1));
    const pad = left < length + 2 ? left : 0;
    const needed = pad + length + 2;
    const hasRoom = () => {
      for (let reader = 0; reader < this.#readers; reader++) {
        const tail = Atomics.load(this.#ring.positions, 1 + reader);
        if (((this.#head - tail) >>> 0) + needed > size) return false;
      }
      return true;
    };
    if (!hasRoom()) {
      this.wake();
      this.#wait(hasRoom);
    }
    if (pad > 0) words[this.#head & (size - 1)] = PAD;
    const at = (this.#head + pad) & (size - 1);
    words[at] = type;
    words[at + 1] = length;
    this.#next = (this.#head + needed) | 0;
    return at + 2;
  }

  /** Ends the message. Readers that sleep may not see it before {@linkcode wake}. */
  end(): void {
    this.#head = this.#next;
    Atomics.store(this.#ring.positions, 0, this.#head);
    if (((this.#head - this.#woken) >>> 0) >= WAKE_WORDS) this.wake();
    this.#after();
  }

  /** Wakes readers that wait for a message. */
  wake(): void {
    this.#woken = this.#head;
    Atomics.notify(this.#ring.positions, 0);
  }

  /** Sends words. */
  send(type: number, payload: ArrayLike<number>): void {
    const at = this.begin(type, payload.length);
    this.#ring.words.set(payload, at);
    this.end();
  }

  /** Sends numbers and bytes, of which there may be more than the ring holds. */
  sendBytes(type: number, numbers: readonly number[], bytes: Uint8Array): void {
    let from = 0;
    for (; bytes.length - from > PART_BYTES; from += PART_BYTES) {
      this.#piece(PART, [], bytes.subarray(from, from + PART_BYTES));
    }
    this.#piece(type, numbers, bytes.subarray(from));
  }

  #piece(type: number, numbers: readonly number[], bytes: Uint8Array): void {
    const { words } = this.#ring;
    const behind = 2 + 2 * numbers.length;
    const at = this.begin(type, behind + ((bytes.length + 3) >> 2));
    words[at] = numbers.length;
    words[at + 1] = bytes.length;
    words.set(new Uint32Array(Float64Array.from(numbers).buffer), at + 2);
    new Uint8Array(words.buffer, 4 * (at + behind), bytes.length).set(bytes);
    this.end();
  }
}

/** A reader's side. */
export class RingReader {
  readonly #ring: SharedRing;
  readonly #reader: number;
  readonly #after: () => void;
  #tail = 0;
  #parts: Uint8Array[] = [];
  /** Of the message in hand. */
  type = PAD;
  /** Its words, until {@linkcode release}. */
  words: Uint32Array = new Uint32Array(0);

  /** @param after called behind every {@linkcode release} */
  constructor(ring: SharedRing, reader: number, after: () => void = () => {}) {
    this.#ring = ring;
    this.#reader = reader;
    this.#after = after;
  }

  /** Takes the next message; false if there is none yet. */
  poll(): boolean {
    const { positions, words } = this.#ring;
    for (;;) {
      if (Atomics.load(positions, 0) === this.#tail) return false;
      const at = this.#tail & (words.length - 1);
      this.type = words[at];
      if (this.type === PAD) {
        this.#advance(words.length - at);
        continue;
      }
      this.words = words.subarray(at + 2, at + 2 + words[at + 1]);
      if (this.type !== PART) return true;
      this.#parts.push(this.#piece().slice());
      this.release();
    }
  }

  /** Waits for the next message. */
  next(): void {
    while (!this.poll()) Atomics.wait(this.#ring.positions, 0, this.#tail);
  }

  /** The message in hand is not needed any more. */
  release(): void {
    this.#advance(this.words.length + 2);
  }

  #advance(words: number): void {
    this.#tail = (this.#tail + words) | 0;
    Atomics.store(this.#ring.positions, 1 + this.#reader, this.#tail);
    Atomics.notify(this.#ring.positions, 1 + this.#reader);
    this.#after();
  }

  /** The numbers of a message with bytes. */
  numbers(): Float64Array {
    return new Float64Array(this.words.slice(2, 2 + 2 * this.words[0]).buffer);
  }

  /** A copy of its bytes, with the parts that came before. */
  bytes(): Uint8Array {
    const pieces = [...this.#parts.splice(0), this.#piece()];
    const all = new Uint8Array(pieces.reduce((sum, piece) => sum + piece.length, 0));
    let at = 0;
    for (const piece of pieces) {
      all.set(piece, at);
      at += piece.length;
    }
    return all;
  }

  #piece(): Uint8Array {
    const [numbers, length] = this.words;
    const from = this.words.byteOffset + 4 * (2 + 2 * numbers);
    return new Uint8Array(this.words.buffer, from, length);
  }
}
