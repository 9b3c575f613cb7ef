/** What was typed while a trace was recorded, given again at the same positions. */
import { INPUT, type InputSource, POWER_KEY, type Wait } from "../core/input_source.ts";
import type { InputEvent } from "../trace/mod.ts";

interface Typed {
  readonly position: number;
  /** A byte or {@linkcode POWER_KEY}. */
  readonly what: number;
}

interface EndOfWait {
  readonly position: number;
  /** Virtual time in ns. */
  readonly time: number;
}

/** See the top of this file. */
export class RecordedInput implements InputSource {
  readonly open = false;
  readonly #typed: Typed[] = [];
  readonly #waits: EndOfWait[] = [];
  #nextTyped = 0;
  #nextWait = 0;

  /** @param inputs of a trace, in order of position; other sources are left alone */
  constructor(inputs: Iterable<InputEvent>) {
    for (const { position, source, bytes } of inputs) {
      if (source === INPUT.console) {
        for (const what of bytes) this.#typed.push({ position, what });
      } else if (source === INPUT.power) {
        this.#typed.push({ position, what: POWER_KEY });
      } else if (source === INPUT.time && bytes.length === 8) {
        const view = new DataView(bytes.buffer, bytes.byteOffset, 8);
        this.#waits.push({ position, time: Number(view.getBigUint64(0, true)) });
      }
    }
  }

  /** Whether there is none. */
  get isEmpty(): boolean {
    return this.#typed.length === 0 && this.#waits.length === 0;
  }

  get pressesPower(): boolean {
    return this.#typed[this.#nextTyped]?.what === POWER_KEY;
  }

  nextPosition(): number {
    return this.#typed[this.#nextTyped]?.position ?? Infinity;
  }

  nextTime(): number {
    return Infinity;
  }

  take(): number {
    return this.#typed[this.#nextTyped++].what;
  }

  sent(_byte: number): boolean {
    return false;
  }

  waitUntil({ position, to }: Wait): number {
    const wait = this.#waits[this.#nextWait];
    if (wait?.position !== position) return to;
    this.#nextWait++;
    return wait.time;
  }

  /** A state holds the ends of waits up to its position, and bytes typed before it. */
  seek(position: number): void {
    this.#nextTyped = firstIndex(this.#typed, (typed) => typed.position >= position);
    this.#nextWait = firstIndex(this.#waits, (wait) => wait.position > position);
  }
}

/** Index of the first item for which `holds`, which holds for all behind it; the length if none. */
function firstIndex<T>(items: readonly T[], holds: (item: T) => boolean): number {
  let low = 0, high = items.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (holds(items[middle])) high = middle;
    else low = middle + 1;
  }
  return low;
}
