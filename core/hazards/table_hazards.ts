/**
 * Hazards of changed translation tables, of walks of one stage:
 *
 * - `descriptor-without-dsb`: a walk used a descriptor that was stored after the last DSB; the
 *   walker of other hardware may not see it yet (Arm ARM B2.3.12, D8.2.7). Each page is copied
 *   before its first write since a DSB, so a descriptor that differs from its copy is such a one.
 * - `break-before-make`: a valid descriptor became another valid one in a way that needs an invalid
 *   one and a TLBI in between (Arm ARM D8, "Using
 *   break-before-make"). Walks are kept; at a TLBI that covers one, and at
 *   the next fill for its address, it is compared with what the tables say then.
 *
 * All of this has one budget, which a bring-up does not use up and a long boot soon has.
 */

import { walk } from "../../mmu/walk.ts";
import { PAGE_BYTES, type WriteEpoch } from "../memory/memory.ts";
import { PagePool } from "../memory/page_pool.ts";
import type { DescriptorRead, EventBase, MachineEvent, TlbFillEvent } from "../observer.ts";
import type { HazardSubject, Report } from "./hazard_detector.ts";
import { wide } from "../wide.ts";

/** Walks looked at, fills and pages copied, about a microsecond each. */
const BUDGET = 100_000;
/** What beginning anew after a DSB costs. */
const RESTART_COST = 20;
/** Pages copied between two DSBs; what more is written goes unseen until the next. */
const MAX_COPIES = 1024;
/** Walks kept; the oldest goes first. */
const MAX_WALKS = 8192;

const VALID = 1n, TABLE = 2n;
/** Output address, memory attributes, shareability and the contiguous bit. */
const ADDRESS = 0xffff_ffff_f000n;
const NEEDS_BREAK = ADDRESS | 0x31cn | 1n << 52n;
/** AF, which hardware may set by itself. */
const ACCESS_FLAG_BYTE = 1, ACCESS_FLAG = 0x04;
/** AP[2], or S2AP[1], which hardware may change where DBM is set. */
const READ_ONLY = 0x80, DIRTY_MODIFIER_BYTE = 6, DIRTY_MODIFIER = 0x08;

/** A walk that filled the TLB. */
interface KnownWalk {
  readonly cpu: number;
  readonly va: bigint;
  readonly regime: number;
  readonly steps: readonly DescriptorRead[];
}

/** See the top of this file. */
export class TableHazards {
  #budget = BUDGET;
  /** Contents of pages at the last DSB, of those that were written since. */
  readonly #copies = new Map<number, Uint8Array>();
  readonly #pool = new PagePool(MAX_COPIES);
  /** None before the first boot, and when the budget is used up. */
  #epoch: WriteEpoch | null = null;
  /** By regime, ASID and page. */
  readonly #walks = new Map<string, KnownWalk>();
  /** log2 of the bytes that the walks' leaves map. */
  readonly #sizes = new Set<number>();

  constructor(readonly subject: HazardSubject, readonly report: Report) {}

  /** An image was placed, which is not a store that waits for a DSB. */
  booted(): void {
    if (this.#budget <= 0) return;
    if (this.#epoch) this.#ordered();
    else this.#epoch = this.subject.memory.trackFirstWrites((page) => this.#willWrite(page));
  }

  /** See {@linkcode Observer.wants}. */
  wants(kind: MachineEvent["kind"], name?: string): boolean {
    if (this.#epoch === null) return false;
    if (kind === "barrier") return this.#copies.size > 0 && (name === undefined || name === "DSB");
    if (kind === "tlbi") return this.#walks.size > 0;
    return kind === "tlb-fill" || kind === "reset";
  }

  event(event: MachineEvent): void {
    if (this.#epoch === null) return;
    switch (event.kind) {
      case "tlb-fill":
        return this.#filled(event);
      case "tlbi":
        return this.#invalidated(event.operation, event.value, event);
      case "barrier":
        if (this.#copies.size === 0) return;
        if (event.operation.startsWith("DSB") && !event.operation.endsWith("LD")) this.#ordered();
        return;
      case "reset":
        this.#walks.clear();
        this.#ordered();
    }
  }

  /** Stops for good when the budget is used up. */
  #spend(work: number): void {
    this.#budget -= work;
    if (this.#budget > 0) return;
    this.#epoch?.close();
    this.#epoch = null;
    this.#copies.clear();
    this.#pool.clear();
    this.#walks.clear();
  }

  #willWrite(page: number): void {
    if (this.#copies.size >= MAX_COPIES) return;
    if (this.#copies.size === 0) this.subject.barrierWanted("DSB");
    this.#copies.set(page, this.#pool.copy(this.subject.memory.read(page, PAGE_BYTES)));
    this.#spend(1);
  }

  /** A DSB: every store before it is seen by walks after it. */
  #ordered(): void {
    if (this.#copies.size === 0) return;
    this.#pool.giveBack(this.#copies.values());
    this.#copies.clear();
    this.#epoch!.restart();
    this.#spend(RESTART_COST);
  }

  #filled(event: TlbFillEvent): void {
    const steps = event.descriptors;
    for (const { address } of steps) {
      if (this.#isUnordered(address)) {
        this.report("descriptor-without-dsb", BigInt(address), event);
      }
    }
    if (steps.length === 0 || steps.some(({ stage }) => stage === 2)) return;
    const regime = event.translation?.regime ?? 1;
    const key = keyOf(regime, event.global ? -1 : event.asid, event.va, event.sizeLog2);
    const known = this.#walks.get(key);
    if (known) this.#compare(known, steps, event);
    this.#walks.delete(key);
    if (this.#walks.size >= MAX_WALKS) this.#walks.delete(this.#walks.keys().next().value!);
    this.#walks.set(key, { cpu: event.cpu, va: event.va, regime, steps });
    this.#sizes.add(event.sizeLog2);
    this.#spend(1);
  }

  /** Whether the descriptor was stored after the last DSB. */
  #isUnordered(address: number): boolean {
    const offset = address % PAGE_BYTES;
    const copy = this.#copies.get(address - offset);
    if (!copy) return false;
    const now = this.subject.memory.read(address, 8);
    const isDirtyKept = (now[DIRTY_MODIFIER_BYTE] & DIRTY_MODIFIER) !== 0;
    return now.some((byte, i) => {
      // Hardware may have changed them (FEAT_HAFDBS).
      const ignored = i === ACCESS_FLAG_BYTE ? ACCESS_FLAG : i === 0 && isDirtyKept ? READ_ONLY : 0;
      return ((byte ^ copy[offset + i]) & ~ignored) !== 0;
    });
  }

  /** A TLBI: the walks that it covers are looked at for the last time. */
  #invalidated(operation: string, value: bigint, at: EventBase): void {
    for (const [key, known] of this.#covered(operation, value)) {
      this.#walks.delete(key);
      this.#walkAgain(known, at);
      this.#spend(1);
    }
  }

  #covered(operation: string, value: bigint): [string, KnownWalk][] {
    const byAddress = /^TLBI VA(A?)L?E([123])/.exec(operation);
    if (!byAddress) return [...this.#walks];
    const va = BigInt.asUintN(64, BigInt.asIntN(56, value << 12n));
    const regime = Number(byAddress[2]);
    const found: [string, KnownWalk][] = [];
    for (const sizeLog2 of this.#sizes) {
      for (const asid of [-1, Number(value >> 48n)]) {
        const key = keyOf(regime, asid, va, sizeLog2);
        const known = this.#walks.get(key);
        if (known) found.push([key, known]);
      }
    }
    return found;
  }

  /** Compares a walk with what the same address would be translated by now, if it still is. */
  #walkAgain(known: KnownWalk, at: EventBase): void {
    const { regime } = this.subject.translationOf(known.cpu);
    if (!regime.enabled || regime.el !== known.regime || regime.stage2 !== null) return;
    const hi = Number(known.va >> 32n), lo = Number(known.va & 0xffff_ffffn);
    const { steps } = walk(this.subject.bus, regime, hi, lo);
    const now = steps.map((step) => ({
      level: step.level,
      address: step.address,
      descriptor: wide(step.hi, step.lo),
    }));
    this.#compare(known, now, at);
  }

  /** Reports the first descriptor that both walks read and that was changed without a break. */
  #compare({ steps }: KnownWalk, now: readonly DescriptorRead[], at: EventBase): void {
    for (const [i, { address, level, descriptor }] of now.entries()) {
      const before = steps[i];
      if (before?.address !== address) return;
      if (before.descriptor === descriptor) continue;
      if (needsBreak(before.descriptor, descriptor, level)) {
        this.report("break-before-make", BigInt(address), at);
      }
      return;
    }
  }
}

/** Whether a descriptor may become another one only by way of an invalid one. */
export function needsBreak(before: bigint, after: bigint, level: number): boolean {
  if (!(before & after & VALID)) return false;
  const changed = before ^ after;
  if (level < 3 && changed & TABLE) return true;
  const isTable = level < 3 && (after & TABLE) !== 0n;
  return (changed & (isTable ? ADDRESS : NEEDS_BREAK)) !== 0n;
}

/** @param asid -1 for all */
function keyOf(regime: number, asid: number, va: bigint, sizeLog2: number): string {
  return `${regime} ${asid} ${va >> BigInt(sizeLog2)} ${sizeLog2}`;
}
