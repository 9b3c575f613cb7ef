import type { Trace } from "../../trace/mod.ts";
import { ReplayError } from "../replay_error.ts";
import { Session } from "../session.ts";
import { type EncodedGroup, encodeIndex } from "./index_format.ts";
import { groupCount, makeGroup } from "./index_group.ts";
import type { GroupAnswer } from "./index_worker.ts";

/** More workers than this gain little. */
const MOST_WORKERS = 8;

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
  workers: number = navigator.hardwareConcurrency,
): Promise<Uint8Array[]> {
  const count = groupCount(trace);
  const groups = new Array<EncodedGroup>(count);
  let next = 0;
  const take = () => next < count ? next++ : undefined;
  const size = Math.max(1, Math.min(workers, MOST_WORKERS, count));
  await Promise.all(
    Array.from({ length: size }, () => runWorker(path, take, (made) => groups[made.group] = made)),
  );
  return encodeIndex(trace.identity(), trace.windows.length, groups);
}

/** Keeps one worker busy until there are no groups left. */
async function runWorker(
  path: string,
  take: () => number | undefined,
  made: (group: EncodedGroup) => void,
): Promise<void> {
  const worker = new Worker(new URL("index_worker.ts", import.meta.url).href, { type: "module" });
  const { port1, port2 } = new MessageChannel();
  try {
    await new Promise<void>((done, fail) => {
      worker.onerror = (event) => {
        event.preventDefault();
        fail(new ReplayError(event.message));
      };
      port1.onmessage = ({ data }: MessageEvent<GroupAnswer | null>) => {
        if (data && "error" in data) return fail(new ReplayError(data.error));
        if (data) made(data);
        const group = take();
        if (group === undefined) done();
        else port1.postMessage(group);
      };
      worker.postMessage(path, [port2]);
    });
  } finally {
    port1.close();
    worker.terminate();
  }
}
