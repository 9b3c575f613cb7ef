/**
 * The `symbols` and `lines` items: names for addresses, kept so that a trace explains itself.
 */

import type { LineRow } from "../core/loader/dwarf_line.ts";
import type { GuestSymbol } from "../core/loader/elf.ts";
import { ByteColumn, ColumnReader, WordColumn } from "./columns.ts";
import type { Fields } from "./fields.ts";
import { TraceError } from "./trace_error.ts";

/** Most symbols or line rows in one item. */
export const MAX_ROWS_PER_ITEM = 1 << 16;

/** Longest name kept, in bytes of UTF-8; longer ones are cut. */
const MAX_NAME = 4096;

const SYMBOL_TYPES = ["none", "function", "object"] as const;

/** The contents of the `symbols` items for a table. */
export function* encodeSymbols(
  symbols: readonly GuestSymbol[],
): Generator<Record<string, unknown>> {
  const encoder = new TextEncoder();
  for (let from = 0; from < symbols.length;) {
    const names = new ByteColumn();
    const lengths = new ByteColumn();
    const addresses = new WordColumn();
    const sizes = new ByteColumn();
    const types = new ByteColumn();
    const end = Math.min(symbols.length, from + MAX_ROWS_PER_ITEM);
    let count = 0;
    for (; from < end && names.length < 8 << 20; from++, count++) {
      const symbol = symbols[from];
      const name = encoder.encode(symbol.name).subarray(0, MAX_NAME);
      names.pushBytes(name);
      lengths.pushUint(name.length);
      addresses.push(symbol.address);
      sizes.pushUint(symbol.size);
      types.push(Math.max(0, SYMBOL_TYPES.indexOf(symbol.type)));
    }
    yield {
      count,
      names: names.take(),
      lengths: lengths.take(),
      addresses: addresses.take(),
      sizes: sizes.take(),
      types: types.take(),
    };
  }
}

/** Reads a `symbols` item. */
export function readSymbols(fields: Fields): GuestSymbol[] {
  const { what } = fields;
  const count = fields.uint("count", MAX_ROWS_PER_ITEM);
  const decoder = new TextDecoder();
  const column = (name: string) => new ColumnReader(fields.bytes(name), `${name} of ${what}`);
  const [names, lengths, addresses, sizes, types] = [
    "names",
    "lengths",
    "addresses",
    "sizes",
    "types",
  ].map(column);
  const symbols: GuestSymbol[] = [];
  for (let i = 0; i < count; i++) {
    symbols.push({
      name: decoder.decode(names.view(lengths.uint(MAX_NAME))),
      address: addresses.word(),
      size: sizes.uint(),
      type: SYMBOL_TYPES[types.byte()] ?? "none",
    });
  }
  for (const reader of [names, lengths, addresses, sizes, types]) reader.finish();
  return symbols;
}

/** The contents of the `lines` items for a table. */
export function* encodeLines(lines: readonly LineRow[]): Generator<Record<string, unknown>> {
  for (let from = 0; from < lines.length;) {
    const files = new Map<string, number>();
    const addresses = new WordColumn();
    const file = new ByteColumn();
    const line = new ByteColumn();
    const end = Math.min(lines.length, from + MAX_ROWS_PER_ITEM);
    let count = 0;
    for (; from < end; from++, count++) {
      const row = lines[from];
      let index = files.get(row.file);
      if (index === undefined) files.set(row.file, index = files.size);
      addresses.push(row.address);
      file.pushUint(index);
      line.pushUint(row.line);
    }
    yield {
      count,
      files: [...files.keys()].map((name) => name.slice(0, MAX_NAME)),
      addresses: addresses.take(),
      file: file.take(),
      line: line.take(),
    };
  }
}

/** Reads a `lines` item. */
export function readLines(fields: Fields): LineRow[] {
  const { what } = fields;
  const count = fields.uint("count", MAX_ROWS_PER_ITEM);
  const files = fields.texts("files");
  if (count > 0 && files.length === 0) {
    throw new TraceError(`Cannot read ${what}: expected file names, found none`);
  }
  const column = (name: string) => new ColumnReader(fields.bytes(name), `${name} of ${what}`);
  const [addresses, file, line] = ["addresses", "file", "line"].map(column);
  const rows: LineRow[] = [];
  for (let i = 0; i < count; i++) {
    rows.push({
      address: addresses.word(),
      file: files[file.uint(files.length - 1)],
      line: line.uint(),
    });
  }
  for (const reader of [addresses, file, line]) reader.finish();
  return rows;
}
