import { directCalls } from "../frame.ts";
import { importMemories } from "../interpreter.ts";
import { calledHelpers } from "../use_counts.ts";
import type { FunctionReference } from "../wasm/function_builder.ts";
import { ModuleBuilder } from "../wasm/module_builder.ts";
import { recordsOf } from "./region.ts";
import { type RegionOptions, RegionWriter } from "./region_writer.ts";

/** Writes the module of one region: `region(way: i32) → i32`, which gives one of `REGION`. */
export function buildRegion(options: RegionOptions): Uint8Array<ArrayBuffer> {
  const m = new ModuleBuilder();
  importMemories(m, options.flow);
  const { handlerOf, programOf, structure } = options;
  const helpers = new Map<string, FunctionReference>();
  const programs = recordsOf(structure.order.keys()).map((at) => programOf(handlerOf(at)));
  for (const name of calledHelpers(programs)) {
    const { parameters, result } = options.helperType(name);
    helpers.set(name, m.importFunction("engine", `helper ${name}`, parameters, result));
  }
  const slow = (name: string) => m.importFunction("engine", name, ["i64", "i32"], "i32");
  const slowLoad = slow("retryLoad"), slowStore = slow("retryStore");
  const { reference, body } = m.function(["i32"], "i32");
  new RegionWriter(body, options, { helpers: directCalls(helpers), slowLoad, slowStore }).write();
  m.export("region", reference);
  return m.build({ branchHints: true });
}
