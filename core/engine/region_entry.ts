import { type Expression, i32, op } from "./wasm/function_builder.ts";

/**
 * Address of a record's entry in the region table (`layout.ts`).
 *
 * @param regions where the entry of record 0 would stand
 */
export function regionEntry(record: Expression, regions: number): Expression {
  return op("i32.add", op("i32.shr_u", record, i32(1)), i32(regions));
}
