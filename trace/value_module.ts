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
  readonly confidence: readonly Local[];
  /** Addresses in the two tables. */
  readonly contexts: readonly [Local, Local];
  readonly predicted: Local;
  readonly best: Local;
  readonly scratch: Local;
  readonly wide: Local;
  readonly number: Local;
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
    confidence: Array.from({ length: PREDICTORS }, () => f.local("i32")),
    contexts: [f.local("i32"), f.local("i32")],
    predicted: f.local("i64"),
    best: f.local("i32"),
    scratch: f.local("i32"),
    wide: f.local("i64"),
    number: f.local("i32"),
  };
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
  const { f, slot, value } = p;
  const [at, end, count, values] = [0, 0, 0, 0].map(() => f.local("i32"));
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
          emitEncode(p, reference);
        } else {
          emitDecode(p, reference);
          f.store("i64.store", values, value);
        }
        emitLearn(p);
        f.set(values, op("i32.add", values, i32(8)));
        f.set(slot, op("i32.add", slot, i32(VALUE_SLOT_BYTES)));
        f.set(count, op("i32.sub", count, i32(1)));
        f.branch(more);
      });
    })
  );
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
  confidence.forEach((c, k) => f.set(c, load("i32.load8_u", slot, SLOT.confidence + k)));
  f.set(best, confidence[0]);
  f.set(predicted, predictions[0]);
  for (let k = 1; k < PREDICTORS; k++) {
    f.if(op("i32.gt_u", confidence[k], best), () => {
      f.set(best, confidence[k]);
      f.set(predicted, predictions[k]);
    });
  }
}

function emitEncode(p: Parts, leb: FunctionReference): void {
  const { f, value, last, predictions, predicted, scratch, wide } = p;
  f.if(op("i64.eq", predicted, value), () => {
    setState(f, "run", op("i32.add", stateWord("run"), i32(1)));
  }, () => {
    f.call(leb, stateWord("run"));
    setState(f, "run", i32(0));
    // A literal of so many bytes, unless another predictor knows it.
    const difference = op("i64.sub", value, last);
    const sign = op("i64.shr_s", difference, i64(63n));
    f.set(wide, op("i64.xor", op("i64.shl", difference, i64(1n)), sign));
    const zeros = op("i32.wrap_i64", op("i64.clz", wide));
    f.set(scratch, op("i32.sub", i32(8), op("i32.shr_u", zeros, i32(3))));
    f.store("i64.store", stateWord("words"), wide);
    f.set(p.best, scratch);
    f.set(scratch, op("i32.add", scratch, i32(PREDICTORS - 1)));
    for (let k = PREDICTORS - 1; k >= 0; k--) {
      f.if(op("i64.eq", predictions[k], value), () => {
        f.set(scratch, i32(k));
        f.set(p.best, i32(0));
      });
    }
    f.if(op("i32.gt_u", p.best, i32(1)), () => emitAgain(p));
    setState(f, "words", op("i32.add", stateWord("words"), p.best));
    f.store("i32.store8", stateWord("choices"), scratch);
    setState(f, "choices", op("i32.add", stateWord("choices"), i32(1)));
  });
}

/** Instead of a literal: how far back the value was last, if that is known. */
function emitAgain(p: Parts): void {
  const { f, value, scratch, best, number } = p;
  f.set(number, load("i32.load", placeOf(p), VALUE_MEMORY.places));
  // They count from 1: the distance of the value before is 0. Of one that never was it is the count.
  f.set(number, op("i32.sub", stateWord("count"), number));
  const isNear = op("i32.lt_u", number, i32(RECENT));
  const then = recentOf(op("i32.sub", op("i32.sub", stateWord("count"), number), i32(1)));
  const isSame = op("i64.eq", load("i64.load", then, VALUE_MEMORY.recent), value);
  f.if(op("i32.and", isNear, isSame), () => {
    f.store("i32.store8", stateWord("words"), number);
    f.set(scratch, i32(AGAIN));
    f.set(best, i32(1));
  });
}

function emitDecode(p: Parts, nextRun: FunctionReference): void {
  const { f, value, last, predictions, predicted, scratch, wide } = p;
  f.if(stateWord("run"), () => {
    setState(f, "run", op("i32.sub", stateWord("run"), i32(1)));
    f.set(value, predicted);
  }, () => {
    f.set(scratch, load("i32.load8_u", stateWord("choices")));
    setState(f, "choices", op("i32.add", stateWord("choices"), i32(1)));
    const literal = () => {
      f.set(scratch, op("i32.sub", scratch, i32(PREDICTORS - 1)));
      const unused = op("i64.extend_i32_u", op("i32.mul", op("i32.sub", i32(8), scratch), i32(8)));
      const bits = op("i64.shl", load("i64.load", stateWord("words")), unused);
      f.set(wide, op("i64.shr_u", bits, unused));
      setState(f, "words", op("i32.add", stateWord("words"), scratch));
      const sign = op("i64.sub", i64(0n), op("i64.and", wide, i64(1n)));
      const difference = op("i64.xor", op("i64.shr_u", wide, i64(1n)), sign);
      f.set(value, op("i64.add", last, difference));
    };
    const again = () => {
      f.if(op("i32.gt_u", scratch, i32(AGAIN)), () => f.unreachable());
      const distance = load("i32.load8_u", stateWord("words"));
      const number = op("i32.sub", op("i32.sub", stateWord("count"), distance), i32(1));
      f.set(value, load("i64.load", recentOf(number), VALUE_MEMORY.recent));
      setState(f, "words", op("i32.add", stateWord("words"), i32(1)));
    };
    f.if(op("i32.lt_u", scratch, i32(PREDICTORS)), () => {
      f.set(value, predictions[0]);
      for (let k = 1; k < PREDICTORS; k++) {
        f.if(op("i32.eq", scratch, i32(k)), () => f.set(value, predictions[k]));
      }
    }, () => f.if(op("i32.lt_u", scratch, i32(AGAIN)), literal, again));
    f.call(nextRun);
  });
}

/** Tells the slot and the tables what came. */
function emitLearn(p: Parts): void {
  const { f, slot, value, last, predictions, confidence, contexts, wide } = p;
  predictions.forEach((prediction, k) => {
    const c = confidence[k];
    const most = i32(MOST_CONFIDENCE);
    const more = select(op("i32.add", c, i32(1)), most, op("i32.lt_u", c, most));
    const right = op("i64.eq", prediction, value);
    const learnt = select(more, op("i32.shr_u", c, i32(1)), right);
    f.store("i32.store8", slot, learnt, SLOT.confidence + k);
  });
  f.set(wide, op("i64.sub", value, last));
  f.store("i64.store", contexts[0], value, VALUE_MEMORY.values2);
  f.store("i64.store", contexts[1], wide, VALUE_MEMORY.differences2);
  f.store("i64.store", slot, value, SLOT.last);
  f.store("i64.store", slot, wide, SLOT.stride);
  emitHistory(p, value, SLOT.values);
  emitHistory(p, wide, SLOT.differences);
  f.store("i64.store", recentOf(stateWord("count")), value, VALUE_MEMORY.recent);
  setState(f, "count", op("i32.add", stateWord("count"), i32(1)));
  f.store("i32.store", placeOf(p), stateWord("count"), VALUE_MEMORY.places);
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
