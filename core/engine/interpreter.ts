import type { Row } from "../isa/row.ts";
import { defineApart } from "./apart.ts";
import { directCalls, type HelperCalls } from "./frame.ts";
import { enumerateHandlers, type Handler, type HandlerTable } from "./handlers.ts";
import { defineHelpers } from "./helpers.ts";
import { FLOW_RING, LAYOUT } from "./layout.ts";
import type { RecordField } from "./record_layout.ts";
import { defineSlowAccess } from "./slow_access.ts";
import { callIndirect, type FunctionReference, i32 } from "./wasm/function_builder.ts";
import { ModuleBuilder } from "./wasm/module_builder.ts";
import { InterpreterFunction } from "./interpreter_function.ts";

/**
 * Generates the interpreter: a module for the function that does the work (`interpreter_function.ts`), and
 * a second one with what guests need late or never, made when its first instruction is decoded: the
 * handlers of the rows that stand apart (`apart.ts`) and the functions that handlers call by name
 * (`helpers.ts`). The first calls the second through the table of functions, and takes half the time to
 * be ready.
 */

/** Which interpreter. */
export interface InterpreterOptions {
  /** Whether it writes the flow ring. */
  readonly flow: boolean;
  /** Whether indirect branches leave PSTATE.BTYPE (FEAT_BTI); those into guarded pages leave the function. */
  readonly landings: boolean;
  /** See {@linkcode Frame.storeMarks}. */
  readonly storeMarks?: number | undefined;
  /** See {@linkcode Frame.results}; not with a translator. */
  readonly results?: boolean;
  /** Where the region table's entry of record 0 would stand, if there is a translator. */
  readonly regions?: number | undefined;
}

/** Handlers of one of the two modules. */
interface Part {
  readonly module: WebAssembly.Module;
  readonly table: HandlerTable;
  /** What the decoder writes into a record, in the order of `table.handlers`. */
  readonly records: readonly (readonly RecordField[])[];
}

/** The second module. */
export interface Apart extends Part {
  /** The helper functions, which it exports by `helper NAME`. */
  readonly helpers: ReadonlyMap<string, FunctionReference>;
}

/** A generated interpreter. */
export class Interpreter implements Part {
  readonly module: WebAssembly.Module;
  readonly table: HandlerTable;
  readonly records: readonly (readonly RecordField[])[];
  /** Helper functions in the order in which the first module wants them in the table, from {@linkcode TABLE}`.helpers` on. */
  readonly wanted: readonly string[];
  /** Rows that stand apart. */
  readonly #rowsApart: ReadonlySet<Row>;
  #apart: Apart | undefined;

  /** Generates the first module. */
  constructor(rows: readonly Row[], readonly options: InterpreterOptions) {
    this.#rowsApart = new Set(rows.filter((row) => row.apart));
    this.table = enumerateHandlers(rows.filter((row) => !row.apart));
    const { flow, landings, storeMarks, regions } = options;
    const m = new ModuleBuilder();
    const imports = importEngine(m, flow);
    const slow = this.#defineSlow(m, imports.access);
    if (regions !== undefined) {
      m.export("retryLoad", defineSlowAccess(m, undefined, false));
      m.export("retryStore", defineSlowAccess(m, undefined, true, storeMarks));
    }
    const wanted: string[] = [];
    const { reference, body } = m.function([], "i32");
    const region = m.functionType(["i32"], "i32");
    const generator = new InterpreterFunction(body, {
      ...imports,
      ...slow,
      ...this.#shared,
      helpers: callsThroughTable(m, wanted),
      apart: (record) => callIndirect(region, i32(TABLE.apart), record),
      region,
    }, { flow, landings });
    this.records = generator.generate(this.table);
    m.export("run", reference);
    this.module = new WebAssembly.Module(m.build());
    this.wanted = wanted;
  }

  /** What the second module has; generated at the first call. */
  get apart(): Apart {
    return this.#apart ??= this.#makeApart();
  }

  /** Whether the processor has a row. */
  has(row: Row): boolean {
    return this.table.first.has(row) || this.#rowsApart.has(row);
  }

  /** The handler with an id, if it belongs to a row. */
  handler(id: number): Handler | undefined {
    return this.#at(id, ({ table }) => table.handlers);
  }

  /** What the decoder writes into the records of a handler. */
  fieldsOf({ id }: Handler): readonly RecordField[] {
    return this.#at(id, ({ records }) => records)!;
  }

  #at<T>(id: number, list: (part: Part) => readonly T[]): T | undefined {
    const part = id < this.table.end ? this : this.apart;
    return list(part)[id - part.table.end + part.table.handlers.length];
  }

  get #shared(): { storeMarks: number | undefined; results: boolean; regions: number | undefined } {
    const { storeMarks, results = false, regions } = this.options;
    return { storeMarks, results, regions };
  }

  #defineSlow(m: ModuleBuilder, access: FunctionReference) {
    return {
      slowLoad: defineSlowAccess(m, access, false),
      slowStore: defineSlowAccess(m, access, true, this.options.storeMarks),
    };
  }

  #makeApart(): Apart {
    const table = enumerateHandlers([...this.#rowsApart], this.table.end);
    const m = new ModuleBuilder();
    const imports = importEngine(m, false);
    const helpers = defineHelpers(m);
    for (const [name, helper] of helpers) m.export(`helper ${name}`, helper);
    const { reference, records } = defineApart(m, table, {
      ...imports,
      ...this.#defineSlow(m, imports.access),
      ...this.#shared,
      helpers: directCalls(helpers),
    });
    m.export("apart", reference);
    return { module: new WebAssembly.Module(m.build()), table, records, helpers };
  }
}

/** Places in the table of functions: the function for rows apart, then helper functions, then regions. */
export const TABLE = { apart: 0, helpers: 1 } as const;

/** Those generated so far: machines with the same instructions share one. */
const generated = new WeakMap<readonly Row[], Map<string, Interpreter>>();

/** The interpreter for a set of rows; the same array of rows gives the same one. */
export function interpreterFor(rows: readonly Row[], options: InterpreterOptions): Interpreter {
  let ofRows = generated.get(rows);
  if (!ofRows) generated.set(rows, ofRows = new Map());
  const { flow, landings, storeMarks, results = false, regions } = options;
  const key = `${flow} ${landings} ${storeMarks} ${results} ${regions}`;
  let interpreter = ofRows.get(key);
  if (!interpreter) ofRows.set(key, interpreter = new Interpreter(rows, options));
  return interpreter;
}

/** Imports the engine's memory, and the flow ring if there is one. */
export function importMemories(m: ModuleBuilder, flow: boolean): void {
  m.importMemory("engine", "memory", LAYOUT.codeTable / 65536);
  if (flow) m.importMemory("engine", "flow", FLOW_RING.bytes / 65536, { shared: true });
}

function importEngine(m: ModuleBuilder, flow: boolean) {
  importMemories(m, flow);
  m.importTable("engine", "functions");
  return {
    decode: m.importFunction("engine", "decode", [], ""),
    fetch: m.importFunction("engine", "fetch", [], "i32"),
    access: m.importFunction("engine", "access", ["i32"], "i32"),
    callOut: m.importFunction("engine", "callOut", ["i32", "i32"], "i32"),
  };
}

/** Calls through the table of functions; `wanted` takes the names in its order. */
function callsThroughTable(m: ModuleBuilder, wanted: string[]): HelperCalls {
  return {
    call(f, name, parameters, result) {
      if (!wanted.includes(name)) wanted.push(name);
      i32(TABLE.helpers + wanted.indexOf(name)).emit(f);
      f.code.byte(0x11).unsigned(m.functionType(parameters, result).index).unsigned(0);
    },
  };
}
