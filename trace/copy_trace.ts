/** Writes traces that are made of others. */

import { encodeItem } from "./chunk.ts";
import { uint } from "./fields.ts";
import type { Trace } from "./reader.ts";
import { release } from "./release.ts";
import { ITEM, type Profile } from "./schema.ts";
import { type TraceSink, TraceWriter } from "./writer.ts";

/** zstd level of items that are made apart. */
const LEVEL = 3;

/** Writes the header of a trace again, maybe with another profile. */
export function copyHeader(from: Trace, writer: TraceWriter, profile: Profile): void {
  const { format, memory, recordedAt, profile: _, ...header } = from.header;
  const { base, size } = memory;
  writer.header({
    ...header,
    format,
    ...(profile === "full" ? {} : { profile }),
    memory: { base: uint(base), size: uint(size) },
  }, recordedAt);
}

/** Writes the footer of a trace again, if it has one. */
export function copyFooter({ footer }: Trace, writer: TraceWriter): void {
  if (!footer) return;
  const { position, retired } = footer;
  writer.footer({ ...footer, position: uint(position), retired: retired.map(uint) });
}

/** An item as it stands in a file. */
export interface FramedItem {
  /** All of it. */
  readonly bytes: Uint8Array;
  /** The hash in its frame. */
  readonly hash: Uint8Array;
  /** Bytes of the content. */
  readonly size: number;
}

/** Frames a `values` item; workers do. @param level zstd level, of those that SPEC.md leaves to the writer */
export function frameValues(content: Uint8Array, level = LEVEL): FramedItem {
  return { ...encodeItem(ITEM.values, content, level), size: content.length };
}

/** Writes a trace again, with values. */
export class ValuesCopy {
  readonly #trace: Trace;
  readonly #writer: TraceWriter;

  /** Writes window 0. */
  constructor(trace: Trace, sink: TraceSink) {
    this.#trace = trace;
    this.#writer = new TraceWriter(sink);
    this.window(0, []);
  }

  /** Writes the next window; uses its values up. */
  window(number: number, values: readonly FramedItem[]): void {
    const { start, end } = this.#trace.windows[number];
    for (const { kind, content } of this.#trace.contents(number)) {
      if (kind === ITEM.header) copyHeader(this.#trace, this.#writer, "full");
      else if (kind !== ITEM.values) this.#writer.content(kind, content);
      release(content);
    }
    for (const item of values) {
      this.#writer.framed(ITEM.values, item, item.size);
      release(item.bytes);
    }
    this.#writer.commit(number, start, end);
  }

  /** Ends the trace. Gives its length. */
  finish(): number {
    copyFooter(this.#trace, this.#writer);
    return this.#writer.bytes;
  }
}
