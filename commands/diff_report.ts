/**
 * A comparison as what is printed. That of long boots is made by a worker of its own: the main thread's
 * memory cannot be bounded, and grows to several times what a comparison needs.
 */
import {
  type Diff,
  diff,
  diffInWorkers,
  type DiffProgress,
  isWorthWorkers,
} from "../replay/queries/diff.ts";
import { doJob } from "../replay/workers.ts";
import { diffJson, diffLines, diffMarkdown } from "./diff_text.ts";
import type { OpenedTrace } from "./trace_file.ts";

/** How a comparison is printed. */
export type DiffForm = "lines" | "markdown" | "json";

/** What is printed. */
export type DiffReport = { readonly lines: string[] } | { readonly json: Record<string, unknown> };

/** One of the traces. */
export type ComparedTrace = Pick<OpenedTrace, "path" | "source" | "trace">;

/** What the worker is told. */
export interface DiffQuestion {
  readonly a: Omit<ComparedTrace, "trace">;
  readonly b: Omit<ComparedTrace, "trace">;
  readonly form: DiffForm;
}

/**
 * Compares two boots.
 *
 * @throws ReplayError if one of them cannot be re-executed
 */
export async function diffReportInWorker(
  a: ComparedTrace,
  b: ComparedTrace,
  form: DiffForm,
  progress: DiffProgress,
): Promise<DiffReport> {
  if (a.source === null || b.source === null || !isWorthWorkers(a.trace, b.trace)) {
    return await diffReport(a, b, form, progress);
  }
  const files = [a, b].map(({ path, source }) => ({ path, source }));
  const question: DiffQuestion = { a: files[0], b: files[1], form };
  const module = new URL("./diff_thread.ts", import.meta.url);
  return await doJob<DiffReport>(module, question, (positions) => {
    progress(...positions as Parameters<DiffProgress>);
  });
}

/** Compares two boots here; workers execute them if they are long. */
export async function diffReport(
  a: ComparedTrace,
  b: ComparedTrace,
  form: DiffForm,
  progress: DiffProgress,
): Promise<DiffReport> {
  const shown = { diff: await compared(a, b, progress), a, b };
  if (form === "json") return { json: diffJson(shown) };
  return { lines: form === "markdown" ? diffMarkdown(shown) : diffLines(shown) };
}

async function compared(
  a: ComparedTrace,
  b: ComparedTrace,
  progress: DiffProgress,
): Promise<Diff> {
  if (a.source === null || b.source === null || !isWorthWorkers(a.trace, b.trace)) {
    return diff(a.trace, b.trace, progress);
  }
  try {
    return await diffInWorkers([a.trace, a.source], [b.trace, b.source], progress);
  } catch (error) {
    // Without workers it takes longer.
    if (error instanceof Deno.errors.NotCapable) return diff(a.trace, b.trace, progress);
    throw error;
  }
}
