/** What a recorded guest was told that is typed, when it asked semihosting: told again at the same positions. */
import {
  decodeKeys,
  KEYS_INPUT,
  type SemihostingKeys,
  type TypedKeys,
} from "../core/semihosting_keys.ts";
import type { InputEvent } from "../trace/mod.ts";
import { ReplayError } from "./replay_error.ts";

/** See the top of this file. */
export class RecordedKeys implements SemihostingKeys {
  readonly #keys = new Map<number, TypedKeys>();

  /**
   * @param inputs of a trace; other sources are left alone
   * @throws ReplayError if an input is none that a recording makes
   */
  constructor(inputs: Iterable<InputEvent>) {
    for (const { position, source, bytes } of inputs) {
      if (source !== KEYS_INPUT) continue;
      const keys = decodeKeys(bytes);
      if (!keys) {
        throw new ReplayError(
          `Cannot re-execute the trace: ${source} of ${bytes.length} bytes, expected 8 or more`,
        );
      }
      this.#keys.set(position, keys);
    }
  }

  at(position: number): TypedKeys | undefined {
    return this.#keys.get(position);
  }
}
