import { gzipSync } from "node:zlib";
import { readVectors } from "./vectors.ts";

/**
 * Makes the committed vectors from a full file: the classes whose instructions are all supported,
 * without the members that nothing reads.
 *
 *     deno run -A tests/isa/trim_vectors.ts FILE.jsonl.gz
 */

/** Base instructions, and loads and stores of one or two registers of either kind. */
const CLASSES: ReadonlySet<string> = new Set(
  `addsub_imm logic_imm movewide bitfield extract adr logic_sh addsub_sh addsub_ext adc ccmp csel
  dp1 div shiftv crc32 madd maddl mulh ldr_lit ldst_uimm ldst_imm9 ldst_reg ldst_pair acqrel excl
  sys b cbz tbz bcond br_reg undef fp_int_v128`.split(/\s+/),
);

function trim(file: Uint8Array): Uint8Array {
  const lines: string[] = [];
  for (const { c, w, b, a } of readVectors(file)) {
    if (CLASSES.has(c)) lines.push(JSON.stringify({ c, w, b, a }));
  }
  return gzipSync(lines.join("\n") + "\n", { level: 9 });
}

if (import.meta.main) {
  const output = import.meta.dirname + "/integer_vectors.jsonl.gz";
  Deno.writeFileSync(output, trim(Deno.readFileSync(Deno.args[0])));
}
