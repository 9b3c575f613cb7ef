import type { ExecutedInstruction, Trace } from "../../trace/mod.ts";

/** The instruction that the step behind a position executed; undefined for an exception entry. */
export function instructionAt(trace: Trace, position: number): ExecutedInstruction | undefined {
  const [instruction] = trace.executed(position, position + 1);
  return instruction?.position === position ? instruction : undefined;
}

/** Instructions executed before a position, latest first. */
export function* executedBackwards(
  trace: Trace,
  before: number,
): Generator<ExecutedInstruction> {
  for (let number = trace.windows.length - 1; number > 0; number--) {
    const window = trace.windows[number];
    if (window.start >= before) continue;
    const { table, blocks, exceptions } = trace.blocks(number);
    let position = window.end;
    let exception = exceptions.length - 1;
    for (let i = blocks.length; i >= 0; i--) {
      if (i < blocks.length) {
        const id = blocks[i];
        const end = position;
        position -= table.steps(id);
        if (position < before) {
          const cpu = trace.turns.cpuAt(position);
          const el = table.regime(id);
          for (let n = Math.min(end, before) - position - 1; n >= 0; n--) {
            const pc = BigInt.asUintN(64, table.pc(id) + BigInt(4 * n));
            yield { position: position + n, pc, word: table.word(id, n), cpu, el };
          }
        }
      }
      if (exception >= 0 && exceptions[exception].before === i) {
        position -= exceptions[exception--].count;
      }
    }
  }
}
