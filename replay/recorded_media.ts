/** The media of a recorded machine, as far as it read them, from the inputs of a trace. */
import { BLOCK_BYTES, type Media, type Medium, MEDIUM_INPUT } from "../core/medium.ts";
import type { InputEvent } from "../trace/mod.ts";
import { ReplayError } from "./replay_error.ts";

/** Names that a trace may use. */
const NAMES = /^(flash[01]|kernel|initrd|cmdline|disk\d{1,2}):(size|block|written)$/;
const ZEROS = new Uint8Array(BLOCK_BYTES);

/**
 * Makes the media that a trace tells of. What the recorded machine did not read is zero.
 *
 * @throws ReplayError if an input is none that a recording makes
 */
export function recordedMedia(inputs: Iterable<InputEvent>): Media {
  const media: Record<string, RecordedMedium> = {};
  for (const { source, bytes } of inputs) {
    const match = NAMES.exec(source);
    if (!match) continue;
    const [, name] = match;
    if (source === MEDIUM_INPUT.size(name)) media[name] = new RecordedMedium(sizeOf(bytes, source));
    const medium = media[name];
    if (!medium) throw new ReplayError(`Cannot re-execute the trace: ${source} before its size`);
    if (source === MEDIUM_INPUT.block(name)) medium.addBlock(bytes, source);
    if (source === MEDIUM_INPUT.written(name)) medium.addWritten(bytes, source);
  }
  return media as Media;
}

class RecordedMedium implements Medium {
  readonly #blocks = new Map<number, Uint8Array>();
  readonly #written: Uint8Array[] = [];

  constructor(readonly size: number) {}

  addBlock(bytes: Uint8Array, source: string): void {
    if (bytes.length < 4) throw badInput(source, bytes);
    const number = new DataView(bytes.buffer, bytes.byteOffset, 4).getUint32(0, true);
    this.#blocks.set(number, checked(bytes.subarray(4), source));
  }

  addWritten(bytes: Uint8Array, source: string): void {
    this.#written.push(checked(bytes, source));
  }

  block(number: number): Uint8Array {
    return whole(this.#blocks.get(number));
  }

  written(version: number): Uint8Array {
    return whole(this.#written[version]);
  }
}

function sizeOf(bytes: Uint8Array, source: string): number {
  if (bytes.length !== 8) throw badInput(source, bytes);
  return Number(new DataView(bytes.buffer, bytes.byteOffset, 8).getBigUint64(0, true));
}

function checked(bytes: Uint8Array, source: string): Uint8Array {
  if (bytes.length > BLOCK_BYTES) throw badInput(source, bytes);
  return bytes;
}

function badInput(source: string, bytes: Uint8Array): ReplayError {
  return new ReplayError(
    `Cannot re-execute the trace: ${source} of ${bytes.length} bytes is no input of a medium`,
  );
}

/** A block from the bytes before its zeros. */
function whole(used: Uint8Array | undefined): Uint8Array {
  if (!used) return ZEROS;
  if (used.length === BLOCK_BYTES) return used;
  const block = ZEROS.slice();
  block.set(used);
  return block;
}
