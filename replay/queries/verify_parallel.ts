/** Verifies stretches of a trace in several threads: each begins from the state that the one before must end with. */
import type { Trace } from "../../trace/mod.ts";
import { askWorkers, workersFor, workersWithin } from "../workers.ts";
import {
  type Verification,
  verificationOf,
  type VerifiedWindows,
  verify,
  verifyWindows,
} from "./verify.ts";

/** How it is done. */
export interface VerifyOptions {
  /** Threads; as many as fit into a gigabyte if left out. */
  readonly workers?: number | undefined;
  /** Called now and then with the steps verified so far. */
  readonly progress?: (steps: number) => void;
}

/** Stretches that each thread makes: more would cost the reading of the state before them. */
const STRETCHES = 2;

/** What workers are told: windows of a stretch. */
export interface VerifyQuestion {
  readonly stretch: number;
}

/**
 * The same as {@linkcode verify}, whatever the number of workers.
 *
 * @param path the trace's file, which workers open for themselves; null: there is none, and no workers
 */
export async function verifyInWorkers(
  path: string | null,
  trace: Trace,
  { workers = workersWithin(trace), progress }: VerifyOptions,
): Promise<Verification> {
  const windows = trace.windows.length - 1;
  const count = workersFor(windows, workers);
  if (path === null || count < 2) return verify(trace, progress);
  const stretch = Math.ceil(windows / (STRETCHES * count));
  const parts = Array.from({ length: Math.ceil(windows / stretch) }, (_, part) => part);
  const verified: VerifiedWindows[] = [];
  await askWorkers<VerifiedWindows>({
    path,
    module: new URL("./verify_worker.ts", import.meta.url),
    question: { stretch } satisfies VerifyQuestion,
    parts,
    workers: count,
    answer: (part) => {
      verified.push(part);
      progress?.(part.steps);
      return part.difference === null;
    },
  });
  return verificationOf(trace, verified);
}

/** One stretch. */
export function verifyStretch(trace: Trace, stretch: number, part: number): VerifiedWindows {
  const first = 1 + part * stretch;
  return verifyWindows(trace, {
    first,
    last: Math.min(first + stretch, trace.windows.length) - 1,
  });
}
