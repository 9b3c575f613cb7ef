/** What a recorded guest was told of the host's files, told again at the same positions. */
import {
  decodeAnswer,
  FILE_INPUT,
  type FileAnswer,
  type FileRequest,
  type SemihostingFiles,
} from "../core/devices/mod.ts";
import type { InputEvent } from "../trace/mod.ts";
import { ReplayError } from "./replay_error.ts";

/** See the top of this file. */
export class RecordedFiles implements SemihostingFiles {
  readonly #answers = new Map<number, FileAnswer>();

  /**
   * @param inputs of a trace; other sources are left alone
   * @throws ReplayError if an input is none that a recording makes
   */
  constructor(inputs: Iterable<InputEvent>) {
    for (const { position, source, bytes } of inputs) {
      if (source !== FILE_INPUT) continue;
      const answer = decodeAnswer(bytes);
      if (!answer) {
        throw new ReplayError(
          `Cannot re-execute the trace: ${source} of ${bytes.length} bytes, expected 12 or more`,
        );
      }
      this.#answers.set(position, answer);
    }
  }

  /** @throws ReplayError where the recorded guest did not ask */
  ask({ what }: FileRequest, position: number): FileAnswer {
    const answer = this.#answers.get(position);
    if (answer) return answer;
    throw new ReplayError(
      `The re-execution differs from the trace: at #${position} the guest asks to ${what} a file`,
    );
  }
}
