import type { Trace, WindowFlow } from "../../trace/mod.ts";
import { indexOf } from "../index/trace_index.ts";

/** Position before the first execution of the instruction at `pc`, or undefined if it never ran. */
export function firstExecution(trace: Trace, pc: bigint): number | undefined {
  for (const { number } of trace.windows) {
    if (number === 0 || !mayExecute(trace, number, pc)) continue;
    const position = firstIn(trace.blocks(number), pc);
    if (position !== undefined) return position;
  }
  return undefined;
}

/** The first position in a window at which an instruction retires. */
function firstIn({ start, blocks, exceptions, table }: WindowFlow, pc: bigint): number | undefined {
  /** By block, 1 + steps into it at which the instruction is; 0 if it is not in it. */
  const offsets = new Uint8Array(table.count);
  for (let id = 0; id < table.count; id++) {
    const offset = BigInt.asUintN(64, pc - table.pc(id));
    if (offset % 4n === 0n && offset < 4 * table.steps(id)) offsets[id] = Number(offset / 4n) + 1;
  }
  let position = start;
  let exception = 0;
  for (let i = 0; i < blocks.length; i++) {
    if (exceptions[exception]?.before === i) position += exceptions[exception++].count;
    const id = blocks[i];
    if (offsets[id] > 0) return position + offsets[id] - 1;
    position += table.steps(id);
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
