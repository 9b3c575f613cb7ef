/** Who wrote a descriptor, in words and as JSON. */
import { disassemble } from "../core/isa/disassemble.ts";
import type { ByteWriters } from "../replay/queries/provenance.ts";
import type { Names } from "../replay/queries/explain_symbols.ts";
import { instructionAt } from "../replay/queries/writers_instruction.ts";
import type { Trace } from "../trace/mod.ts";
import { hex, printable } from "./output.ts";

/** What a text needs beside the writers. */
export interface WriterContext {
  readonly trace: Trace;
  readonly symbols: Names;
}

/** A line for each writer, latest first; with the bytes that are its own where there are several. */
export function writerTexts(
  writers: readonly ByteWriters[],
  context: WriterContext,
): string[] {
  return writers.map(({ write, bytes }) => {
    const part = writers.length === 1 ? "" : `bytes ${ranges(bytes)} `;
    const { by, position, pc } = write;
    if (pc === null) return part + (by === "loader" ? "loaded before #0" : "never written");
    const { symbols, trace } = context;
    const name = symbols.name(pc);
    const place = name === undefined ? hex(pc) : `${hex(pc)} <${printable(name)}>`;
    const source = symbols.source(pc);
    const line = source === undefined ? "" : `, ${printable(source.file)}:${source.line}`;
    const instruction = instructionAt(trace, position);
    const code = instruction === undefined ? "" : `: ${disassemble(instruction.word, pc)}`;
    const values = `${write.old === null ? "" : `${hex(write.old)} -> `}${hex(write.new ?? 0n)}`;
    const cpu = trace.header.cpus > 1 ? ` on cpu${trace.turns.cpuAt(position)}` : "";
    return `${part}written at #${position}${cpu} by ${by}, ${place}${line}${code}, ${values}`;
  });
}

/** The writers as `--json` shows them, latest first. */
export function writersJson(
  writers: readonly ByteWriters[],
  { trace, symbols }: WriterContext,
): Record<string, unknown>[] {
  return writers.map(({ write: { by, position, pc, va, old, new: now }, bytes }) => {
    const instruction = pc === null ? undefined : instructionAt(trace, position);
    return {
      by,
      position,
      cpu: pc === null ? null : trace.turns.cpuAt(position),
      pc,
      symbol: pc === null ? null : symbols.name(pc) ?? null,
      ...(pc === null ? {} : symbols.source(pc)),
      instruction: instruction === undefined ? null : disassemble(instruction.word, pc ?? 0n),
      va,
      old,
      new: now,
      bytes,
    };
  });
}

/** `0-3, 6`. */
function ranges(numbers: readonly number[]): string {
  const parts: [number, number][] = [];
  for (const number of numbers) {
    const last = parts.at(-1);
    if (last?.[1] === number - 1) last[1] = number;
    else parts.push([number, number]);
  }
  return parts.map(([a, b]) => a === b ? `${a}` : `${a}-${b}`).join(", ");
}
