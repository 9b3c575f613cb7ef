import { fieldsOf, findRow } from "../isa/decode_tree.ts";
import type { Commit } from "../isa/program.ts";
import { staticIndex } from "./handlers.ts";
import type { Interpreter } from "./interpreter.ts";

/** Tells how many words of results (`Engine.takeResults`) instructions have. */
export class ResultWords {
  readonly #known = new Map<number, number>();

  /** @param interpreter of the engine that makes the results */
  constructor(readonly interpreter: Interpreter) {}

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
    if (!row || !("execute" in row) || !this.interpreter.has(row)) return 0;
    const { first } = row.apart ? this.interpreter.apart.table : this.interpreter.table;
    const id = first.get(row)![staticIndex(row, fieldsOf(row, word))];
    return wordsOf(this.interpreter.handler(id)?.program.commits ?? []);
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
