import type { Trace } from "../../trace/mod.ts";
import { indexOf } from "../index/trace_index.ts";

/** Position before the first execution of the instruction at `pc`, or undefined if it never ran. */
export function firstExecution(trace: Trace, pc: bigint): number | undefined {
  for (const { number, start, end } of trace.windows) {
    if (number === 0 || !mayExecute(trace, number, pc)) continue;
    for (const instruction of trace.executed(start, end)) {
      if (instruction.pc === pc) return instruction.position;
    }
  }
  return undefined;
}

/** Whether the window executed `pc`, or without an index anything in its 64-byte line. */
function mayExecute(trace: Trace, window: number, pc: bigint): boolean {
  const known = indexOf(trace)?.executed(window, pc);
  if (known !== undefined) return known;
  const page = Number(pc >> 12n);
  const line = Number(pc & 0xfffn) >> 6;
  return trace.summary(window).executed.some((entry) =>
    entry.page === page && (entry.lines[line >> 3] & (1 << (line & 7))) !== 0
  );
}
