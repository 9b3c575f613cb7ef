import { SLOT } from "../state.ts";
import type { CallOut, ExceptionCause, Ops } from "../isa/ops.ts";
import type { Row } from "../isa/row.ts";
import { defineApart } from "./apart.ts";
import { counterReads } from "./counter_reads.ts";
import { BUILT_IN, enumerateHandlers, type Handler, type HandlerTable } from "./handlers.ts";
import { defineHelpers } from "./helpers.ts";
import { LAYOUT } from "./layout.ts";
import { type Frame, Lowering, Temporaries } from "./lowering.ts";
import type { RecordField } from "./record_layout.ts";
import { CAUSE, EXIT, REGION } from "./reasons.ts";
import { regionEntry } from "./region_entry.ts";
import { defineSlowAccess } from "./slow_access.ts";
import {
  call,
  callIndirect,
  type Expression,
  type FunctionBuilder,
  type FunctionReference,
  i32,
  i64,
  type Label,
  load,
  type Local,
  op,
} from "./wasm/function_builder.ts";
import { ModuleBuilder } from "./wasm/module_builder.ts";
import type { ValueType } from "./wasm/opcodes.ts";

/**
 * Generates the interpreter: one WebAssembly function, `loop { br_table }` over flat records.
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

/** Numbers by which generated code names the call-outs. */
export const CALL_OUTS: Readonly<Record<CallOut, number>> = {
  mrs: 0,
  msr: 1,
  "msr-immediate": 2,
  sys: 3,
  sysl: 4,
  barrier: 5,
  hint: 6,
  "dc-zva": 7,
  random: 8,
  pointer: 9,
  "return-address": 10,
};

/** What the module needs from TypeScript; every answer is one of `ANSWER`. */
export interface InterpreterImports {
  /** Decodes the line of the record in SLOT.record. */
  decode(): void;
  /** Makes SLOT.pc executable: fills its lookup entry. Answers non-zero if it cannot be fetched. */
  fetch(): number;
  /** The load or store described by the access bits at SLOT.accessAddress. */
  access(kind: number): number;
  callOut(what: number, argument: number): number;
}

/** A generated interpreter. */
export interface Interpreter {
  readonly module: WebAssembly.Module;
  readonly table: HandlerTable;
  /** By handler id: what the decoder writes into a record. */
  readonly records: readonly (readonly RecordField[] | undefined)[];
  /** The helper functions, which it exports by `helper NAME` if there is a translator. */
  readonly helpers: ReadonlyMap<string, FunctionReference>;
}

/** Which interpreter. */
export interface InterpreterOptions {
  /** Whether it writes the flow ring. */
  readonly flow: boolean;
  /** Whether indirect branches leave PSTATE.BTYPE (FEAT_BTI); those into guarded pages leave the function. */
  readonly landings: boolean;
  /** See {@linkcode Frame.storeMarks}. */
  readonly storeMarks?: number;
  /** See {@linkcode Frame.results}; not with a translator. */
  readonly results?: boolean;
  /** Where the region table's entry of record 0 would stand, if there is a translator. */
  readonly regions?: number | undefined;
}

/** Those generated so far: machines with the same instructions share one. */
const generated = new WeakMap<readonly Row[], Map<string, Interpreter>>();

/** The interpreter for a set of rows; the same array of rows gives the same one. */
export function interpreterFor(rows: readonly Row[], options: InterpreterOptions): Interpreter {
  let ofRows = generated.get(rows);
  if (!ofRows) generated.set(rows, ofRows = new Map());
  const { flow, landings, storeMarks, results = false, regions } = options;
  const key = `${flow} ${landings} ${storeMarks} ${results} ${regions}`;
  let interpreter = ofRows.get(key);
  if (!interpreter) ofRows.set(key, interpreter = generate(rows, options));
  return interpreter;
}

function generate(rows: readonly Row[], options: InterpreterOptions): Interpreter {
  const { flow, landings, storeMarks, results = false, regions } = options;
  const table = enumerateHandlers(rows);
  const m = new ModuleBuilder();
  m.importMemory("engine", "memory", LAYOUT.codeTable / 65536);
  const imports = {
    decode: m.importFunction("engine", "decode", [], ""),
    fetch: m.importFunction("engine", "fetch", [], "i32"),
    access: m.importFunction("engine", "access", ["i32"], "i32"),
    callOut: m.importFunction("engine", "callOut", ["i32", "i32"], "i32"),
  };
  if (regions !== undefined) m.importTable("engine", "regions");
  const region = m.functionType(["i32"], "i32");
  const helpers = defineHelpers(m);
  const slowLoad = defineSlowAccess(m, imports.access, false);
  const slowStore = defineSlowAccess(m, imports.access, true, storeMarks);
  const shared = { ...imports, helpers, slowLoad, slowStore, storeMarks, results, regions };
  if (regions !== undefined) {
    for (const [name, helper] of helpers) m.export(`helper ${name}`, helper);
    m.export("retryLoad", defineSlowAccess(m, undefined, false));
    m.export("retryStore", defineSlowAccess(m, undefined, true, storeMarks));
  }
  const apart = defineApart(m, table, shared);
  const { reference, body } = m.function([], "i32");
  const callees = { ...shared, region, apart: apart.reference };
  const generator = new Generator(body, callees, { flow, landings });
  const records = generator.generate(table).concat(apart.records);
  m.export("run", reference);
  return { module: new WebAssembly.Module(m.build()), table, records, helpers };
}

interface Callees {
  readonly decode: FunctionReference;
  readonly fetch: FunctionReference;
  readonly callOut: FunctionReference;
  readonly helpers: ReadonlyMap<string, FunctionReference>;
  readonly slowLoad: FunctionReference;
  readonly slowStore: FunctionReference;
  readonly storeMarks: number | undefined;
  readonly results: boolean;
  /** See `apart.ts`. */
  readonly apart: FunctionReference;
  /** Type of translated functions. */
  readonly region: { index: number; result: ValueType };
  /** See {@linkcode InterpreterOptions.regions}. */
  readonly regions: number | undefined;
}

class Generator {
  readonly #record: Local;
  readonly #pcBase: Local;
  readonly #runStart: Local;
  readonly #budget: Local;
  readonly #ring: Local;
  readonly #next: Local;
  readonly #end: Local;
  readonly #address: Local;
  readonly #leaving: Local;
  readonly #flags: Readonly<Record<"n" | "z" | "c" | "v", Local>>;
  readonly #temporaries: Temporaries;

  readonly flow: boolean;
  readonly landings: boolean;

  constructor(
    readonly f: FunctionBuilder,
    readonly callees: Callees,
    { flow, landings }: Pick<InterpreterOptions, "flow" | "landings">,
  ) {
    this.flow = flow;
    this.landings = landings;
    this.#record = f.local("i32");
    this.#runStart = f.local("i32");
    this.#budget = f.local("i32");
    this.#ring = f.local("i32");
    this.#next = f.local("i32");
    this.#end = f.local("i32");
    this.#leaving = f.local("i32");
    const c = f.local("i32");
    this.#pcBase = f.local("i64");
    this.#address = f.local("i64");
    this.#flags = { n: f.local("i64"), z: f.local("i64"), c, v: f.local("i64") };
    this.#temporaries = new Temporaries(f);
  }

  /** Writes the whole function; gives the record layout of every handler. */
  generate(table: HandlerTable): (readonly RecordField[] | undefined)[] {
    const { f } = this;
    const records: (readonly RecordField[] | undefined)[] = [];
    this.#restore();
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
            this.#completeRun(op("i32.add", this.#record, i32(16)), false);
            f.set(this.#record, this.#next);
            f.set(this.#runStart, this.#next);
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
    this.#save();
    f.return(this.#leaving);
    return records;
  }

  #dispatch(
    table: HandlerTable,
    records: (readonly RecordField[] | undefined)[],
    to: Labels,
  ): void {
    const { f } = this;
    const dataFault = f.open();
    const spFault = f.open();
    const callOutException = f.open();
    const frame: Frame = {
      f,
      record: this.#record,
      pcBase: this.#pcBase,
      flags: this.#flags,
      helpers: this.callees.helpers,
      slowLoad: this.callees.slowLoad,
      slowStore: this.callees.slowStore,
      storeMarks: this.callees.storeMarks,
      results: this.callees.results,
      callOut: this.callees.callOut,
      callOuts: CALL_OUTS,
      counter: counterReads({
        record: this.#record,
        runStart: this.#runStart,
        budget: this.#budget,
      }),
      spill: () => this.#spill(),
      dataFault,
      spFault,
      callOutException,
      leaving: this.#leaving,
      temporaries: this.#temporaries,
    };
    const labels: Label[] = [];
    for (let id = table.apart - 1; id >= 0; id--) labels[id] = f.open();
    f.branchTable(load("i32.load16_u", this.#record), labels, to.apart);
    const builtIn = this.#builtIn(to, labels);
    for (const emit of builtIn) {
      f.close();
      emit();
    }
    for (const handler of table.handlers) {
      if (handler.row.apart) break;
      f.close();
      records[handler.id] = this.#handler(handler, frame, to);
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
        this.#spill();
        f.call(this.callees.decode);
        f.branch(to.dispatch);
      },
      () => {
        f.set(this.#end, this.#record);
        f.set(this.#address, this.#pc());
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
    this.#spill();
    f.set(this.#leaving, call(this.callees.apart, this.#record));
    f.branchIf(exit, this.#leaving);
    f.set(this.#record, op("i32.add", this.#record, i32(16)));
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
    const entry = regionEntry(this.#record, regions);
    const begins = op("i32.eq", this.#record, this.#runStart);
    const index = op("i32.sub", load("i32.load", entry, 4), i32(1));
    f.set(this.#next, i32(BUILT_IN.region));
    f.if(op("i32.and", begins, op("i32.gt_s", this.#budget, i32(0))), () => {
      this.#save();
      f.set(this.#next, callIndirect(region, index, load("i32.load16_u", entry, 2)));
      this.#restore();
      f.if(op("i32.ne", this.#next, i32(REGION.retry)), () => {
        const ended = op("i32.eq", this.#next, i32(REGION.ended));
        f.branchIf(to.exit, op("i32.and", ended, this.#mustLeave()));
        f.branch(to.dispatch);
      });
      f.set(this.#next, load("i32.load16_u", this.#record));
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
        f.set(this.#next, op("i32.add", this.#record, i32(16)));
        const distance = lowering.immediate(target);
        const take = () => {
          if (!far) return f.set(this.#next, op("i32.add", this.#record, distance));
          f.set(this.#end, this.#next);
          f.set(this.#address, op("i64.add", this.#pc(), op("i64.extend_i32_s", distance)));
          f.branch(to.enter);
        };
        if (taken) f.if(taken, take);
        else take();
        return f.branch(to.branch);
      }
      case "absolute":
        f.set(this.#address, lowering.expression(transfer.address));
        lowering.commits();
        f.set(this.#end, op("i32.add", this.#record, i32(16)));
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
      f.set(this.#next, op("i32.add", this.#record, i32(16)));
      return f.branch(to.branch);
    }
    f.set(this.#record, op("i32.add", this.#record, i32(16)));
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

  /** Takes the run that ends before record `end` off the budget and writes it to the ring. Only a page's end can end no instruction. */
  #completeRun(end: Expression, maybeEmpty: boolean): void {
    const { f } = this;
    f.set(this.#end, end);
    if (this.flow) {
      f.store("i32.store", this.#ring, this.#runStart);
      f.store("i32.store", this.#ring, this.#end, 4);
      const some = op("i32.shl", op("i32.ne", this.#runStart, this.#end), i32(3));
      f.set(this.#ring, op("i32.add", this.#ring, maybeEmpty ? some : i32(8)));
    }
    const bytes = op("i32.sub", this.#end, this.#runStart);
    f.set(this.#budget, op("i32.sub", this.#budget, op("i32.shr_u", bytes, i32(4))));
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
    f.store("i32.store", i32(0), this.#budget, SLOT.btypeBudget);
    this.#enterPage(exit);
    f.if(load("i32.load", i32(0), SLOT.guarded), () => this.#leave(EXIT.landing, exit));
    f.branchIf(exit, this.#mustLeave());
  }

  /** Finds the records of the page of `address`, calling TypeScript on a miss. */
  #enterPage(exit: Label): void {
    const { f } = this;
    const entry = this.#next;
    const page = op("i32.wrap_i64", op("i64.shr_u", this.#address, i64(12n)));
    const index = op("i32.shl", op("i32.and", page, i32(LAYOUT.fetchLookupEntries - 1)), i32(5));
    f.set(entry, op("i32.add", index, load("i32.load", i32(0), SLOT.fetchLookup)));
    const tag = op("i64.and", this.#address, i64(~0xffcn));
    f.if(op("i64.ne", tag, load("i64.load", entry)), () => {
      f.set(this.#runStart, this.#end);
      f.set(this.#record, this.#end);
      f.store("i64.store", i32(0), this.#address, SLOT.pc);
      this.#spill();
      f.if(call(this.callees.fetch), () => this.#leave(EXIT.fetchFault, exit));
    });
    if (this.landings) f.store("i32.store", i32(0), load("i32.load", entry, 24), SLOT.guarded);
    f.set(this.#pcBase, load("i64.load", entry, 8));
    const offset = op("i32.and", op("i32.wrap_i64", this.#address), i32(0xffc));
    const start = op("i32.add", load("i32.load", entry, 16), op("i32.shl", offset, i32(2)));
    f.set(this.#record, start);
    f.set(this.#runStart, this.#record);
    if (!this.flow) return;
    f.store("i32.store", this.#ring, i32(0));
    f.store("i32.store", this.#ring, load("i32.load", entry, 20), 4);
    f.set(this.#ring, op("i32.add", this.#ring, i32(8)));
  }

  #mustLeave(): Expression {
    const spent = op("i32.le_s", this.#budget, i32(0));
    const full = op("i32.ge_u", this.#ring, i32(LAYOUT.ringLimit));
    const asked = op("i32.or", spent, this.#leaving);
    return this.flow ? op("i32.or", asked, full) : asked;
  }

  #pc(): Expression {
    const quarter = op("i64.extend_i32_u", op("i32.shr_u", this.#record, i32(2)));
    return op("i64.add", this.#pcBase, quarter);
  }

  #spill(): void {
    const { f } = this;
    f.store("i32.store", i32(0), this.#record, SLOT.record);
    f.store("i32.store", i32(0), this.#runStart, SLOT.runStart);
    f.store("i32.store", i32(0), this.#budget, SLOT.budget);
    f.store("i32.store", i32(0), this.#ring, SLOT.ring);
    f.store("i64.store", i32(0), this.#pcBase, SLOT.pcBase);
  }

  #save(): void {
    const { f } = this;
    this.#spill();
    f.store("i64.store", i32(0), this.#flags.n, SLOT.flagN);
    f.store("i64.store", i32(0), this.#flags.z, SLOT.flagZ);
    f.store("i32.store", i32(0), this.#flags.c, SLOT.flagC);
    f.store("i64.store", i32(0), this.#flags.v, SLOT.flagV);
  }

  #restore(): void {
    const { f } = this;
    f.set(this.#record, load("i32.load", i32(0), SLOT.record));
    f.set(this.#runStart, load("i32.load", i32(0), SLOT.runStart));
    f.set(this.#budget, load("i32.load", i32(0), SLOT.budget));
    f.set(this.#ring, load("i32.load", i32(0), SLOT.ring));
    f.set(this.#pcBase, load("i64.load", i32(0), SLOT.pcBase));
    f.set(this.#flags.n, load("i64.load", i32(0), SLOT.flagN));
    f.set(this.#flags.z, load("i64.load", i32(0), SLOT.flagZ));
    f.set(this.#flags.c, load("i32.load", i32(0), SLOT.flagC));
    f.set(this.#flags.v, load("i64.load", i32(0), SLOT.flagV));
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
