/**
 * The value codec's WebAssembly module: values are 64-bit words, and JavaScript's are too slow.
 *
 * `value_codec.ts` says what it computes and SPEC.md section 16 defines it. Exports `encode(pairs)` and
 * `decode(pairs)`, both over pairs of u32 (slot, values) in {@linkcode VALUE_MEMORY}.segments: so many
 * values of consecutive slots, from `values` or to there.
 */

import type { FunctionReference } from "../core/engine/wasm/function_builder.ts";
import {
  type Expression,
  type FunctionBuilder,
  i32,
  i64,
  load,
  type Local,
  op,
  select,
} from "../core/engine/wasm/function_builder.ts";
import { ModuleBuilder } from "../core/engine/wasm/module_builder.ts";

/** Most values of one call. */
export const VALUE_CHUNK = 1 << 16;

/** Behind what is forgotten when a window starts, slots apart. */
const TABLES_END = (1 << 20) + 0x5000;

/** Memory layout of the module, in bytes. Encoded columns are written to, or read from, where the state says. */
export const VALUE_MEMORY = {
  /** u64 by context: the value that followed the last two. */
  values2: 0,
  /** u64 by context: the difference that followed the last two. */
  differences2: 1 << 19,
  state: 1 << 20,
  /** The last 256 values, by their number modulo 256. */
  recent: (1 << 20) + 0x800,
  /** u32 by hash, for encoding: 1 + number of the value that had it last. */
  places: (1 << 20) + 0x1000,
  segments: TABLES_END,
  values: TABLES_END + 8 * VALUE_CHUNK,
  hits: TABLES_END + 16 * VALUE_CHUNK,
  choices: TABLES_END + 24 * VALUE_CHUNK,
  words: TABLES_END + 26 * VALUE_CHUNK,
  slots: TABLES_END + 35 * VALUE_CHUNK,
} as const;

/** Offsets in the state: u32 each. `hits`, `choices`, `words`: addresses of the next byte of the columns. */
export const VALUE_STATE = {
  run: 0,
  hits: 4,
  choices: 8,
  words: 12,
  hitsEnd: 16,
  /** Values so far. */
  count: 20,
} as const;

/** A slot: what is known of one result of one instruction in a block. */
const SLOT = { last: 0, stride: 8, values: 16, differences: 20, confidence: 24 } as const;
/** Bytes of a slot: a power of two. */
export const VALUE_SLOT_BYTES = 32;

/** Predictors, and the confidence that they have at most. */
const PREDICTORS = 4;
const MOST_CONFIDENCE = 15;
/** One in each of four bytes. */
const EACH = 0x01010101;

/** The choice of a value that was there before, and how far back that may be. */
const AGAIN = 12;
const RECENT = 256;

/** While no column ends the run. */
const ENDLESS = 0x7fffffff;

interface Parts {
  readonly f: FunctionBuilder;
  readonly slot: Local;
  readonly value: Local;
  readonly last: Local;
  readonly predictions: readonly Local[];
  /** The slot's, a byte each. */
  readonly confidence: Local;
  /** Bit 8k: prediction k is the value. */
  readonly right: Local;
  /** Addresses in the two tables. */
  readonly contexts: readonly [Local, Local];
  readonly predicted: Local;
  readonly best: Local;
  readonly scratch: Local;
  readonly wide: Local;
  readonly number: Local;
  /** The state while a function runs; memory has it before and after. */
  readonly state: Readonly<Record<keyof typeof VALUE_STATE, Local>>;
}

/** Builds the module: imports `trace.memory`. */
export function buildValueModule(): Uint8Array<ArrayBuffer> {
  const module = new ModuleBuilder();
  module.importMemory("trace", "memory", VALUE_MEMORY.slots / 65536 | 0);
  const { reference: leb, body } = module.function(["i32"], "");
  emitLeb(body);
  const { reference: nextRun, body: next } = module.function([], "");
  emitNextRun(next);
  for (const name of ["encode", "decode"] as const) {
    const { reference, body: f } = module.function(["i32"], "");
    emitLoop(partsOf(f), name, name === "encode" ? leb : nextRun);
    module.export(name, reference);
  }
  module.export("start", nextRun);
  return module.build();
}

function partsOf(f: FunctionBuilder): Parts {
  const words = (count: number) => Array.from({ length: count }, () => f.local("i64"));
  return {
    f,
    slot: f.local("i32"),
    value: f.local("i64"),
    last: f.local("i64"),
    predictions: words(PREDICTORS),
    confidence: f.local("i32"),
    right: f.local("i32"),
    contexts: [f.local("i32"), f.local("i32")],
    predicted: f.local("i64"),
    best: f.local("i32"),
    scratch: f.local("i32"),
    wide: f.local("i64"),
    number: f.local("i32"),
    state: {
      run: f.local("i32"),
      hits: f.local("i32"),
      choices: f.local("i32"),
      words: f.local("i32"),
      hitsEnd: f.local("i32"),
      count: f.local("i32"),
    },
  };
}

const STATE = Object.keys(VALUE_STATE) as (keyof typeof VALUE_STATE)[];

function add(f: FunctionBuilder, local: Local, more: Expression): void {
  f.set(local, op("i32.add", local, more));
}

function stateWord(name: keyof typeof VALUE_STATE): Expression {
  return load("i32.load", i32(VALUE_MEMORY.state + VALUE_STATE[name]));
}

function setState(f: FunctionBuilder, name: keyof typeof VALUE_STATE, value: Expression): void {
  f.store("i32.store", i32(VALUE_MEMORY.state + VALUE_STATE[name]), value);
}

/** `leb(value)`: appends a LEB128 to the hits. */
function emitLeb(f: FunctionBuilder): void {
  const value = f.parameter(0), at = f.local("i32");
  f.set(at, stateWord("hits"));
  f.loop((again) => {
    f.if(op("i32.ge_u", value, i32(0x80)), () => {
      f.store("i32.store8", at, op("i32.or", value, i32(0x80)));
      f.set(value, op("i32.shr_u", value, i32(7)));
      f.set(at, op("i32.add", at, i32(1)));
      f.branch(again);
    });
  });
  f.store("i32.store8", at, value);
  setState(f, "hits", op("i32.add", at, i32(1)));
}

/** Reads the next run of hits; where there is none it does not end. */
function emitNextRun(f: FunctionBuilder): void {
  const at = f.local("i32"), run = f.local("i32"), shift = f.local("i32"), byte = f.local("i32");
  f.set(at, stateWord("hits"));
  f.if(
    op("i32.ge_u", at, stateWord("hitsEnd")),
    () => f.set(run, i32(ENDLESS)),
    () =>
      f.loop((again) => {
        f.set(byte, load("i32.load8_u", at));
        const bits = op("i32.and", byte, i32(0x7f));
        f.set(run, op("i32.or", run, op("i32.shl", bits, shift)));
        f.set(at, op("i32.add", at, i32(1)));
        f.set(shift, op("i32.add", shift, i32(7)));
        const more = op("i32.and", op("i32.ge_u", byte, i32(0x80)), op("i32.lt_u", shift, i32(28)));
        f.branchIf(again, more);
      }),
  );
  setState(f, "run", run);
  setState(f, "hits", at);
}

/** Over the pairs and the values of each. */
function emitLoop(p: Parts, name: "encode" | "decode", reference: FunctionReference): void {
  const { f, slot, value, state } = p;
  const [at, end, count, values] = [0, 0, 0, 0].map(() => f.local("i32"));
  for (const field of STATE) f.set(state[field], stateWord(field));
  f.set(at, i32(VALUE_MEMORY.segments));
  f.set(end, op("i32.add", at, op("i32.shl", f.parameter(0), i32(3))));
  f.set(values, i32(VALUE_MEMORY.values));
  f.block((done) =>
    f.loop((next) => {
      f.branchIf(done, op("i32.ge_u", at, end));
      const index = op("i32.shl", load("i32.load", at), i32(5));
      f.set(slot, op("i32.add", index, i32(VALUE_MEMORY.slots)));
      f.set(count, load("i32.load", at, 4));
      f.set(at, op("i32.add", at, i32(8)));
      f.loop((more) => {
        f.branchIf(next, op("i32.eqz", count));
        emitPredict(p);
        if (name === "encode") {
          f.set(value, load("i64.load", values));
          emitCompare(p);
          emitEncode(p, reference);
        } else {
          emitDecode(p, reference);
          f.store("i64.store", values, value);
          emitCompare(p);
        }
        emitLearn(p);
        f.set(values, op("i32.add", values, i32(8)));
        f.set(slot, op("i32.add", slot, i32(VALUE_SLOT_BYTES)));
        f.set(count, op("i32.sub", count, i32(1)));
        f.branch(more);
      });
    })
  );
  for (const field of STATE) setState(f, field, state[field]);
}

/** Fills the predictions and chooses the one with the highest confidence, the first of equal ones. */
function emitPredict(p: Parts): void {
  const { f, slot, last, predictions, confidence, contexts, predicted, best } = p;
  f.set(last, load("i64.load", slot, SLOT.last));
  f.set(p.scratch, op("i32.sub", slot, i32(VALUE_MEMORY.slots)));
  const spread = op("i32.mul", op("i32.shr_u", p.scratch, i32(5)), i32(0x9e3779b1 | 0));
  f.set(p.scratch, op("i32.shr_u", spread, i32(16)));
  const histories = [SLOT.values, SLOT.differences];
  contexts.forEach((context, i) => {
    const history = load("i32.load", slot, histories[i]);
    const index = op("i32.and", op("i32.xor", history, p.scratch), i32(0xffff));
    f.set(context, op("i32.shl", index, i32(3)));
  });
  f.set(predictions[0], last);
  f.set(predictions[1], op("i64.add", last, load("i64.load", slot, SLOT.stride)));
  f.set(predictions[2], load("i64.load", contexts[0], VALUE_MEMORY.values2));
  const difference = load("i64.load", contexts[1], VALUE_MEMORY.differences2);
  f.set(predictions[3], op("i64.add", last, difference));
  f.set(confidence, load("i32.load", slot, SLOT.confidence));
  const byte = (k: number) =>
    op("i32.and", op("i32.shr_u", confidence, i32(8 * k)), i32(MOST_CONFIDENCE));
  f.set(best, byte(0));
  f.set(predicted, predictions[0]);
  for (let k = 1; k < PREDICTORS; k++) {
    // No branches: which one is best is what a processor cannot guess either.
    f.set(p.scratch, byte(k));
    f.set(p.number, op("i32.gt_u", p.scratch, best));
    f.set(predicted, select(predictions[k], predicted, p.number));
    f.set(best, select(p.scratch, best, p.number));
  }
}

/** Finds which predictions are right. */
function emitCompare({ f, value, predictions, right }: Parts): void {
  const bits = predictions.map((prediction, k) =>
    op("i32.shl", op("i64.eq", prediction, value), i32(8 * k))
  );
  f.set(right, bits.reduce((all, bit) => op("i32.or", all, bit)));
}

function emitEncode(p: Parts, leb: FunctionReference): void {
  const { f, value, last, predicted, right, scratch, wide, state } = p;
  f.if(op("i64.eq", predicted, value), () => add(f, state.run, i32(1)), () => {
    setState(f, "hits", state.hits);
    f.call(leb, state.run);
    f.set(state.hits, stateWord("hits"));
    f.set(state.run, i32(0));
    f.if(right, () => {
      f.set(scratch, op("i32.shr_u", op("i32.ctz", right), i32(3)));
    }, () => {
      // A literal of so many bytes.
      const difference = op("i64.sub", value, last);
      const sign = op("i64.shr_s", difference, i64(63n));
      f.set(wide, op("i64.xor", op("i64.shl", difference, i64(1n)), sign));
      const zeros = op("i32.wrap_i64", op("i64.clz", wide));
      f.set(p.best, op("i32.sub", i32(8), op("i32.shr_u", zeros, i32(3))));
      f.store("i64.store", state.words, wide);
      f.set(scratch, op("i32.add", p.best, i32(PREDICTORS - 1)));
      f.if(op("i32.gt_u", p.best, i32(1)), () => emitAgain(p));
      add(f, state.words, p.best);
    });
    f.store("i32.store8", state.choices, scratch);
    add(f, state.choices, i32(1));
  });
}

/** Instead of a literal: how far back the value was last, if that is known. */
function emitAgain(p: Parts): void {
  const { f, value, scratch, best, number, state } = p;
  f.set(number, load("i32.load", placeOf(p), VALUE_MEMORY.places));
  // They count from 1: the distance of the value before is 0. Of one that never was it is the count.
  f.set(number, op("i32.sub", state.count, number));
  const isNear = op("i32.lt_u", number, i32(RECENT));
  const then = recentOf(op("i32.sub", op("i32.sub", state.count, number), i32(1)));
  const isSame = op("i64.eq", load("i64.load", then, VALUE_MEMORY.recent), value);
  f.if(op("i32.and", isNear, isSame), () => {
    f.store("i32.store8", state.words, number);
    f.set(scratch, i32(AGAIN));
    f.set(best, i32(1));
  });
}

function emitDecode(p: Parts, nextRun: FunctionReference): void {
  const { f, value, last, predictions, predicted, scratch, wide, state } = p;
  f.if(state.run, () => {
    add(f, state.run, i32(-1));
    f.set(value, predicted);
  }, () => {
    f.set(scratch, load("i32.load8_u", state.choices));
    add(f, state.choices, i32(1));
    const literal = () => {
      f.set(scratch, op("i32.sub", scratch, i32(PREDICTORS - 1)));
      const unused = op("i64.extend_i32_u", op("i32.mul", op("i32.sub", i32(8), scratch), i32(8)));
      const bits = op("i64.shl", load("i64.load", state.words), unused);
      f.set(wide, op("i64.shr_u", bits, unused));
      add(f, state.words, scratch);
      const sign = op("i64.sub", i64(0n), op("i64.and", wide, i64(1n)));
      const difference = op("i64.xor", op("i64.shr_u", wide, i64(1n)), sign);
      f.set(value, op("i64.add", last, difference));
    };
    const again = () => {
      f.if(op("i32.gt_u", scratch, i32(AGAIN)), () => f.unreachable());
      const distance = load("i32.load8_u", state.words);
      const number = op("i32.sub", op("i32.sub", state.count, distance), i32(1));
      f.set(value, load("i64.load", recentOf(number), VALUE_MEMORY.recent));
      add(f, state.words, i32(1));
    };
    f.if(op("i32.lt_u", scratch, i32(PREDICTORS)), () => {
      f.set(value, predictions[0]);
      for (let k = 1; k < PREDICTORS; k++) {
        f.if(op("i32.eq", scratch, i32(k)), () => f.set(value, predictions[k]));
      }
    }, () => f.if(op("i32.lt_u", scratch, i32(AGAIN)), literal, again));
    setState(f, "hits", state.hits);
    f.call(nextRun);
    f.set(state.run, stateWord("run"));
    f.set(state.hits, stateWord("hits"));
  });
}

/** Tells the slot and the tables what came. */
function emitLearn(p: Parts): void {
  const { f, slot, value, last, confidence, right, contexts, wide, state } = p;
  // Four bytes at a time: up to 15 by one where right, else half.
  const more = op("i32.add", confidence, i32(EACH));
  const beyond = op("i32.and", op("i32.shr_u", more, i32(4)), i32(EACH));
  const raised = op("i32.sub", more, beyond);
  const halved = op("i32.and", op("i32.shr_u", confidence, i32(1)), i32(EACH * 7));
  const differing = op("i32.xor", raised, halved);
  const mask = op("i32.mul", right, i32(0xff));
  const learnt = op("i32.xor", halved, op("i32.and", differing, mask));
  f.store("i32.store", slot, learnt, SLOT.confidence);
  f.set(wide, op("i64.sub", value, last));
  f.store("i64.store", contexts[0], value, VALUE_MEMORY.values2);
  f.store("i64.store", contexts[1], wide, VALUE_MEMORY.differences2);
  f.store("i64.store", slot, value, SLOT.last);
  f.store("i64.store", slot, wide, SLOT.stride);
  emitHistory(p, value, SLOT.values);
  emitHistory(p, wide, SLOT.differences);
  f.store("i64.store", recentOf(state.count), value, VALUE_MEMORY.recent);
  add(f, state.count, i32(1));
  f.store("i32.store", placeOf(p), state.count, VALUE_MEMORY.places);
}

/** Offset of the value with a number in the recent ones. */
function recentOf(number: Expression): Expression {
  return op("i32.shl", op("i32.and", number, i32(RECENT - 1)), i32(3));
}

/** Offset of the value's hash in the places. */
function placeOf({ value }: Parts): Expression {
  const folded = op("i64.xor", value, op("i64.shr_u", value, i64(32n)));
  const spread = op("i32.mul", op("i32.wrap_i64", folded), i32(0x9e3779b1 | 0));
  return op("i32.shl", op("i32.shr_u", spread, i32(20)), i32(2));
}

/** `history = (history << 8 xor the word folded to 16 bits) and 0xffff`. */
function emitHistory({ f, slot, scratch }: Parts, word: Local, offset: number): void {
  const half = op("i64.xor", word, op("i64.shr_u", word, i64(32n)));
  f.set(scratch, op("i32.wrap_i64", half));
  f.set(scratch, op("i32.xor", scratch, op("i32.shr_u", scratch, i32(16))));
  const shifted = op("i32.shl", load("i32.load", slot, offset), i32(8));
  const history = op("i32.and", op("i32.xor", shifted, scratch), i32(0xffff));
  f.store("i32.store", slot, history, offset);
}
