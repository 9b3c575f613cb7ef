/** A line of the kernel's source: a path from the project's root, and the line counted from 1. */
export interface SourceLine {
  readonly file: string;
  readonly line: number;
}

/** Frames looked at: as many as the deepest way from a line of the kernel to here has. */
const FRAMES = 5;

const KERNEL_FRAME = /\/(kernel\/[a-z_]+\.ts):(\d+):\d+/;

/**
 * The line of the kernel's source that is asking for code: the innermost caller in a file directly
 * under `kernel/` (the code generator stands in a folder of its own). Only the part of the path from
 * `kernel/` on is kept, so that the result does not depend on where the project lies. Undefined if
 * there is none, as in a bundle.
 */
export function callerLine(): SourceLine | undefined {
  const limit = Error.stackTraceLimit;
  Error.stackTraceLimit = FRAMES;
  const match = KERNEL_FRAME.exec(new Error().stack ?? "");
  Error.stackTraceLimit = limit;
  return match ? { file: match[1], line: Number(match[2]) } : undefined;
}
