/** Number of encodings op0:op1:CRn:CRm:op2. */
const ENCODINGS = 0x1_0000;

/**
 * Things by the 16-bit encoding of a system register, most of which have none. An array of all
 * encodings takes half a megabyte and a millisecond to fill; numbers of entries are zero by
 * themselves.
 */
export class EncodingTable<T> {
  readonly #numbers = new Uint16Array(ENCODINGS);
  readonly #entries: (T | undefined)[] = [undefined];

  /** What stands at an encoding. */
  get(encoding: number): T | undefined {
    return this.#entries[this.#numbers[encoding]];
  }

  /** Puts something at an encoding. */
  set(encoding: number, entry: T): void {
    const known = this.#numbers[encoding];
    if (known === 0) this.#numbers[encoding] = this.#entries.push(entry) - 1;
    else this.#entries[known] = entry;
  }
}
