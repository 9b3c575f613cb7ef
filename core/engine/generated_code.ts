import type { EngineOptions } from "./engine_options.ts";
import { BLOCK_KIND } from "./flow_ring.ts";
import type { HandlerTable } from "./handlers.ts";
import { type Interpreter, interpreterFor } from "./interpreter.ts";
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

/** An interpreter's instance: its function, all exports, and the table of translated functions. */
export function instantiate(
  module: WebAssembly.Module,
  memory: WebAssembly.Memory,
  { decode, fetch, access, callOut }: InterpreterImports,
): { run: () => number; exports: WebAssembly.Exports; functions: WebAssembly.Table } {
  const functions = new WebAssembly.Table({ element: "anyfunc", initial: 0 });
  const imports = { memory, regions: functions, decode, fetch, access, callOut };
  const { exports } = new WebAssembly.Instance(module, { engine: imports });
  return { run: exports.run as () => number, exports, functions };
}

/** Block kind (`BLOCK_KIND`) by handler. */
export function blockKinds({ count, handlers }: HandlerTable): Uint8Array {
  const kinds = new Uint8Array(count);
  for (const { id, row } of handlers) {
    kinds[id] = row.ends ? BLOCK_KIND[row.ends] : BLOCK_KIND.sequential;
  }
  return kinds;
}
