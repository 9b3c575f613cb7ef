/** A growable byte buffer with the integer encodings of the WebAssembly binary format (section 5.2.2). */
export class ByteWriter {
  #bytes = new Uint8Array(256);
  #length = 0;

  /** Bytes written so far. */
  get length(): number {
    return this.#length;
  }

  /** Appends one byte. */
  byte(value: number): this {
    if (this.#length === this.#bytes.length) this.#grow(1);
    this.#bytes[this.#length++] = value;
    return this;
  }

  /** Appends bytes as they are. */
  raw(values: ArrayLike<number>): this {
    if (this.#length + values.length > this.#bytes.length) this.#grow(values.length);
    this.#bytes.set(values, this.#length);
    this.#length += values.length;
    return this;
  }

  /** Appends an unsigned LEB128 of at most 32 bits. */
  unsigned(value: number): this {
    let rest = value >>> 0;
    while (rest >= 0x80) {
      this.byte((rest & 0x7f) | 0x80);
      rest >>>= 7;
    }
    return this.byte(rest);
  }

  /** Appends a signed LEB128 of 32 bits. */
  signed(value: number): this {
    let rest = value | 0;
    for (;;) {
      const low = rest & 0x7f;
      rest >>= 7;
      const done = (rest === 0 && !(low & 0x40)) || (rest === -1 && (low & 0x40) !== 0);
      if (done) return this.byte(low);
      this.byte(low | 0x80);
    }
  }

  /** Appends a signed LEB128 of 64 bits. */
  signed64(value: bigint): this {
    let rest = BigInt.asIntN(64, value);
    for (;;) {
      const low = Number(rest & 0x7fn);
      rest >>= 7n;
      const done = (rest === 0n && !(low & 0x40)) || (rest === -1n && (low & 0x40) !== 0);
      if (done) return this.byte(low);
      this.byte(low | 0x80);
    }
  }

  /** Appends a name: its length in bytes and its UTF-8. */
  name(text: string): this {
    const utf8 = new TextEncoder().encode(text);
    return this.unsigned(utf8.length).raw(utf8);
  }

  /** A view of what was written; valid until the next append. */
  view(): Uint8Array {
    return this.#bytes.subarray(0, this.#length);
  }

  #grow(by: number): void {
    const bigger = new Uint8Array(Math.max(this.#bytes.length * 2, this.#length + by));
    bigger.set(this.view());
    this.#bytes = bigger;
  }
}
