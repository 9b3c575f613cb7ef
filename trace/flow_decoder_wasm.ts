/** Runs the flow decoder's WebAssembly module: places a window's columns in its memory, takes the blocks out. */

import type { BlockTable } from "./block_table.ts";
import type { ExceptionEntries, FlowColumns } from "./flow_decoder.ts";
import { buildFlowDecoder, DECODE_PARAMETERS, DECODER_MEMORY } from "./flow_decoder_module.ts";
import { HISTORY_MASK } from "./predictor.ts";

const WASM_PAGE = 65536;
/** Kinds are bits of a mask there. */
const KINDS = 8;

/** A flow without its definitions. */
export interface DecodedBlocks {
  readonly blocks: Uint32Array<ArrayBuffer>;
  /** With exception entries, but for those behind the last block. */
  readonly steps: number;
  /** Blocks of the table that are defined after the window. */
  readonly fresh: number;
}

let decoder: { memory: WebAssembly.Memory; decode: (...values: number[]) => number } | undefined;

/**
 * Decodes a window's flow; null where something about it is not as usual, which the decoder in
 * TypeScript then decides.
 */
export function decodeInWasm(
  columns: FlowColumns,
  table: BlockTable,
  ids: { before: number; after: number },
  exceptions: readonly ExceptionEntries[],
): DecodedBlocks | null {
  const { memory, decode } = decoder ??= instantiate();
  const { hits, misses, blocks: count, sequential } = columns;
  let end: number = DECODER_MEMORY.free;
  const place = (bytes: number) => {
    const address = end;
    end += Math.ceil(bytes / 8) * 8;
    return address;
  };
  // Blocks count from 1 in these, and a guess may be the one behind the last.
  const slots = ids.after + 2;
  const first = place(4 * slots), second = place(4 * slots), afterReturn = place(4 * slots);
  const cleared = end;
  const kinds = place(slots), steps = place(slots);
  const hitsAt = place(hits.length), missesAt = place(misses.length);
  const entries = place(8 * exceptions.length);
  const output = place(4 * count);
  grow(memory, end);
  const bytes = new Uint8Array(memory.buffer);
  bytes.fill(0, 0, cleared);
  table.copyFacts(ids.after, bytes.subarray(kinds + 1), bytes.subarray(steps + 1));
  for (let id = 1; id <= ids.after; id++) if (bytes[kinds + id] >= KINDS) return null;
  bytes.set(hits, hitsAt);
  bytes.set(misses, missesAt);
  const pairs = new Uint32Array(memory.buffer, entries, 2 * exceptions.length);
  exceptions.forEach((entry, i) => pairs.set([entry.before, entry.count], 2 * i));
  const given: Record<(typeof DECODE_PARAMETERS)[number], number> = {
    count,
    ...ids,
    sequential: Number(sequential),
    historyMask: HISTORY_MASK[sequential ? "sequential" : "older"],
    hits: hitsAt,
    hitsEnd: hitsAt + hits.length,
    misses: missesAt,
    missesEnd: missesAt + misses.length,
    exceptions: entries,
    exceptionsEnd: entries + 8 * exceptions.length,
    ...{ kinds, steps, first, second, afterReturn, output },
  };
  if (decode(...DECODE_PARAMETERS.map((name) => given[name])) !== 0) return null;
  const [total, fresh, hitsTo, missesTo] = new Uint32Array(
    memory.buffer,
    DECODER_MEMORY.results,
    4,
  );
  if (hitsTo !== given.hitsEnd || missesTo !== given.missesEnd) return null;
  const blocks = new Uint32Array(memory.buffer, output, count).slice();
  return { blocks, steps: total, fresh };
}

function instantiate() {
  const memory = new WebAssembly.Memory({ initial: 16 });
  const module = new WebAssembly.Module(buildFlowDecoder());
  const { exports } = new WebAssembly.Instance(module, { trace: { memory } });
  return { memory, decode: exports.decode as (...values: number[]) => number };
}

function grow(memory: WebAssembly.Memory, bytes: number): void {
  const missing = bytes - memory.buffer.byteLength;
  if (missing > 0) memory.grow(Math.ceil(missing / WASM_PAGE));
}
