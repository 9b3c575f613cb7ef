/** Files, with errors that a person understands. */
import { UserError } from "./user_error.ts";

/** Longest file that is read whole: more than the memory of any guest. */
const MOST_BYTES = 3 * 2 ** 30;

/**
 * Reads a whole file.
 *
 * @throws UserError saying why it cannot be read
 */
export function readFile(path: string): Uint8Array {
  return explain("read", path, () => {
    const { isCharDevice, size } = Deno.statSync(path);
    // Devices such as /dev/zero have no end.
    if (isCharDevice) throw new UserError(`Cannot read ${path}: it is a device`);
    if (size > MOST_BYTES) {
      throw new UserError(`Cannot read ${path}: it has ${size} bytes, expected at most 3 GiB`);
    }
    return Deno.readFileSync(path);
  });
}

/**
 * Writes a whole file.
 *
 * @throws UserError saying why it cannot be written
 */
export function writeFile(path: string, bytes: Uint8Array): void {
  explain("write", path, () => Deno.writeFileSync(path, bytes));
}

/** Runs something that touches a file; what goes wrong becomes one line. Missing permissions stay as they are. */
export function explain<T>(action: string, path: string, body: () => T): T {
  try {
    return body();
  } catch (error) {
    if (!(error instanceof Error) || error instanceof Deno.errors.NotCapable) throw error;
    const why = whyFailed(error);
    if (why === undefined) throw error;
    throw new UserError(`Cannot ${action} ${path}: ${why}`);
  }
}

/** What the operating system said, in words; undefined if it was not the operating system. */
export function whyFailed(error: Error): string | undefined {
  if (error instanceof Deno.errors.NotFound) return "no such file or folder";
  if (error instanceof Deno.errors.PermissionDenied) return "permission denied";
  if (error instanceof Deno.errors.IsADirectory) return "it is a folder";
  if (error instanceof Deno.errors.NotADirectory) return "a part of the path is not a folder";
  // Deno has no class for most errors of the operating system, but says `… (os error 28)`.
  const [, text] = /^(.*?) \(os error \d+\)/.exec(error.message) ?? [];
  return text === undefined ? undefined : text[0].toLowerCase() + text.slice(1);
}

/**
 * Creates a file, or empties it, for output.
 *
 * @throws UserError saying why it cannot be written
 */
export function openOutput(path: string): Deno.FsFile {
  return explain(
    "write",
    path,
    () => Deno.openSync(path, { write: true, create: true, truncate: true }),
  );
}
