/**
 * The `summary` item: what lets a query skip a window.
 */

import { ByteColumn, ColumnReader } from "./columns.ts";
import type { Fields } from "./fields.ts";
import type { BlockLookup } from "./flow_source.ts";
import type { EventKind } from "./schema.ts";
import { TraceError } from "./trace_error.ts";

/** A summary as read. */
export interface WindowSummary {
  /** Events by kind; kinds that did not occur are absent. */
  events: Partial<Record<EventKind, number>>;
  /** Bit n: instructions were executed at exception level n. */
  levels: number;
  /** Exception level at the window's end, per CPU. */
  level: number[];
  /** Whether the MMU was on (SCTLR_EL1.M) at the window's end, per CPU. */
  mmu: boolean[];
  /** Virtual pages executed from and, for each, the 64-byte lines as a mask of 8 bytes. */
  executed: { page: number; lines: Uint8Array }[];
  /** Physical pages written (address divided by the page size), ascending. */
  written: number[];
}

/** The fields of a `summary` item but the event counts. */
export interface SummaryParts {
  levels: number;
  executedPages: Uint8Array;
  executedLines: Uint8Array;
}

/** Lines and levels that the given blocks executed. */
export function summarizeBlocks(table: BlockLookup, executed: Iterable<number>): SummaryParts {
  const pages = new Map<number, Uint8Array>();
  let levels = 0;
  for (const id of executed) {
    levels |= 1 << table.regime(id);
    const pc = table.pc(id);
    const page = Number(pc >> 12n);
    const offset = Number(pc & 0xfffn);
    let lines = pages.get(page);
    if (!lines) pages.set(page, lines = new Uint8Array(8));
    const last = (offset + 4 * table.steps(id) - 1) >> 6;
    for (let line = offset >> 6; line <= last && line < 64; line++) {
      lines[line >> 3] |= 1 << (line & 7);
    }
  }
  const executedPages = new ByteColumn();
  const executedLines = new ByteColumn();
  let before = 0;
  for (const page of [...pages.keys()].sort((a, b) => a - b)) {
    executedPages.pushUint(page - before);
    executedLines.pushBytes(pages.get(page)!);
    before = page;
  }
  return { levels, executedPages: executedPages.take(), executedLines: executedLines.take() };
}

/** Ascending numbers as a column of differences. */
export function encodeAscending(numbers: readonly number[]): Uint8Array {
  const column = new ByteColumn();
  let before = 0;
  for (const number of numbers) {
    column.pushUint(number - before);
    before = number;
  }
  return column.take();
}

/** Exception level and MMU state of each CPU in a saved state, as far as it names them. */
export function describeCpus(cpus: readonly object[]): { level: number[]; mmu: boolean[] } {
  const known = cpus as { pstate?: bigint; system?: Record<string, bigint> }[];
  return {
    level: known.map((cpu) => Number(cpu.pstate ?? 0n) >> 2 & 3),
    mmu: known.map((cpu) => ((cpu.system?.SCTLR_EL1 ?? 0n) & 1n) === 1n),
  };
}

/** Reads a `summary` item. */
export function readSummary(fields: Fields): WindowSummary {
  const { what } = fields;
  const pages = new ColumnReader(fields.bytes("executedPages"), `executed pages in ${what}`);
  const lines = new ColumnReader(fields.bytes("executedLines"), `executed lines in ${what}`);
  const executed: WindowSummary["executed"] = [];
  let page = 0;
  while (!pages.done) {
    page += pages.uint();
    if (page >= 2 ** 52) throw new TraceError(`Cannot read ${what}: expected pages below 2^52`);
    executed.push({ page, lines: lines.view(8) });
  }
  lines.finish();
  return {
    events: fields.counts("events"),
    levels: fields.uint("levels", 15),
    level: fields.uints("level"),
    mmu: fields.array("mmu").map(Boolean),
    executed,
    written: readAscending(fields, "written"),
  };
}

function readAscending(fields: Fields, name: string): number[] {
  const column = new ColumnReader(fields.bytes(name), `"${name}" of ${fields.what}`);
  const numbers: number[] = [];
  let number = 0;
  while (!column.done) numbers.push(number += column.uint());
  return numbers;
}
