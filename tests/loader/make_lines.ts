/** Builds small `.debug_line` sections by hand, versions 4 and 5. */

/** A growing list of bytes. */
class Bytes {
  bytes: number[] = [];

  number(value: number, size: number): this {
    for (let i = 0; i < size; i++) this.bytes.push((value / 2 ** (8 * i)) & 0xff);
    return this;
  }

  text(value: string): this {
    this.bytes.push(...new TextEncoder().encode(value), 0);
    return this;
  }

  raw(...values: number[]): this {
    this.bytes.push(...values);
    return this;
  }

  /** Appends a length field of 4 bytes and what it counts. */
  counted(inner: Bytes): this {
    this.number(inner.bytes.length, 4);
    for (const byte of inner.bytes) this.bytes.push(byte);
    return this;
  }
}

const STANDARD_OPERANDS = [0, 1, 1, 1, 1, 0, 0, 0, 1, 0, 0, 1];

/** A program: set the address, lines 10 and 12 (file 1), line 3 of file 2, end after 8 bytes. */
function program(address: number): Bytes {
  const code = new Bytes();
  code.raw(0, 9, 2).number(address, 8);
  // advance_line 9, copy; special opcode: +4 bytes, +2 lines (line base -5, range 14).
  code.raw(3, 9, 1, 13 + 14 + 7);
  code.raw(4, 2, 3, 0x77, 2, 1, 1, 2, 1, 0, 1, 1);
  return code;
}

function tail(header: Bytes, code: Bytes, start: Bytes): Uint8Array<ArrayBuffer> {
  const unit = start;
  unit.counted(header);
  unit.raw(...code.bytes);
  return Uint8Array.from(new Bytes().counted(unit).bytes);
}

/** `.debug_line` of version 4 with the sample program at `address`. */
export function makeLines4(address: number): Uint8Array<ArrayBuffer> {
  const header = new Bytes().raw(4, 1, 1, 256 - 5, 14, 13, ...STANDARD_OPERANDS);
  header.text("src").raw(0);
  header.text("a.c").raw(1, 0, 0).text("/abs/b.h").raw(1, 0, 0).raw(0);
  return tail(header, program(address), new Bytes().number(4, 2));
}

/** `.debug_line` of version 5 and its `.debug_line_str`. */
export function makeLines5(address: number): {
  line: Uint8Array<ArrayBuffer>;
  lineStrings: Uint8Array<ArrayBuffer>;
} {
  const header = new Bytes().raw(4, 1, 1, 256 - 5, 14, 13, ...STANDARD_OPERANDS);
  header.raw(1, 1, 0x1f, 2).number(0, 4).number(6, 4);
  // Path by reference, directory, and an MD5 that is passed over.
  header.raw(3, 1, 0x1f, 2, 0x0b, 5, 0x1e, 3);
  for (const [name, directory] of [[10, 0], [10, 1], [14, 1]]) {
    header.number(name, 4).raw(directory, ...new Array(16).fill(7));
  }
  const lineStrings = new TextEncoder().encode("/tree\0src\0a.c\0/abs/b.h\0");
  return {
    line: tail(header, program(address), new Bytes().number(5, 2).raw(8, 0)),
    lineStrings,
  };
}
