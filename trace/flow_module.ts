/**
 * The flow encoder's WebAssembly module. Read `predictor.ts` and `flow_encoder.ts` first: this is
 * the same, with blocks as addresses (0 for none) and all state of a call in locals.
 */

import {
  type Expression,
  type FunctionBuilder,
  type Label,
  type Local,
} from "../core/engine/wasm/function_builder.ts";
import { call, i32, load, op, select } from "../core/engine/wasm/function_builder.ts";
import type { FunctionReference } from "../core/engine/wasm/function_builder.ts";
import { ModuleBuilder } from "../core/engine/wasm/module_builder.ts";
import { BLOCK, FLOW_MEMORY, STATE } from "./flow_memory.ts";
import { BLOCK_KIND, MAX_BLOCK_STEPS } from "./schema.ts";

const ENTRY = { end: 0, context: 4, block: 8, next: 12 };

const INDIRECT_KINDS = (1 << BLOCK_KIND.indirect) | (1 << BLOCK_KIND.indirectCall) |
  (1 << BLOCK_KIND.exception);
const CALL_KINDS = (1 << BLOCK_KIND.call) | (1 << BLOCK_KIND.indirectCall);
const STACK_KINDS = CALL_KINDS | (1 << BLOCK_KIND.return);

/** See `predictor.ts`. */
const HISTORY_MASK = 0xfff;

type Names = Exclude<keyof typeof STATE, "generation">;

/** Everything that the parts of the function share. */
interface Parts {
  f: FunctionBuilder;
  leb: FunctionReference;
  define: FunctionReference;
  state: Record<Names, Local>;
  block: Local;
  predicted: Local;
  other: Local;
  index: Local;
  kind: Local;
  scratch: Local;
}

/** Builds the module: imports `trace.memory` and `trace.define`, exports `encode(pairs, arenaBase)`. */
export function buildFlowModule(): Uint8Array<ArrayBuffer> {
  const module = new ModuleBuilder();
  module.importMemory("trace", "memory", 1);
  const define = module.importFunction("trace", "define", ["i32", "i32", "i32"], "i32");
  const leb = lebFunction(module);
  const { reference, body: f } = module.function(["i32", "i32"], "");
  const local = () => f.local("i32");
  const state = {} as Record<Names, Local>;
  for (const name of Object.keys(STATE) as (keyof typeof STATE)[]) {
    if (name !== "generation") state[name] = local();
  }
  const parts: Parts = {
    f,
    leb,
    define,
    state,
    block: local(),
    predicted: local(),
    other: local(),
    index: local(),
    kind: local(),
    scratch: local(),
  };
  for (const name of Object.keys(state) as Names[]) f.set(state[name], stateWord(name));
  emitLoop(parts);
  for (const name of Object.keys(state) as Names[]) {
    f.store("i32.store", i32(FLOW_MEMORY.state + STATE[name]), state[name]);
  }
  module.export("encode", reference);
  return module.build();
}

function stateWord(name: keyof typeof STATE): Expression {
  return load("i32.load", i32(FLOW_MEMORY.state + STATE[name]));
}

/** `leb(at, value)`: writes a LEB128 and returns the address after it. */
function lebFunction(module: ModuleBuilder): FunctionReference {
  const { reference, body: f } = module.function(["i32", "i32"], "i32");
  const [at, value] = [f.parameter(0), f.parameter(1)];
  f.loop((again) => {
    f.if(op("i32.ge_u", value, i32(0x80)), () => {
      f.store("i32.store8", at, op("i32.or", value, i32(0x80)));
      f.set(value, op("i32.shr_u", value, i32(7)));
      f.set(at, op("i32.add", at, i32(1)));
      f.branch(again);
    });
  });
  f.store("i32.store8", at, value);
  f.return(op("i32.add", at, i32(1)));
  f.unreachable();
  return reference;
}

/** Over the pairs of the input: contexts, exception entries, and runs split into blocks. */
function emitLoop(p: Parts): void {
  const { f, state } = p;
  const [pairs, arenaBase] = [f.parameter(0), f.parameter(1)];
  const [at, start, end, blockEnd] = [
    f.local("i32"),
    f.local("i32"),
    f.local("i32"),
    f.local("i32"),
  ];
  const last = f.local("i32");
  f.set(at, i32(FLOW_MEMORY.input));
  f.set(last, op("i32.add", at, op("i32.shl", pairs, i32(3))));
  f.block((done) =>
    f.loop((next) => {
      f.branchIf(done, op("i32.ge_u", at, last));
      f.set(start, load("i32.load", at));
      f.set(end, load("i32.load", at, 4));
      f.set(at, op("i32.add", at, i32(8)));
      f.if(op("i32.lt_u", start, i32(16)), () => {
        f.if(start, () => {
          add(f, state.pendingExceptions, end);
          add(f, state.steps, end);
          f.set(state.interrupted, op("i32.or", state.interrupted, op("i32.ne", end, i32(0))));
        }, () => f.set(state.context, end));
        f.branch(next);
      });
      add(f, state.steps, op("i32.shr_u", op("i32.sub", end, start), i32(4)));
      const known = op("i32.ne", state.previous, i32(0));
      const calm = op("i32.eqz", state.interrupted);
      f.if(op("i32.and", known, calm), () => emitExpected(p, at, next));
      f.loop((more) => {
        f.set(blockEnd, op("i32.add", start, i32(MAX_BLOCK_STEPS * 16)));
        f.set(blockEnd, select(blockEnd, end, op("i32.lt_u", blockEnd, end)));
        emitFind(p, start, blockEnd, arenaBase);
        emitBlock(p);
        f.set(start, blockEnd);
        f.branchIf(more, op("i32.lt_u", start, end));
      });
      f.branch(next);
    })
  );
}

/**
 * The common case, first: the guess is right, which its record tells without looking the run up.
 * Branches to `next` if so. `at` is behind the run in the input.
 */
function emitExpected(p: Parts, at: Local, next: Label): void {
  p.f.block((unexpected) => emitGuess(p, at, { next, unexpected }));
}

function emitGuess(p: Parts, at: Local, to: { next: Label; unexpected: Label }): void {
  const { next, unexpected } = to;
  const { f, state, predicted, index, kind, scratch: counter } = p;
  const hash = load("i32.load", state.previous, BLOCK.hash);
  const first = load("i32.load", state.previous, BLOCK.first);
  const second = load("i32.load", state.previous, BLOCK.second);
  f.set(kind, load("i32.load", state.previous, BLOCK.kind));
  f.if(op("i32.eq", kind, i32(BLOCK_KIND.conditional)), () => {
    f.set(index, op("i32.and", op("i32.xor", hash, state.history), i32(0xffff)));
    f.set(counter, load("i32.load8_u", index, FLOW_MEMORY.counters));
    const usesSecond = p.other;
    f.set(usesSecond, op("i32.and", op("i32.ge_u", counter, i32(2)), op("i32.ne", second, i32(0))));
    f.set(predicted, select(second, first, usesSecond));
    f.if(isAt(p, at), () => {
      const history = op("i32.or", op("i32.shl", state.history, i32(1)), usesSecond);
      f.set(state.history, op("i32.and", history, i32(HISTORY_MASK)));
      const down = select(op("i32.sub", counter, i32(1)), i32(0), counter);
      const up = select(op("i32.add", counter, i32(1)), i32(3), op("i32.lt_u", counter, i32(3)));
      f.store("i32.store8", index, select(up, down, usesSecond), FLOW_MEMORY.counters);
      emitAdvance(p, next);
    });
    f.branch(unexpected);
  });
  f.if(kindIn(kind, INDIRECT_KINDS), () => {
    const mixed = op("i32.xor", hash, op("i32.shl", state.history, i32(8)));
    f.set(index, op("i32.shl", op("i32.and", mixed, i32(0xffff)), i32(2)));
    f.set(predicted, load("i32.load", index, FLOW_MEMORY.indirect));
    f.if(op("i32.eqz", predicted), () => f.set(predicted, first));
    f.if(isAt(p, at), () => {
      f.store("i32.store", index, predicted, FLOW_MEMORY.indirect);
      f.store("i32.store", state.previous, predicted, BLOCK.first);
      emitAdvance(p, next);
    });
    f.branch(unexpected);
  });
  f.set(predicted, first);
  f.if(op("i32.eq", kind, i32(BLOCK_KIND.return)), () => {
    f.if(state.caller, () => f.set(predicted, load("i32.load", state.caller, BLOCK.afterReturn)));
  });
  f.if(isAt(p, at), () => emitAdvance(p, next));
}

/** Whether the guess is the run that ends before `at` in the input, in the current context. */
function isAt({ state, predicted }: Parts, at: Local): Expression {
  const run = load("i64.load", op("i32.sub", at, i32(8)));
  const place = op("i64.eq", run, load("i64.load", predicted, BLOCK.start));
  const context = op("i32.eq", load("i32.load", predicted, BLOCK.context), state.context);
  return op("i32.and", op("i32.and", place, context), op("i32.ne", predicted, i32(0)));
}

/** A hit: the guess becomes the current block. */
function emitAdvance(p: Parts, next: Label): void {
  const { f, state } = p;
  f.set(state.previous, p.predicted);
  emitPassed(p);
  add(f, state.hits, i32(1));
  f.branch(next);
}

/** Sets `block` to the record of the block in records `[start, end)`. */
function emitFind(p: Parts, start: Local, end: Local, arenaBase: Local): void {
  const { f, state, block, scratch: entry } = p;
  const slot = op("i32.shr_u", op("i32.sub", start, arenaBase), i32(2));
  f.set(entry, load("i32.load", slot, FLOW_MEMORY.blockAt));
  f.block((found) => {
    f.loop((next) => {
      f.if(entry, () => {
        f.set(block, load("i32.load", entry, ENTRY.block));
        f.branchIf(
          found,
          op(
            "i32.and",
            op("i32.eq", load("i32.load", entry, ENTRY.end), end),
            op("i32.eq", load("i32.load", entry, ENTRY.context), state.context),
          ),
        );
        f.set(entry, load("i32.load", entry, ENTRY.next));
        f.branch(next);
      });
    });
    f.set(block, call(p.define, start, end, state.context));
  });
  f.store("i32.store", block, start, BLOCK.start);
  f.store("i32.store", block, end, BLOCK.end);
  f.store("i32.store", block, state.context, BLOCK.context);
}

/** One executed block: flush exception entries, predict, learn, count or write a miss, advance. */
function emitBlock(p: Parts): void {
  const { f, state, block } = p;
  f.if(state.pendingExceptions, () => {
    writeUint(p, "exceptions", state.sinceException);
    writeUint(p, "exceptions", state.pendingExceptions);
    f.set(state.pendingExceptions, i32(0));
    f.set(state.sinceException, i32(0));
  });
  f.set(p.predicted, i32(0));
  f.set(p.other, i32(0));
  f.if(state.previous, () => emitPredictAndLearn(p));
  f.set(p.scratch, load("i32.load", block, BLOCK.generation));
  f.if(
    op("i32.eq", p.predicted, block),
    () => add(f, state.hits, i32(1)),
    () => emitMiss(p),
  );
  f.if(op("i32.ne", p.scratch, stateWord("generation")), () => emitForget(p));
  f.set(state.previous, block);
  f.set(state.interrupted, i32(0));
  emitPassed(p);
}

/** The current block is a new one: counts it, and keeps the return stack. */
function emitPassed(p: Parts): void {
  const { f, state } = p;
  add(f, state.blocks, i32(1));
  add(f, state.sinceException, i32(1));
  f.set(p.kind, load("i32.load", state.previous, BLOCK.kind));
  f.if(kindIn(p.kind, STACK_KINDS), () => {
    const stackTop = op("i32.shl", state.top, i32(2));
    f.if(op("i32.eq", p.kind, i32(BLOCK_KIND.return)), () => {
      f.set(state.caller, load("i32.load", stackTop, FLOW_MEMORY.stack));
      f.store("i32.store", stackTop, i32(0), FLOW_MEMORY.stack);
      f.set(state.top, op("i32.and", op("i32.sub", state.top, i32(1)), i32(63)));
    }, () => {
      f.set(state.top, op("i32.and", op("i32.add", state.top, i32(1)), i32(63)));
      f.store("i32.store", stackTop, state.previous, FLOW_MEMORY.stack);
    });
  });
}

function emitPredictAndLearn(p: Parts): void {
  const { f, state, block, predicted, index, kind } = p;
  // Of what the window has not seen yet, the block after this one in the table is guessed.
  const before = f.local("i32");
  f.set(before, state.previous);
  const first = load("i32.load", state.previous, BLOCK.first);
  const hash = load("i32.load", state.previous, BLOCK.hash);
  f.set(kind, load("i32.load", state.previous, BLOCK.kind));
  f.if(
    op("i32.or", state.interrupted, kindIn(kind, INDIRECT_KINDS)),
    () => {
      const mixed = op("i32.xor", hash, op("i32.shl", state.history, i32(8)));
      f.set(index, op("i32.shl", op("i32.and", mixed, i32(0xffff)), i32(2)));
      f.set(predicted, load("i32.load", index, FLOW_MEMORY.indirect));
      f.if(op("i32.eqz", predicted), () => f.set(predicted, first));
      f.store("i32.store", index, block, FLOW_MEMORY.indirect);
      f.if(op("i32.eqz", state.interrupted), () => {
        f.store("i32.store", state.previous, block, BLOCK.first);
      });
    },
    () =>
      f.if(
        op("i32.eq", kind, i32(BLOCK_KIND.conditional)),
        () => emitConditional(p, hash),
        () =>
          f.if(
            op(
              "i32.and",
              op("i32.eq", kind, i32(BLOCK_KIND.return)),
              op("i32.ne", state.caller, i32(0)),
            ),
            () => {
              f.set(predicted, load("i32.load", state.caller, BLOCK.afterReturn));
              f.store("i32.store", state.caller, block, BLOCK.afterReturn);
              f.set(before, state.caller);
            },
            () => {
              f.set(predicted, first);
              f.store("i32.store", state.previous, block, BLOCK.first);
            },
          ),
      ),
  );
  f.if(op("i32.eqz", predicted), () => {
    const follows = op("i32.add", load("i32.load", before, BLOCK.id), i32(1));
    f.set(predicted, select(block, i32(0), op("i32.eq", load("i32.load", block), follows)));
  });
}

function emitConditional(p: Parts, hash: Expression): void {
  const { f, state, block, predicted, other, index, scratch: counter } = p;
  const first = f.local("i32");
  const second = f.local("i32");
  const usesSecond = f.local("i32");
  f.set(index, op("i32.and", op("i32.xor", hash, state.history), i32(0xffff)));
  f.set(counter, load("i32.load8_u", index, FLOW_MEMORY.counters));
  f.set(first, load("i32.load", state.previous, BLOCK.first));
  f.set(second, load("i32.load", state.previous, BLOCK.second));
  f.set(
    usesSecond,
    op("i32.and", op("i32.ge_u", counter, i32(2)), op("i32.ne", second, i32(0))),
  );
  f.set(predicted, select(second, first, usesSecond));
  f.set(other, select(first, second, usesSecond));
  f.set(state.history, op("i32.and", op("i32.shl", state.history, i32(1)), i32(HISTORY_MASK)));
  f.if(
    op("i32.or", op("i32.eqz", first), op("i32.eq", first, block)),
    () => {
      f.store("i32.store", state.previous, block, BLOCK.first);
      f.if(counter, () => {
        f.store("i32.store8", index, op("i32.sub", counter, i32(1)), FLOW_MEMORY.counters);
      });
    },
    () => {
      f.store("i32.store", state.previous, block, BLOCK.second);
      f.set(state.history, op("i32.or", state.history, i32(1)));
      f.if(op("i32.lt_u", counter, i32(3)), () => {
        f.store("i32.store8", index, op("i32.add", counter, i32(1)), FLOW_MEMORY.counters);
      });
    },
  );
}

/** The block's first execution in the window, whose generation is in `scratch`: what was learnt of it before is gone. */
function emitForget({ f, block }: Parts): void {
  f.store("i32.store", block, stateWord("generation"), BLOCK.generation);
  for (const field of [BLOCK.first, BLOCK.second, BLOCK.afterReturn]) {
    f.store("i32.store", block, i32(0), field);
  }
}

function emitMiss(p: Parts): void {
  const { f, state, block, scratch: generation } = p;
  const code = f.local("i32");
  writeUint(p, "runs", state.hits);
  f.set(state.hits, i32(0));
  const current = select(load("i32.load", state.previous, BLOCK.id), i32(-1), state.previous);
  f.set(code, op("i32.sub", load("i32.load", block, BLOCK.id), current));
  const zigzag = op("i32.xor", op("i32.shl", code, i32(1)), op("i32.shr_s", code, i32(31)));
  f.set(code, op("i32.add", zigzag, i32(2)));
  f.if(op("i32.eq", p.other, block), () => f.set(code, i32(0)));
  f.if(op("i32.eqz", generation), () => f.set(code, i32(1)));
  writeUint(p, "misses", code);
}

function writeUint(p: Parts, column: "runs" | "misses" | "exceptions", value: Expression): void {
  const { f, state } = p;
  const base = FLOW_MEMORY[column];
  const after = call(p.leb, op("i32.add", state[column], i32(base)), value);
  f.set(state[column], op("i32.sub", after, i32(base)));
}

function kindIn(kind: Expression, kinds: number): Expression {
  return op("i32.and", op("i32.shr_u", i32(kinds), kind), i32(1));
}

function add(f: FunctionBuilder, target: Local, value: Expression): void {
  f.set(target, op("i32.add", target, value));
}
