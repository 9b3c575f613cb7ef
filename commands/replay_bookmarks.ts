import type { Trace } from "../trace/mod.ts";
import { UserError } from "./user_error.ts";

/** Names that are positions already. */
const TAKEN = new Set(["start", "end", "fault"]);

/** Names that a session at the prompt gave to positions. They are in no file. */
export class Bookmarks {
  readonly #trace: Trace;
  readonly #positions = new Map<string, number>();

  /** Bookmarks of a trace, none yet. */
  constructor(trace: Trace) {
    this.#trace = trace;
  }

  /** How many there are. */
  get count(): number {
    return this.#positions.size;
  }

  /** Names and positions in the order in which they were set. */
  [Symbol.iterator](): Iterator<[string, number]> {
    return this.#positions[Symbol.iterator]();
  }

  /**
   * Sets a bookmark, which may be there already.
   *
   * @throws UserError if it cannot have the name
   */
  set(name: string, position: number): void {
    if (!/^[a-z_]\w*$/i.test(name) || TAKEN.has(name)) {
      throw new UserError(
        `Cannot name a bookmark "${name}": expected letters, digits and _, and not ` +
          [...TAKEN].join(", "),
      );
    }
    this.#positions.set(name, position);
  }

  /** @throws UserError if there is none of the name */
  remove(name: string): void {
    if (!this.#positions.delete(name)) throw new UserError(`There is no bookmark "${name}"`);
  }

  /**
   * The position of `NAME`, `NAME+N` or `NAME-N`; undefined if no bookmark has the name.
   *
   * @throws UserError if that is not in the trace
   */
  position(text: string): number | undefined {
    const [, name = "", offset = ""] = /^(\w+)([+-][\d_]+)?$/.exec(text) ?? [];
    const start = this.#positions.get(name);
    if (start === undefined) return undefined;
    const position = start + Number(offset.replaceAll("_", ""));
    const { end } = this.#trace;
    if (position >= 0 && position <= end) return position;
    throw new UserError(`Position ${text} is #${position}, expected #0 to #${end}`);
  }
}
