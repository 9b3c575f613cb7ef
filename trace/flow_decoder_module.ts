/**
 * The flow decoder's WebAssembly module. Read `predictor.ts` and `flow_decoder.ts` first: this is
 * the same, with blocks as id + 1 (0 for none) and all state in locals. What is wrong with a flow it
 * leaves to them to say: it only stops.
 */

import {
  type Expression,
  type FunctionBuilder,
  i32,
  load,
  type Local,
  op,
  select,
} from "../core/engine/wasm/function_builder.ts";
import { ModuleBuilder } from "../core/engine/wasm/module_builder.ts";
import { MISS } from "./flow_encoder.ts";
import { BLOCK_KIND } from "./schema.ts";

/** Where the predictor's tables stand: bytes of counters, indirect targets, and the return stack. */
export const DECODER_MEMORY = {
  counters: 0,
  indirect: 0x1_0000,
  stack: 0x5_0000,
  /** What the call leaves behind: steps, blocks used, and where it stopped in `hits` and `misses`. */
  results: 0x5_0100,
  /** First byte of what the caller places. */
  free: 0x5_0140,
} as const;

/** Parameters of the function `decode`, in order. Addresses of arrays; blocks count from 1 in them. */
export const DECODE_PARAMETERS = [
  /** u32 each: how many blocks, and ids before and after the window's definitions. */
  "count",
  "before",
  "after",
  /** Whether the flow is of format 1.3 or later, and its mask of branch history. */
  "sequential",
  "historyMask",
  /** Columns, from and to. */
  "hits",
  "hitsEnd",
  "misses",
  "missesEnd",
  /** Pairs of u32: before which block, how many. */
  "exceptions",
  "exceptionsEnd",
  /** u8 by block. */
  "kinds",
  "steps",
  /** i32 by block: successors, and what came after a return to it. All zero. */
  "first",
  "second",
  "afterReturn",
  /** u32 each: the result. */
  "output",
] as const;

const INDIRECT_KINDS = (1 << BLOCK_KIND.indirect) | (1 << BLOCK_KIND.indirectCall) |
  (1 << BLOCK_KIND.exception);
const CALL_KINDS = (1 << BLOCK_KIND.call) | (1 << BLOCK_KIND.indirectCall);
/** Stands for a run of hits up to the end. */
const ENDLESS = -1;
const FAILED = 1;

const STATE = [
  ...["current", "kind", "caller", "interrupted", "history", "top", "index"],
  ...["guess", "next", "fresh", "left", "total", "at", "byte", "shift", "code", "usesSecond"],
] as const;
type Names = (typeof DECODE_PARAMETERS)[number] | (typeof STATE)[number];

interface Parts {
  readonly f: FunctionBuilder;
  readonly v: Readonly<Record<string, Local>> & Readonly<Record<Names, Local>>;
}

/** Builds the module: exports `memory` and `decode`, which gives 0 if all went well. */
export function buildFlowDecoder(): Uint8Array<ArrayBuffer> {
  const module = new ModuleBuilder();
  module.importMemory("trace", "memory", 1);
  const { reference, body: f } = module.function(DECODE_PARAMETERS.map(() => "i32"), "i32");
  const v = {} as Record<Names, Local>;
  DECODE_PARAMETERS.forEach((name, i) => v[name] = f.parameter(i));
  for (const name of STATE) v[name as Names] = f.local("i32");
  const parts: Parts = { f, v };
  f.set(v.fresh, v.before);
  emitRun(parts);
  f.block((done) =>
    f.loop((again) => {
      f.branchIf(done, op("i32.ge_u", v.at, v.count));
      emitStep(parts);
      f.set(v.at, op("i32.add", v.at, i32(1)));
      f.branch(again);
    })
  );
  for (const [i, name] of (["total", "fresh", "hits", "misses"] as const).entries()) {
    f.store("i32.store", i32(DECODER_MEMORY.results + 4 * i), v[name]);
  }
  // Entries behind the last block are the caller's to look at.
  f.return(i32(0));
  f.unreachable();
  module.export("decode", reference);
  return module.build();
}

/** One block: exception entries before it, guess, hit or miss, learn, advance. */
function emitStep(p: Parts): void {
  const { f, v } = p;
  f.if(op("i32.lt_u", v.exceptions, v.exceptionsEnd), () => {
    f.if(op("i32.eq", load("i32.load", v.exceptions), v.at), () => {
      f.set(v.total, op("i32.add", v.total, load("i32.load", v.exceptions, 4)));
      f.set(v.exceptions, op("i32.add", v.exceptions, i32(8)));
      f.set(v.interrupted, i32(1));
    });
  });
  emitGuess(p);
  f.if(v.left, () => {
    f.set(v.left, op("i32.sub", v.left, i32(1)));
    f.set(v.next, v.guess);
    f.if(op("i32.eq", v.next, op("i32.add", v.fresh, i32(1))), () => f.set(v.fresh, v.next));
  }, () => emitMiss(p));
  // Neither an unknown block nor one that is still to come; 0 becomes the largest number.
  const id = op("i32.sub", v.next, i32(1));
  f.if(op("i32.ge_u", id, v.after), () => f.return(i32(FAILED)));
  f.if(op("i32.ge_u", id, v.fresh), () => f.return(i32(FAILED)));
  f.store("i32.store", op("i32.add", v.output, op("i32.shl", v.at, i32(2))), id);
  const steps = load("i32.load8_u", op("i32.add", v.steps, v.next));
  f.set(v.total, op("i32.add", v.total, steps));
  f.if(v.current, () => emitLearn(p));
  emitAdvance(p);
}

/** `Predictor.predict()`. */
function emitGuess(p: Parts): void {
  const { f, v } = p;
  f.set(v.guess, i32(0));
  f.if(v.current, () => {
    f.if(op("i32.or", v.interrupted, kindIn(v.kind, INDIRECT_KINDS)), () => {
      const mixed = op("i32.xor", hash(v.current), op("i32.shl", v.history, i32(8)));
      f.set(v.index, op("i32.shl", op("i32.and", mixed, i32(0xffff)), i32(2)));
      f.set(v.guess, load("i32.load", v.index, DECODER_MEMORY.indirect));
      f.if(op("i32.eqz", v.guess), () => f.set(v.guess, at(v.first, v.current)));
    }, () => {
      f.if(op("i32.eq", v.kind, i32(BLOCK_KIND.conditional)), () => {
        f.set(v.index, op("i32.and", op("i32.xor", hash(v.current), v.history), i32(0xffff)));
        const counter = load("i32.load8_u", v.index, DECODER_MEMORY.counters);
        const known = op("i32.ne", at(v.second, v.current), i32(0));
        f.set(v.usesSecond, op("i32.and", op("i32.ge_u", counter, i32(2)), known));
        f.set(
          v.guess,
          select(at(v.second, v.current), at(v.first, v.current), v.usesSecond),
        );
      }, () => {
        const table = select(v.afterReturn, v.first, returns(v));
        f.set(v.guess, at(table, select(v.caller, v.current, returns(v))));
      });
    });
    f.if(op("i32.and", op("i32.eqz", v.guess), v.sequential), () => {
      const calm = op("i32.and", returns(v), op("i32.eqz", v.interrupted));
      f.set(v.guess, op("i32.add", select(v.caller, v.current, calm), i32(1)));
    });
  });
}

/** A wrong guess: what came is in `misses`. */
function emitMiss(p: Parts): void {
  const { f, v } = p;
  emitUint(p, "misses", "missesEnd");
  f.if(op("i32.eq", v.code, i32(MISS.other)), () => {
    const branch = op("i32.eq", v.kind, i32(BLOCK_KIND.conditional));
    const calm = op("i32.and", op("i32.eqz", v.interrupted), branch);
    const other = select(at(v.first, v.current), at(v.second, v.current), v.usesSecond);
    f.set(v.next, i32(0));
    f.if(op("i32.and", calm, op("i32.ne", v.current, i32(0))), () => f.set(v.next, other));
  }, () => {
    f.if(op("i32.eq", v.code, i32(MISS.new)), () => {
      f.set(v.fresh, op("i32.add", v.fresh, i32(1)));
      f.set(v.next, v.fresh);
    }, () => {
      f.set(v.code, op("i32.sub", v.code, i32(MISS.id)));
      f.if(v.sequential, () => {
        const sign = op("i32.sub", i32(0), op("i32.and", v.code, i32(1)));
        const distance = op("i32.xor", op("i32.shr_u", v.code, i32(1)), sign);
        f.set(v.next, op("i32.add", v.current, distance));
      }, () => f.set(v.next, op("i32.add", v.code, i32(1))));
    });
  });
  emitRun(p);
}

/** Reads how many guesses are right now; to the end where nothing more is said. */
function emitRun(p: Parts): void {
  const { f, v } = p;
  f.set(v.left, i32(ENDLESS));
  f.if(op("i32.lt_u", v.hits, v.hitsEnd), () => {
    emitUint(p, "hits", "hitsEnd");
    f.set(v.left, v.code);
  });
}

/** Sets `code` to the next LEB128 of a column. */
function emitUint(p: Parts, column: "hits" | "misses", end: "hitsEnd" | "missesEnd"): void {
  const { f, v } = p;
  const read = () => {
    f.if(op("i32.ge_u", v[column], v[end]), () => f.return(i32(FAILED)));
    f.set(v.byte, load("i32.load8_u", v[column]));
    f.set(v[column], op("i32.add", v[column], i32(1)));
  };
  read();
  f.set(v.code, op("i32.and", v.byte, i32(0x7f)));
  f.if(op("i32.ge_u", v.byte, i32(0x80)), () => {
    f.set(v.shift, i32(7));
    f.loop((again) => {
      read();
      // Numbers of 28 bits and more, and longer ways to write smaller ones, are rare.
      f.if(op("i32.ge_u", v.shift, i32(28)), () => f.return(i32(FAILED)));
      const bits = op("i32.shl", op("i32.and", v.byte, i32(0x7f)), v.shift);
      f.set(v.code, op("i32.or", v.code, bits));
      f.set(v.shift, op("i32.add", v.shift, i32(7)));
      f.branchIf(again, op("i32.ge_u", v.byte, i32(0x80)));
    });
  });
}

/** `Predictor.#learn()`. */
function emitLearn(p: Parts): void {
  const { f, v } = p;
  const indirect = kindIn(v.kind, INDIRECT_KINDS);
  f.if(op("i32.or", v.interrupted, indirect), () => {
    f.store("i32.store", v.index, v.next, DECODER_MEMORY.indirect);
    f.if(op("i32.eqz", v.interrupted), () => put(f, v.first, v.current, v.next));
  }, () => {
    f.if(op("i32.eq", v.kind, i32(BLOCK_KIND.conditional)), () => emitLearnBranch(p), () => {
      const table = select(v.afterReturn, v.first, returns(v));
      put(f, table, select(v.caller, v.current, returns(v)), v.next);
    });
  });
}

/** `Predictor.#learnBranch()`. */
function emitLearnBranch(p: Parts): void {
  const { f, v } = p;
  const counter = v.code;
  f.set(counter, load("i32.load8_u", v.index, DECODER_MEMORY.counters));
  f.set(v.history, op("i32.shl", v.history, i32(1)));
  const first = at(v.first, v.current);
  f.if(op("i32.or", op("i32.eqz", first), op("i32.eq", first, v.next)), () => {
    put(f, v.first, v.current, v.next);
    f.if(counter, () => {
      const less = op("i32.sub", counter, i32(1));
      f.store("i32.store8", v.index, less, DECODER_MEMORY.counters);
    });
  }, () => {
    put(f, v.second, v.current, v.next);
    f.set(v.history, op("i32.or", v.history, i32(1)));
    f.if(op("i32.lt_u", counter, i32(3)), () => {
      const more = op("i32.add", counter, i32(1));
      f.store("i32.store8", v.index, more, DECODER_MEMORY.counters);
    });
  });
  f.set(v.history, op("i32.and", v.history, v.historyMask));
}

/** The block that came is the current one; keeps the return stack. */
function emitAdvance({ f, v }: Parts): void {
  f.set(v.current, v.next);
  f.set(v.kind, load("i32.load8_u", op("i32.add", v.kinds, v.next)));
  f.set(v.interrupted, i32(0));
  const slot = op("i32.shl", v.top, i32(2));
  f.if(kindIn(v.kind, CALL_KINDS), () => {
    f.set(v.top, op("i32.and", op("i32.add", v.top, i32(1)), i32(63)));
    f.store("i32.store", slot, v.next, DECODER_MEMORY.stack);
  }, () => {
    f.if(op("i32.eq", v.kind, i32(BLOCK_KIND.return)), () => {
      f.set(v.caller, load("i32.load", slot, DECODER_MEMORY.stack));
      f.store("i32.store", slot, i32(0), DECODER_MEMORY.stack);
      f.set(v.top, op("i32.and", op("i32.sub", v.top, i32(1)), i32(63)));
    });
  });
}

/** Whether the current block is a return to a known caller, where no exception came between. */
function returns(v: Parts["v"]): Expression {
  return op(
    "i32.and",
    op("i32.eq", v.kind, i32(BLOCK_KIND.return)),
    op("i32.ne", v.caller, i32(0)),
  );
}

/** `hashId()` of a block that counts from 1. */
function hash(block: Expression): Expression {
  const id = op("i32.sub", block, i32(1));
  return op("i32.shr_u", op("i32.mul", id, i32(0x9e3779b1 | 0)), i32(16));
}

/** An element of an array of i32. */
function at(array: Expression, block: Expression): Expression {
  return load("i32.load", op("i32.add", array, op("i32.shl", block, i32(2))));
}

function put(f: FunctionBuilder, array: Expression, block: Expression, value: Expression): void {
  f.store("i32.store", op("i32.add", array, op("i32.shl", block, i32(2))), value);
}

function kindIn(kind: Expression, kinds: number): Expression {
  return op("i32.and", op("i32.shr_u", i32(kinds), kind), i32(1));
}
