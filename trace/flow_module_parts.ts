/**
 * What the functions of the flow encoder's WebAssembly module share: `flow_module.ts` has the loop
 * and the common case, `flow_module_block.ts` every other case, `flow_module_repeat.ts` repetitions.
 */

import {
  type Expression,
  type FunctionBuilder,
  i32,
  load,
  type Local,
  op,
} from "../core/engine/wasm/function_builder.ts";
import { FLOW_MEMORY, type REPEAT, type STATE } from "./flow_memory.ts";
import { BLOCK_KIND } from "./schema.ts";

/** Block kinds as sets of bits. */
export const KINDS = {
  indirect: (1 << BLOCK_KIND.indirect) | (1 << BLOCK_KIND.indirectCall) |
    (1 << BLOCK_KIND.exception),
  /** Those that change the return stack. */
  stack: (1 << BLOCK_KIND.call) | (1 << BLOCK_KIND.indirectCall) | (1 << BLOCK_KIND.return),
} as const;

/** Bits of branch history, see `predictor.ts`. */
export const HISTORY_MASK = 0xfff;

type Offset = (typeof STATE)[keyof typeof STATE] | (typeof REPEAT)[keyof typeof REPEAT];

/** A word of the state, by its offset. Its address is a constant, so that no load of it is checked. */
export function word(offset: Offset): Expression {
  return load("i32.load", i32(0), FLOW_MEMORY.state + offset);
}

/** Sets a word of the state. */
export function setWord(f: FunctionBuilder, offset: Offset, value: Expression): void {
  f.store("i32.store", i32(0), value, FLOW_MEMORY.state + offset);
}

/** Whether `kind` is one of a set of bits. */
export function kindIn(kind: Expression, kinds: number): Expression {
  return op("i32.and", op("i32.shr_u", i32(kinds), kind), i32(1));
}

/** `target += value`. */
export function add(f: FunctionBuilder, target: Local, value: Expression): void {
  f.set(target, op("i32.add", target, value));
}

/** `a | b | …`. */
export function anyOf(...conditions: Expression[]): Expression {
  return conditions.reduce((a, b) => op("i32.or", a, b));
}
