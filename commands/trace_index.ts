/** `FILE.idx` beside a trace: opened if it is there, made when a question would take long without. */
import { IndexReader } from "../replay/index/index_reader.ts";
import { attachIndex, ImpatientIndex, indexOf, IndexWanted } from "../replay/index/trace_index.ts";
import { bytesAccess, fileAccess } from "../trace/random_access.ts";
import type { Trace } from "../trace/reader.ts";
import { TraceError } from "../trace/trace_error.ts";
import { indexPath, isGranted, keepFile } from "./kept_file.ts";
import type { Output } from "./output.ts";
import type { OpenedTrace } from "./trace_file.ts";

/** Windows that a query may look through before an index is made: some tenths of a second. */
const PATIENCE = 6;

/**
 * Gives a trace its index if there is one beside it; says in one line why one that is there cannot
 * be used.
 */
export function openIndex(path: string, trace: Trace, err: Output): void {
  if (!isGranted("read", indexPath(path))) return;
  const note = (why: string) => err.line(`unboot: ${indexPath(path)} is not used: ${why}`);
  let file;
  try {
    file = fileAccess(indexPath(path));
    attachIndex(trace, new IndexReader(file, trace, note));
  } catch (error) {
    file?.close();
    if (error instanceof TraceError) note(error.message);
  }
}

/**
 * Runs a query that gives answers one by one; if the trace has no index and it turns out to be long,
 * makes one first and begins again behind the answers that were given.
 */
export async function withIndex<T>(
  opened: OpenedTrace,
  query: () => Iterable<T>,
  answer: (found: T) => void,
): Promise<void> {
  const { trace } = opened;
  let given = 0;
  if (!indexOf(trace)) {
    attachIndex(trace, new ImpatientIndex(PATIENCE));
    try {
      for (const found of query()) {
        answer(found);
        given++;
      }
      return;
    } catch (error) {
      if (!(error instanceof IndexWanted)) throw error;
    } finally {
      attachIndex(trace, null);
    }
    await makeIndex(opened);
  }
  let skip = given;
  for (const found of query()) {
    if (skip-- <= 0) answer(found);
  }
}

/** Makes the index, gives it to the trace and, where that is permitted, leaves it beside the file. */
async function makeIndex({ source: path, trace }: OpenedTrace): Promise<void> {
  const { buildIndex, buildIndexInWorkers } = await import("../replay/index/build_index.ts");
  // Without workers it takes longer; they need a file.
  const parts = path === null ? buildIndex(trace) : await buildIndexInWorkers(path, trace)
    .catch((error) => {
      if (error instanceof Deno.errors.NotCapable) return buildIndex(trace);
      throw error;
    });
  const bytes = new Uint8Array(await new Blob(parts as BlobPart[]).arrayBuffer());
  attachIndex(trace, new IndexReader(bytesAccess(bytes), trace, () => {}));
  if (path !== null) keepFile(indexPath(path), bytes);
}
