/**
 * The `input` item: everything that reached the guest from outside, by position.
 */

import { ByteColumn, ColumnReader } from "./columns.ts";
import { type Fields, uint } from "./fields.ts";

/** Most inputs in one item. */
const MAX_INPUTS_PER_ITEM = 1 << 16;

/** Bytes that a source delivered to the guest just before the step after `position`. */
export interface InputEvent {
  /** Steps before it. */
  position: number;
  /** For example `console`. */
  source: string;
  /** What it delivered. */
  bytes: Uint8Array;
}

/** The content of an `input` item. Inputs are in order of position. */
export function encodeInput(inputs: readonly InputEvent[]): Record<string, unknown> {
  const sources = [...new Set(inputs.map((input) => input.source))];
  const [position, source, length, bytes] = Array.from({ length: 4 }, () => new ByteColumn());
  let before = inputs[0]?.position ?? 0;
  for (const input of inputs) {
    position.pushUint(input.position - before);
    before = input.position;
    source.pushUint(sources.indexOf(input.source));
    length.pushUint(input.bytes.length);
    bytes.pushBytes(input.bytes);
  }
  return {
    first: uint(inputs[0]?.position ?? 0),
    count: inputs.length,
    sources,
    position: position.take(),
    source: source.take(),
    length: length.take(),
    bytes: bytes.take(),
  };
}

/** Reads an `input` item. */
export function readInput(fields: Fields): InputEvent[] {
  const count = fields.uint("count", MAX_INPUTS_PER_ITEM);
  const sources = fields.texts("sources");
  const column = (name: string) =>
    new ColumnReader(fields.bytes(name), `"${name}" of ${fields.what}`);
  const [positions, source, length, bytes] = ["position", "source", "length", "bytes"].map(column);
  const inputs: InputEvent[] = [];
  let position = fields.uint("first");
  for (let i = 0; i < count; i++) {
    position += positions.uint();
    inputs.push({
      position,
      source: sources[source.uint(sources.length - 1)],
      bytes: bytes.view(length.uint()),
    });
  }
  for (const reader of [positions, source, length, bytes]) reader.finish();
  return inputs;
}
