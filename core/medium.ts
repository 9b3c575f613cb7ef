/**
 * What the guest can read that is not RAM: the contents that flash, disks and files of fw_cfg have
 * at `#0`, in blocks, by name.
 *
 * A machine gets its media when it is made. A recording notes each block the first time that it is
 * read ({@linkcode notedMedium}), so that a trace holds all that a re-execution reads and no more.
 */

/** Bytes of a block. */
export const BLOCK_BYTES = 4096;

/** A medium as it was at `#0`. It never changes. */
export interface Medium {
  /** Bytes. */
  readonly size: number;
  /** The block with a number, zeros behind the end. Not to be changed. */
  block(number: number): Uint8Array;
  /** A block was written: its content after the `version`-th write of this medium, from 0. */
  wrote?(version: number, content: Uint8Array): void;
  /** The content noted by {@linkcode wrote}: for states whose writes this machine did not make. */
  written?(version: number): Uint8Array;
}

/** Names of media. Disks are `disk0`, `disk1` and so on. */
export type MediumName = "flash0" | "flash1" | "kernel" | "initrd" | "cmdline" | `disk${number}`;

/** The media of a machine. */
export type Media = Partial<Record<MediumName, Medium>>;

/** Says to a trace what reached the guest from outside. */
export type Note = (source: string, bytes: Uint8Array) => void;

const ZEROS = new Uint8Array(BLOCK_BYTES);

/** Bytes as a medium. */
export function mediumOf(bytes: Uint8Array): Medium {
  return {
    size: bytes.length,
    block(number) {
      const part = bytes.subarray(number * BLOCK_BYTES, (number + 1) * BLOCK_BYTES);
      if (part.length === BLOCK_BYTES) return part;
      const block = ZEROS.slice();
      block.set(part);
      return block;
    },
  };
}

/** Bytes `offset` to `offset + length` of a medium, within its size. */
export function readMedium(medium: Medium, offset: number, length: number): Uint8Array {
  const result = new Uint8Array(Math.max(0, Math.min(length, medium.size - offset)));
  for (let done = 0; done < result.length;) {
    const at = (offset + done) % BLOCK_BYTES;
    const block = medium.block(Math.floor((offset + done) / BLOCK_BYTES));
    const part = block.subarray(at, at + result.length - done);
    result.set(part, done);
    done += part.length;
  }
  return result;
}

/** Names of the inputs that describe a medium in a trace. */
export const MEDIUM_INPUT = {
  /** Its size: u64. */
  size: (name: string) => `${name}:size`,
  /** A block as it was at `#0`: number (u32), content without the zeros at its end. */
  block: (name: string) => `${name}:block`,
  /** A block after a write: content without the zeros at its end. */
  written: (name: string) => `${name}:written`,
} as const;

/**
 * The same medium, of which everything that is read and written is noted.
 *
 * @param whole note everything at once: what can be executed is to be shown where it was not
 */
export function notedMedium(
  name: string,
  medium: Medium,
  { note, whole }: { note: Note; whole: boolean },
): Medium {
  const blocks = Math.ceil(medium.size / BLOCK_BYTES);
  const noted = new Uint8Array(blocks);
  note(MEDIUM_INPUT.size(name), new Uint8Array(BigUint64Array.of(BigInt(medium.size)).buffer));
  const block = (number: number) => {
    const content = medium.block(number);
    if (number >= blocks || noted[number]) return content;
    noted[number] = 1;
    const used = usedPart(content);
    if (used.length === 0) return content;
    const bytes = new Uint8Array(4 + used.length);
    new DataView(bytes.buffer).setUint32(0, number, true);
    bytes.set(used, 4);
    note(MEDIUM_INPUT.block(name), bytes);
    return content;
  };
  if (whole) { for (let number = 0; number < blocks; number++) block(number); }
  return {
    size: medium.size,
    block,
    wrote: (_version, content) => note(MEDIUM_INPUT.written(name), usedPart(content)),
  };
}

/** A block's bytes up to the last that is not zero. */
function usedPart(block: Uint8Array): Uint8Array {
  let length = block.length;
  while (length > 0 && block[length - 1] === 0) length--;
  return block.subarray(0, length);
}
