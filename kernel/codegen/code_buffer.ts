import { callerLine, type SourceLine } from "./source_line.ts";

/**
 * One instruction before addresses are known. In its text `{name}` stands for the address of a
 * label or symbol, `{page:name}` for the address of its 4 KiB page and `{low:name}` for the offset
 * in that page.
 */
export interface PendingInstruction {
  readonly text: string;
  readonly line: SourceLine | undefined;
}

/** The instructions of one function, in order, with the labels between them. */
export class CodeBuffer {
  readonly instructions: PendingInstruction[] = [];
  /** Label → index of the instruction it stands before. */
  readonly labels = new Map<string, number>();
  /** The line that instructions belong to from now on. */
  line: SourceLine | undefined;

  /** Makes the caller's line in the kernel's source the current one. */
  markLine(): void {
    this.line = callerLine() ?? this.line;
  }

  emit(text: string): void {
    this.instructions.push({ text, line: this.line });
  }

  /** A label to be placed once; unique within the function. */
  newLabel(): string {
    return `.L${this.#labelCount++}`;
  }

  place(label: string): void {
    this.labels.set(label, this.instructions.length);
  }

  /** Leaves out a branch to the place right behind it. */
  dropBranchToNext(label: string): void {
    const last = this.instructions.at(-1);
    const isTarget = [...this.labels.values()].includes(this.instructions.length);
    if (last?.text === `b {${label}}` && !isTarget) this.instructions.pop();
  }

  #labelCount = 0;
}
