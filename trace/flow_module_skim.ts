/**
 * The flow encoder's WebAssembly module, part 4: windows that another encoder encodes. Their blocks
 * are only looked up, so that new ones are defined as they are there, in the same order.
 */

import {
  type Expression,
  type FunctionReference,
  i32,
  i64,
  load,
  type Local,
  op,
} from "../core/engine/wasm/function_builder.ts";
import type { ModuleBuilder } from "../core/engine/wasm/module_builder.ts";
import { BLOCK, FLOW_MEMORY, INPUT_MEMORY, STATE } from "./flow_memory.ts";
import { sideSlot } from "./flow_module_block.ts";
import { add, setWord, word } from "./flow_module_parts.ts";
import { MAX_BLOCK_STEPS } from "./schema.ts";

const LONGEST = MAX_BLOCK_STEPS * 16;

/** Defines `skim(from, pairs, arenaBase)`; `find` learns where a block is. */
export function defineSkim(module: ModuleBuilder, find: FunctionReference): FunctionReference {
  const { reference, body: f } = module.function(["i32", "i32", "i32"], "");
  const local = () => f.local("i32");
  const [at, last, start, end, block, here] = [
    local(),
    local(),
    local(),
    local(),
    local(),
    local(),
  ];
  const run = f.local("i64");
  const arenaBase = f.parameter(2);
  f.set(at, f.parameter(0));
  f.set(last, op("i32.add", at, op("i32.shl", f.parameter(1), i32(3))));
  f.set(here, word(STATE.context));
  f.block((done) =>
    f.loop((next) => {
      f.branchIf(done, op("i32.ge_u", at, last));
      f.set(run, load("i64.load", at, 0, INPUT_MEMORY));
      f.set(start, op("i32.wrap_i64", run));
      add(f, at, i32(8));
      f.if(op("i32.lt_u", start, i32(16)), () => {
        f.if(op("i32.eqz", start), () => {
          f.set(here, high(run));
          setWord(f, STATE.context, here);
        });
        f.branch(next);
      });
      f.set(block, load("i32.load", sideSlot(start, arenaBase), FLOW_MEMORY.blockAt + 4));
      const moved = op("i64.ne", load("i64.load", block, BLOCK.start), run);
      const elsewhere = op("i32.ne", load("i32.load", block, BLOCK.context), here);
      f.branchIf(next, op("i32.eqz", op("i32.or", moved, elsewhere)));
      f.set(end, high(run));
      f.loop((more) => {
        f.set(block, end);
        f.if(op("i32.gt_u", op("i32.sub", end, start), i32(LONGEST)), () => {
          f.set(block, op("i32.add", start, i32(LONGEST)));
        });
        f.call(find, start, block, arenaBase);
        f.set(start, block);
        f.branchIf(next, op("i32.eq", start, end));
        f.branch(more);
      });
    })
  );
  return reference;
}

function high(pair: Local): Expression {
  return op("i32.wrap_i64", op("i64.shr_u", pair, i64(32n)));
}
