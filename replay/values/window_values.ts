/** Makes the values of a window: executes it again and codes what its instructions wrote to registers. */
import { MOST_RESULT_STEPS } from "../../core/engine/engine.ts";
import { ResultWords } from "../../core/engine/result_words.ts";
import type { Trace, WindowFlow } from "../../trace/mod.ts";
import { encodeContent } from "../../trace/cbor.ts";
import { type FramedItem, frameValues } from "../../trace/copy_trace.ts";
import { ValueEncoder } from "../../trace/value_codec.ts";
import { VALUE_CHUNK } from "../../trace/value_module.ts";
import { ValueSlots } from "../../trace/window_values.ts";
import { ReplayError } from "../replay_error.ts";
import { Session } from "../session.ts";

/** Bytes of columns at which an item is written. */
const PART_BYTES = 8 << 20;

/** Makes the values of one window after the other. */
export class WindowValues {
  readonly #trace: Trace;
  readonly #session: Session;
  readonly #encoder = new ValueEncoder();
  readonly #words: ResultWords;

  /** @throws ReplayError if the trace cannot be re-executed by this program */
  constructor(trace: Trace) {
    this.#trace = trace;
    this.#session = new Session(trace, { results: true });
    this.#words = new ResultWords(this.#session.machine.engine.table);
  }

  /** The `values` items of a window. */
  make(window: number): FramedItem[] {
    const { end } = this.#trace.windows[window];
    const flow = this.#trace.blocks(window);
    const session = this.#session;
    session.loadKeyframe(window - 1);
    const { engine } = session.machine;
    engine.takeResults();
    this.#encoder.reset();
    const pending = new Pending(flow, this.#words, this.#encoder);
    const items: FramedItem[] = [];
    while (session.position < end) {
      const to = Math.min(end, session.position + MOST_RESULT_STEPS);
      const reason = session.observe(to, {});
      if (session.position < to) throw differs(`the machine ended (${reason})`, session.position);
      pending.add(engine.takeResults());
      if (this.#encoder.length > PART_BYTES) items.push(pending.take());
    }
    pending.finish();
    items.push(pending.take());
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
  /** Results of a block that has not ended yet. */
  #rest = new BigUint64Array();
  readonly #segments = new Uint32Array(2 * VALUE_CHUNK);

  constructor(flow: WindowFlow, words: ResultWords, encoder: ValueEncoder) {
    this.#flow = flow;
    this.#resultWords = words;
    this.#encoder = encoder;
    this.#slots = new ValueSlots(flow.table.count);
  }

  /** Encodes the blocks that are complete now. */
  add(results: BigUint64Array): void {
    const { blocks } = this.#flow;
    let all = results;
    if (this.#rest.length > 0) {
      all = new BigUint64Array(this.#rest.length + results.length);
      all.set(this.#rest);
      all.set(results, this.#rest.length);
    }
    const segments = this.#segments;
    let from = 0, at = 0, pairs = 0;
    const flush = () => {
      this.#encoder.encode(segments.subarray(0, 2 * pairs), all.subarray(from, at));
      from = at;
      pairs = 0;
    };
    while (this.#next < blocks.length) {
      const block = blocks[this.#next];
      const words = this.#wordsOf(block);
      if (at + words > all.length) break;
      if (at + words - from > VALUE_CHUNK || pairs === VALUE_CHUNK) flush();
      segments[2 * pairs] = this.#slots.first(block);
      segments[2 * pairs++ + 1] = words;
      at += words;
      this.#next++;
    }
    flush();
    this.#rest = all.slice(at);
  }

  /** The item with what was coded since the last one. */
  take(): FramedItem {
    const counts = Uint8Array.from(this.#counts);
    this.#counts = [];
    return frameValues(encodeContent({ counts, ...this.#encoder.take() }));
  }

  /** Checks that results and blocks came to the same. */
  finish(): void {
    const { blocks, start } = this.#flow;
    if (this.#next === blocks.length && this.#rest.length === 0) return;
    throw differs(`${this.#rest.length} results too many or too few`, start);
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
