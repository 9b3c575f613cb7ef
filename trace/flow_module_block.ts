/** The flow encoder's WebAssembly module, part 2: one block by the book, see `predictor.ts`. */

import {
  call,
  type Expression,
  type FunctionBuilder,
  type FunctionReference,
  i32,
  load,
  type Local,
  op,
  select,
} from "../core/engine/wasm/function_builder.ts";
import type { ModuleBuilder } from "../core/engine/wasm/module_builder.ts";
import { BLOCK, FLOW_MEMORY, STATE } from "./flow_memory.ts";
import { HISTORY_MASK, kindIn, KINDS, setWord, word } from "./flow_module_parts.ts";
import { BLOCK_KIND } from "./schema.ts";

const ENTRY = { end: 0, context: 4, block: 8, next: 12 };

/** Locals of the function. */
interface Parts {
  readonly f: FunctionBuilder;
  readonly leb: FunctionReference;
  readonly block: Local;
  readonly previous: Local;
  readonly predicted: Local;
  readonly other: Local;
  readonly index: Local;
  readonly kind: Local;
  readonly scratch: Local;
}

/** Address of the side table's words for the record `start`, less `FLOW_MEMORY.blockAt`. */
export function sideSlot(start: Expression, arenaBase: Expression): Expression {
  return op("i32.shr_u", op("i32.sub", start, arenaBase), i32(1));
}

/** Defines `block(start, end, arenaBase)`, which encodes one executed block. */
export function defineBlock(module: ModuleBuilder, define: FunctionReference): FunctionReference {
  const leb = defineLeb(module);
  const { reference, body: f } = module.function(["i32", "i32", "i32"], "");
  const local = () => f.local("i32");
  const p: Parts = {
    f,
    leb,
    block: local(),
    previous: local(),
    predicted: local(),
    other: local(),
    index: local(),
    kind: local(),
    scratch: local(),
  };
  f.set(p.previous, word(STATE.previous));
  emitFind(p, define);
  emitBlock(p);
  return reference;
}

/** Defines `find(start, end, arenaBase)`, which only learns where a block is. */
export function defineFind(module: ModuleBuilder, define: FunctionReference): FunctionReference {
  const { reference, body: f } = module.function(["i32", "i32", "i32"], "");
  emitFind({ f, block: f.local("i32"), scratch: f.local("i32") }, define);
  return reference;
}

/** `leb(at, value)`: writes a LEB128 and returns the address after it. */
function defineLeb(module: ModuleBuilder): FunctionReference {
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

/** Sets `block` to the record of the block in records `[start, end)`. */
function emitFind(
  { f, block, scratch: entry }: Pick<Parts, "f" | "block" | "scratch">,
  define: FunctionReference,
): void {
  const [start, end, arenaBase] = [f.parameter(0), f.parameter(1), f.parameter(2)];
  const context = word(STATE.context);
  f.set(entry, load("i32.load", sideSlot(start, arenaBase), FLOW_MEMORY.blockAt));
  f.block((found) => {
    f.loop((next) => {
      f.if(entry, () => {
        f.set(block, load("i32.load", entry, ENTRY.block));
        const ends = op("i32.eq", load("i32.load", entry, ENTRY.end), end);
        const here = op("i32.eq", load("i32.load", entry, ENTRY.context), context);
        f.branchIf(found, op("i32.and", ends, here));
        f.set(entry, load("i32.load", entry, ENTRY.next));
        f.branch(next);
      });
    });
    f.set(block, call(define, start, end, context));
  });
  f.store("i32.store", block, start, BLOCK.start);
  f.store("i32.store", block, end, BLOCK.end);
  f.store("i32.store", block, context, BLOCK.context);
  f.store("i32.store", sideSlot(start, arenaBase), block, FLOW_MEMORY.blockAt + 4);
}

/** Flush exception entries, predict, learn, count or write a miss, advance. */
function emitBlock(p: Parts): void {
  const { f, block } = p;
  const blocks = word(STATE.blocks);
  f.if(word(STATE.pendingExceptions), () => {
    writeUint(p, "exceptions", op("i32.sub", blocks, word(STATE.sinceException)));
    writeUint(p, "exceptions", word(STATE.pendingExceptions));
    setWord(f, STATE.pendingExceptions, i32(0));
    setWord(f, STATE.sinceException, blocks);
  });
  f.if(p.previous, () => emitPredictAndLearn(p));
  f.set(p.scratch, load("i32.load", block, BLOCK.generation));
  f.if(op("i32.ne", p.predicted, block), () => emitMiss(p));
  f.if(op("i32.ne", p.scratch, word(STATE.generation)), () => emitForget(p));
  setWord(f, STATE.interrupted, i32(0));
  setWord(f, STATE.previous, block);
  setWord(f, STATE.blocks, op("i32.add", blocks, i32(1)));
  f.set(p.kind, load("i32.load8_u", block, BLOCK.kindAndHash));
  f.if(kindIn(p.kind, KINDS.stack), () => emitStack(f, p.kind, block));
}

/** The block, a call or a return, has become the current one: keeps the return stack. */
export function emitStack(f: FunctionBuilder, kind: Expression, block: Local): void {
  const top = word(STATE.top);
  const stackTop = op("i32.shl", top, i32(2));
  f.if(op("i32.eq", kind, i32(BLOCK_KIND.return)), () => {
    setWord(f, STATE.caller, load("i32.load", stackTop, FLOW_MEMORY.stack));
    f.store("i32.store", stackTop, i32(0), FLOW_MEMORY.stack);
    setWord(f, STATE.top, op("i32.and", op("i32.sub", top, i32(1)), i32(63)));
  }, () => {
    setWord(f, STATE.top, op("i32.and", op("i32.add", top, i32(1)), i32(63)));
    f.store("i32.store", stackTop, block, FLOW_MEMORY.stack);
  });
}

function emitPredictAndLearn(p: Parts): void {
  const { f, block, previous, predicted, index, kind } = p;
  // Of what the window has not seen yet, the block after this one in the table is guessed.
  const before = f.local("i32");
  f.set(before, previous);
  const first = load("i32.load", previous, BLOCK.first);
  const hash = load("i32.load16_u", previous, BLOCK.kindAndHash + 2);
  const caller = word(STATE.caller);
  f.set(kind, load("i32.load8_u", previous, BLOCK.kindAndHash));
  const guessFirst = () => {
    f.set(predicted, first);
    f.store("i32.store", previous, block, BLOCK.first);
  };
  const guessAfterReturn = () => {
    f.set(predicted, load("i32.load", caller, BLOCK.afterReturn));
    f.store("i32.store", caller, block, BLOCK.afterReturn);
    f.set(before, caller);
  };
  const guessIndirect = () => {
    const mixed = op("i32.xor", hash, op("i32.shl", word(STATE.history), i32(8)));
    f.set(index, op("i32.shl", op("i32.and", mixed, i32(0xffff)), i32(2)));
    f.set(predicted, load("i32.load", index, FLOW_MEMORY.indirect));
    f.if(op("i32.eqz", predicted), () => f.set(predicted, first));
    f.store("i32.store", index, block, FLOW_MEMORY.indirect);
    f.if(op("i32.eqz", word(STATE.interrupted)), () => {
      f.store("i32.store", previous, block, BLOCK.first);
    });
  };
  const returns = op("i32.eq", kind, i32(BLOCK_KIND.return));
  const isReturn = op("i32.and", returns, op("i32.ne", caller, i32(0)));
  const isConditional = op("i32.eq", kind, i32(BLOCK_KIND.conditional));
  f.if(op("i32.or", word(STATE.interrupted), kindIn(kind, KINDS.indirect)), guessIndirect, () => {
    f.if(isConditional, () => emitConditional(p, hash), () => {
      f.if(isReturn, guessAfterReturn, guessFirst);
    });
  });
  f.if(op("i32.eqz", predicted), () => {
    const follows = op("i32.add", load("i32.load", before, BLOCK.id), i32(1));
    const isNext = op("i32.eq", load("i32.load", block, BLOCK.id), follows);
    f.set(predicted, select(block, i32(0), isNext));
  });
}

function emitConditional(p: Parts, hash: Expression): void {
  const { f, block, previous, predicted, other, index, scratch: counter } = p;
  const first = f.local("i32");
  const second = f.local("i32");
  const usesSecond = f.local("i32");
  const history = f.local("i32");
  f.set(history, word(STATE.history));
  f.set(index, op("i32.xor", hash, history));
  f.set(counter, load("i32.load8_u", index, FLOW_MEMORY.counters));
  f.set(first, load("i32.load", previous, BLOCK.first));
  f.set(second, load("i32.load", previous, BLOCK.second));
  const leans = op("i32.ge_u", counter, i32(2));
  f.set(usesSecond, op("i32.and", leans, op("i32.ne", second, i32(0))));
  f.set(predicted, select(second, first, usesSecond));
  f.set(other, select(first, second, usesSecond));
  f.set(history, op("i32.and", op("i32.shl", history, i32(1)), i32(HISTORY_MASK)));
  f.if(op("i32.or", op("i32.eqz", first), op("i32.eq", first, block)), () => {
    f.store("i32.store", previous, block, BLOCK.first);
    f.if(counter, () => {
      f.store("i32.store8", index, op("i32.sub", counter, i32(1)), FLOW_MEMORY.counters);
    });
  }, () => {
    f.store("i32.store", previous, block, BLOCK.second);
    f.set(history, op("i32.or", history, i32(1)));
    f.if(op("i32.lt_u", counter, i32(3)), () => {
      f.store("i32.store8", index, op("i32.add", counter, i32(1)), FLOW_MEMORY.counters);
    });
  });
  setWord(f, STATE.history, history);
}

/** The block's first execution in the window: what was learnt of it before is gone. */
function emitForget({ f, block }: Parts): void {
  f.store("i32.store", block, word(STATE.generation), BLOCK.generation);
  for (const field of [BLOCK.first, BLOCK.second, BLOCK.afterReturn]) {
    f.store("i32.store", block, i32(0), field);
  }
}

/** Writes the miss; `scratch` is the block's generation. */
function emitMiss(p: Parts): void {
  const { f, block, previous, scratch: generation } = p;
  const code = f.local("i32");
  writeUint(p, "runs", op("i32.sub", word(STATE.blocks), word(STATE.hits)));
  setWord(f, STATE.hits, op("i32.add", word(STATE.blocks), i32(1)));
  const current = select(load("i32.load", previous, BLOCK.id), i32(-1), previous);
  f.set(code, op("i32.sub", load("i32.load", block, BLOCK.id), current));
  const zigzag = op("i32.xor", op("i32.shl", code, i32(1)), op("i32.shr_s", code, i32(31)));
  f.set(code, op("i32.add", zigzag, i32(2)));
  f.if(op("i32.eq", p.other, block), () => f.set(code, i32(0)));
  f.if(op("i32.eqz", generation), () => f.set(code, i32(1)));
  writeUint(p, "misses", code);
}

/** Appends a LEB128 to a column. */
function writeUint(
  { f, leb }: Parts,
  column: "runs" | "misses" | "exceptions",
  value: Expression,
): void {
  const base = FLOW_MEMORY[column];
  const after = call(leb, op("i32.add", word(STATE[column]), i32(base)), value);
  setWord(f, STATE[column], op("i32.sub", after, i32(base)));
}
