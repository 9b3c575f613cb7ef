import { formatWalk } from "../mmu/format_walk.ts";
import {
  halves,
  POSITION_FORMS,
  Session,
  type Symbolizer,
  type WalkAt,
  walkAt,
} from "../replay/mod.ts";
import { defineCommand } from "./command.ts";
import { STATUS } from "./exit_status.ts";
import { flag, option } from "./options.ts";
import { hex, type Output } from "./output.ts";
import { openTraceFile, positionOf } from "./trace_file.ts";
import { UsageError } from "./user_error.ts";
import { text } from "./values.ts";

/** `walk`: a translation at a moment. */
export default defineCommand({
  description: [
    "Walks the translation tables for VA as they were at a position, descriptor by descriptor.",
    "Where the TLB holds another translation, which the processor would use, both are shown.",
    "VA: 0xADDRESS or a symbol.",
    `POS: ${POSITION_FORMS}.`,
  ],
  operands: [
    { name: "TRACE", help: "the trace to read" },
    { name: "VA", help: "the virtual address to translate" },
  ],
  options: {
    at: option("POS", text, "the moment (default: end)"),
    json: flag("print one JSON object"),
  },
  examples: [
    ["walk boot.unboot 0x40600000 --at fault", "what the first fault's translation met"],
    ["walk boot.unboot main --at mmu-on+1", "where main() was, once the MMU was on"],
  ],
  run(values, [path, address], { out, err }) {
    const { trace, symbols } = openTraceFile(path, err);
    const position = values.at === undefined ? trace.end : positionOf(trace, values.at, "at");
    const va = addressOf(address, symbols);
    const session = new Session(trace);
    session.seek(position);
    const walk = walkAt(session, va);
    if (values.json) out.json(walkJson(walk));
    else printWalk(walk, out);
    return STATUS.ok;
  },
});

function addressOf(text: string, symbols: Symbolizer): bigint {
  const digits = text.replaceAll("_", "");
  if (/^0x[0-9a-f]{1,16}$/i.test(digits)) return BigInt(digits);
  const symbol = symbols.find(text);
  if (symbol) return symbol.address;
  throw new UsageError(`Unknown address "${text}": expected 0xADDRESS or a symbol`);
}

/** Shows a walk as the built-in kernel's `debug_walk` does, and what the TLB has. */
export function printWalk(result: WalkAt, out: Output): void {
  const { va, walk, tlb, fill, stale, pa, regime } = result;
  const { hi, lo } = halves(va);
  if (walk === null) {
    out.line(`[walk] Translating ${hex(va)}:`);
    const outcome = pa === null
      ? "Address size fault at level 0: the address is larger than physical ones"
      : `Translates to ${hex(pa)}: stage 1 translation is off`;
    return out.line(`    -> ${outcome}`);
  }
  out.line(formatWalk(walk, regime, hi, lo));
  if (tlb === null) return out.line("  TLB: no entry");
  const owner = tlb.global ? "global" : `ASID ${tlb.asid}`;
  const since = fill === null ? "" : `, filled at #${fill.position}`;
  out.line(
    `  TLB: translates to ${hex(tlb.pa)} (level ${tlb.level}, ` +
      `${hex(2 ** tlb.sizeLog2)} bytes, ${owner}${since})`,
  );
  if (!stale) return;
  out.line("    -> STALE: the tables have changed since, and the processor uses the TLB. It read:");
  for (const { level, address, descriptor } of fill?.descriptors ?? []) {
    out.line(`  L${level} at ${hex(address)}: ${hex(descriptor, 16)}`);
  }
}

function walkJson({ position, va, pa, walk, tlb, fill, stale }: WalkAt): Record<string, unknown> {
  return {
    position,
    va,
    pa: pa === null ? null : hex(pa),
    mmu: walk !== null,
    walk: walk?.steps.map(({ level, index, address, hi, lo }) => ({
      level,
      index,
      address: hex(address),
      descriptor: BigInt(hi) << 32n | BigInt(lo),
    })) ?? [],
    fault: walk?.fault ?? null,
    tlb: tlb === null ? null : { ...tlb, pa: hex(tlb.pa), filled: fill?.position ?? null },
    stale,
  };
}
