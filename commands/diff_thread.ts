/** A worker that compares two boots and makes the report: see `diff_report.ts`. */
import { serveJob } from "../replay/workers.ts";
import { fileAccess } from "../trace/random_access.ts";
import { openTrace } from "../trace/reader.ts";
import { type DiffQuestion, diffReport } from "./diff_report.ts";

serveJob(({ a, b, form }: DiffQuestion, tell) => {
  const [x, y] = [a, b].map((file) => ({ ...file, trace: openTrace(fileAccess(file.source!)) }));
  return diffReport(x, y, form, (...positions) => tell(positions));
});
