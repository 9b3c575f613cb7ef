/**
 * The flow encoder's WebAssembly module, part 3: repetitions.
 *
 * Where the input repeats a stretch of entries, the passes over it soon have the same result: once
 * history, return stack and current block are the same behind a pass as before it, the way through
 * the predictor's tables is the same in the next one. Everything there but the counters then holds
 * what the pass itself wrote last. A counter goes through the same ups and downs in every pass, and
 * is where it will always be behind a pass after three of them, because it counts from 0 to 3. So
 * behind {@linkcode SETTLED} such passes the state is the same each time, and each further pass, however many the
 * input has, gives what the last one gave, at the cost of comparing the input with itself.
 */

import {
  type Expression,
  type FunctionBuilder,
  type FunctionReference,
  i32,
  load,
  type Local,
  op,
} from "../core/engine/wasm/function_builder.ts";
import type { ModuleBuilder } from "../core/engine/wasm/module_builder.ts";
import { FLOW_MEMORY, INPUT_MEMORY, REPEAT, STATE } from "./flow_memory.ts";
import { add, anyOf, setWord, word } from "./flow_module_parts.ts";

/** Longest stretch that is looked for, in bytes of input. */
const LONGEST = 512 * 8;
/** Bytes of input between two looks: after a success, and doubled with every failure up to the last. */
const LOOK = { first: 128 * 8, last: 16384 * 8 } as const;
/** Equal passes after which all that follow are the same: one, three for the counters, one that counts. */
const SETTLED = 5;
/** It is worth while if it repeats this often, and for as many bytes more. */
const WORTH = { passes: SETTLED + 3, bytes: 256 * 8 } as const;
/** Places compared in one search. */
const MOST_TRIES = 6;

const COMPARED = ["history", "top", "caller", "previous", "context"] as const;
const COUNTED = ["blocks", "steps", "hits", "runs", "misses"] as const;

/** Locals of the function. */
interface Parts {
  readonly f: FunctionBuilder;
  readonly at: Local;
  readonly last: Local;
  readonly stop: Local;
  readonly period: Local;
  readonly from: Local;
  readonly to: Local;
  readonly scratch: Local;
}

/**
 * Defines `look(at, last, first)`: goes on in the input `[at, last)` if it can, leaves where it then
 * stands in `REPEAT.resume`, and gives where it wants to be called next; `first` is not 0
 * at the beginning of an input.
 */
export function defineLook(module: ModuleBuilder): FunctionReference {
  const { reference, body: f } = module.function(["i32", "i32", "i32"], "i32");
  const local = () => f.local("i32");
  const [at, last] = [f.parameter(0), f.parameter(1)];
  const p: Parts = {
    f,
    at,
    last,
    stop: local(),
    period: local(),
    from: local(),
    to: local(),
    scratch: local(),
  };
  f.if(f.parameter(2), () => {
    setWord(f, REPEAT.period, i32(0));
    setWord(f, REPEAT.interval, i32(LOOK.first));
    setWord(f, REPEAT.begin, at);
  }, () => {
    f.set(p.period, word(REPEAT.period));
    f.if(p.period, () => emitPassed(p), () => emitSearch(p));
    f.if(p.period, () => emitBeginPass(p));
    setWord(f, REPEAT.period, p.period);
  });
  f.if(op("i32.eqz", p.stop), () => {
    f.set(p.stop, op("i32.add", at, word(REPEAT.interval)));
    f.if(op("i32.gt_u", p.stop, last), () => f.set(p.stop, last));
  });
  setWord(f, REPEAT.resume, at);
  f.return(p.stop);
  f.unreachable();
  return reference;
}

/** Loads from the input. */
function input(name: string, address: Expression, offset = 0): Expression {
  return load(name, address, offset, INPUT_MEMORY);
}

function emitBeginPass({ f, at, stop, period }: Parts): void {
  for (const name of [...COMPARED, ...COUNTED]) setWord(f, REPEAT[name], word(STATE[name]));
  setWord(f, STATE.disturbed, i32(0));
  f.set(stop, op("i32.add", at, period));
}

/** A pass is over: counts those that follow, and gives up where the input stops repeating it. */
function emitPassed(p: Parts): void {
  const { f, at, period, scratch: passes } = p;
  const differs = COMPARED.map((name) => op("i32.xor", word(STATE[name]), word(REPEAT[name])));
  const left = op("i32.sub", word(REPEAT.end), at);
  f.if(anyOf(word(STATE.disturbed), ...differs), () => setWord(f, REPEAT.settled, i32(0)), () => {
    setWord(f, REPEAT.settled, op("i32.add", word(REPEAT.settled), i32(1)));
    f.if(op("i32.ge_u", word(REPEAT.settled), i32(SETTLED)), () => {
      f.set(passes, op("i32.div_u", left, period));
      emitAgain(p);
      add(f, at, op("i32.mul", passes, period));
    });
  });
  f.if(op("i32.lt_u", left, period), () => f.set(period, i32(0)));
}

/** Does what the last pass did `scratch` times more. */
function emitAgain({ f, from, to, scratch: passes }: Parts): void {
  const gained = (name: (typeof COUNTED)[number]) =>
    op("i32.mul", passes, op("i32.sub", word(STATE[name]), word(REPEAT[name])));
  for (const name of ["runs", "misses"] as const) {
    const length = f.local("i32");
    f.set(to, op("i32.add", word(STATE[name]), i32(FLOW_MEMORY[name])));
    f.set(from, op("i32.add", word(REPEAT[name]), i32(FLOW_MEMORY[name])));
    f.set(length, gained(name));
    setWord(f, STATE[name], op("i32.add", word(STATE[name]), length));
    f.loop((next) => {
      f.if(length, () => {
        f.store("i32.store8", to, load("i32.load8_u", from));
        add(f, from, i32(1));
        add(f, to, i32(1));
        add(f, length, i32(-1));
        f.branch(next);
      });
    });
  }
  for (const name of ["blocks", "steps", "hits"] as const) {
    setWord(f, STATE[name], op("i32.add", word(STATE[name]), gained(name)));
  }
}

/**
 * Sets `period` and the repetition's end if the input before `at` is repeated behind it: looks for
 * the last places before that have the same two entries, and compares from there.
 */
function emitSearch(p: Parts): void {
  const { f, at, last, from, to } = p;
  const oldest = f.local("i32"), tries = f.local("i32");
  const sought = f.local("v128");
  setWord(f, REPEAT.settled, i32(0));
  f.set(oldest, op("i32.sub", at, i32(LONGEST)));
  const begin = op("i32.add", word(REPEAT.begin), i32(16));
  f.if(op("i32.lt_s", oldest, begin), () => f.set(oldest, begin));
  f.block((found) => {
    f.block((over) => {
      f.branchIf(over, op("i32.lt_u", at, oldest));
      f.set(sought, input("v128.load", op("i32.sub", at, i32(16))));
      f.set(from, at);
      f.loop((next) => {
        f.set(from, op("i32.sub", from, i32(8)));
        f.branchIf(over, op("i32.lt_u", from, oldest));
        const here = input("v128.load", op("i32.sub", from, i32(16)));
        f.branchIf(next, op("v128.any_true", op("v128.xor", here, sought)));
        f.set(to, at);
        emitCompare(p);
        const period = op("i32.sub", at, from);
        const most = op("i32.add", op("i32.mul", period, i32(WORTH.passes)), i32(WORTH.bytes));
        f.if(op("i32.ge_u", op("i32.sub", to, at), most), () => {
          f.set(p.period, period);
          setWord(f, REPEAT.end, to);
          setWord(f, REPEAT.interval, i32(LOOK.first));
          f.branch(found);
        });
        add(f, tries, i32(1));
        f.branchIf(next, op("i32.lt_u", tries, i32(MOST_TRIES)));
      });
    });
    setWord(f, REPEAT.interval, op("i32.shl", word(REPEAT.interval), i32(1)));
    f.if(op("i32.gt_u", word(REPEAT.interval), i32(LOOK.last)), () => {
      setWord(f, REPEAT.interval, i32(LOOK.last));
    });
  });
  // Near the input's end nothing is worth while any more; the loop must not come back here for ever.
  f.if(op("i32.ge_u", at, last), () => f.set(p.period, i32(0)));
}

/** Advances `to` to where the input first differs from the same `at - from` bytes before. */
function emitCompare({ f, at, last, from, to, scratch: distance }: Parts): void {
  f.set(distance, op("i32.sub", at, from));
  const back = op("i32.sub", to, distance);
  const pairs = (offset: number) =>
    op("v128.xor", input("v128.load", to, offset), input("v128.load", back, offset));
  f.block((over) => {
    f.loop((next) => {
      f.branchIf(over, op("i32.gt_u", op("i32.add", to, i32(64)), last));
      const all = [0, 16, 32, 48].map(pairs).reduce((a, b) => op("v128.or", a, b));
      f.branchIf(over, op("v128.any_true", all));
      add(f, to, i32(64));
      f.branch(next);
    });
  });
  f.block((over) => {
    f.loop((next) => {
      f.branchIf(over, op("i32.ge_u", to, last));
      f.branchIf(over, op("i64.ne", input("i64.load", to), input("i64.load", back)));
      add(f, to, i32(8));
      f.branch(next);
    });
  });
}
