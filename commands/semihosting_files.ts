/**
 * The files of one directory, for a guest that asks by semihosting. Names are taken inside the
 * directory, and nothing outside of it is reached, neither by `..` nor by a link.
 */
import type { FileAnswer, FileRequest, SemihostingFiles } from "../core/devices/mod.ts";
import { explain } from "./files.ts";
import { UserError } from "./user_error.ts";

const ENOENT = 2, EIO = 5, EBADF = 9, EACCES = 13, EISDIR = 21;
/** fopen's modes in the order of OPEN: r, r+, w, w+, a, a+, each also binary. */
const MODES: readonly Deno.OpenOptions[] = [
  { read: true },
  { read: true, write: true },
  { write: true, create: true, truncate: true },
  { read: true, write: true, create: true, truncate: true },
  { append: true, create: true },
  { read: true, append: true, create: true },
];

/** An error that the guest is told. */
class Refused extends Error {
  constructor(readonly errno: number) {
    super(`error ${errno}`);
  }
}

/** See the top of this file. */
export class DirectoryFiles implements SemihostingFiles {
  readonly #directory: string;
  readonly #open = new Map<number, Deno.FsFile>();

  /** @throws UserError if it is no directory */
  constructor(directory: string) {
    this.#directory = explain("read", directory, () => Deno.realPathSync(directory));
    if (!Deno.statSync(this.#directory).isDirectory) {
      throw new UserError(`Cannot use ${directory} for semihosting: expected a directory`);
    }
  }

  ask(request: FileRequest): FileAnswer {
    try {
      const done = this.#perform(request);
      return typeof done === "number"
        ? { result: done, errno: 0, bytes: new Uint8Array() }
        : { result: 0, errno: 0, bytes: done };
    } catch (error) {
      return { result: -1, errno: errnoOf(error), bytes: new Uint8Array() };
    }
  }

  #perform(request: FileRequest): number | Uint8Array {
    switch (request.what) {
      case "open":
        this.#open.set(request.handle, this.#openFile(request.name, request.mode));
        return 0;
      case "remove":
        Deno.removeSync(this.#path(request.name, true));
        return 0;
      case "rename":
        Deno.renameSync(this.#path(request.name, true), this.#path(request.to, true));
        return 0;
    }
    const file = this.#open.get(request.handle);
    if (!file) throw new Refused(EBADF);
    switch (request.what) {
      case "close":
        this.#open.delete(request.handle);
        file.close();
        return 0;
      case "length":
        return file.statSync().size;
      case "read":
        return readFrom(file, request.length);
      case "write":
        return file.writeSync(request.bytes);
      case "seek":
        file.seekSync(request.offset, Deno.SeekMode.Start);
        return 0;
    }
  }

  #openFile(name: string, mode: number): Deno.FsFile {
    const path = this.#path(name, false);
    const found = lstat(path);
    // Anything else could keep the machine waiting.
    if (found && !found.isFile) throw new Refused(found.isDirectory ? EISDIR : EACCES);
    return Deno.openSync(path, { ...MODES[mode >> 1], mode: 0o644 });
  }

  /** Where a name leads; `link` if a link itself is meant. */
  #path(name: string, link: boolean): string {
    const parts = name.split("/").filter((part) => part !== "" && part !== ".");
    if (leavesRoot(parts)) throw new Refused(EACCES);
    const last = parts.pop();
    if (name === "" || name.includes("\0")) throw new Refused(ENOENT);
    // The directory itself.
    if (last === undefined) throw new Refused(EISDIR);
    const folder = Deno.realPathSync([this.#directory, ...parts].join("/"));
    const path = `${folder}/${last}`;
    if (last === ".." || !this.#holds(folder)) throw new Refused(EACCES);
    if (link || !lstat(path)?.isSymlink) return path;
    const target = Deno.realPathSync(path);
    if (!this.#holds(target)) throw new Refused(EACCES);
    return target;
  }

  #holds(path: string): boolean {
    return path === this.#directory || path.startsWith(`${this.#directory}/`);
  }
}

/** Whether a path leads above where it begins, whatever there is. */
function leavesRoot(parts: readonly string[]): boolean {
  let depth = 0;
  return parts.some((part) => (depth += part === ".." ? -1 : 1) < 0);
}

function readFrom(file: Deno.FsFile, length: number): Uint8Array {
  const bytes = new Uint8Array(length);
  let done = 0;
  for (let n; done < length && (n = file.readSync(bytes.subarray(done))) !== null;) done += n;
  return bytes.subarray(0, done);
}

function lstat(path: string): Deno.FileInfo | undefined {
  try {
    return Deno.lstatSync(path);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw error;
  }
}

/** Number of an error of the host. */
function errnoOf(error: unknown): number {
  if (error instanceof Refused) return error.errno;
  const [, number] = /\(os error (\d+)\)/.exec(String(error)) ?? [];
  if (number !== undefined) return Number(number);
  if (error instanceof Deno.errors.NotFound) return ENOENT;
  return error instanceof Deno.errors.PermissionDenied ? EACCES : EIO;
}
