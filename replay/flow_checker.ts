/**
 * Compares what a machine executes, run by run, with the blocks that a trace recorded.
 *
 * A run is one block, or several of 64 instructions and a rest. Most runs are met again and again:
 * for each first record the block that was found equal to it is remembered, so that the next time
 * only numbers are compared; instruction words are looked at when a run is new or its code changed.
 */
import type { FlowObserver, FlowSource, WindowFlow } from "../trace/mod.ts";
import type { Difference } from "./difference.ts";

const RECORD_BYTES = 16;
const MOST_STEPS = 64;

/** See the top of this file. */
export class FlowChecker implements FlowObserver {
  readonly #source: FlowSource;
  /** By record: the block that began there and was equal, plus 1; and the context it had. */
  readonly #blockAt: Uint32Array;
  readonly #contextAt: Uint32Array;
  #expected: WindowFlow | null = null;
  #context = 0;
  /** Index of the next expected block, of the next expected exception entries, and the position. */
  #block = 0;
  #exception = 0;
  #position = 0;
  /** Exception entries since the last run. */
  #entries = 0;
  #difference: Difference | null = null;

  /** @param source of the machine whose flow this observes */
  constructor(source: FlowSource) {
    this.#source = source;
    this.#blockAt = new Uint32Array(source.arenaSize / RECORD_BYTES);
    this.#contextAt = new Uint32Array(source.arenaSize / RECORD_BYTES);
  }

  /** Begins a window. Everything executed before must have been delivered. */
  begin(expected: WindowFlow): void {
    // A new block table gives the same numbers to other blocks.
    if (this.#expected?.table !== expected.table) this.#blockAt.fill(0);
    this.#expected = expected;
    this.#block = this.#exception = this.#entries = 0;
    this.#position = expected.start;
    this.#difference = null;
  }

  /** Ends a window: the first difference in it, or null. Everything executed must have been delivered. */
  end(): Difference | null {
    const expected = this.#expected!;
    this.#checkEntries();
    if (!this.#difference && this.#block < expected.blocks.length) {
      this.#differs(this.#position, this.#expectedText(0), "the end of the window");
    }
    return this.#difference;
  }

  flow(entries: Uint32Array): void {
    const expected = this.#expected;
    for (let i = 0; i < entries.length; i += 2) {
      const first = entries[i];
      const second = entries[i + 1];
      if (first === 0) this.#context = second;
      else if (!expected || this.#difference) continue;
      else if (first === 1) this.#entries += second;
      else this.#run(expected, first, second);
    }
  }

  codeChanged(start: number, end: number): void {
    const { arenaBase } = this.#source;
    // A block that reaches into the change begins at most a block before it.
    const first = Math.max(0, (start - arenaBase) / RECORD_BYTES - MOST_STEPS);
    this.#blockAt.fill(0, first, (end - arenaBase) / RECORD_BYTES);
  }

  #run(expected: WindowFlow, start: number, end: number): void {
    if (this.#entries > 0 || expected.exceptions[this.#exception]?.before === this.#block) {
      this.#checkEntries();
      if (this.#difference) return;
    }
    const longest = MOST_STEPS * RECORD_BYTES;
    for (let at = start; at < end && !this.#difference; at += longest) {
      this.#checkBlock(expected, at, Math.min(end, at + longest));
    }
  }

  #checkBlock(expected: WindowFlow, start: number, end: number): void {
    const { table, blocks } = expected;
    const id = blocks[this.#block];
    const index = (start - this.#source.arenaBase) / RECORD_BYTES;
    const steps = (end - start) / RECORD_BYTES;
    const known = this.#blockAt[index] === id + 1 && this.#contextAt[index] === this.#context &&
      table.steps(id) === steps;
    if (!known) {
      this.#compare(expected, start, end);
      if (this.#difference) return;
      this.#blockAt[index] = id + 1;
      this.#contextAt[index] = this.#context;
    }
    this.#block++;
    this.#position += steps;
  }

  /** Compares instruction by instruction. */
  #compare({ table, blocks }: WindowFlow, start: number, end: number): void {
    const { regime, page, recordBase } = this.#source.context(this.#context);
    const pc = BigInt.asUintN(64, page + BigInt((start - recordBase) >> 2));
    const code = this.#source.code(start, end);
    const words = new DataView(code.buffer, code.byteOffset, code.length);
    const id = blocks[this.#block];
    const steps = (end - start) / RECORD_BYTES;
    const there = id !== undefined;
    const expectedSteps = there ? table.steps(id) : 0;
    const sameStart = there && table.pc(id) === pc && table.regime(id) === regime;
    let same = 0;
    while (
      sameStart && same < Math.min(steps, expectedSteps) &&
      table.word(id, same) === words.getUint32(4 * same, true)
    ) same++;
    if (same === steps && same === expectedSteps) return;
    const found = same < steps
      ? instructionText(pc + BigInt(4 * same), words.getUint32(4 * same, true), regime)
      : "the end of the block";
    this.#differs(this.#position + same, this.#expectedText(same), found);
  }

  /** The exception entries before the block in hand. */
  #checkEntries(): void {
    if (this.#difference) return;
    const due = this.#expected!.exceptions[this.#exception];
    const expected = due?.before === this.#block ? due.count : 0;
    const found = this.#entries;
    this.#entries = 0;
    if (expected === found) {
      this.#position += found;
      if (found > 0) this.#exception++;
      return;
    }
    const text = (entries: number) => `${entries} exception entries`;
    const same = Math.min(expected, found);
    this.#differs(this.#position + same, text(expected), text(found));
  }

  /** What the trace has `steps` into the block in hand. */
  #expectedText(steps: number): string {
    const { table, blocks } = this.#expected!;
    const id = blocks[this.#block];
    if (id === undefined) return "the end of the window";
    if (steps >= table.steps(id)) return "the end of the block";
    const pc = BigInt.asUintN(64, table.pc(id) + BigInt(4 * steps));
    return instructionText(pc, table.word(id, steps), table.regime(id));
  }

  #differs(position: number, expected: string, found: string): void {
    this.#difference = { position, what: "the execution", expected, found };
  }
}

function instructionText(pc: bigint, word: number, regime: number): string {
  return `0x${pc.toString(16)}: ${word.toString(16).padStart(8, "0")} at EL${regime}`;
}
