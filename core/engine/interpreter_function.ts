import { SLOT } from "../state.ts";
import type { ExceptionCause, Ops } from "../isa/ops.ts";
import type { Row } from "../isa/row.ts";
import { counterReads } from "./counter_reads.ts";
import { BUILT_IN, type Handler, type HandlerTable } from "./handlers.ts";
import { CALL_OUTS } from "./interpreter_imports.ts";
import { LAYOUT } from "./layout.ts";
import { type Frame, type HelperCalls, Temporaries } from "./frame.ts";
import { Lowering } from "./lowering.ts";
import type { RecordField } from "./record_layout.ts";
import { CAUSE, EXIT, REGION } from "./reasons.ts";
import { regionEntry } from "./region_entry.ts";
import { lookUpPage, RunState } from "./run_state.ts";
import {
  call,
  callIndirect,
  type Expression,
  type FunctionBuilder,
  type FunctionReference,
  i32,
  type Label,
  load,
  type Local,
  op,
} from "./wasm/function_builder.ts";
import type { ValueType } from "./wasm/opcodes.ts";

/**
 * The interpreter's function, `loop { br_table }` over flat records.
 *
 * ```text
 * block exit
 *   loop outer
 *     block land                       the same, where a branch leaves PSTATE.BTYPE (FEAT_BTI)
 *     block enter                      a branch to an address: look its page up, then go on
 *       block branch                   a branch inside the page: go on at `next`
 *         block apart                  a handler apart: call its function, record += 16
 *           loop dispatch
 *             block dataFault … block callOutException
 *               block handler n … block handler 0
 *                 br_table op(record)
 *               end  code of handler 0; record += 16; br dispatch
 *               …
 * ```
 *
 * A **run** is the instructions from one transfer of control to the next. Nothing is counted per
 * instruction: at the end of a run its length is taken off the budget and the run is written to
 * the flow ring as two u32, `[first record, record behind the last]`; entering a page writes
 * `[0, context]`. Position and PC inside a run follow from the record pointer.
 */

/** What the function calls. */
export interface Callees {
  readonly decode: FunctionReference;
  readonly fetch: FunctionReference;
  readonly callOut: FunctionReference;
  readonly helpers: HelperCalls;
  readonly slowLoad: FunctionReference;
  readonly slowStore: FunctionReference;
  readonly storeMarks: number | undefined;
  readonly results: boolean;
  /** Calls the function for rows apart (`apart.ts`). */
  readonly apart: (record: Expression) => Expression;
  /** Type of translated functions. */
  readonly region: { index: number; result: ValueType };
  /** See {@linkcode InterpreterOptions.regions}. */
  readonly regions: number | undefined;
}

/** See the top of this file. */
export class InterpreterFunction {
  readonly #run: RunState;
  readonly #next: Local;
  readonly #end: Local;
  readonly #address: Local;
  readonly #leaving: Local;
  readonly #temporaries: Temporaries;

  readonly landings: boolean;

  constructor(
    readonly f: FunctionBuilder,
    readonly callees: Callees,
    { flow, landings }: { flow: boolean; landings: boolean },
  ) {
    this.landings = landings;
    this.#run = new RunState(f, flow);
    this.#next = f.local("i32");
    this.#end = f.local("i32");
    this.#leaving = f.local("i32");
    this.#address = f.local("i64");
    this.#temporaries = new Temporaries(f);
  }

  /** Writes the whole function; gives the record layouts of the handlers. */
  generate(table: HandlerTable): (readonly RecordField[])[] {
    const { f } = this;
    const records: (readonly RecordField[])[] = [];
    this.#run.restore();
    f.block((exit) =>
      f.loop((outer) => {
        const around = (land: Label | undefined) => {
          f.block((enter) => {
            f.block((branch) => {
              f.block((apart) =>
                f.loop((dispatch) =>
                  this.#dispatch(table, records, { exit, enter, branch, dispatch, apart, land })
                )
              );
              // Outside the dispatch loop, which is measurably slower with it inside.
              this.#callApart(exit);
              f.branch(outer);
            });
            this.#completeRun(op("i32.add", this.#run.record, i32(16)), false);
            f.set(this.#run.record, this.#next);
            f.set(this.#run.runStart, this.#next);
            f.branchIf(exit, this.#mustLeave());
            f.branch(outer);
          });
          this.#completeRun(this.#end, true);
          this.#enterPage(exit);
          f.branchIf(exit, this.#mustLeave());
          f.branch(outer);
        };
        if (!this.landings) return around(undefined);
        f.block((land) => around(land));
        this.#land(exit);
        f.branch(outer);
      })
    );
    this.#run.save();
    f.return(this.#leaving);
    return records;
  }

  #dispatch(
    table: HandlerTable,
    records: (readonly RecordField[])[],
    to: Labels,
  ): void {
    const { f } = this;
    const dataFault = f.open();
    const spFault = f.open();
    const callOutException = f.open();
    const frame: Frame = {
      f,
      ...this.callees,
      record: this.#run.record,
      pcBase: this.#run.pcBase,
      flags: this.#run.flags,
      callOuts: CALL_OUTS,
      counter: counterReads(this.#run),
      spill: () => this.#run.spill(),
      dataFault,
      spFault,
      callOutException,
      leaving: this.#leaving,
      temporaries: this.#temporaries,
    };
    const labels: Label[] = [];
    for (let id = table.end - 1; id >= 0; id--) labels[id] = f.open();
    f.branchTable(load("i32.load16_u", this.#run.record), labels, to.apart);
    const builtIn = this.#builtIn(to, labels);
    for (const emit of builtIn) {
      f.close();
      emit();
    }
    for (const handler of table.handlers) {
      f.close();
      records.push(this.#handler(handler, frame, to));
    }
    f.close();
    this.#leave(EXIT.callOutException, to.exit);
    f.close();
    f.store("i32.store", i32(0), i32(CAUSE.spAlignment), SLOT.scratch);
    this.#leave(EXIT.exception, to.exit);
    f.close();
    this.#leave(EXIT.dataFault, to.exit);
  }

  /** Code of the handlers that belong to no row, in the order of `BUILT_IN`. */
  #builtIn(to: Labels, handlers: readonly Label[]): (() => void)[] {
    const { f } = this;
    return [
      () => {
        this.#run.spill();
        f.call(this.callees.decode);
        f.branch(to.dispatch);
      },
      () => {
        f.set(this.#end, this.#run.record);
        f.set(this.#address, this.#run.pc);
        f.branch(to.enter);
      },
      () => this.#leave(EXIT.stop, to.exit),
      () => {
        f.store("i32.store", i32(0), i32(CAUSE.undefined), SLOT.scratch);
        this.#leave(EXIT.exception, to.exit);
      },
      () => this.#probe(to, handlers),
      () => this.#region(to, handlers),
    ];
  }

  /** Has the function for handlers apart execute the instruction. */
  #callApart(exit: Label): void {
    const { f } = this;
    this.#run.spill();
    f.set(this.#leaving, this.callees.apart(this.#run.record));
    f.branchIf(exit, this.#leaving);
    f.set(this.#run.record, op("i32.add", this.#run.record, i32(16)));
  }

  /**
   * Calls the translated function of which this record is a way in, if a run begins here and is not
   * to be stopped inside. Where it could not go on (`REGION`), or else, the handler under the way
   * is executed.
   */
  #region(to: Labels, handlers: readonly Label[]): void {
    const { f } = this;
    const { region, regions } = this.callees;
    if (regions === undefined) return f.unreachable();
    const entry = regionEntry(this.#run.record, regions);
    const begins = op("i32.eq", this.#run.record, this.#run.runStart);
    const index = op("i32.sub", load("i32.load", entry, 4), i32(1));
    f.set(this.#next, i32(BUILT_IN.region));
    f.if(op("i32.and", begins, op("i32.gt_s", this.#run.budget, i32(0))), () => {
      this.#run.save();
      f.set(this.#next, callIndirect(region, index, load("i32.load16_u", entry, 2)));
      this.#run.restore();
      f.if(op("i32.ne", this.#next, i32(REGION.retry)), () => {
        const ended = op("i32.eq", this.#next, i32(REGION.ended));
        f.branchIf(to.exit, op("i32.and", ended, this.#mustLeave()));
        f.branch(to.dispatch);
      });
      f.set(this.#next, load("i32.load16_u", this.#run.record));
      f.if(op("i32.eq", this.#next, i32(BUILT_IN.probe)), () => {
        f.set(this.#next, load("i32.load", i32(0), LAYOUT.probe));
      });
    });
    f.if(op("i32.eq", this.#next, i32(BUILT_IN.region)), () => {
      f.set(this.#next, load("i32.load16_u", entry));
    });
    const rows = handlers.map((label, id) => id <= BUILT_IN.region ? to.dispatch : label);
    f.branchTable(this.#next, rows, to.apart);
  }

  /** Passes by the probe to the handler under it while one slot of the state differs from its value. */
  #probe(to: Labels, handlers: readonly Label[]): void {
    const { f } = this;
    const value = load("i64.load", load("i32.load", i32(0), LAYOUT.probe + 4));
    const differs = op("i64.ne", value, load("i64.load", i32(0), LAYOUT.probe + 8));
    const met = f.open();
    f.branchIf(met, op("i32.eqz", differs));
    const rows = handlers.map((label, id) => id <= BUILT_IN.probe ? met : label);
    f.branchTable(load("i32.load", i32(0), LAYOUT.probe), rows, to.apart);
    f.close();
    this.#leave(EXIT.probe, to.exit);
  }

  #handler(handler: Handler, frame: Frame, to: Labels): readonly RecordField[] {
    const { row, program: ops } = handler;
    const lowering = new Lowering(frame, ops, { spBase: handler.spBase });
    if (row.fp) this.#checkFp(to.exit);
    lowering.effects();
    this.#finish(handler, ops, lowering, to);
    return lowering.fields;
  }

  /** Commits and goes where the instruction goes. */
  #finish({ row, far }: Handler, ops: Ops, lowering: Lowering, to: Labels): void {
    const { f } = this;
    const { transfer } = ops;
    switch (transfer?.k) {
      case undefined:
        lowering.commits();
        return this.#goOn(row, ops, to);
      case "relative": {
        const { condition, target } = transfer;
        const taken = condition && lowering.materialize(condition);
        lowering.commits();
        f.set(this.#next, op("i32.add", this.#run.record, i32(16)));
        const distance = lowering.immediate(target);
        const take = () => {
          if (!far) return f.set(this.#next, op("i32.add", this.#run.record, distance));
          f.set(this.#end, this.#next);
          f.set(this.#address, op("i64.add", this.#run.pc, op("i64.extend_i32_s", distance)));
          f.branch(to.enter);
        };
        if (taken) f.if(taken, take);
        else take();
        return f.branch(to.branch);
      }
      case "absolute":
        f.set(this.#address, lowering.expression(transfer.address));
        lowering.commits();
        f.set(this.#end, op("i32.add", this.#run.record, i32(16)));
        if (!transfer.landing || !to.land) return f.branch(to.enter);
        f.store("i32.store", i32(0), lowering.expression(transfer.landing), SLOT.btype);
        return f.branch(to.land);
      case "exception":
        f.store("i32.store", i32(0), lowering.expression(transfer.argument), SLOT.scratch + 8);
        return this.#exception(transfer.cause, to);
      case "eret":
        return this.#leave(EXIT.eret, to.exit);
    }
  }

  #goOn(row: Row, ops: Ops, to: Labels): void {
    const { f } = this;
    if (row.ends) {
      f.set(this.#next, op("i32.add", this.#run.record, i32(16)));
      return f.branch(to.branch);
    }
    f.set(this.#run.record, op("i32.add", this.#run.record, i32(16)));
    if (ops.statements.some((s) => s.k === "call-out")) f.branchIf(to.exit, this.#leaving);
    f.branch(to.dispatch);
  }

  /** Leaves with nothing retired: whether the instruction completes is the machine's decision. */
  #exception(cause: ExceptionCause, to: Labels): void {
    this.f.store("i32.store", i32(0), i32(CAUSE[cause]), SLOT.scratch);
    this.#leave(EXIT.exception, to.exit);
  }

  #checkFp(exit: Label): void {
    const { f } = this;
    f.if(load("i32.load", i32(0), SLOT.fpTrap), () => {
      f.store("i32.store", i32(0), i32(CAUSE.fpTrapped), SLOT.scratch);
      this.#leave(EXIT.exception, exit);
    });
  }

  #leave(reason: number, exit: Label): void {
    this.f.set(this.#leaving, i32(reason));
    this.f.branch(exit);
  }

  /** Only a page's end can end no instruction. */
  #completeRun(end: Expression, maybeEmpty: boolean): void {
    this.f.set(this.#end, end);
    this.#run.complete(this.#end, maybeEmpty);
  }

  /**
   * An indirect branch with SLOT.btype as it is behind BR or BLR. It is in force while the budget
   * stays as it is now and no instruction of the run was executed: see `CpuState.btype`.
   */
  #land(exit: Label): void {
    const { f } = this;
    this.#completeRun(this.#end, false);
    const kind = f.local("i32");
    f.set(kind, load("i32.load", i32(0), SLOT.btype));
    const lenient = op("i32.eqz", load("i32.load", i32(0), SLOT.guarded));
    const isJump = op("i32.eq", kind, i32(3));
    const less = op("i32.shl", op("i32.and", lenient, isJump), i32(1));
    f.store("i32.store", i32(0), op("i32.sub", kind, less), SLOT.btype);
    f.store("i32.store", i32(0), this.#run.budget, SLOT.btypeBudget);
    this.#enterPage(exit);
    f.if(load("i32.load", i32(0), SLOT.guarded), () => this.#leave(EXIT.landing, exit));
    f.branchIf(exit, this.#mustLeave());
  }

  /** Finds the records of the page of `address`, calling TypeScript on a miss. */
  #enterPage(exit: Label): void {
    const { f } = this;
    const entry = this.#next;
    f.if(lookUpPage(f, entry, this.#address), () => {
      f.set(this.#run.runStart, this.#end);
      f.set(this.#run.record, this.#end);
      f.store("i64.store", i32(0), this.#address, SLOT.pc);
      this.#run.spill();
      f.if(call(this.callees.fetch), () => this.#leave(EXIT.fetchFault, exit));
    });
    if (this.landings) f.store("i32.store", i32(0), load("i32.load", entry, 24), SLOT.guarded);
    this.#run.enterPage(entry, this.#address);
  }

  #mustLeave(): Expression {
    return op("i32.or", this.#run.isSpent, this.#leaving);
  }
}

interface Labels {
  readonly exit: Label;
  readonly enter: Label;
  readonly branch: Label;
  readonly dispatch: Label;
  readonly apart: Label;
  /** An indirect branch that leaves PSTATE.BTYPE; undefined where there is none. */
  readonly land: Label | undefined;
}
