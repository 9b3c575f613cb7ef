/**
 * The effects of one boot as a list: those that were compared are forgotten, those that come are asked
 * for. They stay columns, because there are millions; what is looked at becomes an object.
 */
import { buffersOf, type ColumnPlace, effectAt, type PackedEffects } from "./diff_columns.ts";
import type { Effect, EffectChunks, Stack } from "./diff_effects.ts";
import type { Tables } from "./diff_tables.ts";

/** Effects of a chunk from `offset` on; the first one's index in the list is `first`. */
interface Part {
  readonly columns: PackedEffects;
  readonly halves: Uint32Array<ArrayBuffer>;
  readonly offset: number;
  readonly first: number;
  readonly count: number;
  /** Those that were looked at. */
  readonly made: Map<number, Effect>;
}

const NONE: PackedEffects = {
  names: [],
  kinds: new Uint8Array(0),
  name: new Uint32Array(0),
  numbers: new Float64Array(0),
  words: new BigUint64Array(0),
};

/** See the top of this file. */
export class EffectSource {
  /** The translation tables that are known so far. */
  tables: Tables = new Map();
  /** Steps whose effects were asked for. */
  position: number;
  /** Effects of interrupt handlers, which were left out. */
  leftOut = 0;
  /** Called now and then. */
  progress: () => void = () => {};
  readonly #chunks: EffectChunks;
  readonly #windowSteps: number;
  readonly #end: number;
  #parts: Part[] = [];
  /** Effects so far. */
  #count = 0;
  /** The part that was asked about last. */
  #part = 0;
  readonly #found = { columns: NONE, halves: new Uint32Array(0), at: 0 };
  #held: { readonly columns: PackedEffects; readonly offset: number } | undefined;
  #stacks: readonly Stack[] = [];

  /** @param at where the chunks begin and end, and the window steps of the trace: all in steps */
  constructor(
    chunks: EffectChunks,
    at: { readonly position: number; readonly end: number; readonly windowSteps: number },
  ) {
    this.#chunks = chunks;
    this.position = at.position;
    this.#end = at.end;
    this.#windowSteps = at.windowSteps;
  }

  /** Whether effects up to an index can be asked for without waiting. */
  isReady(index: number): boolean {
    return index < this.#count || this.position >= this.#end ||
      index < this.#count + this.#chunks.ready;
  }

  /**
   * Where the effect with an index is, until the next one is asked for; undefined behind the last
   * one. It must not have been forgotten.
   */
  find(index: number): ColumnPlace | undefined {
    const part = this.#partOf(index);
    if (!part) return undefined;
    // Kept in place, because there are millions.
    const found = this.#found;
    found.columns = part.columns;
    found.halves = part.halves;
    found.at = part.offset + index - part.first;
    return found;
  }

  /** The effect with an index; undefined behind the last one. It must not have been forgotten. */
  at(index: number): Effect | undefined {
    const part = this.#partOf(index);
    if (!part) return undefined;
    const at = part.offset + index - part.first;
    let effect = part.made.get(at);
    if (!effect) part.made.set(at, effect = effectAt(part.columns, at));
    return effect;
  }

  /** Effects from one index to another, as far as there are any. */
  slice(from: number, to: number): Effect[] {
    const found: Effect[] = [];
    for (let index = from; index < to; index++) {
      const effect = this.at(index);
      if (!effect) break;
      found.push(effect);
    }
    return found;
  }

  /** Gives up effects before an index. */
  forget(before: number): void {
    while (this.#parts.length > 0 && this.#parts[0].first + this.#parts[0].count <= before) {
      const { columns } = this.#parts.shift()!;
      this.#part = Math.max(0, this.#part - 1);
      if (columns === this.#held?.columns || columns === this.#parts[0]?.columns) continue;
      // The garbage collector would find them late.
      for (const buffer of buffersOf(columns)) buffer.transfer(0);
    }
  }

  /** Whether an address is on a stack that is known so far. */
  isStack(address: number): boolean {
    return this.#stacks.some(({ low, top }) => address >= low && address <= top);
  }

  /** The window at whose end all effects up to an index are; -1 if that is not where a window ends. */
  windowBefore(index: number): number {
    if (index < this.#count || this.position >= this.#end) return -1;
    return this.position % this.#windowSteps === 0 ? this.position / this.#windowSteps : -1;
  }

  /** Leaves out what comes up to the end of a window, which is at a position. */
  skipTo(window: number, position: number): void {
    if (this.#held) {
      const { columns, offset } = this.#held;
      this.#add(columns, offset, columns.kinds.length - offset);
    }
    this.#held = undefined;
    this.position = position;
    if (position < this.#end) this.#chunks.skipTo(window);
  }

  #partOf(index: number): Part | undefined {
    while (index >= this.#count && this.position < this.#end) this.#take();
    if (index >= this.#count) return undefined;
    let part = this.#parts[this.#part];
    while (index < part.first) part = this.#parts[--this.#part];
    while (index >= part.first + part.count) part = this.#parts[++this.#part];
    return part;
  }

  #take(): void {
    const { effects, held, position, leftOut, stacks, tables } = this.#chunks.next();
    const count = effects.kinds.length - held;
    this.#add(effects, 0, count);
    this.#held = held > 0 ? { columns: effects, offset: count } : undefined;
    this.#stacks = stacks;
    if (tables) this.tables = tables;
    this.leftOut += leftOut;
    this.position = position;
    this.progress();
  }

  #add(columns: PackedEffects, offset: number, count: number): void {
    if (count === 0) return;
    const halves = new Uint32Array(columns.words.buffer);
    this.#parts.push({ columns, halves, offset, first: this.#count, count, made: new Map() });
    this.#count += count;
  }
}
