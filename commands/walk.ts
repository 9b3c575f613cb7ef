import { describeFault, formatWalk } from "../mmu/format_walk.ts";
import { stage2Address, type Stage2Walk } from "../mmu/stage2.ts";
import type { WalkStep } from "../mmu/walk.ts";
import { halves } from "../replay/guest_view.ts";
import { POSITION_FORMS } from "../replay/position.ts";
import { type TlbDifference, type WalkAt, walkAt } from "../replay/queries/walk_at.ts";
import { Session } from "../replay/session.ts";
import type { Symbolizer } from "../replay/symbolizer.ts";
import type { ByteWriters } from "../replay/queries/provenance.ts";
import { type WalkWriters, walkWriters } from "../replay/queries/walk_writers.ts";
import { namesOf } from "../replay/queries/explain_symbols.ts";
import { attributes } from "../replay/queries/explain_text.ts";
import { readDescriptor } from "../replay/queries/provenance_walk.ts";
import { defineCommand } from "./command.ts";
import { type WriterContext, writersJson, writerTexts } from "./descriptor_writers.ts";
import { STATUS } from "./exit_status.ts";
import { flag, option } from "./options.ts";
import { hex, type Output } from "./output.ts";
import { cpuOf, openTraceFile, positionOf } from "./trace_file.ts";
import { UsageError } from "./user_error.ts";
import { count, text } from "./values.ts";

/** `walk`: a translation at a moment. */
export default defineCommand({
  description: [
    "Walks the translation tables for VA as they were at a position, descriptor by descriptor, and",
    "says who had written each. Where the TLB holds another translation, both are shown.",
    "VA: 0xADDRESS or a symbol.",
    `POS: ${POSITION_FORMS}.`,
  ],
  operands: [
    { name: "TRACE", help: "the trace to read" },
    { name: "VA", help: "the virtual address to translate" },
  ],
  options: {
    at: option("POS", text, "the moment (default: end)"),
    cpu: option("N", count, "the CPU whose address it is (default: the one whose step is there)"),
    "no-writers": flag("do not look for who wrote the descriptors, which re-executes"),
    json: flag("print one JSON object"),
  },
  examples: [
    ["walk boot.unboot 0x40600000 --at fault", "what the first fault's translation met"],
    ["walk boot.unboot main --at mmu-on+1", "where main() was, once the MMU was on"],
  ],
  async run(values, [path, address], { out, err }) {
    const { trace, symbols } = await openTraceFile(path, err);
    const position = values.at === undefined ? trace.end : positionOf(trace, values.at, "at");
    const cpu = cpuOf(trace, values.cpu);
    const va = addressOf(address, symbols);
    const session = new Session(trace);
    session.seek(position);
    const { machine } = session;
    const walk = walkAt(session, va, machine.cpus[cpu ?? machine.cpu.index]);
    const writers = values["no-writers"] ? undefined : walkWriters(session, walk);
    const shown = { trace, symbols: namesOf(trace, symbols), writers };
    if (values.json) out.json(walkJson(walk, shown));
    else printWalk(walk, out, shown);
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

/** How a walk is shown. */
interface Shown extends WriterContext {
  /** Who wrote its descriptors; undefined if that was not asked for. */
  readonly writers: WalkWriters | undefined;
}

/** In what the TLB differs from the tables, for people. */
const DIFFERENCES: Readonly<Record<TlbDifference, string>> = {
  mapping: "having the address mapped",
  address: "the address",
  size: "the size",
  permissions: "permissions",
  type: "the memory type",
  scope: "the ASID",
};

/** Shows a walk as the built-in kernel's `debug_walk` does, who wrote it, and what the TLB has. */
export function printWalk(result: WalkAt, out: Output, shown: Shown): void {
  const { va, walk, second, tlb, fill, differences, pa, regime } = result;
  const { hi, lo } = halves(va);
  if (walk === null) {
    out.line(`[walk] Translating ${hex(va)}:`);
    if (second === null) {
      const outcome = pa === null
        ? "Address size fault at level 0: the address is larger than physical ones"
        : `Translates to ${hex(pa)}: stage 1 translation is off`;
      return out.line(`    -> ${outcome}`);
    }
    out.line(`    -> Translates to IPA ${hex(second.ipa)}: stage 1 translation is off`);
  } else {
    const notes = (step: WalkStep) =>
      writerTexts(shown.writers?.walk[walk.steps.indexOf(step)] ?? [], shown);
    out.line(formatWalk(walk, regime, hi, lo, notes));
  }
  if (second !== null) { for (const line of secondLines(second, shown)) out.line(line); }
  if (tlb === null) return out.line("  TLB: no entry");
  const owner = tlb.global ? "global" : `ASID ${tlb.asid}`;
  const since = fill === null ? "" : `, filled at #${fill.position}`;
  out.line(
    `  TLB: translates to ${hex(tlb.pa)} (level ${tlb.level}, ` +
      `${hex(2 ** tlb.sizeLog2)} bytes, ${owner}${since})`,
  );
  if (differences.length === 0) return;
  const what = differences.map((name) => DIFFERENCES[name]).join(", ");
  out.line(`    -> STALE: the TLB, which the processor uses, differs in ${what}. It read:`);
  fill?.descriptors.forEach(({ level, address, descriptor, stage }, i) => {
    out.line(
      `  ${stage === 2 ? "stage 2 " : ""}L${level} at ${hex(address)}: ${hex(descriptor, 16)}`,
    );
    const writers = shown.writers?.fill[i] ?? [];
    for (const note of writerTexts(writers, shown)) out.line(`    -> ${note}`);
  });
}

/** Stage 2 of what stage 1 gave. */
function secondLines(second: Stage2Walk, shown: Shown): string[] {
  const { ipa, steps, leaf, fault } = second;
  const lines = [`[stage 2] Translating IPA ${hex(ipa)}:`];
  steps.forEach((step, i) => {
    const read = { ...readDescriptor(step), stage: 2 as const };
    lines.push(`  L${step.level} [${step.index}]: ${hex(read.descriptor, 16)}`);
    lines.push(`    -> ${attributes(read)}`);
    const notes = writerTexts(shown.writers?.second[i] ?? [], shown);
    lines.push(...notes.map((note) => `    -> ${note}`));
  });
  if (leaf !== null) lines.push(`    -> Translates to ${hex(stage2Address(leaf, ipa))}`);
  if (fault !== null) {
    lines.push(`    -> ${fault.kind === "permission" ? fault.reason : describeFault(fault)}`);
  }
  return lines;
}

function walkJson(result: WalkAt, shown: Shown): Record<string, unknown> {
  const { position, va, pa, walk, second, tlb, fill, differences } = result;
  const { writers } = shown;
  const steps = walk?.steps ?? [];
  return {
    position,
    cpu: result.cpu,
    va,
    pa: pa === null ? null : hex(pa),
    mmu: walk !== null,
    walk: steps.map(({ level, index, address, hi, lo }, i) => ({
      level,
      index,
      address: hex(address),
      descriptor: BigInt(hi) << 32n | BigInt(lo),
      ...(writers && writersOf(writers.walk[i], shown)),
    })),
    fault: walk?.fault ?? null,
    ...(second === null ? {} : { stage2: secondJson(second, shown) }),
    tlb: tlb === null ? null : {
      pa: hex(tlb.pa),
      size_log2: tlb.sizeLog2,
      level: tlb.level,
      global: tlb.global,
      asid: tlb.asid,
      filled: fill?.position ?? null,
      walk: fill?.descriptors.map(({ level, address, descriptor }, i) => ({
        level,
        address: hex(address),
        descriptor,
        ...(writers?.fill[i] && writersOf(writers.fill[i], shown)),
      })) ?? null,
    },
    stale: differences.length > 0,
    differences,
  };
}

function secondJson(
  { ipa, steps, leaf, fault }: Stage2Walk,
  shown: Shown,
): Record<string, unknown> {
  return {
    ipa: hex(ipa),
    pa: leaf === null ? null : hex(stage2Address(leaf, ipa)),
    walk: steps.map((step, i) => ({
      level: step.level,
      index: step.index,
      address: hex(step.address),
      descriptor: readDescriptor(step).descriptor,
      ...(shown.writers && writersOf(shown.writers.second[i], shown)),
    })),
    fault,
  };
}

/** The latest writer, and where bytes are left of others, all of them. */
function writersOf(writers: readonly ByteWriters[], shown: Shown): Record<string, unknown> {
  const [writer = null, ...others] = writersJson(writers, shown);
  return { writer, ...(others.length === 0 ? {} : { writers: [writer, ...others] }) };
}
