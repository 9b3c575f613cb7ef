/**
 * The flow encoder's WebAssembly module. Read `predictor.ts` and `flow_encoder.ts` first: this is
 * the same, with blocks as addresses (0 for none).
 *
 * The block that was executed is looked up by its place, not by the guess: a guess that is only
 * compared lets the host's processor go on with the next runs meanwhile. What the common case does
 * not need is in functions of its own, which keeps its locals in registers.
 */

import {
  call,
  type Expression,
  type FunctionBuilder,
  type FunctionReference,
  i32,
  i64,
  type Label,
  load,
  type Local,
  op,
  select,
} from "../core/engine/wasm/function_builder.ts";
import { ModuleBuilder } from "../core/engine/wasm/module_builder.ts";
import { BLOCK, BLOCK_FLAG, FLOW_MEMORY, INPUT_MEMORY, REPEAT, STATE } from "./flow_memory.ts";
import { defineBlock, defineFind, emitStack, sideSlot } from "./flow_module_block.ts";
import { add, HISTORY_MASK, setWord, word } from "./flow_module_parts.ts";
import { defineLook } from "./flow_module_repeat.ts";
import { defineSkim } from "./flow_module_skim.ts";
import { BLOCK_KIND, MAX_BLOCK_STEPS } from "./schema.ts";

const LONGEST = MAX_BLOCK_STEPS * 16;
/** A context that no block is in: while it stands in `here`, the common case does not apply. */
const NOWHERE = i32(-1);

/** Locals of the function. */
interface Parts {
  readonly f: FunctionBuilder;
  readonly block: Local;
  /** Kind and hash of the block, and its context. */
  readonly what: Local;
  readonly previous: Local;
  /** The same of the previous block. */
  readonly whatBefore: Local;
  /** Its successors. */
  readonly successors: Local;
  readonly history: Local;
  readonly blocks: Local;
  readonly steps: Local;
  /** The context, or {@linkcode NOWHERE} before the first block and after an exception. */
  readonly here: Local;
  readonly index: Local;
  readonly guess: Local;
  readonly scratch: Local;
}

/**
 * Builds the module: imports `trace.memory` and `trace.define`, `trace.input`, exports `encode(from, pairs, arenaBase)`
 * and `skim(from, pairs, arenaBase)`: what stands in `input` from the byte `from` on.
 */
export function buildFlowModule(): Uint8Array<ArrayBuffer> {
  const module = new ModuleBuilder();
  module.importMemory("trace", "memory", FLOW_MEMORY.blockAt >> 16);
  module.importMemory("trace", "input", 1, { shared: true });
  const define = module.importFunction("trace", "define", ["i32", "i32", "i32"], "i32");
  const byTheBook = defineBlock(module, define);
  const look = defineLook(module);
  const { reference, body: f } = module.function(["i32", "i32", "i32"], "");
  const local = () => f.local("i32");
  const p: Parts = {
    f,
    block: local(),
    what: f.local("i64"),
    previous: local(),
    whatBefore: f.local("i64"),
    successors: f.local("i64"),
    history: local(),
    blocks: local(),
    steps: local(),
    here: local(),
    index: local(),
    guess: local(),
    scratch: local(),
  };
  turnAround(f);
  restore(p);
  f.set(p.steps, word(STATE.steps));
  emitLoop(p, byTheBook, look);
  save(p);
  turnAround(f);
  module.export("encode", reference);
  module.export("skim", defineSkim(module, defineFind(module, define)));
  return module.build();
}

/** From what `hits` and `sinceException` are between calls to what they are in one, and back. */
function turnAround(f: FunctionBuilder): void {
  for (const offset of [STATE.hits, STATE.sinceException]) {
    setWord(f, offset, op("i32.sub", word(STATE.blocks), word(offset)));
  }
}

/** Takes what other functions may have changed into locals. */
function restore(p: Parts): void {
  const { f } = p;
  f.set(p.previous, word(STATE.previous));
  f.set(p.history, word(STATE.history));
  f.set(p.blocks, word(STATE.blocks));
  f.set(p.whatBefore, load("i64.load", p.previous, BLOCK.kindAndHash));
  const unready = op("i32.or", word(STATE.interrupted), op("i32.eqz", p.previous));
  f.set(p.here, select(NOWHERE, word(STATE.context), unready));
}

function save(p: Parts): void {
  setWord(p.f, STATE.previous, p.previous);
  setWord(p.f, STATE.history, p.history);
  setWord(p.f, STATE.blocks, p.blocks);
  setWord(p.f, STATE.steps, p.steps);
}

/** Over the pairs of the input: contexts, exception entries, and runs split into blocks. */
function emitLoop(p: Parts, byTheBook: FunctionReference, look: FunctionReference): void {
  const { f } = p;
  const arenaBase = f.parameter(2);
  const local = () => f.local("i32");
  const [at, last, stop, start, end] = [local(), local(), local(), local(), local()];
  const run = f.local("i64");
  f.set(at, f.parameter(0));
  f.set(last, op("i32.add", at, op("i32.shl", f.parameter(1), i32(3))));
  f.set(stop, call(look, at, last, i32(1)));
  f.block((done) =>
    f.loop((next) => {
      f.if(op("i32.ge_u", at, stop), () => {
        save(p);
        f.set(stop, call(look, at, last, i32(0)));
        f.set(at, word(REPEAT.resume));
        restore(p);
        f.set(p.steps, word(STATE.steps));
        f.branchIf(done, op("i32.ge_u", at, last));
      });
      f.set(run, load("i64.load", at, 0, INPUT_MEMORY));
      f.set(start, op("i32.wrap_i64", run));
      f.set(end, high(run));
      f.set(at, op("i32.add", at, i32(8)));
      f.if(op("i32.lt_u", start, i32(16)), () => {
        emitNote(p, start, end);
        f.branch(next);
      });
      add(f, p.steps, op("i32.shr_u", op("i32.sub", end, start), i32(4)));
      f.block((unexpected) => {
        // A run that is longer than a block can be is none's.
        f.set(p.block, load("i32.load", sideSlot(start, arenaBase), FLOW_MEMORY.blockAt + 4));
        f.set(p.what, load("i64.load", p.block, BLOCK.kindAndHash));
        f.branchIf(unexpected, op("i64.ne", load("i64.load", p.block), run));
        f.branchIf(unexpected, op("i32.ne", high(p.what), p.here));
        emitHit(p, unexpected);
        f.branch(next);
      });
      save(p);
      f.loop((more) => {
        f.if(op("i32.gt_u", op("i32.sub", end, start), i32(LONGEST)), () => {
          f.call(byTheBook, start, op("i32.add", start, i32(LONGEST)), arenaBase);
          add(f, start, i32(LONGEST));
          f.branch(more);
        });
      });
      f.call(byTheBook, start, end, arenaBase);
      restore(p);
      f.branch(next);
    })
  );
}

/** An entry that is no run. */
function emitNote({ f, here, steps }: Parts, start: Local, end: Local): void {
  const pending = word(STATE.pendingExceptions);
  f.if(start, () =>
    f.if(end, () => {
      setWord(f, STATE.pendingExceptions, op("i32.add", pending, end));
      add(f, steps, end);
      setWord(f, STATE.interrupted, i32(1));
      setWord(f, STATE.disturbed, i32(1));
      f.set(here, NOWHERE);
    }), () => {
    setWord(f, STATE.context, end);
    f.if(op("i32.ne", here, NOWHERE), () => f.set(here, end));
  });
}

/** The common case: `block` was guessed. Branches to `unexpected`, with nothing changed, if not. */
function emitHit(p: Parts, unexpected: Label): void {
  const { f, block, previous, guess, scratch: kind } = p;
  f.set(kind, op("i32.and", op("i32.wrap_i64", p.whatBefore), i32(0xff)));
  f.block((hit) => {
    f.block((plain) => {
      f.set(p.successors, load("i64.load", previous, BLOCK.first));
      f.block((indirect) => {
        f.block((conditional) => {
          f.branchIf(conditional, op("i32.eq", kind, i32(BLOCK_KIND.conditional)));
          f.branchIf(indirect, flagged(p.whatBefore, BLOCK_FLAG.indirect));
          f.set(guess, op("i32.wrap_i64", p.successors));
          f.branchIf(plain, op("i32.ne", kind, i32(BLOCK_KIND.return)));
          const caller = word(STATE.caller);
          f.branchIf(plain, op("i32.eqz", caller));
          f.set(guess, load("i32.load", caller, BLOCK.afterReturn));
          f.branch(plain);
        });
        emitConditionalHit(p, unexpected);
        f.branch(hit);
      });
      emitIndirectHit(p, unexpected);
      f.branch(hit);
    });
    f.branchIf(unexpected, op("i32.ne", guess, block));
  });
  f.set(previous, block);
  f.set(p.whatBefore, p.what);
  add(f, p.blocks, i32(1));
  f.if(flagged(p.what, BLOCK_FLAG.stack), () => {
    emitStack(f, op("i32.and", op("i32.wrap_i64", p.what), i32(0xff)), block);
  });
}

/** Where the counter leans to a second successor and there is none, the case is not common. */
function emitConditionalHit(p: Parts, unexpected: Label): void {
  const { f, block, index, scratch: counter, guess: leans, history } = p;
  const learnt = f.local("i32");
  const first = op("i32.wrap_i64", p.successors);
  const second = high(p.successors);
  f.set(index, op("i32.xor", hashOf(p.whatBefore), history));
  f.set(counter, load("i32.load8_u", index, FLOW_MEMORY.counters));
  f.set(leans, op("i32.ge_u", counter, i32(2)));
  f.branchIf(unexpected, op("i32.ne", select(second, first, leans), block));
  f.set(learnt, select(i32(3), i32(0), leans));
  f.if(op("i32.ne", learnt, counter), () => {
    f.store("i32.store8", index, learnt, FLOW_MEMORY.counters);
  });
  const longer = op("i32.or", op("i32.shl", history, i32(1)), leans);
  f.set(history, op("i32.and", longer, i32(HISTORY_MASK)));
}

function emitIndirectHit(p: Parts, unexpected: Label): void {
  const { f, block, previous, index, guess, scratch: known } = p;
  const first = op("i32.wrap_i64", p.successors);
  const mixed = op("i32.xor", hashOf(p.whatBefore), op("i32.shl", p.history, i32(8)));
  f.set(index, op("i32.shl", op("i32.and", mixed, i32(0xffff)), i32(2)));
  f.set(known, load("i32.load", index, FLOW_MEMORY.indirect));
  f.set(guess, select(known, first, known));
  f.branchIf(unexpected, op("i32.ne", guess, block));
  f.if(op("i32.or", op("i32.ne", known, block), op("i32.ne", first, block)), () => {
    f.store("i32.store", index, block, FLOW_MEMORY.indirect);
    f.store("i32.store", previous, block, BLOCK.first);
  });
}

function flagged(what: Local, flag: number): Expression {
  return op("i32.and", op("i32.wrap_i64", what), i32(flag));
}

function hashOf(what: Local): Expression {
  return op("i32.shr_u", op("i32.wrap_i64", what), i32(16));
}

function high(pair: Local): Expression {
  return op("i32.wrap_i64", op("i64.shr_u", pair, i64(32n)));
}
