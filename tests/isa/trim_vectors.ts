import { gzipSync } from "node:zlib";
import { findRow } from "../../core/isa/decode_tree.ts";
import { isSupported, type TableRow } from "../../core/isa/table.ts";
import { readVectors } from "./vectors.ts";

/**
 * Makes the committed vectors from a full file, integer and floating point apart, without the
 * members that nothing reads.
 *
 *     deno run -A tests/isa/trim_vectors.ts FILE.jsonl.gz
 */

/** Base instructions, and loads and stores of one or two registers of either kind. */
const CLASSES: ReadonlySet<string> = new Set(
  `addsub_imm logic_imm movewide bitfield extract adr logic_sh addsub_sh addsub_ext adc ccmp csel
  dp1 div shiftv crc32 madd maddl mulh ldr_lit ldst_uimm ldst_imm9 ldst_reg ldst_pair acqrel excl
  sys b cbz tbz bcond br_reg undef fp_int_v128`.split(/\s+/),
);

/** Advanced SIMD on integers, structures, cryptography. */
const THINNED: ReadonlySet<string> = new Set(
  `same3_int same3_int2 same3_logic diff3 misc2 across copy modimm shimm elem perm ext tbl
  s_same3 s_diff3 s_misc2 s_pair s_copy s_shimm s_elem ldst_multi ldst_single
  aes sha3r sha2r`.split(/\s+/),
);

/** How many vectors of one row of those are kept, and of floating point. */
const MOST_OF_A_ROW = 24, MOST_OF_A_FLOAT_ROW = 20;

/** The integer vectors, and those of floating point. */
function trim(file: Uint8Array): { integer: Uint8Array; float: Uint8Array } {
  const integer: string[] = [], float: string[] = [];
  const met = new Map<TableRow | undefined, number>();
  for (const { c, w, b, a } of readVectors(file)) {
    const row = findRow(parseInt(w[0], 16));
    const count = met.get(row) ?? 0;
    const isFloat = isFloatingPoint(c, row);
    if (isFloat && count >= MOST_OF_A_FLOAT_ROW) continue;
    if (!isFloat && !CLASSES.has(c) && !(isThinned(c, row) && count < MOST_OF_A_ROW)) continue;
    met.set(row, count + 1);
    (isFloat ? float : integer).push(JSON.stringify({ c, w, b, a }));
  }
  return { integer: compressed(integer), float: compressed(float) };
}

function isFloatingPoint(c: string, row: TableRow | undefined): boolean {
  if (row === undefined || CLASSES.has(c)) return /^fp_(?!int_v128)/.test(c);
  return /^(F|[SU]CVTF)/.test(row.name);
}

/** Whether the encoding has semantics, or the word is nothing at all. */
function isThinned(c: string, row: TableRow | undefined): boolean {
  return THINNED.has(c) && (row === undefined || isSupported(row));
}

function compressed(lines: readonly string[]): Uint8Array {
  return gzipSync(lines.join("\n") + "\n", { level: 9 });
}

if (import.meta.main) {
  const { integer, float } = trim(Deno.readFileSync(Deno.args[0]));
  Deno.writeFileSync(import.meta.dirname + "/integer_vectors.jsonl.gz", integer);
  Deno.writeFileSync(import.meta.dirname + "/float_vectors.jsonl.gz", float);
}
