/** Helpers shared by the tests of traces. */

import { commitHash, encodeItem, type Frame, NO_COMMIT, readContent, readFrame } from "./chunk.ts";
import { encodeContent } from "./cbor.ts";
import { bytesAccess } from "./random_access.ts";
import { openTrace, type Trace } from "./reader.ts";
import { Recorder } from "./recorder.ts";
import type { RecordingResult } from "./recorder_options.ts";
import { ITEM } from "./schema.ts";
import { hashWords } from "./state_hash.ts";
import { SyntheticMachine, syntheticOptions, type SyntheticShape } from "./synthetic_machine.ts";
import { TraceError } from "./trace_error.ts";
import type { TraceSink } from "./writer.ts";

/** A sink that keeps everything. */
export class MemorySink implements TraceSink {
  readonly #parts: Uint8Array[] = [];

  write(bytes: Uint8Array): void {
    this.#parts.push(bytes);
  }

  /** What was written. */
  get bytes(): Uint8Array {
    return joinBytes(this.#parts);
  }
}

/** Joins byte arrays. */
export function joinBytes(parts: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const joined = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    joined.set(part, at);
    at += part.length;
  }
  return joined;
}

/** Records a synthetic machine to its end. */
export function recordSynthetic(
  shape: SyntheticShape,
  windowSteps: number,
): { bytes: Uint8Array; result: RecordingResult } {
  const sink = new MemorySink();
  const recorder = new Recorder(new SyntheticMachine(shape), sink, syntheticOptions(windowSteps));
  recorder.input("console", new Uint8Array([65, 66]));
  const result = recorder.run();
  return { bytes: sink.bytes, result };
}

/** Everything that a trace says about each window, as one digest per window; window 0 has the image. */
export function windowAnswers(trace: Trace): string[] {
  const inputs = [...trace.inputs()];
  return trace.windows.map(({ number, start, end }) => {
    const keyframe = trace.keyframe(number);
    const parts: unknown[] = [start, end, keyframe];
    for (const address of trace.changedPages(number - 1, number)) {
      parts.push(address, digest(trace.page(address, number)));
    }
    if (number === 0) {
      parts.push(trace.image, trace.symbols(), trace.lines(), { ...trace.header, recordedAt: "" });
    } else {
      const { blocks, exceptions, table } = trace.blocks(number);
      const words = [...blocks].map((id) => `${table.pc(id)} ${digest(table.code(id))}`);
      parts.push(words, exceptions, trace.summary(number));
      parts.push([...trace.events({ from: start, to: end })]);
      parts.push(inputs.filter((input) => input.position >= start && input.position < end));
    }
    return JSON.stringify(parts, plain);
  });
}

/** What came of reading a possibly broken trace: its answers, or the one line that says what is wrong. */
export function tryRead(bytes: Uint8Array): { answers: string[] } | { error: string } {
  try {
    return { answers: windowAnswers(openTrace(bytes)) };
  } catch (error) {
    if (error instanceof TraceError) return { error: error.message };
    throw error;
  }
}

/** A frame with its content, as {@linkcode splitTrace} gives them. */
export interface LooseItem {
  frame: Frame;
  content: Uint8Array;
}

/** Takes a sound trace apart. */
export function splitTrace(bytes: Uint8Array): LooseItem[] {
  const file = bytesAccess(bytes);
  const items: LooseItem[] = [];
  for (let offset = 0; offset < bytes.length;) {
    const frame = readFrame(file, offset)!;
    items.push({ frame, content: readContent(file, frame, "an item") });
    offset = frame.end;
  }
  return items;
}

/**
 * Puts items together with correct hashes and commits, whatever their contents are: what a hostile
 * writer would do. Footers are left out, because their offsets would not match.
 */
export function joinTrace(
  items: readonly LooseItem[],
  starts: readonly [number, number][],
): Uint8Array {
  const parts: Uint8Array[] = [];
  let hashes: Uint8Array[] = [];
  let length = 0;
  let window = 0;
  let before = NO_COMMIT;
  for (const { frame, content } of items) {
    if (frame.kind === ITEM.footer) continue;
    if (frame.kind === ITEM.commit) {
      const [start, end] = starts[window];
      const hash = commitHash(before, window, start, end, hashes);
      before = hash;
      const commit = encodeContent({ window: window++, start, end, length, hash });
      parts.push(encodeItem(ITEM.commit, commit, 0).bytes);
      hashes = [];
      length = 0;
      continue;
    }
    const recordedAt = frame.kind === ITEM.header ? frame.recordedAt : undefined;
    const { bytes, hash } = encodeItem(frame.kind, content, frame.encoding, recordedAt);
    parts.push(bytes);
    hashes.push(hash);
    length += bytes.length;
  }
  return joinBytes(parts);
}

function digest(bytes: Uint8Array): string {
  const words = new Uint32Array(bytes.slice().buffer, 0, bytes.length >> 2);
  return hashWords(words, bytes.length, 0).join(":");
}

function plain(_key: string, value: unknown): unknown {
  if (typeof value === "bigint") return `0x${value.toString(16)}`;
  if (value instanceof Uint8Array) return digest(value) + [...value.subarray(0, 64)].join(",");
  return value;
}
