import type { Row } from "../isa/row.ts";
import { defineApart } from "./apart.ts";
import { enumerateHandlers, type HandlerTable } from "./handlers.ts";
import { defineHelpers } from "./helpers.ts";
import { LAYOUT } from "./layout.ts";
import type { RecordField } from "./record_layout.ts";
import { defineSlowAccess } from "./slow_access.ts";
import type { FunctionReference } from "./wasm/function_builder.ts";
import { ModuleBuilder } from "./wasm/module_builder.ts";
import { InterpreterFunction } from "./interpreter_function.ts";

/** Generates the interpreter's module; its function is `interpreter_function.ts`. */

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
  const generator = new InterpreterFunction(body, callees, { flow, landings });
  const records = generator.generate(table).concat(apart.records);
  m.export("run", reference);
  return { module: new WebAssembly.Module(m.build()), table, records, helpers };
}
