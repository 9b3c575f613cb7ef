import type { CallOut, Statement } from "../isa/ops.ts";
import { SLOT } from "../state.ts";
import { DIRECT_READS, directRead } from "./direct_reads.ts";
import type { Bound, Frame } from "./frame.ts";
import { CLOCK, LAYOUT } from "./layout.ts";
import type { LoweredValues, MemoryLowering } from "./memory_lowering.ts";
import { ANSWER } from "./reasons.ts";
import {
  type Expression,
  type FunctionBuilder,
  i32,
  load,
  type Local,
  op,
} from "./wasm/function_builder.ts";

type CallOutStatement = Extract<Statement, { k: "call-out" }>;

/** Whether a barrier is a call-out, by its op2. */
function isReported(op2: Expression): Expression {
  const kinds = load("i32.load", i32(0), LAYOUT.barriers);
  return op("i32.and", op("i32.shr_u", kinds, op2), i32(1));
}

/** Lowers call-outs: what generated code can do by itself in line, the rest as a call. */
export class CallOutLowering {
  readonly #frame: Frame;
  readonly #f: FunctionBuilder;

  constructor(frame: Frame, readonly values: LoweredValues, readonly memory: MemoryLowering) {
    this.#frame = frame;
    this.#f = frame.f;
  }

  /** Emits a call-out. If its result is `wanted`, that is a local from here on. */
  callOut(statement: CallOutStatement, wanted: boolean): void {
    const { bound } = this.#frame;
    if (bound) this.#bound(statement, bound);
    else this.#call(statement);
    if (!wanted) return;
    const local = this.#frame.temporaries.take("i64");
    this.#f.set(local, load("i64.load", i32(0), SLOT.scratch));
    this.values.keep(statement.result, local);
  }

  #call({ name, argument, operand }: CallOutStatement): void {
    const f = this.#f;
    const { counter } = this.#frame;
    f.store("i64.store", i32(0), this.values.expression(operand), SLOT.scratch);
    const what = this.values.local(argument, "i32");
    const call = () => this.#leave(name, what);
    if (name === "barrier") f.if(isReported(op("i32.shr_u", what, i32(4))), call);
    else if (name === "dc-zva") this.memory.zeroBlock(operand, call);
    else if (name === "mrs" && counter) {
      f.if(counter.isOpen(what), () => {
        f.store("i64.store", i32(0), counter.ticks, SLOT.scratch);
        const reads = load("i32.load", i32(0), LAYOUT.clock + CLOCK.reads);
        f.store("i32.store", i32(0), op("i32.add", reads, i32(1)), LAYOUT.clock + CLOCK.reads);
      }, () => this.#readDirectly(what, call));
    } else call();
  }

  /** Calls TypeScript; its answer is in `leaving`. */
  #leave(name: CallOut, what: Expression): void {
    const f = this.#f;
    const { callOut, callOuts, leaving, callOutException, spill } = this.#frame;
    spill();
    i32(callOuts[name]).emit(f);
    what.emit(f);
    f.code.byte(0x10).unsigned(callOut.index);
    f.code.byte(0x22).unsigned(leaving.index);
    i32(ANSWER.exception).emit(f);
    f.plain("i32.eq");
    f.code.byte(0x0d).unsigned(f.depth - callOutException.depth);
  }

  /** MRS of a register that needs no call, or `otherwise`. */
  #readDirectly(what: Local, otherwise: () => void): void {
    const f = this.#f;
    f.block((done) => {
      for (const { encoding, isOpen, value } of DIRECT_READS) {
        const isNamed = op("i32.eq", what, i32(encoding));
        f.if(isOpen ? op("i32.and", isNamed, isOpen) : isNamed, () => {
          f.store("i64.store", i32(0), value, SLOT.scratch);
          f.branch(done);
        });
      }
      otherwise();
    });
  }

  /** In translated code: where it takes a call after all, the interpreter does the instruction. */
  #bound({ name, argument, operand }: CallOutStatement, bound: Bound): void {
    const f = this.#f;
    const retry = () => {
      this.#frame.spill();
      f.branch(this.#frame.callOutException);
    };
    if (name === "dc-zva") return this.memory.zeroBlock(operand, retry);
    if (name === "barrier" && argument.kind.k === "field") {
      return f.if(isReported(i32(bound.i32(this.values.field(argument.kind.name)) >> 4)), retry);
    }
    const read = argument.kind.k === "field"
      ? directRead(bound.i32(this.values.field(argument.kind.name)))
      : undefined;
    if (!read) throw new Error(`translated code does not call ${name}`);
    if (read.isOpen) f.if(op("i32.eqz", read.isOpen), retry);
    f.store("i64.store", i32(0), read.value, SLOT.scratch);
  }
}
