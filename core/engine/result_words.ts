import { fieldsOf, findRow } from "../isa/decode_tree.ts";
import type { Commit } from "../isa/program.ts";
import { type HandlerTable, staticIndex } from "./handlers.ts";

/** Tells how many words of results (`Engine.takeResults`) instructions have. */
export class ResultWords {
  readonly #table: HandlerTable;
  readonly #programs: Map<number, number>;
  readonly #known = new Map<number, number>();

  /** @param table of the engine that makes the results */
  constructor(table: HandlerTable) {
    this.#table = table;
    this.#programs = new Map(
      this.#table.handlers.map(({ id, program }) => [id, wordsOf(program.commits)]),
    );
  }

  /** Words of an instruction that has retired. */
  of(word: number): number {
    const known = this.#known.get(word);
    if (known !== undefined) return known;
    const words = this.#find(word);
    this.#known.set(word, words);
    return words;
  }

  #find(word: number): number {
    const row = findRow(word);
    // A hint of a feature that is not there does nothing.
    const first = row && "execute" in row ? this.#table.first.get(row) : undefined;
    if (!row || !("execute" in row) || !first) return 0;
    return this.#programs.get(first[staticIndex(row, fieldsOf(row, word))]) ?? 0;
  }
}

function wordsOf(commits: readonly Commit[]): number {
  let words = 0;
  for (const commit of commits) {
    if (commit.k === "part") words += 2;
    else if (commit.k === "register") words += commit.file === "v" ? 2 : 1;
    else if (commit.k === "link") words += 1;
  }
  return words;
}
