/** Which instructions a window executed, one by one. */

import type { WindowFlow } from "./flow_decoder.ts";
import type { TurnTable } from "./turn_table.ts";

/** One executed instruction. */
export interface ExecutedInstruction {
  /** Position before it. */
  position: number;
  /** Its address. */
  pc: bigint;
  /** The instruction word. */
  word: number;
  /** Index of the CPU. */
  cpu: number;
  /** Exception level. */
  el: number;
}

/** The instructions of a window from position `from` up to, not including, position `to`. */
export function* executedIn(
  flow: WindowFlow,
  turns: TurnTable,
  from: number,
  to: number,
): Generator<ExecutedInstruction> {
  const { table, blocks, exceptions } = flow;
  let position = flow.start;
  let exception = 0;
  for (let i = 0; i < blocks.length; i++) {
    if (exceptions[exception]?.before === i) position += exceptions[exception++].count;
    if (position >= to) return;
    const id = blocks[i];
    const start = position;
    position += table.steps(id);
    if (position <= from) continue;
    const last = Math.min(position, to) - start;
    const el = table.regime(id);
    const cpu = turns.cpuAt(start);
    for (let n = Math.max(0, from - start); n < last; n++) {
      const pc = BigInt.asUintN(64, table.pc(id) + BigInt(4 * n));
      yield { position: start + n, pc, word: table.word(id, n), cpu, el };
    }
  }
}
