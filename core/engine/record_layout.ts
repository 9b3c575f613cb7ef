import type { Ops, Value } from "../isa/ops.ts";

/** Where a field of the instruction is found in its record. */
export interface RecordField {
  /** Field or derived value of the row. */
  readonly name: string;
  /** Byte offset in the 16-byte record. */
  readonly offset: number;
  /** `x`, `xsp`, `v`: a u16 slot address; `imm32`, `imm64`: the value itself. */
  readonly as: "x" | "xsp" | "v" | "imm32" | "imm64";
}

/**
 * Where fields of 2, 4 and 8 bytes may stand, best first. The handler's number takes bytes 0 and 1.
 */
const PLACES: Readonly<Record<number, readonly number[]>> = {
  2: [2, 4, 6, 14, 12, 10, 8],
  4: [8, 12, 4],
  8: [8],
};
const SIZE = { imm64: 8, imm32: 4, x: 2, xsp: 2, v: 2 } as const;

/** Gives every field its place: 64-bit values first, then 32, then 16. */
export function layOutRecord(ops: Ops, values: Iterable<Value>): RecordField[] {
  const fields: RecordField[] = [];
  // One bit a byte.
  let taken = 0;
  const wanted = wantedFields(ops, values);
  for (const size of [8, 4, 2]) {
    for (const { name, as } of wanted) {
      if (SIZE[as] !== size) continue;
      const bytes = (1 << size) - 1;
      const offset = PLACES[size].find((at) => (taken & bytes << at) === 0);
      if (offset === undefined) throw new Error(`no room in the record for ${name} as ${as}`);
      taken |= bytes << offset;
      fields.push({ name, offset, as });
    }
  }
  return fields;
}

/** What a program reads from its record, in the order in which it is met. */
function wantedFields(
  { commits, transfer }: Ops,
  values: Iterable<Value>,
): Omit<RecordField, "offset">[] {
  const wanted: Omit<RecordField, "offset">[] = [];
  const want = (name: string, as: RecordField["as"]) => {
    if (!wanted.some((one) => one.name === name && one.as === as)) wanted.push({ name, as });
  };
  const wantPart = ({ field, offset }: { field: string; offset: string }) => {
    want(field, "v");
    want(offset, "imm32");
  };
  for (const { kind, type } of values) {
    if (kind.k === "field") want(kind.name, type === "i64" ? "imm64" : "imm32");
    else if (kind.k === "register") want(kind.field, kind.file === "base" ? "xsp" : kind.file);
    else if (kind.k === "part") wantPart(kind);
  }
  for (const commit of commits) {
    if (commit.k === "part") wantPart(commit);
    if (commit.k !== "register") continue;
    if (commit.file === "x") want(`${commit.field}>`, "x");
    else want(commit.field, commit.file === "base" ? "xsp" : commit.file);
  }
  if (transfer?.k === "relative") want(transfer.target, "imm32");
  return wanted;
}
