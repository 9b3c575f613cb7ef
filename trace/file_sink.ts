import type { TraceSink } from "./writer.ts";

/** A trace file that is being written. */
export class FileSink implements TraceSink {
  readonly #file: Deno.FsFile;

  /** Creates the file, or empties it. */
  constructor(path: string) {
    this.#file = Deno.openSync(path, { write: true, create: true, truncate: true });
  }

  write(bytes: Uint8Array): void {
    for (let at = 0; at < bytes.length;) at += this.#file.writeSync(bytes.subarray(at));
  }

  /** Closes the file. */
  close(): void {
    this.#file.close();
  }
}
