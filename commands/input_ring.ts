/** The bytes that a worker reads from standard input, in memory that both threads share. */

/** Words of the header. */
const WRITTEN = 0, READ = 1, ENDED = 2, HEADER_WORDS = 3;
const CAPACITY = 4096;

/** A ring of bytes with one writer, which may wait, and one reader, which may wait. */
export class InputRing {
  readonly shared: SharedArrayBuffer;
  readonly #words: Int32Array;
  readonly #bytes: Uint8Array;

  /** @param shared the memory of another thread's ring; a new one if left out */
  constructor(shared = new SharedArrayBuffer(HEADER_WORDS * 4 + CAPACITY)) {
    this.shared = shared;
    this.#words = new Int32Array(shared, 0, HEADER_WORDS);
    this.#bytes = new Uint8Array(shared, HEADER_WORDS * 4);
  }

  /** Whether no byte will follow those in the ring. */
  get ended(): boolean {
    return Atomics.load(this.#words, ENDED) !== 0;
  }

  /** Adds bytes; waits while there is no room. */
  write(bytes: Uint8Array): void {
    for (const byte of bytes) {
      let read = Atomics.load(this.#words, READ);
      const written = Atomics.load(this.#words, WRITTEN);
      while (written - read === CAPACITY) {
        Atomics.wait(this.#words, READ, read);
        read = Atomics.load(this.#words, READ);
      }
      this.#bytes[written % CAPACITY] = byte;
      Atomics.store(this.#words, WRITTEN, written + 1);
    }
    Atomics.notify(this.#words, WRITTEN);
  }

  /** Says that no byte follows. */
  end(): void {
    Atomics.store(this.#words, ENDED, 1);
    Atomics.notify(this.#words, WRITTEN);
  }

  /** The next byte, or undefined. */
  read(): number | undefined {
    const read = Atomics.load(this.#words, READ);
    if (read === Atomics.load(this.#words, WRITTEN)) return undefined;
    const byte = this.#bytes[read % CAPACITY];
    Atomics.store(this.#words, READ, read + 1);
    Atomics.notify(this.#words, READ);
    return byte;
  }

  /** Waits until there is a byte, the end, or `milliseconds` are over. */
  wait(milliseconds: number): void {
    const written = Atomics.load(this.#words, WRITTEN);
    if (written !== Atomics.load(this.#words, READ) || this.ended) return;
    Atomics.wait(this.#words, WRITTEN, written, milliseconds);
  }
}
