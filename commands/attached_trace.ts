/** Opens traces of profile `attach`: what they leave out is executed again, once. */
import { checkExpanded } from "../replay/expand.ts";
import { ReplayError } from "../replay/replay_error.ts";
import { doJob } from "../replay/workers.ts";
import { bytesAccess, fileAccess } from "../trace/random_access.ts";
import { openTrace, type Trace } from "../trace/reader.ts";
import { TraceError } from "../trace/trace_error.ts";
import { whyFailed } from "./files.ts";
import { grouped, type Output } from "./output.ts";
import { Progress } from "./progress.ts";
import { fullPath, isGranted, keepFile } from "./kept_file.ts";

/** A full trace, and the file that holds it, if one does. */
export interface FullTrace {
  readonly trace: Trace;
  readonly path: string | null;
}

/**
 * The full trace behind one of profile `attach`: the file beside it if there is one and it is of this
 * trace, else executed again and left there where that is permitted.
 *
 * @returns null if it cannot be executed again, which is said in one line
 */
export async function openFull(
  path: string,
  trace: Trace,
  err: Output,
): Promise<FullTrace | null> {
  const known = openKept(fullPath(path), trace);
  if (known) return { trace: known, path: fullPath(path) };
  try {
    const bytes = await executeAgain(path, trace, err);
    const full = openTrace(bytesAccess(bytes));
    checkExpanded(trace, full);
    const kept = keepFile(fullPath(path), bytes);
    return { trace: full, path: kept ? fullPath(path) : null };
  } catch (error) {
    if (!(error instanceof ReplayError)) throw error;
    err.line(`unboot: ${path}: ${error.message}`);
    return null;
  }
}

function openKept(path: string, trace: Trace): Trace | null {
  if (!isGranted("read", path)) return null;
  let file;
  try {
    file = fileAccess(path);
    const full = openTrace(file);
    checkExpanded(trace, full);
    return full;
  } catch (error) {
    file?.close();
    const isOther = error instanceof TraceError || error instanceof ReplayError;
    if (isOther || whyFailed(error as Error) !== undefined) return null;
    throw error;
  }
}

/** In a worker, whose memory is given back, and so that two traces are executed at once. */
async function executeAgain(
  path: string,
  trace: Trace,
  err: Output,
): Promise<Uint8Array<ArrayBuffer>> {
  const progress = new Progress(err, performance.now());
  const module = new URL("./expand_thread.ts", import.meta.url);
  try {
    return await doJob<Uint8Array<ArrayBuffer>>(module, path, (steps) => {
      const share = Math.floor(100 * Number(steps) / trace.end);
      progress.show(
        performance.now(),
        () => `executing ${path} again: ${grouped(Number(steps))} steps, ${share}%`,
      );
    });
  } finally {
    progress.clear();
  }
}
