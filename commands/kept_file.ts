/** Files beside a trace that save time and can be made again: its index, its full form. */

import { whyFailed } from "./files.ts";

/** What is behind the trace's name. */
const ENDINGS = { index: ".idx", full: ".full", fullIndex: ".full.idx" } as const;

/** Where the full form of a trace of profile `attach` is kept, for the next question. */
export function fullPath(path: string): string {
  return `${path}${ENDINGS.full}`;
}

/** Where the index of a trace is. */
export function indexPath(path: string): string {
  return `${path}${ENDINGS.index}`;
}

/** Removes what is kept of a trace that is being replaced, as far as it may be removed. */
export function dropKept(path: string): void {
  for (const ending of Object.values(ENDINGS)) {
    if (!isGranted("write", path + ending)) continue;
    try {
      Deno.removeSync(path + ending);
    } catch (error) {
      // One that stays is of another trace, and is not used.
      if (!(error instanceof Error) || whyFailed(error) === undefined) throw error;
    }
  }
}

/** Writes a file whole or not at all. Gives whether it is there: what cannot be written is made again next time. */
export function keepFile(path: string, bytes: Uint8Array): boolean {
  const scratch = `${path}.${Deno.pid}`;
  if (!isGranted("write", scratch) || !isGranted("write", path)) return false;
  try {
    Deno.writeFileSync(scratch, bytes, { createNew: true });
    try {
      Deno.renameSync(scratch, path);
    } catch (error) {
      Deno.removeSync(scratch);
      throw error;
    }
  } catch (error) {
    if (!(error instanceof Error)) throw error;
    return false;
  }
  return true;
}

/** Whether a file may be touched without asking the user. */
export function isGranted(name: "read" | "write", path: string): boolean {
  return Deno.permissions.querySync({ name, path }).state === "granted";
}
