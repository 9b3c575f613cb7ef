import { PAGE_BYTES } from "./memory.ts";

/** Copies of pages, whose memory is used again: making it anew costs several times the copying. */
export class PagePool {
  #free: Uint8Array[] = [];

  /** @param most pages that are kept while they are not in use */
  constructor(readonly most: number) {}

  /** A copy of a page of memory. */
  copy(page: Uint8Array): Uint8Array {
    const copy = this.#free.pop() ?? new Uint8Array(PAGE_BYTES);
    copy.set(page);
    return copy;
  }

  /** Takes back copies that nobody looks at any more. */
  giveBack(copies: Iterable<Uint8Array>): void {
    for (const copy of copies) {
      if (this.#free.length >= this.most) return;
      this.#free.push(copy);
    }
  }

  /** Lets go of what is kept. */
  clear(): void {
    this.#free = [];
  }
}
