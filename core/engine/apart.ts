import { SLOT } from "../state.ts";
import { BUILT_IN, type HandlerTable } from "./handlers.ts";
import { LAYOUT } from "./layout.ts";
import { type Frame, Temporaries } from "./frame.ts";
import { Lowering } from "./lowering.ts";
import type { RecordField } from "./record_layout.ts";
import { CAUSE, EXIT } from "./reasons.ts";
import { regionEntry } from "./region_entry.ts";
import {
  type FunctionReference,
  i32,
  type Label,
  load,
  type Local,
  op,
} from "./wasm/function_builder.ts";
import type { ModuleBuilder } from "./wasm/module_builder.ts";

/**
 * The function for the handlers of rows that stand `apart`: those of FP/SIMD data processing and
 * structures.
 *
 * The interpreter's function is one, and optimising it takes the host's compiler longer than in
 * proportion to its size, while everything runs unoptimised. These handlers are many and most
 * guests seldom need them, so they are a second function, `(record: i32) → i32`, compiled by
 * itself. It gives 0, or an `EXIT` where the instruction did not complete. Before the call the
 * interpreter writes what TypeScript must be able to see to the state.
 */
export function defineApart(
  m: ModuleBuilder,
  table: HandlerTable,
  callees:
    & Pick<Frame, "helpers" | "slowLoad" | "slowStore" | "storeMarks" | "results" | "callOut">
    & {
      readonly regions: number | undefined;
    },
): { reference: FunctionReference; records: (readonly RecordField[])[] } {
  const { reference, body: f } = m.function(["i32"], "i32");
  const record = f.parameter(0), id = f.local("i32");
  f.if(load("i32.load", i32(0), SLOT.fpTrap), () => {
    f.store("i32.store", i32(0), i32(CAUSE.fpTrapped), SLOT.scratch);
    f.return(i32(EXIT.exception));
  });
  const dataFault = f.open(), spFault = f.open(), unknown = f.open();
  const frame: Frame = {
    ...callees,
    f,
    record,
    dataFault,
    spFault,
    // What rows apart do not use.
    get pcBase(): Local {
      throw new Error("a row apart has no PC");
    },
    get flags(): Frame["flags"] {
      throw new Error("a row apart has no flags");
    },
    callOuts: {},
    callOutException: unknown,
    leaving: record,
    spill() {},
    temporaries: new Temporaries(f),
  };
  const labels: Label[] = [];
  for (let i = table.handlers.length - 1; i >= 0; i--) labels[i] = f.open();
  f.set(id, load("i32.load16_u", record));
  // The interpreter has passed by a probe.
  f.if(op("i32.eq", id, i32(BUILT_IN.probe)), () => {
    f.set(id, load("i32.load", i32(0), LAYOUT.probe));
  });
  const { regions } = callees;
  if (regions !== undefined) {
    f.if(op("i32.eq", id, i32(BUILT_IN.region)), () => {
      f.set(id, load("i32.load16_u", regionEntry(record, regions)));
    });
  }
  const first = table.end - table.handlers.length;
  f.branchTable(op("i32.sub", id, i32(first)), labels, unknown);
  const records: (readonly RecordField[])[] = [];
  for (const { row, program, spBase } of table.handlers) {
    f.close();
    if (program.transfer || row.ends) {
      throw new Error(`row ${row.name} branches and cannot stand apart`);
    }
    const lowering = new Lowering(frame, program, { spBase });
    lowering.effects();
    lowering.commits();
    f.return(i32(0));
    records.push(lowering.fields);
  }
  f.close();
  f.unreachable();
  f.close();
  f.store("i32.store", i32(0), i32(CAUSE.spAlignment), SLOT.scratch);
  f.return(i32(EXIT.exception));
  f.close();
  f.return(i32(EXIT.dataFault));
  f.unreachable();
  return { reference, records };
}
