import type { EngineOptions } from "./engine_options.ts";
import { BLOCK_KIND } from "./flow_ring.ts";
import type { HandlerTable } from "./handlers.ts";
import { type Interpreter, interpreterFor, TABLE } from "./interpreter.ts";
import type { InterpreterImports } from "./interpreter_imports.ts";
import type { MemoryLayout } from "./layout.ts";

/** What generated code depends on, in the interpreter and in translated regions. */
export interface CodeOptions {
  readonly flow: boolean;
  readonly landings: boolean;
  /** Address of the mark of address 0 of the engine's memory, where stores are marked (`layout.ts`). */
  readonly storeMarks: number | undefined;
  /** Where the region table's entry of record 0 would stand. */
  readonly regions: number;
}

/** The interpreter for an engine, and what code that is translated later must be like. */
export function generatedCode(
  { rows, flow, landings = false }: EngineOptions,
  { arena, guest, storeMarks, results, regions }: MemoryLayout,
  translates: boolean,
): { interpreter: Interpreter; options: CodeOptions } {
  const marks = storeMarks ? storeMarks - guest / 8 : undefined;
  const options = { flow, landings, storeMarks: marks, regions: regions - arena / 2 };
  const interpreter = interpreterFor(rows, {
    flow,
    landings,
    ...(marks === undefined ? {} : { storeMarks: marks }),
    results: results > 0,
    regions: translates ? options.regions : undefined,
  });
  return { interpreter, options };
}

/** An interpreter's instance. */
export interface InterpreterInstance {
  readonly run: () => number;
  /** Functions that translated code calls: the first module's, then also the second's. */
  readonly exports: WebAssembly.Exports;
  /** Where translated functions go. */
  readonly functions: WebAssembly.Table;
  /** Makes the second module's instance; to be called before one of its instructions is executed. */
  addApart(): void;
}

/** An interpreter's instance, the second module's left for later. */
export function instantiate(
  interpreter: Interpreter,
  memory: WebAssembly.Memory,
  flow: WebAssembly.Memory | undefined,
  { decode, fetch, access, callOut }: InterpreterImports,
): InterpreterInstance {
  const { module, wanted } = interpreter;
  const functions = new WebAssembly.Table({
    element: "anyfunc",
    initial: TABLE.helpers + wanted.length,
  });
  const engine = { memory, ...(flow && { flow }), functions, decode, fetch, access, callOut };
  const exports = { ...new WebAssembly.Instance(module, { engine }).exports };
  const addApart = () => {
    Object.assign(exports, new WebAssembly.Instance(interpreter.apart.module, { engine }).exports);
    const put = (at: number, name: string) => functions.set(at, exports[name] as CallableFunction);
    put(TABLE.apart, "apart");
    wanted.forEach((name, i) => put(TABLE.helpers + i, `helper ${name}`));
  };
  return { run: exports.run as () => number, exports, functions, addApart };
}

/** Block kind (`BLOCK_KIND`) by handler; those of rows apart are sequential. */
export function blockKinds({ end, handlers }: HandlerTable): Uint8Array {
  const kinds = new Uint8Array(end);
  for (const { id, row } of handlers) {
    kinds[id] = row.ends ? BLOCK_KIND[row.ends] : BLOCK_KIND.sequential;
  }
  return kinds;
}
