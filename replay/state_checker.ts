/**
 * Compares a machine with the keyframes of a trace: registers, devices, modelled TLB, memory and
 * the state hash, of which only pages that were written since the last keyframe are looked at.
 */
import type { Machine } from "../core/machine.ts";
import { PAGE_BYTES, type WriteEpoch } from "../core/memory/memory.ts";
import type { Keyframe, Trace, WindowSummary } from "../trace/mod.ts";
import { encodeContent } from "../trace/cbor.ts";
import { SPACE } from "../trace/schema.ts";
import {
  addHash,
  hashBytes,
  hashPage,
  hashState,
  type StateHash,
  subtractHash,
} from "../trace/state_hash.ts";
import { describeCpus } from "../trace/summary.ts";
import { type Difference, firstDifference } from "./difference.ts";

const NOTHING: StateHash = [0, 0];

/** See the top of this file. */
export class StateChecker {
  readonly #trace: Trace;
  readonly #machine: Machine;
  readonly #written = new Set<number>();
  readonly #epoch: WriteEpoch;
  /** What each page of memory adds to the hash, and their sum. */
  readonly #hashes = new Map<number, StateHash>();
  #memory = NOTHING;

  /** Makes a checker of a machine that a keyframe will be loaded into. */
  constructor(trace: Trace, machine: Machine) {
    this.#trace = trace;
    this.#machine = machine;
    this.#epoch = machine.memory.trackFirstWrites((page) => this.#written.add(page));
  }

  /** Physical addresses of the pages written since the last keyframe that was checked, ascending. */
  get written(): number[] {
    return [...this.#written].sort((a, b) => a - b);
  }

  /** Takes the machine's memory as it is, just loaded from a window's keyframe, to be right. */
  begin(window: number): void {
    this.#hashes.clear();
    this.#memory = NOTHING;
    for (const page of this.#trace.pageAddresses(window)) this.#hash(page);
    this.#restart();
  }

  /** Compares the machine with a window's keyframe; null if they are equal. Begins the next window. */
  check(window: number): Difference | null {
    const trace = this.#trace;
    const keyframe = trace.keyframe(window);
    const { tlb, ...state } = this.#machine.save();
    const changed = trace.changedPages(window - 1, window);
    const difference = this.#stateDifference(keyframe, state, tlb) ??
      this.#pageDifference(keyframe, new Set([...this.#written, ...changed]));
    for (const page of this.#written) this.#hash(page);
    this.#restart();
    return difference ?? this.#hashDifference(keyframe, encodeContent(state), tlb);
  }

  /** Compares what the machine is and did with a window's summary. Must come before {@linkcode check}. */
  checkSummary(window: number, position: number): Difference | null {
    const summary = this.#trace.summary(window);
    const { level, mmu } = describeCpus(this.#machine.save().cpus);
    const written = this.written.map((page) => page / PAGE_BYTES);
    const found: Partial<WindowSummary> = { level, mmu, written };
    for (const name of ["level", "mmu", "written"] as const) {
      const difference = firstDifference(summary[name], found[name], name);
      if (difference) return summaryDifference(position, difference);
    }
    return null;
  }

  #stateDifference(keyframe: Keyframe, state: object, tlb: Uint8Array): Difference | null {
    const { position, retired } = keyframe;
    const retiredNow = this.#machine.cpus.map((cpu) => cpu.retired);
    const found = { position: this.#machine.position, retired: retiredNow };
    const difference = firstDifference({ position, retired }, found) ??
      firstDifference(keyframe.state, state) ??
      firstDifference({ tlb: keyframe.tlb }, { tlb });
    if (!difference) return null;
    const { path, ...values } = difference;
    return { position: found.position, what: `${path} of the state`, ...values };
  }

  #pageDifference({ window, position }: Keyframe, pages: Set<number>): Difference | null {
    const { memory } = this.#machine;
    for (const page of [...pages].sort((a, b) => a - b)) {
      const expected = this.#trace.page(page, window);
      const at = (offset: number) => `the byte at 0x${(page + offset).toString(16)}`;
      const inside = memory.contains(page, PAGE_BYTES);
      const found = inside ? memory.read(page, PAGE_BYTES) : new Uint8Array();
      for (let i = 0; i < PAGE_BYTES; i++) {
        if (expected[i] === found[i]) continue;
        const text = (byte: number | undefined) =>
          byte === undefined ? "no memory" : `0x${byte.toString(16)}`;
        return { position, what: at(i), expected: text(expected[i]), found: text(found[i]) };
      }
    }
    return null;
  }

  #hashDifference(keyframe: Keyframe, state: Uint8Array, tlb: Uint8Array): Difference | null {
    const sum = addHash(addHash(this.#memory, tlbHash(tlb)), hashState(state));
    const [expected, found] = [keyframe.hash, hashBytes(sum)].map((bytes) => bytes.toHex());
    if (expected === found) return null;
    return { position: keyframe.position, what: "the state hash", expected, found };
  }

  #hash(page: number): void {
    const bytes = this.#machine.memory.read(page, PAGE_BYTES);
    const words = new Uint32Array(bytes.buffer, bytes.byteOffset, PAGE_BYTES / 4);
    const hash = hashPage(words, SPACE.memory, page / PAGE_BYTES);
    const before = this.#hashes.get(page) ?? NOTHING;
    this.#memory = addHash(subtractHash(this.#memory, before), hash);
    this.#hashes.set(page, hash);
  }

  #restart(): void {
    this.#written.clear();
    this.#epoch.restart();
  }
}

/** A difference found in a summary. */
export function summaryDifference(
  position: number,
  { path, ...values }: { path: string; expected: string; found: string },
): Difference {
  return { position, what: `${path} of the window's summary`, ...values };
}

function tlbHash(tlb: Uint8Array): StateHash {
  const padded = new Uint8Array(Math.ceil(tlb.length / PAGE_BYTES) * PAGE_BYTES);
  padded.set(tlb);
  let sum = NOTHING;
  for (let at = 0; at < padded.length; at += PAGE_BYTES) {
    const words = new Uint32Array(padded.buffer, at, PAGE_BYTES / 4);
    sum = addHash(sum, hashPage(words, SPACE.tlb, at / PAGE_BYTES));
  }
  return sum;
}
