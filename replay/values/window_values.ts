/** Makes the values of a window: executes it again and codes what its instructions wrote to registers. */
import { MOST_RESULT_STEPS } from "../../core/engine/layout.ts";
import { ResultWords } from "../../core/engine/result_words.ts";
import type { Trace, WindowFlow } from "../../trace/mod.ts";
import { encodeContent } from "../../trace/cbor.ts";
import { type FramedItem, frameValues } from "../../trace/copy_trace.ts";
import { ValueEncoder } from "../../trace/value_codec.ts";
import { VALUE_CHUNK } from "../../trace/value_module.ts";
import { release } from "../../trace/release.ts";
import { MAX_BLOCK_STEPS } from "../../trace/schema.ts";
import { MOST_WORDS, ValueSlots } from "../../trace/window_values.ts";
import { ReplayError } from "../replay_error.ts";
import { Session } from "../session.ts";

/** Bytes of columns at which an item is written: large ones are copied about for longer than they are packed. */
const PART_BYTES = 2 << 20;
/** Items of so many bytes per step are of words that nobody can guess: zstd need not try hard. */
const DENSE = 1.5;

/** Makes the values of one window after the other. */
export class WindowValues {
  readonly #trace: Trace;
  readonly #session: Session;
  readonly #encoder = new ValueEncoder();
  readonly #words: ResultWords;

  /**
   * @param first window that will be the first one
   * @throws ReplayError if the trace cannot be re-executed by this program
   */
  constructor(trace: Trace, first = 1) {
    this.#trace = trace;
    this.#session = new Session(trace, { results: true, forward: true, window: first - 1 });
    this.#words = new ResultWords(this.#session.machine.engine.interpreter);
  }

  /** The `values` items of a window. */
  make(window: number): FramedItem[] {
    const { start, end } = this.#trace.windows[window];
    const flow = this.#trace.blocks(window);
    const session = this.#session;
    // Behind the window before, the machine is what the keyframe says.
    if (session.position !== start) session.loadKeyframe(window - 1);
    const { engine } = session.machine;
    engine.takeResults();
    this.#encoder.reset();
    const pending = new Pending(flow, this.#words, this.#encoder);
    const items: FramedItem[] = [];
    let from = session.position;
    const take = () => {
      const level = this.#encoder.length > DENSE * (session.position - from) ? 1 : 3;
      from = session.position;
      items.push(pending.take(level));
    };
    while (session.position < end) {
      const to = Math.min(end, session.position + MOST_RESULT_STEPS);
      const reason = session.observe(to, {});
      if (session.position < to) throw differs(`the machine ended (${reason})`, session.position);
      pending.add(engine.takeResults());
      if (this.#encoder.length > PART_BYTES) take();
    }
    pending.finish();
    take();
    release(flow.blocks);
    return items;
  }
}

/** Results that have come, cut into blocks. */
class Pending {
  readonly #flow: WindowFlow;
  readonly #resultWords: ResultWords;
  readonly #encoder: ValueEncoder;
  readonly #slots: ValueSlots;
  #counts: number[] = [];
  #next = 0;
  /** Results of a block that has not ended yet: a block has fewer than there is room for. */
  readonly #rest = new BigUint64Array(MAX_BLOCK_STEPS * MOST_WORDS);
  #kept = 0;
  readonly #segments = new Uint32Array(2 * VALUE_CHUNK);

  constructor(flow: WindowFlow, words: ResultWords, encoder: ValueEncoder) {
    this.#flow = flow;
    this.#resultWords = words;
    this.#encoder = encoder;
    this.#slots = new ValueSlots(flow.table.count);
  }

  /** Encodes the blocks that are complete now. */
  add(results: BigUint64Array): void {
    const at = this.#finishBlock(results);
    const end = this.#encode(results, at);
    this.#keep(results.subarray(end));
  }

  /** Encodes the block that began in results before; gives where the next one begins. */
  #finishBlock(results: BigUint64Array): number {
    if (this.#kept === 0) return 0;
    const missing = this.#wordsOf(this.#flow.blocks[this.#next]) - this.#kept;
    const part = results.subarray(0, missing);
    this.#keep(part);
    if (part.length < missing) return part.length;
    const kept = this.#rest.subarray(0, this.#kept);
    this.#kept = 0;
    this.#encode(kept, 0);
    return missing;
  }

  #keep(results: BigUint64Array): void {
    if (this.#kept + results.length > this.#rest.length) {
      throw differs("results of more blocks", this.#flow.start);
    }
    this.#rest.set(results, this.#kept);
    this.#kept += results.length;
  }

  /** Encodes whole blocks from an index on; gives the index behind them. */
  #encode(results: BigUint64Array, start: number): number {
    const { blocks } = this.#flow;
    const segments = this.#segments;
    let from = start, at = start, pairs = 0;
    const flush = () => {
      this.#encoder.encode(segments.subarray(0, 2 * pairs), results.subarray(from, at));
      from = at;
      pairs = 0;
    };
    while (this.#next < blocks.length) {
      const block = blocks[this.#next];
      const words = this.#wordsOf(block);
      if (at + words > results.length) break;
      if (at + words - from > VALUE_CHUNK || pairs === VALUE_CHUNK) flush();
      segments[2 * pairs] = this.#slots.first(block);
      segments[2 * pairs++ + 1] = words;
      at += words;
      this.#next++;
    }
    flush();
    return at;
  }

  /** The item with what was coded since the last one. @param level zstd level */
  take(level: number): FramedItem {
    const counts = Uint8Array.from(this.#counts);
    this.#counts = [];
    const columns = this.#encoder.take();
    const content = encodeContent({ counts, ...columns });
    const item = frameValues(content, level);
    for (const bytes of [columns.hits, columns.choices, columns.words, content]) release(bytes);
    return item;
  }

  /** Checks that results and blocks came to the same. */
  finish(): void {
    const { blocks, start } = this.#flow;
    if (this.#next === blocks.length && this.#kept === 0) return;
    throw differs(`${this.#kept} results too many or too few`, start);
  }

  #wordsOf(block: number): number {
    if (!this.#slots.has(block)) {
      const { table } = this.#flow;
      let words = 0;
      for (let n = 0; n < table.steps(block); n++) {
        const count = this.#resultWords.of(table.word(block, n));
        this.#counts.push(count);
        words += count;
      }
      this.#slots.add(block, words);
    }
    return this.#slots.words(block);
  }
}

function differs(what: string, position: number): ReplayError {
  return new ReplayError(
    `The re-execution differs from the trace: ${what} at #${position}; verify finds the first difference`,
  );
}
