import { assembleAll, type PlacedInstruction } from "./assembler.ts";
import type { DataObject, FunctionCode, Program } from "./program.ts";
import type { SourceLine } from "./source_line.ts";

/** Where an image lies. Addresses are physical. */
export interface ImageBounds {
  readonly start: number;
  /** The first address behind the image; `.bss` is enlarged up to here. */
  readonly end: number;
  /** Bytes of unused instructions placed behind the first function, moving the others. */
  readonly padding: number;
}

/** A section with its place. */
export interface LinkedSection {
  /** The name that the ELF file gives it. */
  readonly name: ".text" | ".rodata" | ".data" | ".bss";
  /** Address of its first byte. */
  readonly address: number;
  /** Bytes in memory. */
  readonly size: number;
  /** Undefined for `.bss`. */
  readonly bytes?: Uint8Array;
}

/** A symbol with its place. */
export interface LinkedSymbol {
  /** Unique in the image. */
  readonly name: string;
  /** Its value. */
  readonly address: number;
  /** Bytes; 0 for a label. */
  readonly size: number;
  /** Code, data, or a place that the layout defines. */
  readonly type: "function" | "object" | "label";
  /** Where it stands. */
  readonly section: LinkedSection["name"];
}

/** The source line of the instructions from `address` up to the next row's. */
export interface LineRow extends SourceLine {
  readonly address: number;
}

/** An image whose addresses are all known. */
export interface LinkedImage {
  readonly entry: number;
  readonly sections: readonly LinkedSection[];
  readonly symbols: readonly LinkedSymbol[];
  readonly lines: readonly LineRow[];
}

interface PlacedFunction extends FunctionCode {
  readonly address: number;
}

interface PlacedObject extends DataObject {
  readonly address: number;
}

const SECTION_ALIGNMENT = 16;

/**
 * Gives everything in `program` its place: functions in the order of their definition from
 * `bounds.start` on, the first one being the entry, then `.rodata`, `.data` and `.bss`.
 *
 * Functions behind an aligned one move forward into the gap before it as long as they fit.
 *
 * @throws {Error} if the contents exceed `bounds.end`, or a label or symbol is unknown.
 */
export function link(program: Program, bounds: ImageBounds): LinkedImage {
  const functions = placeFunctions(program.functions, bounds);
  const textEnd = Math.max(...functions.map((f) => f.address + sizeOf(f)));
  let cursor = textEnd;
  const objects: PlacedObject[] = [];
  const starts = new Map<string, number>();
  for (const section of [".rodata", ".data", ".bss"] as const) {
    cursor = alignUp(cursor, SECTION_ALIGNMENT);
    starts.set(section, cursor);
    for (const object of program.objects.filter((o) => o.section === section)) {
      const address = alignUp(cursor, object.alignment);
      objects.push({ ...object, address });
      cursor = address + object.size;
    }
    starts.set(`${section} end`, cursor);
  }
  if (cursor > bounds.end) {
    throw new Error(
      `Cannot place the kernel: it ends at 0x${cursor.toString(16)}, ` +
        `expected at most 0x${bounds.end.toString(16)}`,
    );
  }
  const symbols = listSymbols(functions, objects, starts.get(".bss")!, bounds);
  const addresses = new Map<string, number>([
    ...objects.map((o) => [o.name, o.address] as const),
    ...symbols.map((s) => [s.name, s.address] as const),
  ]);
  const text = assembleText(functions, addresses, bounds.start, textEnd);
  return {
    entry: functions[0].address,
    sections: [
      { name: ".text", address: bounds.start, size: text.bytes.length, bytes: text.bytes },
      fillSection(".rodata", objects, starts),
      fillSection(".data", objects, starts),
      { name: ".bss", address: starts.get(".bss")!, size: bounds.end - starts.get(".bss")! },
    ],
    symbols,
    lines: text.lines,
  };
}

function placeFunctions(functions: readonly FunctionCode[], bounds: ImageBounds): PlacedFunction[] {
  const [entry, ...others] = functions;
  const placed: PlacedFunction[] = [{ ...entry, address: bounds.start }];
  let cursor = bounds.start + sizeOf(entry) + bounds.padding;
  const aligned = others.filter((f) => f.alignment > 4);
  let waiting = others.filter((f) => f.alignment <= 4);
  for (const next of aligned) {
    const limit = alignUp(cursor, next.alignment);
    const later: FunctionCode[] = [];
    for (const f of waiting) {
      if (cursor + sizeOf(f) > limit) {
        later.push(f);
        continue;
      }
      placed.push({ ...f, address: cursor });
      cursor += sizeOf(f);
    }
    waiting = later;
    placed.push({ ...next, address: limit });
    cursor = limit + sizeOf(next);
  }
  for (const f of waiting) {
    placed.push({ ...f, address: cursor });
    cursor += sizeOf(f);
  }
  return placed;
}

function listSymbols(
  functions: readonly PlacedFunction[],
  objects: readonly PlacedObject[],
  bssStart: number,
  bounds: ImageBounds,
): LinkedSymbol[] {
  const label = (name: string, address: number, section: LinkedSection["name"]) =>
    ({ name, address, size: 0, type: "label", section }) as const;
  const symbols: LinkedSymbol[] = [
    label("_kernel_start", bounds.start, ".text"),
    label("_bss_start", bssStart, ".bss"),
    label("_kernel_end", bounds.end, ".bss"),
  ];
  for (const f of functions) {
    const { name, address } = f;
    symbols.push({ name, address, size: sizeOf(f), type: "function", section: ".text" });
  }
  for (const { name, address, size, section, isAnonymous } of objects) {
    if (!isAnonymous) symbols.push({ name, address, size, type: "object", section });
  }
  return symbols.sort((a, b) => a.address - b.address);
}

function assembleText(
  functions: readonly PlacedFunction[],
  addresses: ReadonlyMap<string, number>,
  start: number,
  end: number,
): { bytes: Uint8Array; lines: LineRow[] } {
  const texts: string[] = new Array((end - start) / 4).fill("nop");
  const lines: LineRow[] = [];
  for (const f of functions) {
    const labels = new Map(
      [...f.code.labels].map(([label, index]) => [label, f.address + 4 * index]),
    );
    let last: SourceLine | undefined;
    f.code.instructions.forEach(({ text, line }, index) => {
      const address = f.address + 4 * index;
      texts[(address - start) / 4] = resolve(text, f.name, labels, addresses);
      if (line && (line.file !== last?.file || line.line !== last.line)) {
        lines.push({ address, ...line });
        last = line;
      }
    });
  }
  const placed: PlacedInstruction[] = texts.map((text, i) => ({ text, address: start + 4 * i }));
  const bytes = new Uint8Array(end - start);
  const view = new DataView(bytes.buffer);
  assembleAll(placed).forEach((word, i) => view.setUint32(4 * i, word, true));
  return { bytes, lines: lines.sort((a, b) => a.address - b.address) };
}

function resolve(
  text: string,
  owner: string,
  labels: ReadonlyMap<string, number>,
  addresses: ReadonlyMap<string, number>,
): string {
  return text.replace(/\{(?:(page|low):)?([^}]+)\}/g, (_, part, name) => {
    const address = labels.get(name) ?? addresses.get(name);
    if (address === undefined) throw new Error(`Cannot link ${owner}: ${name} is not defined`);
    if (part === "low") return `#0x${(address & 0xfff).toString(16)}`;
    return `0x${(part === "page" ? address - (address & 0xfff) : address).toString(16)}`;
  });
}

function fillSection(
  name: ".rodata" | ".data",
  objects: readonly PlacedObject[],
  starts: ReadonlyMap<string, number>,
): LinkedSection {
  const address = starts.get(name)!;
  const bytes = new Uint8Array(starts.get(`${name} end`)! - address);
  for (const object of objects) {
    if (object.section === name) bytes.set(object.bytes!, object.address - address);
  }
  return { name, address, size: bytes.length, bytes };
}

function sizeOf(f: FunctionCode): number {
  return 4 * f.code.instructions.length;
}

function alignUp(value: number, alignment: number): number {
  return Math.ceil(value / alignment) * alignment;
}
