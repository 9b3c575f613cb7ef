/** A worker that executes a trace of profile `attach` again: see `attached_trace.ts`. */
import { expandTrace } from "../replay/expand.ts";
import { serveJob } from "../replay/workers.ts";
import { fileAccess } from "../trace/random_access.ts";
import { openTrace } from "../trace/reader.ts";

serveJob((path: string, tell): Uint8Array<ArrayBuffer> => {
  const parts: Uint8Array[] = [];
  const trace = openTrace(fileAccess(path));
  expandTrace(trace, { write: (bytes) => void parts.push(bytes) }, tell);
  const bytes = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    bytes.set(part, at);
    at += part.length;
  }
  return bytes;
});
