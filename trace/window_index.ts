/**
 * Finds the windows of a trace: from the footer's index if the file is complete, else by hopping
 * from item to item up to the last valid commit.
 */

import {
  commitHash,
  type Frame,
  HASH_SIZE,
  itemName,
  NO_COMMIT,
  readContent,
  readFrame,
} from "./chunk.ts";
import { decodeContent } from "./cbor.ts";
import { ColumnReader } from "./columns.ts";
import { Fields } from "./fields.ts";
import type { RandomAccess } from "./random_access.ts";
import { ITEM, MAX_WINDOW_STEPS } from "./schema.ts";
import { TraceError } from "./trace_error.ts";

/** A committed window. */
export interface WindowInfo {
  /** 0 is the prologue, which has no steps. */
  number: number;
  /** Position of its first step. */
  start: number;
  /** Position after its last step. */
  end: number;
  /** Offset of its first item. */
  offset: number;
  /** Offset of its commit. */
  commitOffset: number;
  /** Offset of the commit before; absent in window 0. */
  commitBefore?: number;
}

/** Where a file's windows are. */
export interface WindowIndex {
  windows: WindowInfo[];
  footer: Fields | null;
  /** Why the file is not complete, or "" if it is. */
  damage: string;
}

/** Parses one item's content as a map. */
export function readFields(file: RandomAccess, frame: Frame, what: string): Fields {
  return new Fields(decodeContent(readContent(file, frame, what), what), what);
}

/** The frames of a window without its commit, checked against the commit. */
export function windowFrames(file: RandomAccess, window: WindowInfo): Frame[] {
  const frames: Frame[] = [];
  const what = `window ${window.number}`;
  let offset = window.offset;
  while (offset < window.commitOffset) {
    const frame = readFrame(file, offset);
    if (!frame || frame.end > window.commitOffset) {
      throw new TraceError(
        `Cannot read ${what} at byte ${offset}: expected an item that ends by byte ${window.commitOffset}`,
      );
    }
    frames.push(frame);
    offset = frame.end;
  }
  const commit = readFrame(file, window.commitOffset);
  if (commit?.kind !== ITEM.commit) {
    throw new TraceError(`Cannot read ${what} at byte ${window.commitOffset}: expected a commit`);
  }
  const before = commitBefore(file, window);
  checkCommit(readFields(file, commit, `the commit of ${what}`), before, window, frames);
  return frames;
}

/** Finds the windows. `steps` is the header's window length. */
export function findWindows(file: RandomAccess, steps: number): WindowIndex {
  return indexFromFooter(file, steps) ?? scan(file, steps);
}

/** The hash in a window's commit. */
export function windowHash(file: RandomAccess, window: WindowInfo): Uint8Array {
  return hashInCommit(file, window.commitOffset, window.number);
}

/** The hash in the commit before a window. */
function commitBefore(file: RandomAccess, { number, commitBefore }: WindowInfo): Uint8Array {
  if (commitBefore === undefined) return NO_COMMIT;
  return hashInCommit(file, commitBefore, number - 1);
}

function hashInCommit(file: RandomAccess, offset: number, window: number): Uint8Array {
  const what = `the commit of window ${window}`;
  const frame = readFrame(file, offset);
  if (frame?.kind !== ITEM.commit) {
    throw new TraceError(`Cannot read ${what} at byte ${offset}: expected a commit`);
  }
  return readFields(file, frame, what).bytes("hash", HASH_SIZE);
}

function checkCommit(
  fields: Fields,
  before: Uint8Array,
  window: WindowInfo,
  frames: readonly Frame[],
): void {
  const { number, start, end } = window;
  const hash = commitHash(before, number, start, end, frames.map((f) => f.hash));
  const matches = fields.uint("window") === window.number &&
    fields.uint("start") === window.start && fields.uint("end") === window.end &&
    fields.uint("length") === window.commitOffset - window.offset &&
    fields.bytes("hash", hash.length).every((byte, i) => byte === hash[i]);
  if (!matches) {
    throw new TraceError(
      `Cannot read window ${window.number} at byte ${window.offset}: its commit does not match its items`,
    );
  }
}

function indexFromFooter(file: RandomAccess, steps: number): WindowIndex | null {
  const tail = file.read(Math.max(0, file.size - 9), 9);
  if (tail.length < 9 || tail[0] !== 0x1b) return null;
  const view = new DataView(tail.buffer, tail.byteOffset);
  const at = view.getUint32(1) * 2 ** 32 + view.getUint32(5);
  if (at <= 0 || at >= file.size) return null;
  try {
    const frame = readFrame(file, at);
    if (frame?.kind !== ITEM.footer || frame.end !== file.size) return null;
    const footer = readFields(file, frame, "the footer");
    return { windows: windowsOf(footer, at, steps), footer, damage: "" };
  } catch (error) {
    if (error instanceof TraceError) return null;
    throw error;
  }
}

function windowsOf(footer: Fields, footerOffset: number, steps: number): WindowInfo[] {
  const index = footer.fields("index");
  const lengths = new ColumnReader(index.bytes("lengths"), "the index");
  const commits = new ColumnReader(index.bytes("commits"), "the index");
  const position = footer.uint("position");
  const count = 1 + Math.ceil(position / steps);
  const windows: WindowInfo[] = [];
  let offset = 0;
  for (let number = 0; number < count; number++) {
    const commitOffset = offset + lengths.uint(footerOffset - offset);
    const end = commitOffset + commits.uint(footerOffset - commitOffset);
    const before = windows.at(-1);
    windows.push({
      number,
      ...windowSteps(number, steps, position),
      ...placeOf(offset, commitOffset, before),
    });
    offset = end;
  }
  lengths.finish();
  commits.finish();
  return windows;
}

function placeOf(offset: number, commitOffset: number, before: WindowInfo | undefined) {
  return before
    ? { offset, commitOffset, commitBefore: before.commitOffset }
    : { offset, commitOffset };
}

function windowSteps(number: number, steps: number, position: number) {
  const start = Math.max(0, number - 1) * steps;
  return { start, end: number === 0 ? 0 : Math.min(position, start + steps) };
}

/** Hops through the file. */
function scan(file: RandomAccess, steps: number): WindowIndex {
  const windows: WindowInfo[] = [];
  let footer: Fields | null = null;
  let damage = "the file ends without a footer";
  let frames: Frame[] = [];
  let windowOffset = 0;
  try {
    for (let offset = 0; offset < file.size;) {
      const frame = readFrame(file, offset);
      if (!frame) {
        damage = `the item at byte ${offset} is cut off`;
        break;
      }
      if (frame.kind === ITEM.footer) {
        footer = readFields(file, frame, "the footer");
        damage = frame.end < file.size ? `bytes follow the footer at byte ${frame.end}` : "";
        break;
      }
      if (frame.kind === ITEM.commit) {
        windows.push(committedWindow(file, frame, frames, windows.at(-1), windowOffset, steps));
        frames = [];
        windowOffset = frame.end;
      } else {
        frames.push(frame);
      }
      offset = frame.end;
    }
  } catch (error) {
    if (!(error instanceof TraceError)) throw error;
    damage = error.message;
  }
  if (footer && footer.uint("position") !== (windows.at(-1)?.end ?? 0)) {
    damage = "its footer is of another position";
    footer = null;
  }
  if (!footer) damage = dropDamaged(file, windows) || damage;
  return { windows, footer, damage };
}

/** The window that a commit closes. */
function committedWindow(
  file: RandomAccess,
  frame: Frame,
  frames: readonly Frame[],
  before: WindowInfo | undefined,
  offset: number,
  steps: number,
): WindowInfo {
  const number = before ? before.number + 1 : 0;
  const fields = readFields(file, frame, `the commit of window ${number}`);
  const start = before?.end ?? 0;
  const end = fields.uint("end");
  const window = { number, start, end, ...placeOf(offset, frame.offset, before) };
  checkCommit(fields, commitBefore(file, window), window, frames);
  const length = end - start;
  if (number === 0 ? length !== 0 : length <= 0 || length > steps || length > MAX_WINDOW_STEPS) {
    throw new TraceError(`Cannot read window ${number}: expected 1 to ${steps} steps`);
  }
  if (before && before.number > 0 && before.end - before.start !== steps) {
    throw new TraceError(
      `Cannot read window ${number}: expected only the last window to be shorter than ${steps} steps`,
    );
  }
  return window;
}

/**
 * Without a footer the tail may hold bytes that never reached the disk: drops the last windows
 * whose bodies do not match their hashes. Gives the reason, or "" if none was dropped.
 */
function dropDamaged(file: RandomAccess, windows: WindowInfo[]): string {
  let reason = "";
  while (windows.length > 0) {
    try {
      for (const frame of windowFrames(file, windows[windows.length - 1])) {
        readContent(file, frame, `the ${itemName(frame.kind)}`);
      }
      return reason;
    } catch (error) {
      if (!(error instanceof TraceError)) throw error;
      reason = error.message;
      windows.pop();
    }
  }
  return reason;
}
