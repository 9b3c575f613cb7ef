/** A file that can be read at any offset, synchronously. */
export interface RandomAccess {
  /** Bytes in the file when it was opened. */
  readonly size: number;
  /** Returns `length` bytes from `offset`, fewer at the end of the file. The caller may keep them. */
  read(offset: number, length: number): Uint8Array;
}

/** A trace that is in memory. */
export function bytesAccess(bytes: Uint8Array): RandomAccess {
  return {
    size: bytes.length,
    read: (offset, length) => bytes.slice(offset, Math.min(bytes.length, offset + length)),
  };
}

/**
 * A trace on disk. The file stays open until {@linkcode FileAccess.close}.
 *
 * @throws Deno.errors.NotFound and the like, as `Deno.openSync` does
 */
export function fileAccess(path: string): FileAccess {
  return new FileAccess(path);
}

/** A file opened for random access. */
export class FileAccess implements RandomAccess {
  readonly size: number;
  readonly #file: Deno.FsFile;

  /** Opens the file. */
  constructor(path: string) {
    this.#file = Deno.openSync(path, { read: true });
    this.size = this.#file.statSync().size;
  }

  read(offset: number, length: number): Uint8Array {
    const bytes = new Uint8Array(Math.max(0, Math.min(length, this.size - offset)));
    this.#file.seekSync(offset, Deno.SeekMode.Start);
    let filled = 0;
    while (filled < bytes.length) {
      const count = this.#file.readSync(bytes.subarray(filled));
      if (count === null) break;
      filled += count;
    }
    return bytes.subarray(0, filled);
  }

  /** Closes the file. */
  close(): void {
    this.#file.close();
  }
}
