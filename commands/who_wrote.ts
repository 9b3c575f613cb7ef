import { disassemble } from "../core/isa/disassemble.ts";
import { POSITION_FORMS } from "../replay/position.ts";
import { type Names, namesOf } from "../replay/queries/explain_symbols.ts";
import { readTarget, TARGET_FORMS, TargetError } from "../replay/queries/who_wrote_target.ts";
import { whoWrote, type WhoWroteOptions, type WriteAnswer } from "../replay/queries/who_wrote.ts";
import { instructionAt } from "../replay/queries/writers_instruction.ts";
import { ReplayError } from "../replay/replay_error.ts";
import { Session } from "../replay/session.ts";
import type { Trace } from "../trace/mod.ts";
import { defineCommand } from "./command.ts";
import { STATUS } from "./exit_status.ts";
import { flag, option } from "./options.ts";
import { hex, printable } from "./output.ts";
import { withIndex } from "./trace_index.ts";
import { cpuOf, openTraceFile, positionOf } from "./trace_file.ts";
import { UsageError, UserError } from "./user_error.ts";
import { count, positive, text } from "./values.ts";

/** Writes that `--all` shows unless `--count` says otherwise. */
const MOST_WRITES = 100;

/** `who-wrote`: finds the last write of something. */
export default defineCommand({
  description: [
    "Finds the instruction that last wrote memory or a register before a position, however it was",
    "addressed. A write is one even if it stores what was there. Virtual addresses mean what they",
    "translate to at the position.",
    `TARGET: ${TARGET_FORMS}.`,
    `POS: ${POSITION_FORMS}.`,
    "by: store, atomic (store-exclusive), dc-zva, walker, dma, loader (put there before #0) or reset",
    "(never written); instruction for a general register, msr or exception for a system register.",
  ],
  operands: [
    { name: "TRACE", help: "the trace to read" },
    { name: "TARGET", help: "what was written" },
  ],
  options: {
    at: option("POS", text, "writes before this position (default end)"),
    size: option("BYTES", positive, "bytes at an address (default: the symbol's, or 1)", {
      short: "s",
    }),
    cpu: option("N", count, "the CPU whose register or address it is (default: as at POS)"),
    all: flag(
      `the writes before it too, and where copied bytes came from (${MOST_WRITES} at most)`,
    ),
    count: option("N", positive, "at most so many writes", { short: "n" }),
    json: flag("print one JSON object per write"),
  },
  examples: [
    ["who-wrote boot.unboot 0x40518400 --at fault", "who wrote that descriptor"],
    ["who-wrote boot.unboot VBAR_EL1", "who set the vectors"],
    ["who-wrote boot.unboot page_root --all", "every write of that variable"],
  ],
  async run(values, [path, target], { out, err }) {
    const opened = await openTraceFile(path, err);
    const { trace } = opened;
    const shown = { trace, symbols: namesOf(trace, opened.symbols) };
    const position = values.at === undefined ? trace.end : positionOf(trace, values.at, "at");
    const limit = values.count ?? (values.all ? MOST_WRITES : 1);
    const cpu = cpuOf(trace, values.cpu);
    const own = cpu === undefined ? {} : { cpu };
    const options: WhoWroteOptions = { before: position, limit, throughCopies: values.all, ...own };
    try {
      const session = new Session(trace);
      const { size } = values;
      const place = { position, ...(size === undefined ? {} : { size }), ...own };
      const written = readTarget(session, opened.symbols, target, place);
      const query = () => whoWrote(session, written, options);
      await withIndex(opened, query, (write) => {
        if (values.json) out.json(writeJson(write, shown));
        else for (const line of writeLines(write, shown)) out.line(line);
      });
    } catch (error) {
      if (error instanceof TargetError) {
        throw target.startsWith("-") ? new UsageError(error.message) : new UserError(error.message);
      }
      if (error instanceof ReplayError) throw new UserError(error.message);
      throw error;
    }
    return STATUS.ok;
  },
});

/** What the outputs need. */
interface Shown {
  readonly trace: Trace;
  readonly symbols: Names;
}

/** A write as `--json` shows it. */
function writeJson(write: WriteAnswer, { trace, symbols }: Shown): Record<string, unknown> {
  const { by, position, pc, old, copiedFrom } = write;
  const symbol = pc === null ? null : symbols.name(pc) ?? null;
  return {
    by,
    position,
    cpu: pc === null ? null : trace.turns.cpuAt(position),
    pc,
    symbol,
    old,
    new: write.new,
    ...(write.address === null ? {} : { address: hex(write.address), size: write.size }),
    ...(copiedFrom === null ? {} : { copied_from: hex(copiedFrom) }),
  };
}

function writeLines(write: WriteAnswer, { trace, symbols }: Shown): string[] {
  const { by, position, pc, address } = write;
  const where = address === null ? "" : `, ${hex(address)}`;
  const value = write.old === null
    ? valueText(write.new, write.size)
    : `${valueText(write.old, write.size)} -> ${valueText(write.new, write.size)}`;
  if (pc === null) {
    const how = by === "loader" ? "as loaded, at #0" : "never written since reset";
    return [`${by}: ${how}${where}: ${value}`];
  }
  const instruction = instructionAt(trace, position);
  const code = instruction === undefined ? "" : `: ${disassemble(instruction.word, pc)}`;
  const lines = [
    `#${position}  ${cpuText(trace, position)}${by} at ${placeText(pc, symbols)}${
      sourceOf(pc, symbols)
    }${code}`,
    `  ${value}${address === null ? "" : ` at ${hex(address)}${aliasText(write)}`}`,
  ];
  if (write.copiedFrom !== null) lines.push(`  copied from ${hex(write.copiedFrom)}, written by:`);
  return lines;
}

function cpuText({ header, turns }: Trace, position: number): string {
  return header.cpus > 1 ? `cpu${turns.cpuAt(position)}  ` : "";
}

function placeText(pc: bigint, symbols: Names): string {
  const name = symbols.name(pc);
  return name === undefined ? hex(pc) : `${hex(pc)} <${printable(name)}>`;
}

function sourceOf(pc: bigint, symbols: Names): string {
  const source = symbols.source(pc);
  return source === undefined ? "" : `, ${printable(source.file)}:${source.line}`;
}

/** The virtual address, where it is another. */
function aliasText({ va, address }: WriteAnswer): string {
  return va === null || va === BigInt(address!) ? "" : ` (as ${hex(va)})`;
}

function valueText(value: bigint | null, size: number): string {
  return value === null ? "unknown" : hex(value, Math.min(16, 2 * size));
}
