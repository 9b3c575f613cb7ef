/**
 * The effects of one boot as a list: those that were compared are forgotten, those that come are asked
 * for.
 */
import { unpackEffects } from "./diff_columns.ts";
import type { Effect, EffectChunks, Stack } from "./diff_effects.ts";
import type { Tables } from "./diff_tables.ts";

/** Compared effects that are kept before they are dropped. */
const MOST_PAST = 1 << 15;

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
  /** Effects dropped from the front. */
  #base = 0;
  #effects: Effect[] = [];
  #held: readonly Effect[] = [];
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
    const known = this.#base + this.#effects.length;
    return index < known || this.position >= this.#end || index < known + this.#chunks.ready;
  }

  /** The effect with an index; undefined behind the last one. It must not have been forgotten. */
  at(index: number): Effect | undefined {
    while (index >= this.#base + this.#effects.length && this.position < this.#end) this.#take();
    return this.#effects[index - this.#base];
  }

  /** Effects from one index to another, as far as there are any. */
  slice(from: number, to: number): Effect[] {
    this.at(to);
    return this.#effects.slice(from - this.#base, to - this.#base);
  }

  /** Gives up effects before an index. */
  forget(before: number): void {
    if (before - this.#base < MOST_PAST) return;
    this.#effects = this.#effects.slice(before - this.#base);
    this.#base = before;
  }

  /** Whether an address is on a stack that is known so far. */
  isStack(address: number): boolean {
    return this.#stacks.some(({ low, top }) => address >= low && address <= top);
  }

  /** The window at whose end all effects up to an index are; -1 if that is not where a window ends. */
  windowBefore(index: number): number {
    if (index < this.#base + this.#effects.length || this.position >= this.#end) return -1;
    return this.position % this.#windowSteps === 0 ? this.position / this.#windowSteps : -1;
  }

  /** Leaves out what comes up to the end of a window, which is at a position. */
  skipTo(window: number, position: number): void {
    this.#effects.push(...this.#held);
    this.#held = [];
    this.position = position;
    if (position < this.#end) this.#chunks.skipTo(window);
  }

  #take(): void {
    const { effects, held, position, leftOut, stacks, tables } = this.#chunks.next();
    const all = unpackEffects(effects);
    const count = all.length - held;
    for (let i = 0; i < count; i++) this.#effects.push(all[i]);
    this.#held = all.slice(count);
    this.#stacks = stacks;
    if (tables) this.tables = tables;
    this.leftOut += leftOut;
    this.position = position;
    this.progress();
  }
}
