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

/** Where fields of 2, 4 and 8 bytes may stand, best first. The handler's number takes bytes 0 and 1. */
const PLACES = { half: [2, 4, 6, 14, 12, 10, 8], word: [8, 12, 4], wide: [8] } as const;

/** Gives every field its place: 64-bit values first, then 32, then 16. */
export function layOutRecord(ops: Ops, values: Iterable<Value>): RecordField[] {
  const fields: RecordField[] = [];
  const wanted = new Map<string, RecordField["as"]>();
  const want = (name: string, as: RecordField["as"]) => wanted.set(`${name} ${as}`, as);
  for (const value of values) {
    const { kind } = value;
    if (kind.k === "field") want(kind.name, value.type === "i64" ? "imm64" : "imm32");
    if (kind.k === "register") want(kind.field, kind.file === "base" ? "xsp" : kind.file);
    if (kind.k !== "part") continue;
    want(kind.field, "v");
    want(kind.offset, "imm32");
  }
  for (const commit of ops.commits) {
    if (commit.k === "part") {
      want(commit.field, "v");
      want(commit.offset, "imm32");
    }
    if (commit.k !== "register") continue;
    if (commit.file === "x") want(`${commit.field}>`, "x");
    else want(commit.field, commit.file === "base" ? "xsp" : commit.file);
  }
  const { transfer } = ops;
  if (transfer?.k === "relative") want(transfer.target, "imm32");
  const order = { imm64: 0, imm32: 1, x: 2, xsp: 2, v: 2 } as const;
  const taken = new Set<number>();
  for (const [key, as] of [...wanted].sort((a, b) => order[a[1]] - order[b[1]])) {
    const size = as === "imm64" ? 8 : as === "imm32" ? 4 : 2;
    const places = size === 8 ? PLACES.wide : size === 4 ? PLACES.word : PLACES.half;
    const bytes = (at: number) => Array.from({ length: size }, (_, i) => at + i);
    const offset = places.find((at) => bytes(at).every((b) => !taken.has(b)));
    if (offset === undefined) throw new Error(`no room in the record for ${key}`);
    for (const b of bytes(offset)) taken.add(b);
    const name = key.slice(0, key.lastIndexOf(" "));
    fields.push({ name, offset, as });
  }
  return fields;
}
