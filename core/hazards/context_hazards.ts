/**
 * `sysreg-without-isb`: a register that was written takes effect with the next context
 * synchronization event — ISB, exception entry, exception return (Arm ARM D8.1.2, K13) — and until
 * then at any moment. The reference lets it take effect at once.
 *
 * A use in between is reported where it comes out differently under the old value: a TLB fill whose
 * address goes elsewhere or faults, an exception through another vector base, an FP or SIMD
 * instruction that was trapped. A use that both values serve alike, as the instructions between the
 * MSR and the ISB in identity-mapped code, is none.
 */

import { type Access, ACCESS_NAMES } from "../../mmu/permissions.ts";
import type { Regime } from "../../mmu/regime.ts";
import { Translation } from "../../mmu/translate.ts";
import type { EventBase, ExceptionEvent, MachineEvent, TlbFillEvent } from "../observer.ts";
import type { HazardSubject, Report } from "./hazard_detector.ts";

/** What was in effect at a CPU's last context synchronization, of what was written since. */
interface Unsynchronized {
  regime: Regime | null;
  /** VBAR_ELx by EL. */
  vectors: (bigint | null)[];
  fpTrapped: boolean;
}

const VECTOR_BASE = "VBAR_EL";
/** Bytes of a vector table. */
const VECTOR_MASK = ~0x7ffn;

/** See the top of this file. */
export class ContextHazards {
  readonly #pending = new Map<number, Unsynchronized>();

  constructor(readonly subject: HazardSubject, readonly report: Report) {}

  /** See {@linkcode Observer.wants}. */
  wants(kind: MachineEvent["kind"], name?: string): boolean {
    if (kind === "sysreg") return name?.startsWith(VECTOR_BASE) ?? true;
    if (this.#pending.size === 0) return false;
    if (kind === "barrier") return name === undefined || name === "ISB";
    return kind === "tlb-fill" || kind === "exception" || kind === "eret" || kind === "reset";
  }

  event(event: MachineEvent): void {
    // Most events come while nothing is pending, and only a write to a register can change that.
    if (this.#pending.size === 0 && event.kind !== "sysreg") return;
    switch (event.kind) {
      case "sysreg": {
        if (!event.register.startsWith(VECTOR_BASE)) return;
        this.#of(event.cpu).vectors[Number(event.register.at(-1))] ??= event.old;
        return;
      }
      case "tlb-fill":
        return this.#filled(event);
      case "barrier":
        if (event.operation === "ISB") this.#pending.delete(event.cpu);
        return;
      case "exception":
        this.#entered(event);
        this.#pending.delete(event.cpu);
        return;
      case "eret":
      case "reset":
        this.#pending.delete(event.cpu);
    }
  }

  /** A register of the regime in use is about to be written. */
  regimeWritten(cpu: number): void {
    this.#of(cpu).regime ??= this.subject.translationOf(cpu).regime;
  }

  /** FP and SIMD are not trapped any more. */
  fpEnabled(cpu: number): void {
    this.#of(cpu).fpTrapped = true;
  }

  /** An FP or SIMD instruction is about to be executed. */
  fpUsed(at: EventBase): void {
    const pending = this.#pending.get(at.cpu);
    if (!pending?.fpTrapped) return;
    pending.fpTrapped = false;
    this.report("sysreg-without-isb", at.pc, at);
  }

  #of(cpu: number): Unsynchronized {
    let pending = this.#pending.get(cpu);
    if (!pending) {
      pending = { regime: null, vectors: [null, null, null, null], fpTrapped: false };
      this.#pending.set(cpu, pending);
      this.subject.barrierWanted("ISB");
    }
    return pending;
  }

  #filled(event: TlbFillEvent): void {
    const old = this.#pending.get(event.cpu)?.regime;
    if (!old) return;
    const now = this.subject.translationOf(event.cpu);
    if (old === now.regime) return;
    const before = new Translation({ bus: this.subject.bus, tlb: null, regime: old });
    before.pan = now.pan;
    const hi = Number(event.va >> 32n), lo = Number(event.va & 0xffff_ffffn);
    const access = ACCESS_NAMES.indexOf(event.access) as Access;
    const same = before.translate(hi, lo, access, this.subject.levelOf(event.cpu)) &&
      before.pa === event.pa;
    if (!same) this.report("sysreg-without-isb", event.va, event);
  }

  #entered(event: ExceptionEvent): void {
    const old = this.#pending.get(event.cpu)?.vectors[event.toEl] ?? null;
    if (old === null || old === (event.vector & VECTOR_MASK)) return;
    this.report("sysreg-without-isb", event.vector, event);
  }
}
