/**
 * Makes a trace to be attached to a report out of a full one: profile `attach`.
 *
 * A machine that is deterministic needs no more than what it was given: image, options, inputs. So
 * window 0 and the inputs are kept, and of every other window only its state's hash, by which a
 * re-execution is checked. So that something can be read without one, windows near faults keep their flow
 * (with a block table of their own), events and summary, and some windows their registers.
 */

import { copyFooter, copyHeader } from "./copy_trace.ts";
import { BlockDefinitions, BlockSequence } from "./flow_encoder.ts";
import type { WindowFlow } from "./flow_decoder.ts";
import type { FlowFields } from "./flow_source.ts";
import { ImageMemory } from "./image_memory.ts";
import type { Trace } from "./reader.ts";
import { ITEM, PAGE_SIZE } from "./schema.ts";
import { type TraceSink, TraceWriter } from "./writer.ts";

/** Registers are kept of every so many windows, and of the last. */
const KEPT_STATES = 16;

/** Kinds of items that are kept as they are, in windows that are kept and in others. */
const KEPT: ReadonlySet<number> = new Set([ITEM.input, ITEM.events, ITEM.summary, ITEM.keyframe]);
const LEFT: ReadonlySet<number> = new Set([ITEM.input]);

/**
 * Writes the trace.
 *
 * @param full what it is made of
 * @param kept whether a window's flow and events stay
 * @returns bytes written
 */
export function writeAttached(
  full: Trace,
  sink: TraceSink,
  kept: (window: number) => boolean,
): number {
  const writer = new TraceWriter(sink);
  const image = imageOf(full);
  for (const { number, start, end } of full.windows) {
    if (number === 0) writePrologue(full, writer);
    else {
      const state = number % KEPT_STATES === 0 || number === full.windows.length - 1;
      const kinds = kept(number) ? KEPT : LEFT;
      for (const { kind, content } of full.contents(number)) {
        if (kinds.has(kind) || (state && kind === ITEM.keyframe)) writer.content(kind, content);
      }
      if (kept(number)) {
        writer.item(ITEM.flow, { ...encodeAlone(full.blocks(number), number, image) });
      }
      const { hash } = full.keyframe(number);
      writer.item(ITEM.digest, { hash });
    }
    writer.commit(number, start, end);
  }
  copyFooter(full, writer);
  return writer.bytes;
}

function writePrologue(full: Trace, writer: TraceWriter): void {
  for (const { kind, content } of full.contents(0)) {
    if (kind !== ITEM.header) {
      writer.content(kind, content);
      continue;
    }
    copyHeader(full, writer, "attach");
  }
}

/** The flow of a window with a block table that begins in it. */
function encodeAlone(flow: WindowFlow, window: number, image: ImageMemory): FlowFields {
  const definitions = new BlockDefinitions();
  definitions.useImage(image);
  definitions.startWindow(window, true);
  const sequence = new BlockSequence();
  const ids = new Map<number, number>();
  const { blocks, exceptions, table } = flow;
  let exception = 0;
  for (let i = 0; i <= blocks.length; i++) {
    if (exceptions[exception]?.before === i) sequence.exceptions(exceptions[exception++].count);
    if (i === blocks.length) break;
    const block = blocks[i];
    const known = ids.get(block);
    const kind = table.kind(block);
    const id = known ??
      definitions.add(table.regime(block), table.pc(block), kind, table.code(block));
    if (known === undefined) ids.set(block, id);
    sequence.block(id, kind, known === undefined);
  }
  return { cpu: 0, ...sequence.take(true), ...definitions.take() };
}

/** The memory at #0. */
function imageOf(trace: Trace): ImageMemory {
  const { base, size } = trace.header.memory;
  const bytes = new Uint8Array(size);
  const pages = trace.pageAddresses(0);
  for (const address of pages) bytes.set(trace.page(address, 0), address - base);
  const loaded = trace.loaded ?? pages.map((address) => ({ address, length: PAGE_SIZE }));
  return new ImageMemory({ base, size, bytes }, loaded);
}
