import { encodeSyndrome } from "../mmu/fault.ts";
import { addressTranslation } from "../mmu/par.ts";
import { ACCESS_READ, ACCESS_WRITE } from "../mmu/permissions.ts";
import { dropsStaleEntries, REGIME_EL2, REGIME_EL20, REGIME_EL3 } from "../mmu/regime.ts";
import { ANY_ASID, Tlb, TLB_WORDS } from "../mmu/tlb.ts";
import { canonical } from "../mmu/tlb_format.ts";
import { Translation } from "../mmu/translate.ts";
import type { CpuModel } from "./cpu_models.ts";
import type { Clock } from "./devices/device.ts";
import type { GicV3CpuInterface } from "./devices/gic_v3.ts";
import type { GenericTimer } from "./devices/generic_timer.ts";
import { LAYOUT } from "./engine/layout.ts";
import type { LookupCaches } from "./engine/lookup.ts";
import { stepsAfterReturn } from "./exceptions/debug_unit.ts";
import { descriptorBus } from "./memory/memory_access.ts";
import type { HazardName, MachineEvent, Observer } from "./observer.ts";
import {
  defaultTarget,
  effectiveHcr,
  type ExceptionLevels,
  HCR,
  isEl2Enabled,
  isInHost,
  isSecure,
  regimeLevel,
} from "./privilege.ts";
import { fillEvent } from "./memory/fill_context.ts";
import { fpcrBits, PSTATE } from "./pstate.ts";
import type { ProcessorHost } from "./processor_host.ts";
import { type CpuState, SLOT } from "./state.ts";
import type {
  AddressTranslation,
  SystemContext,
  SystemException,
  TlbInvalidation,
} from "./system/system_context.ts";
import { slotOf } from "./system/sysregs.ts";
import { dropTranslations } from "./system/tlb_maintenance.ts";
import { TranslationRegimes } from "./memory/translation_regimes.ts";
import { fpTrapTarget, zeroBlockTrap } from "./system/system_traps.ts";
import { isWatching } from "./exceptions/watchpoints.ts";
import { wide } from "./wide.ts";

/**
 * One CPU as the system instructions see it: translation regime, modelled TLB, traps, time.
 *
 * What generated code reads of this (lookup caches, FP trap, SP alignment mask) is derived here and
 * in one place, {@linkcode Processor.refresh}, whenever a register that decides it changes.
 */

const SCTLR = ["SCTLR_EL1", "SCTLR_EL1", "SCTLR_EL2", "SCTLR_EL3"].map(slotOf);
const SCTLR_A = 2n, SCTLR_SA = 8, SCTLR_SA0 = 0x10, SCTLR_E0E = 1 << 24, SCTLR_EE = 1 << 25;
/** See `lookupBank`. */
const PAN_BANK = 3;

/**
 * In place of the EL that FP and SIMD instructions are trapped to: they are not, but the next one
 * is to be seen. It is never saved: whatever derives the trap anew forgets it.
 */
export const FP_PROBE = 0x80;

/** See the top of this file. */
export class Processor implements SystemContext {
  readonly cpu: number;
  readonly cpuCount: number;
  readonly levels: ExceptionLevels;
  readonly model: CpuModel;
  readonly strict: boolean;
  readonly state: CpuState;
  readonly tlb: Tlb;
  readonly translation: Translation;
  /** The exception that a call-out asked for, after it answered `ANSWER.exception`. */
  trap: SystemException | undefined;
  /** The next instruction must be fetched through a regime that has just changed. */
  refetch = false;
  /** Data is big-endian (SCTLR_ELx.EE, at EL0 E0E). */
  bigEndian = false;
  /** A hardware watchpoint is on: every access to data asks. */
  watching = false;
  /** Where the exception return in hand goes, in place of ELR. */
  returnAddress: bigint | undefined;
  /** WFI was executed and nothing woke it yet. */
  waiting = false;
  /** WFE or YIELD was executed: another CPU may go on. */
  yielding = false;
  /** The event register: SEV was executed, and no WFE since. */
  event = false;
  /** Where generated code finds what this CPU's translations are derived to. */
  readonly #lookup: LookupCaches;
  readonly #regimes: TranslationRegimes;
  /** SCTLR of the current EL. */
  control = 0n;
  /** EE and E0E of {@linkcode control}. */
  #endianness = 0;
  /** The EL whose translations stand in the lookup cache for PAN. */
  #panLevel = 1;

  constructor(readonly host: ProcessorHost) {
    const { engine, memory } = host;
    this.cpu = host.cpu;
    this.cpuCount = host.cpuCount;
    this.levels = host.levels;
    this.model = host.model;
    this.strict = host.strict;
    this.state = engine.states[host.cpu];
    this.state.set32(SLOT.fpcrBits, fpcrBits(host.model.features));
    const lookup = this.#lookup = engine.lookups[host.cpu];
    const words = host.cpu === 0
      ? new Uint32Array(engine.memory, LAYOUT.tlb, TLB_WORDS)
      : new Uint32Array(TLB_WORDS);
    this.#regimes = new TranslationRegimes(this.state, host.levels, host.model.mmu);
    this.tlb = new Tlb(words, {
      onEvict: (_hi, lo, sizeLog2) => lookup.dropRange(lo, sizeLog2),
      onEvictAll: () => lookup.flush(),
    });
    this.translation = new Translation({
      bus: descriptorBus(memory, host.board.bus, host.spaces),
      tlb: this.tlb,
      regime: this.#regimes.of(1),
      listener: {
        onFill: (fill) => {
          if (!this.wants("tlb-fill")) return;
          this.emit(fillEvent(fill, this.translation.secure, this.here()));
        },
        onStale: (hi, lo) => this.hazard("stale-translation", wide(hi, lo)),
      },
      strict: host.strict,
    });
  }

  get clock(): Clock {
    return this.host.clock;
  }
  /** The exception level is about to change, between two instructions. */
  levelWillChange(): void {
    this.host.board.levelWillChange(this.cpu);
  }
  get timer(): GenericTimer {
    return this.host.board.timers[this.cpu];
  }
  get gic(): GicV3CpuInterface | undefined {
    return this.host.board.gicInterfaces[this.cpu];
  }
  get observer(): Observer {
    return this.host.observer;
  }
  get position(): number {
    return this.host.position();
  }
  get retired(): number {
    return this.host.retired();
  }
  get pc(): bigint {
    return this.host.pc();
  }
  get word(): number {
    return this.host.engine.word;
  }
  get pendingInterrupts(): number {
    return this.host.board.interruptsOf(this.cpu);
  }
  get virtualInterrupts(): number {
    const { state, levels } = this;
    const board = this.host.board.virtualInterruptsOf(this.cpu);
    if (!isEl2Enabled(state, levels)) return 0;
    const hcr = Number(effectiveHcr(state, levels) & (HCR.VI | HCR.VF | HCR.VSE));
    return board | hcr;
  }
  /** SCTLR_ELx.A. */
  get alignmentChecked(): boolean {
    return (this.control & SCTLR_A) !== 0n;
  }

  /** Whether the TLB says of an address that its page is guarded (FEAT_BTI). */
  isGuarded(address: bigint): boolean {
    const { tag, asid, guardedPages } = this.translation.regime;
    if (!guardedPages) return false;
    const hi = canonical(Number(address >> 32n)), lo = Number(address & 0xffff_ffffn);
    const entry = this.tlb.lookup(tag, asid, hi, lo);
    return entry >= 0 && this.tlb.guardedOf(entry);
  }

  /** Derives everything anew from the registers: after a reset, a restore or a change of EL. */
  refresh(): void {
    const { state } = this;
    const lookup = this.#lookup;
    const { el } = state;
    const keptOff = el === 1 || (el === 2 && isInHost(state, this.levels, 2));
    this.#setPan(keptOff && (state.get32(SLOT.ilss) & PSTATE.PAN) !== 0, el);
    state.set32(SLOT.dataLookup, lookup.data(this.lookupBank(el)));
    state.set32(SLOT.dataLookupEl0, lookup.data(this.lookupBank(this.unprivilegedEl)));
    state.set32(SLOT.fetchLookup, lookup.fetch(el));
    this.translation.regime = this.#regimes.of(el);
    const control = SCTLR[regimeLevel(state, this.levels, el)];
    this.control = state.get64(control);
    const checked = state.get32(control) & (el === 0 ? SCTLR_SA0 : SCTLR_SA);
    state.set32(SLOT.spAlignMask, checked ? 15 : 0);
    this.#endianness = state.get32(control) & (SCTLR_EE | SCTLR_E0E);
    this.bigEndian = (this.#endianness & (el === 0 ? SCTLR_E0E : SCTLR_EE)) !== 0;
    this.trapsChanged();
    if (this.levels.el3) {
      this.host.board.securityChanged(this.cpu, isSecure(state, this.levels), el === 3);
    }
  }

  /**
   * Whether accesses with the permissions of an EL are little-endian wherever they come from: those
   * of EL0 also from EL1. Only then its lookup cache may be filled.
   */
  littleEndian(el: number): boolean {
    return (this.#endianness & (el === 0 ? SCTLR_EE | SCTLR_E0E : SCTLR_EE)) === 0;
  }

  /** PSTATE.PAN as it applies: EL1 and a host's EL2 do not touch what EL0 may. */
  #setPan(pan: boolean, el: number): void {
    const shared = pan && this.#panLevel !== el;
    if (shared) this.#panLevel = el;
    if (pan === this.translation.pan && !shared) return;
    this.translation.pan = pan;
    if (this.levels.el3 || shared) this.#lookup.flush();
  }

  /**
   * Which lookup cache the data accesses of an EL use: EL1 or EL2 has one for the time while PAN is
   * set, that of EL3; where that is in use, changes of PAN empty all of them.
   */
  lookupBank(el: number): number {
    return el !== 0 && this.translation.pan && !this.levels.el3 ? PAN_BANK : el;
  }

  /** The EL whose permissions LDTR and its like have: at EL2, but for a host's, and EL3 they are ordinary. */
  get unprivilegedEl(): number {
    const { state, levels } = this;
    if (state.get32(SLOT.ilss) & PSTATE.UAO) return state.el;
    return state.el < 2 || (state.el === 2 && isInHost(state, levels, 0)) ? 0 : state.el;
  }

  rightsChanged(): void {
    this.refresh();
  }

  /** Takes the regime from the registers without dropping translations: after a restore. */
  reloadRegime(): void {
    this.#regimes.reload();
    this.#lookup.flush();
    this.refresh();
  }

  regimeChanged(dropStale: boolean): void {
    this.host.hazards?.regimeWritten(this.cpu);
    const before = this.#regimes.registers;
    this.reloadRegime();
    if (dropStale || dropsStaleEntries(before, this.#regimes.registers)) {
      this.tlb.invalidateAll(this.#regimes.el1.tag);
    }
    this.refetch = true;
  }

  privilegedRegimeChanged(drop: "nothing" | "el1" | "host" | "all"): void {
    this.host.hazards?.regimeWritten(this.cpu);
    const { tag } = this.#regimes.el1;
    this.reloadRegime();
    if (drop === "all") this.tlb.clear();
    if (drop === "host") this.tlb.invalidateAll(REGIME_EL20);
    if (drop === "el1") {
      this.tlb.invalidateAll(tag, true);
      this.tlb.invalidateAll(this.#regimes.el1.tag, true);
    }
    this.refetch = true;
  }

  trapsChanged(): void {
    this.state.set32(SLOT.fpTrap, fpTrapTarget(this));
    this.state.set32(SLOT.zeroBlocks, zeroBlockTrap(this) === 0 ? 1 : 0);
    const watching = isWatching(this);
    if (watching && !this.watching) this.#lookup.flush();
    this.watching = watching;
  }

  /** HPFAR_EL2 for a fault of stage 2: FIPA[47:12] from bit 4. */
  faultingIpa(ipa: number): bigint {
    return (BigInt(ipa) >> 12n) << 4n;
  }

  invalidateTlb(invalidation: TlbInvalidation): void {
    const { broadcast } = invalidation;
    const { tag, asidMask } = this.#invalidatedRegime(invalidation);
    if (!this.#isRangeOfGranule(invalidation)) return;
    // The reference's TLB has no ASIDs, so its TLBI by ASID drops those of all: the default follows.
    const asid = this.host.strict ? invalidation.asid & asidMask : ANY_ASID;
    // The page being executed may be among those dropped. Other CPUs fetch theirs at their next turn.
    this.refetch = true;
    const forced = this.state.el === 1 && (effectiveHcr(this.state, this.levels) & HCR.FB) !== 0n;
    const all = broadcast || (forced && isEl2Enabled(this.state, this.levels));
    const names = { tag, asid, strict: this.host.strict };
    if (!all || this.cpuCount === 1) return this.#drop(invalidation, names);
    for (const processor of this.host.all()) processor.#drop(invalidation, names);
  }

  #drop(
    what: TlbInvalidation,
    names: { readonly tag: number; readonly asid: number; readonly strict: boolean },
  ): void {
    dropTranslations(this.tlb, what, names);
    // TLBI ALLE2 is of both regimes of EL2.
    if (what.regime === 2 && what.scope === "all") {
      const tag = names.tag ^ REGIME_EL2 ^ REGIME_EL20;
      dropTranslations(this.tlb, what, { ...names, tag });
    }
  }

  /** Whether a TLBI by range names the granule in use; the reference ignores others. */
  #isRangeOfGranule({ regime, inHost, range, va }: TlbInvalidation): boolean {
    if (range === undefined) return true;
    const { ranges } = this.#regimes.of(regime === 1 && inHost ? 0 : regime);
    return (ranges[Number(va >> 55n & 1n)] ?? ranges[0]).granuleLog2 === range.granuleLog2;
  }

  /** The regime that a TLBI names at this moment: in a host, those of EL1 mean EL2&0. */
  #invalidatedRegime({ regime, inHost }: TlbInvalidation): { tag: number; asidMask: number } {
    if (regime === 3) return { tag: REGIME_EL3, asidMask: 0 };
    if (regime === 2) return this.#regimes.of(2);
    return this.#regimes.of(inHost ? 0 : 1);
  }

  /** Caches are not modelled; but what was maintained is not reported when it is executed. */
  maintainCache(operation: string, address: bigint): void {
    const { records } = this.host.engine;
    if (operation === "IC IVAU") records.maintained(Number(address & 0xfffn));
    else if (operation.startsWith("IC")) records.maintained();
  }

  translateAddress(
    { va, el, write, bothStages, pan = false }: AddressTranslation,
  ): bigint | SystemException {
    const { state, levels } = this;
    const hi = Number(va >> 32n), lo = Number(va & 0xffff_ffffn);
    const access = write ? ACCESS_WRITE : ACCESS_READ;
    // In a host the instructions for EL1 mean EL2&0.
    const level = el === 1 && isInHost(state, levels, 0) ? 2 : el;
    const regime = this.#regimes.of(level);
    const bus = descriptorBus(this.host.memory, this.host.board.bus, this.host.spaces);
    const fromEl = state.el;
    const stages = bothStages ? "both" : "first";
    const outcome = addressTranslation(bus, regime, {
      ...{ hi, lo, access, el: level, fromEl, stages },
      pan: pan && (state.get32(SLOT.ilss) & PSTATE.PAN) !== 0,
    });
    if ("par" in outcome) return outcome.par;
    const { abort } = outcome;
    const stage2 = abort.kind === "stage2";
    const toEl = stage2 ? Math.max(2, fromEl) : defaultTarget(state, levels);
    const { esr } = encodeSyndrome(abort, { access, fromEl, toEl, maintenance: true });
    return {
      ec: esr >>> 26,
      iss: esr & 0x1ff_ffff,
      far: va,
      target: toEl,
      ...(stage2 && fromEl === 1 ? { hpfar: this.faultingIpa(abort.ipa) } : {}),
    };
  }

  /** Whether an exception return starts a software step, so that PSTATE.SS is as saved. */
  stepsAfterReturn(toEl: number, spsr: bigint): boolean {
    return stepsAfterReturn(this, toEl, spsr);
  }

  /** Reports what the reference lets pass. */
  hazard(hazard: HazardName, address: bigint): void {
    this.host.hazards?.report(hazard, address, this.here());
  }

  /** An instruction has just ended the trap of FP and SIMD: whoever looks for hazards watches the next. */
  fpEnabled(): void {
    if (!this.host.hazards) return;
    this.host.hazards.fpEnabled(this.cpu);
    this.state.set32(SLOT.fpTrap, FP_PROBE);
  }

  /** The probe for an FP or SIMD instruction was met: there is no trap. */
  fpProbed(): void {
    this.state.set32(SLOT.fpTrap, 0);
    this.host.hazards?.fpUsed(this.here());
  }

  /** Fields that every event of the instruction in hand has. */
  here(): { position: number; cpu: number; pc: bigint } {
    return { position: this.position, cpu: this.cpu, pc: this.pc };
  }

  /** Whether the observer would do anything with an event of a kind. */
  wants(kind: MachineEvent["kind"]): boolean {
    return this.observer.wants?.(kind) ?? true;
  }

  /** Hands an event to the observer. */
  emit(event: MachineEvent): void {
    this.observer.event(event);
  }
}
