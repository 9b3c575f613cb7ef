/**
 * One of the two boots that are compared: its memory, names, tables and code.
 */
import type { Trace } from "../../trace/mod.ts";
import { sameBytes } from "../same_bytes.ts";
import { Session } from "../session.ts";
import { Symbolizer } from "../symbolizer.ts";
import { type EffectChunks, EffectReader } from "./diff_effects.ts";
import { Functions } from "./diff_functions.ts";
import { EffectSource } from "./diff_source.ts";
import type { Tables } from "./diff_tables.ts";

const MOST_FILLS = 20_000;
const MOST_DISTANCES = 8;
/** Instructions that make a piece of code recognisable. */
const LEAST_CODE = 4;
/** Distances of instructions that tell one store from another. */
const CONTEXT = [0, 4, 8];
/** The first word of a flattened device tree. */
const TREE_MAGIC = 0xd00dfeed;
/** Bytes of a device tree (Linux, Documentation/arm64/booting.rst: at most 2 MB). */
const MOST_TREE = 2 << 20;
const PAGE = 4096;
const LOW_48 = 0xffff_ffff_ffffn;

/** A symbol and how far into it an address is. */
export interface Place {
  readonly name: string;
  readonly offset: number;
  readonly size: number;
  readonly isFunction: boolean;
}

/** A piece of code. */
export interface Code {
  /** Physical; -1 if it is there more than once. */
  readonly address: number;
  /** Instructions. */
  readonly steps: number;
  /** Its instructions that form addresses. */
  readonly addresses: string;
}

/** See the top of this file. */
export class Side {
  readonly trace: Trace;
  /** RAM. */
  readonly memory: Trace["header"]["memory"];
  readonly symbols: Symbolizer;
  /** Whether symbols count: only if both sides have them. */
  readonly isNamed: boolean;
  /** What to subtract from a virtual address of the program for its physical one. */
  readonly #offsets: bigint[];
  readonly #places = new Map<number, Place | null>();
  readonly #info = new Map<string, { size: number; isFunction: boolean; address: bigint }>();
  /** Executed instructions by page of physical memory; made when they are wanted. */
  #words: Map<number, Uint32Array> | undefined;
  #functions: Functions | undefined;
  #loadedPages: number | undefined;
  #addresses: Map<string, bigint> | undefined;
  #session: Session | undefined;
  #effects: EffectSource | undefined;

  /** The position where the comparison of effects ended; nothing behind it is asked about. */
  comparedTo = Infinity;
  /** Finds its functions: those of both sides are found together. */
  findFunctions: () => Functions = () => new Functions(this.trace);
  /** The only CPU that is compared; undefined where there is but one. */
  readonly cpu: number | undefined;

  constructor(trace: Trace, { named = true, cpu }: { named?: boolean; cpu?: number } = {}) {
    this.trace = trace;
    this.cpu = cpu;
    this.memory = trace.header.memory;
    const symbols = trace.symbols();
    this.symbols = new Symbolizer(symbols, trace.lines());
    for (const { name, size, type, address } of symbols) {
      this.#info.set(name, { size, isFunction: type === "function", address });
    }
    this.isNamed = named && symbols.length > 0;
    this.#offsets = offsetsOf(trace, symbols.map(({ address }) => address));
  }

  /** What the boot does, from where it was begun with. */
  get effects(): EffectSource {
    if (!this.#effects) this.begin(0);
    return this.#effects!;
  }

  /** Its translation tables, as far as they are known where the effects are. */
  get tables(): Tables {
    return this.effects.tables;
  }

  /** A cursor for looking; where effects are executed here, it is theirs. */
  get session(): Session {
    return this.#session ??= new Session(this.trace, { forward: true });
  }

  /** Begins behind a window; with `chunks` the execution is somebody else's. */
  begin(window: number, chunks = this.#executed(window)): void {
    const { end, windows, header: { windowSteps } } = this.trace;
    this.#effects = new EffectSource(chunks, { position: windows[window].end, end, windowSteps });
  }

  #executed(window: number): EffectChunks {
    const reader = new EffectReader(this.trace, this.cpu);
    this.#session = reader.session;
    reader.skipTo(window);
    return reader;
  }

  /** The first step from a position on that is compared. */
  firstOwn(from: number): number {
    return this.cpu === undefined ? from : this.trace.turns.next(this.cpu, from);
  }

  /** Whether a step is one that is compared. */
  isOwn(position: number): boolean {
    return this.cpu === undefined || this.trace.turns.cpuAt(position) === this.cpu;
  }

  /** Addresses of the pages that are not the same in what both booted. */
  imageDifferences({ trace }: Side): number[] {
    const own = new Set(this.trace.pageAddresses(0));
    const other = new Set(trace.pageAddresses(0));
    return [...own.union(other)].filter((address) =>
      !own.has(address) || !other.has(address) ||
      !this.trace.isStoredAlike(address, trace) &&
        !sameBytes(this.trace.page(address, 0), trace.page(address, 0))
    );
  }

  /** Whether both booted the same bytes, apart from what describes the machine. */
  hasImageOf({ trace }: Side, differences: readonly number[]): boolean {
    const isLoaded = (own: Trace) => {
      const addresses = new Set(own.pageAddresses(0));
      return (address: number) => addresses.has(address);
    };
    const [inOwn, inOther] = [isLoaded(this.trace), isLoaded(trace)];
    const isSame = differences.every((address) =>
      (!inOwn(address) || isInTree(this.trace, address)) &&
      (!inOther(address) || isInTree(trace, address))
    );
    for (const each of [this.trace, trace]) each.dropPages();
    return isSame;
  }

  /** Pages that were loaded. */
  get loadedPages(): number {
    return this.#loadedPages ??= imagePages(this.trace).length;
  }

  /** Whether an address is in RAM. */
  isMemory(address: number): boolean {
    const { base, size } = this.memory;
    return address >= base && address < base + size;
  }

  /** Whether an address is on a stack. */
  isStack(address: number): boolean {
    if (this.effects.isStack(address)) return true;
    return this.#offsets.some((offset) =>
      this.effects.isStack(Number((BigInt(address) + offset) & LOW_48))
    );
  }

  /** The physical address that a value is a pointer to; undefined if it is none. */
  physical(value: bigint): number | undefined {
    if (value <= LOW_48 && this.isMemory(Number(value))) return Number(value);
    for (const offset of this.#offsets) {
      const address = BigInt.asUintN(64, value - offset);
      if (address <= LOW_48 && this.isMemory(Number(address))) return Number(address);
    }
    return undefined;
  }

  /** The symbol at a physical address, wherever the program is linked. */
  place(address: number): Place | undefined {
    if (!this.isNamed) return undefined;
    let place = this.#places.get(address);
    if (place === undefined) this.#places.set(address, place = this.#find(address) ?? null);
    return place ?? undefined;
  }

  /** The function or object at a physical or virtual address, for people: `name+0x10`. */
  name(pc: bigint): string | undefined {
    for (const offset of [0n, ...this.#offsets]) {
      const address = BigInt.asUintN(64, pc + offset);
      const found = this.symbols.symbol(address);
      if (found) return this.symbols.name(address);
    }
    return undefined;
  }

  /** Where the source of an instruction is. */
  source(pc: bigint): string | undefined {
    for (const offset of [0n, ...this.#offsets]) {
      const found = this.symbols.source(BigInt.asUintN(64, pc + offset));
      if (found && this.symbols.symbol(BigInt.asUintN(64, pc + offset))) {
        return `${found.file}:${found.line}`;
      }
    }
    return undefined;
  }

  /** Addresses of the symbols whose name is there once. */
  symbolAddresses(): Map<string, bigint> {
    if (this.#addresses) return this.#addresses;
    const found = new Map<string, bigint>();
    const several = new Set<string>();
    for (const { name, address } of this.trace.symbols()) {
      if (name === "" || name[0] === "$") continue;
      if (found.has(name) && found.get(name) !== address) several.add(name);
      found.set(name, address);
    }
    for (const name of several) found.delete(name);
    return this.#addresses = this.isNamed ? found : new Map();
  }

  /** Bytes of what a symbol names; 0 if it does not say. */
  sizeOf(name: string): number {
    return this.#info.get(name)?.size ?? 0;
  }

  /** Ends and starts that the linker marks: symbols without a size, by name. */
  marks(): Map<string, number> {
    const found = new Map<string, number>();
    for (const [name, address] of this.symbolAddresses()) {
      const { size, isFunction } = this.#info.get(name)!;
      if (size === 0 && !isFunction) found.set(name, Number(address & LOW_48));
    }
    return found;
  }

  /** Executed pieces of code by what they do. */
  code(): Map<string, Code> {
    const found = new Map<string, Code>();
    for (const [address, words] of this.#blocks()) {
      if (words.length < LEAST_CODE) continue;
      const key = textOf(words.map(withoutAddresses));
      const known = found.get(key);
      if (known && known.address !== address) {
        found.set(key, { address: -1, steps: 0, addresses: "" });
      } else if (!known) {
        const addresses = words.filter(isAdrp).join();
        found.set(key, { address, steps: words.length, addresses });
      }
    }
    return found;
  }

  /** The instructions up to the one at a physical address, as linking leaves them. */
  codeBefore(address: number): string {
    return CONTEXT.map((back) => withoutAddresses(this.word(address - back) ?? 0)).join();
  }

  /** The instruction that was executed at a physical address; undefined if none was. */
  word(address: number): number | undefined {
    this.#words ??= this.#executedWords();
    // No instruction that retires is 0.
    return this.#words.get(Math.floor(address / PAGE))?.[address % PAGE / 4] || undefined;
  }

  #executedWords(): Map<number, Uint32Array> {
    const found = new Map<number, Uint32Array>();
    for (const [start, words] of this.#blocks()) {
      words.forEach((word, n) => {
        const address = start + 4 * n;
        const page = Math.floor(address / PAGE);
        let own = found.get(page);
        if (!own) found.set(page, own = new Uint32Array(PAGE / 4));
        own[address % PAGE / 4] = word;
      });
    }
    return found;
  }

  /** The word that the image has at a physical address; 0 where it has nothing. */
  imageWord(address: number): number {
    const page = this.trace.page(address - address % 4096, 0);
    return new DataView(page.buffer, page.byteOffset).getUint32(address % 4096, true);
  }

  /** Functions, as the calls show them up to where the comparison ended. */
  get functions(): Functions {
    return this.#functions ??= this.findFunctions();
  }

  /** Like {@linkcode name} for code; without a symbol the function found by calls: `sub_1000+0x4`. */
  codeName(pc: bigint): string | undefined {
    const name = this.name(pc);
    if (name !== undefined) return name;
    const entry = this.functions.entryOf(Number(pc & LOW_48));
    if (entry === undefined) return undefined;
    const offset = Number(pc & LOW_48) - entry;
    const own = `sub_${BigInt.asUintN(64, pc - BigInt(offset)).toString(16)}`;
    return offset === 0 ? own : `${own}+0x${offset.toString(16)}`;
  }

  /** Executed blocks by physical address. */
  #blocks(): Map<number, number[]> {
    const found = new Map<number, number[]>();
    const last = this.trace.windows.length - 1;
    if (last < 1) return found;
    const { table, count } = this.trace.blockTable(last);
    for (let id = 0; id < count; id++) {
      const address = this.physical(table.pc(id));
      if (address === undefined) continue;
      const steps = table.steps(id);
      if ((found.get(address)?.length ?? 0) >= steps) continue;
      found.set(address, Array.from({ length: steps }, (_, n) => table.word(id, n)));
    }
    this.trace.dropPages();
    return found;
  }

  #find(address: number): Place | undefined {
    for (const offset of [0n, ...this.#offsets]) {
      const at = BigInt.asUintN(64, BigInt(address) + offset);
      const found = this.symbols.symbol(at);
      if (!found) continue;
      const info = this.#info.get(found.name);
      const known = info ?? { size: 0, isFunction: false };
      return { ...found, size: known.size, isFunction: known.isFunction };
    }
    return undefined;
  }
}

/** Addresses of pages that were loaded, without those of the device tree. */
function imagePages(trace: Trace): number[] {
  let tree = { from: 0, to: 0 };
  return trace.pageAddresses(0).filter((address) => {
    const size = treeSize(trace, address);
    if (size > 0) tree = { from: address, to: address + size };
    return address < tree.from || address >= tree.to;
  });
}

/** Whether a page that was loaded is one of a device tree's. */
function isInTree(trace: Trace, address: number): boolean {
  for (let start = address; start >= 0 && start > address - MOST_TREE; start -= PAGE) {
    if (start + treeSize(trace, start) > address) return true;
  }
  return false;
}

/** Bytes of the device tree that was loaded to an address; 0 if none was. */
function treeSize(trace: Trace, address: number): number {
  const bytes = trace.page(address, 0);
  const words = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return words.getUint32(0) === TREE_MAGIC ? words.getUint32(4) : 0;
}

/** Words as a short text: two characters each. */
function textOf(words: readonly number[]): string {
  return String.fromCharCode(...words.flatMap((word) => [word & 0xffff, word >>> 16]));
}

/** ADRP. */
function isAdrp(word: number): boolean {
  return (word & 0x9f00_0000) >>> 0 === 0x9000_0000;
}

/** The word without what linking decides: distances, immediates that are parts of addresses. */
export function withoutAddresses(word: number): number {
  if ((word & 0x1f00_0000) === 0x1000_0000) return (word & 0x9f00_001f) >>> 0; // ADR, ADRP
  if ((word & 0x7c00_0000) === 0x1400_0000) return (word & 0xfc00_0000) >>> 0; // B, BL
  if ((word & 0x3b00_0000) === 0x1800_0000) return (word & 0xff00_001f) >>> 0; // LDR (literal)
  if ((word & 0x7fc0_0000) === 0x1100_0000) return (word & 0xffc0_03ff) >>> 0; // ADD (immediate)
  if ((word & 0x3b00_0000) === 0x3900_0000) return (word & 0xffc0_03ff) >>> 0; // LDR, STR, scaled
  if ((word & 0x1f80_0000) === 0x1280_0000) return (word & 0xffe0_001f) >>> 0; // MOVN, MOVZ, MOVK
  return word >>> 0;
}

/** Distances from physical to virtual addresses of the program. */
function offsetsOf(trace: Trace, symbols: readonly bigint[]): bigint[] {
  const counts = new Map<bigint, number>();
  let looked = 0;
  for (const event of trace.events({ kinds: new Set(["tlb-fill"]) })) {
    if (event.kind !== "tlb-fill") continue;
    if (looked++ === MOST_FILLS) break;
    const offset = event.va - BigInt(event.pa);
    if (offset !== 0n && event.va >> 48n !== 0n) {
      counts.set(offset, (counts.get(offset) ?? 0) + 1);
    }
  }
  const found = [...counts].sort((a, b) => b[1] - a[1]).slice(0, MOST_DISTANCES).map(([o]) => o);
  const linked = symbols.filter((address) => address >> 48n === 0xffffn);
  const lowest = linked.length > 0 ? linked.reduce((x, y) => y < x ? y : x) : undefined;
  // Before the MMU is on, the only hint is where the lowest symbol and the entry point are.
  if (lowest !== undefined && trace.image.pc >> 48n === 0n) {
    const offset = lowest - trace.image.pc;
    if (offset % 4096n === 0n && !found.includes(offset)) found.push(offset);
  }
  return found;
}
