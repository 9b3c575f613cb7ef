import type { BoardFirmware } from "../board_firmware.ts";
import { clearStep } from "./debug_unit.ts";
import { encodeSyndrome } from "../../mmu/fault.ts";
import { ACCESS_EXECUTE } from "../../mmu/permissions.ts";
import type { Engine } from "../engine/engine.ts";
import { CAUSE } from "../engine/reasons.ts";
import {
  EC,
  enterException,
  esrOf,
  type Exception,
  returnFromException,
  targetOf,
} from "./exception.ts";
import { instructionSyndrome } from "./instruction_syndrome.ts";
import { findRow, isAllocated } from "../isa/decode_tree.ts";
import { isSupported, type TableRow } from "../isa/table.ts";
import type { LoopDetector } from "../loop_detector.ts";
import type { EndReason } from "../machine_options.ts";
import type { MemoryAccess } from "../memory/memory_access.ts";
import { FP_PROBE, type Processor } from "../processor.ts";
import { callTarget, debugTarget, FIRMWARE, type PsciConduit } from "./privileged_calls.ts";
import { SLOT } from "../state.ts";
import type { StormDetector } from "../storm_detector.ts";

/**
 * Turns what the engine could not go on with into exceptions, enters them and returns from them,
 * and judges after each whether the guest will ever get anywhere.
 */

/** The machine as exceptions need it. */
export interface ExceptionHost {
  readonly engine: Engine;
  readonly processor: Processor;
  readonly access: MemoryAccess;
  readonly position: number;
  readonly retired: number;
  readonly pc: bigint;
  readonly ended: EndReason | null;
  /** Exception entries that retired nothing. */
  entries: number;
  /** Position of the fault that an end is explained by. */
  firstFault: number;
  /** The next instruction is at SLOT.pc. */
  resume(): void;
  end(reason: EndReason): void;
  /** The instruction that calls the board's firmware. */
  readonly conduit: PsciConduit;
  /** A semihosting call: answers it, or gives false if there is no semihosting. */
  semihostingCall(): boolean;
  /** Answers such a call. */
  readonly firmware: BoardFirmware;
}

/** Immediate of the HLT that is a semihosting call. */
const SEMIHOSTING = 0xf000;
/** ISS of an FP/SIMD trap: CV = 1, COND = always. */
const FP_TRAP_ISS = 0x1e0_0000;

/** See the top of this file. */
export class ExceptionUnit {
  /** Where the series of exceptions began between which nothing retired. */
  #series = { retired: -1, position: -1 };

  constructor(
    readonly host: ExceptionHost,
    readonly storm: StormDetector,
    readonly loop: LoopDetector,
  ) {}

  /** SVC, HVC, SMC, BRK, HLT, UNDEFINED and the traps that generated code finds by itself. */
  requested(): void {
    const { engine } = this.host;
    const { state } = engine;
    const argument = state.get32(SLOT.scratch + 8) & 0xffff;
    const { pc } = this.host;
    switch (state.get32(SLOT.scratch)) {
      case CAUSE.svc:
        return this.#retireAndTake(pc, { esr: esrOf(EC.svc, argument) });
      case CAUSE.hvc:
        return this.#call(EC.hvc, pc, argument);
      case CAUSE.smc:
        return this.#call(EC.smc, pc, argument);
      case CAUSE.brk:
        return this.take({
          type: "sync",
          esr: esrOf(EC.brk, argument),
          elr: pc,
          target: debugTarget(this.host.processor),
        });
      case CAUSE.hlt:
        // The reference answers from EL1 up.
        if (argument !== SEMIHOSTING || state.el === 0) return this.#undefined();
        return this.host.semihostingCall() ? undefined : this.#undefined();
      case CAUSE.spAlignment:
        return this.#spAlignment(pc);
      case CAUSE.fpTrapped:
        return this.#fpTrap();
      default:
        return this.#undefined();
    }
  }

  /** HVC or SMC: the board's firmware, EL2 or EL3, or UNDEFINED. */
  #call(ec: typeof EC.hvc | typeof EC.smc, pc: bigint, argument: number): void {
    const target = callTarget(this.host.processor, ec, this.host.conduit);
    if (target === undefined) return this.#undefined();
    if (target === FIRMWARE) return this.host.firmware.call();
    const esr = esrOf(ec, argument);
    // SMC that EL2 traps has not been executed: it is the preferred return address.
    if (ec === EC.smc && target === 2) return this.take({ type: "sync", esr, elr: pc, target });
    this.#retireAndTake(pc, { esr, target });
  }

  #fpTrap(): void {
    const { engine } = this.host;
    const target = engine.state.get32(SLOT.fpTrap);
    if (target === FP_PROBE) return this.host.processor.fpProbed();
    const esr = esrOf(EC.fpTrapped, FP_TRAP_ISS);
    this.take({ type: "sync", esr, elr: engine.pc, target });
  }

  /**
   * An access through a misaligned SP. The reference never checks: unless strict, the access is
   * reported and made, and those that follow it until the next exception are not looked at.
   */
  #spAlignment(pc: bigint): void {
    const { processor, engine } = this.host;
    const { state } = engine;
    if (!processor.host.strict) {
      processor.hazard("unaligned-sp", state.sp);
      state.set32(SLOT.spAlignMask, 0);
      return;
    }
    const { esr } = encodeSyndrome(
      { kind: "sp-alignment" },
      { access: 0, fromEl: state.el, toEl: Math.max(1, state.el) },
    );
    this.take({ type: "sync", esr: BigInt(esr), elr: pc });
  }

  /** An encoding that is UNDEFINED here; what the table knows of it is reported. */
  #undefined(): void {
    const { engine } = this.host;
    const { word } = engine;
    const row = findRow(word);
    const reason = row && reasonOf(row, word);
    if (row && reason !== undefined) {
      const text = `${row.name}: ${reason}`;
      this.host.processor.emit({ kind: "unknown", ...this.host.processor.here(), word, text });
    }
    this.take({ type: "sync", esr: esrOf(EC.unknown, 0), elr: engine.pc });
  }

  /** A call-out refused: a trapped or UNDEFINED system instruction, or a fault of DC ZVA. */
  trapped(): void {
    const { trap } = this.host.processor;
    if (!trap) return this.takeFault();
    this.host.processor.trap = undefined;
    const { ec, iss, ...rest } = trap;
    this.take({ type: "sync", esr: esrOf(ec, iss), elr: this.host.engine.pc, ...rest });
  }

  takeFault(): void {
    const { pending, hit } = this.host.access;
    if (hit) {
      this.host.access.hit = undefined;
      return this.take({ type: "sync", elr: this.host.pc, ...hit });
    }
    if (!pending) throw new Error("the engine reports a fault that nobody raised");
    this.host.access.pending = undefined;
    const { fault, access, address } = pending;
    const { processor, engine } = this.host;
    const { state } = engine;
    const routed = fault.kind === "stage2" ? 2 : undefined;
    const toEl = targetOf(state, processor.levels, { target: routed });
    const fetch = fault.kind === "pc-alignment" || access === ACCESS_EXECUTE;
    const { esr, farValid } = encodeSyndrome(fault, {
      access,
      fromEl: state.el,
      toEl,
      // The reference gives none where HCR_EL2.TGE brought an exception of EL1 here.
      ...(toEl === 2 && !fetch && (routed === 2 || state.el === 2)
        ? { instruction: instructionSyndrome(engine.word) }
        : {}),
    });
    this.take({
      type: "sync",
      esr: BigInt(esr),
      elr: fetch ? state.pc : this.host.pc,
      target: toEl,
      ...(farValid ? { far: address } : {}),
      ...(fault.kind === "stage2" ? { hpfar: processor.faultingIpa(fault.ipa) } : {}),
    });
  }

  /** SVC, HVC, SMC: the instruction retires and traps in one step. */
  #retireAndTake(pc: bigint, what: { esr: bigint; target?: number }): void {
    const { position } = this.host;
    // The call has been executed: a software step of it is done.
    clearStep(this.host.processor);
    const { state } = this.host.engine;
    const { btype } = state;
    this.host.engine.retire();
    // SPSR may have it or 0; on the reference it has it.
    state.btype = btype;
    const exception = { type: "sync", ...what, elr: this.host.pc } as const;
    this.#enter(exception, { position, pc, retires: true });
  }

  /** An exception entry that retires nothing: a step of its own. */
  take(exception: Exception): void {
    const { position } = this.host;
    this.host.engine.cut();
    this.host.engine.noteEntry();
    this.host.entries++;
    this.#enter(exception, { position, pc: exception.elr, retires: false });
    if (this.host.ended || exception.type !== "sync") return;
    this.#judge(exception, position);
  }

  #enter(exception: Exception, at: { position: number; pc: bigint; retires: boolean }): void {
    const { engine, processor: { levels, model } } = this.host;
    this.host.processor.levelWillChange();
    const entry = enterException(engine.state, levels, exception, model.pstate);
    const { type, elr, far = 0n } = exception;
    const { position, pc, retires } = at;
    const { fromEl, toEl, vector, spsr, esr } = entry;
    const { processor } = this.host;
    if (processor.wants("exception")) {
      const { cpu } = processor;
      const routing = { fromEl, toEl, vector };
      const saved = { esr, far, elr, spsr };
      processor.emit({ kind: "exception", position, cpu, pc, type, retires, ...routing, ...saved });
    }
    processor.refresh();
    this.host.resume();
  }

  /** Whether the exception just entered shows that the guest will never get anywhere. */
  #judge({ esr, far, elr }: Exception, position: number): void {
    const ec = Number(esr >> 26n) & 0x3f;
    if (ec === EC.brk) return;
    if (this.storm.fault({ position, ec, far, elr }, this.host.retired)) {
      this.host.firstFault = this.storm.firstFault;
      return this.host.end("fault-storm");
    }
    if (this.#series.retired !== this.host.retired) {
      this.#series = { retired: this.host.retired, position };
    }
    if (!this.loop.entry()) return;
    this.host.firstFault = this.#series.position;
    this.host.end("loop");
  }

  exceptionReturn(): void {
    const { engine } = this.host;
    const fromEl = engine.state.el;
    if (fromEl === 0) return this.#undefined();
    const here = this.host.processor.here();
    engine.retire();
    const { processor } = this.host;
    processor.levelWillChange();
    const outcome = returnFromException(
      engine.state,
      processor.levels,
      processor.model.pstate,
      (toEl, spsr) => processor.stepsAfterReturn(toEl, spsr),
    );
    if (processor.returnAddress !== undefined) {
      engine.state.pc = outcome.elr = processor.returnAddress;
      processor.returnAddress = undefined;
    }
    const { position, cpu, pc } = here;
    const { toEl, elr, spsr, illegal } = outcome;
    if (processor.wants("eret")) {
      processor.emit({ kind: "eret", position, cpu, pc, fromEl, toEl, elr, spsr, illegal });
    }
    this.storm.exceptionReturn(outcome.elr, this.host.retired);
    this.host.processor.refresh();
    this.host.resume();
  }
}

/** Why a word that the table knows is UNDEFINED all the same. */
function reasonOf(row: TableRow, word: number): string | undefined {
  if (!isSupported(row)) return row.reason;
  if (row.feature === undefined || !isAllocated(row, word)) return undefined;
  return `the processor does not have ${row.feature}`;
}
