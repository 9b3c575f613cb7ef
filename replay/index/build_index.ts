import type { Trace } from "../../trace/mod.ts";
import { Session } from "../session.ts";
import { askWorkers } from "../workers.ts";
import { type EncodedGroup, encodeIndex } from "./index_format.ts";
import { groupCount, makeGroup } from "./index_group.ts";

/** The bytes of a trace's index, in parts, made here. */
export function buildIndex(trace: Trace): Uint8Array[] {
  const session = new Session(trace);
  const groups = Array.from({ length: groupCount(trace) }, (_, group) => makeGroup(session, group));
  return encodeIndex(trace.identity(), trace.windows.length, groups);
}

/**
 * The same bytes, made by workers that execute groups of windows at the same time.
 *
 * @param path the trace's file
 * @throws ReplayError if a worker cannot execute its windows
 */
export async function buildIndexInWorkers(
  path: string,
  trace: Trace,
  workers?: number,
): Promise<Uint8Array[]> {
  const groups: EncodedGroup[] = [];
  await askWorkers<EncodedGroup>({
    path,
    module: new URL("index_worker.ts", import.meta.url),
    parts: Array.from({ length: groupCount(trace) }, (_, group) => group),
    workers,
    answer: (group) => groups.push(group) > 0,
  });
  return encodeIndex(trace.identity(), trace.windows.length, groups);
}
