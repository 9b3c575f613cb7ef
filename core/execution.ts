import {
  breakpointException,
  completeStep,
  type DebugException,
  isStepping,
  mayStep,
  stepException,
} from "./exceptions/debug_unit.ts";
import type { Engine } from "./engine/engine.ts";
import { EXIT } from "./engine/reasons.ts";
import { EC, esrOf } from "./exceptions/exception.ts";
import type { ExceptionUnit } from "./exceptions/exception_unit.ts";
import { acceptVirtualError, chooseInterrupt } from "./exceptions/interrupt_routing.ts";
import { KnownAddresses } from "./known_addresses.ts";
import type { Difference, LoopDetector } from "./loop_detector.ts";
import type { EndReason } from "./machine_options.ts";
import type { MemoryAccess } from "./memory/memory_access.ts";
import type { GuestMemory } from "./memory/memory.ts";
import type { Processor } from "./processor.ts";
import type { RomWindow } from "./memory/rom_window.ts";
import { misplacedLanding } from "./exceptions/branch_targets.ts";
import { SLOT } from "./state.ts";
import type { Turns } from "./turns.ts";

/**
 * Runs the CPU in turn for a stretch, and decides what the engine could not go on with.
 *
 * The next instruction is either still to be fetched, at SLOT.pc, or it is the one at the engine's
 * record.
 */

/** The machine as a stretch of execution needs it. */
export interface ExecutionHost {
  readonly engine: Engine;
  /** Of the CPU in turn; so are the next two. */
  readonly processor: Processor;
  readonly access: MemoryAccess;
  readonly exceptions: ExceptionUnit;
  readonly turns: Turns;
  readonly loop: LoopDetector;
  readonly memory: GuestMemory;
  readonly rom: RomWindow;
  /** Steps so far. */
  readonly position: number;
  /** The CPU in turn waits for an interrupt. */
  wait(): void;
  /** Its turn is over. */
  giveWay(): void;
  end(reason: EndReason): void;
}

const PSTATE_IL = 0x10_0000;

/** See the top of this file. */
export class Execution {
  /** The next instruction is at SLOT.pc and has not been fetched yet. */
  #entering = true;
  readonly #addresses = new KnownAddresses();
  /** It was tried, and the fault is to be taken. */
  #fetchFailed = false;
  /** Record where the loop detector's checkpoint was taken. */
  #probe = 0;
  /** What the probe waits for, while it is planted. */
  #difference: Difference | null = null;
  /** Position from which it is watched. */
  #probeFrom = 0;

  constructor(readonly host: ExecutionHost) {}

  /** Address of the next instruction. */
  get pc(): bigint {
    const { engine, access } = this.host;
    return this.#entering || access.fetching ? engine.state.pc : this.#addresses.of(engine);
  }

  /** Position, behind the present one, at which to stop and look again: where the probe is planted, or a checkpoint taken. */
  nextStop(position: number): number {
    const { turns, loop } = this.host;
    if (this.#probeFrom > position) return this.#probeFrom;
    // With several CPUs checkpoints are where turns begin.
    return turns.several ? Infinity : loop.nextPosition;
  }

  /** The next instruction is at SLOT.pc, to be fetched when execution goes on. */
  resume(): void {
    this.host.processor.refetch = false;
    this.#entering = true;
    this.#fetchFailed = false;
  }

  /**
   * Physical address of the page that the next instruction was fetched from; null where it is
   * still to be fetched.
   */
  get fetchedFrom(): number | null {
    const { engine, memory, rom } = this.host;
    if (this.#entering || engine.atPageEnd) return null;
    const { host } = engine.records.locate(engine.state.get32(SLOT.record));
    return rom.physicalPage(host) ?? host - engine.layout.guest + memory.base;
  }

  /** The next instruction, at SLOT.pc, was fetched from the physical page at an address. */
  fetched(address: number): void {
    const { engine, processor } = this.host;
    engine.enterAt(this.#hostPage(address), processor.isGuarded(engine.state.pc));
    this.#entering = false;
  }

  /** Engine address of a page that code was fetched from. */
  #hostPage(address: number): number {
    const { engine, memory, rom } = this.host;
    if (memory.contains(address)) return address - memory.base + engine.layout.guest;
    const page = rom.hostPage(address);
    if (page === undefined) throw new RangeError(`nothing executable at 0x${address.toString(16)}`);
    return page;
  }

  /** Takes an interrupt that waits and is not masked. Gives true if it did. */
  interrupted(): boolean {
    const { processor, engine, exceptions } = this.host;
    const chosen = chooseInterrupt(processor);
    if (!chosen) return false;
    const { type, target, virtualError } = chosen;
    const esr = virtualError ? acceptVirtualError(engine.state) : 0n;
    exceptions.take({ type, esr, elr: this.pc, target });
    return true;
  }

  /** One step with software step or breakpoints on. */
  debugged(): void {
    const { processor, engine, exceptions } = this.host;
    const take = (debug: DebugException) =>
      exceptions.take({ type: "sync", elr: this.pc, ...debug });
    const stepping = isStepping(processor);
    if (stepping && !mayStep(processor)) return take(stepException(processor));
    const { retired } = engine;
    const { pc } = this;
    const hit = breakpointException(processor, pc);
    if (hit) return take(hit);
    this.step(1);
    if (!stepping || engine.retired === retired || !mayStep(processor)) return;
    const straight = !this.#entering && this.pc === pc + 4n;
    const last = engine.state.get32(SLOT.record) - 16;
    completeStep(processor, straight ? engine.records.wordAt(last) : undefined);
  }

  /** Retires at most `limit` instructions, or takes an exception. `position` is the present one. */
  step(limit: number, position: number = this.host.position): void {
    const { host } = this;
    const { engine, turns, exceptions } = host;
    if (this.#entering) {
      this.#entering = this.#fetchFailed || !engine.enter();
      // A machine that was saved at a page's end: execution would have stopped behind it.
      if (turns.inRun) {
        turns.inRun = false;
        if (turns.isOver(position)) return;
      }
      this.#fetchFailed = false;
      if (this.#entering) return exceptions.takeFault();
    }
    // Fetching it comes first: an Instruction Abort or a PC alignment fault has priority (D1.3.6).
    if (engine.state.get32(SLOT.ilss) & PSTATE_IL) {
      return exceptions.take({ type: "sync", esr: esrOf(EC.illegalState, 0), elr: this.pc });
    }
    const misplaced = misplacedLanding(engine.state, host.processor.control, () => engine.word);
    if (misplaced !== 0) {
      const esr = esrOf(EC.branchTarget, misplaced);
      return exceptions.take({ type: "sync", esr, elr: this.pc });
    }
    if (host.loop.nextPosition <= position) this.#checkpoint();
    this.#plantProbe(position);
    const { retired } = engine;
    let reason = engine.run(limit, turns.left(position));
    if (reason === EXIT.probe) {
      this.#takeProbe();
      if (host.loop.visit()) return host.end("loop");
      reason = engine.run(1);
    }
    if (reason === EXIT.budget || reason === EXIT.stop) {
      turns.inRun = engine.inRun;
      return;
    }
    this.#decide(reason);
    if (this.#entering) turns.inRun = false;
    else if (engine.retired > retired) turns.inRun = engine.inRun;
  }

  /** What the engine could not go on with. */
  #decide(reason: number): void {
    const { exceptions } = this.host;
    switch (reason) {
      case EXIT.leave:
        return this.#left();
      case EXIT.dataFault:
        return exceptions.takeFault();
      case EXIT.fetchFault:
        // The branch has retired and may have been the last step; the fault is a step of its own.
        this.resume();
        this.#fetchFailed = true;
        return;
      case EXIT.landing:
        return this.#again();
      case EXIT.exception:
        return exceptions.requested();
      case EXIT.callOutException:
        return exceptions.trapped();
      case EXIT.eret:
        return exceptions.exceptionReturn();
      default:
        throw new Error(`the engine left for an unknown reason ${reason}`);
    }
  }

  /** A call-out asked to be seen: a new regime, or WFI. */
  #left(): void {
    const { processor } = this.host;
    if (processor.waiting) {
      processor.waiting = false;
      return this.host.wait();
    }
    if (processor.yielding) {
      processor.yielding = false;
      return this.host.giveWay();
    }
    if (processor.refetch) this.#again();
  }

  /** Enters the page of the next instruction anew. */
  #again(): void {
    const { engine } = this.host;
    engine.cut();
    engine.state.pc = engine.pc;
    this.resume();
  }

  // ---- loops ----

  #checkpoint(): void {
    const { loop, engine, position } = this.host;
    this.#takeProbe();
    loop.checkpoint();
    this.#probe = engine.state.get32(SLOT.record);
    this.#probeFrom = position + 1;
  }

  /** The probe stays where it is from one stretch to the next: many are short. */
  #plantProbe(position: number): void {
    const { turns, loop, engine: { records } } = this.host;
    // With several CPUs turns begin where states are compared: there is no probe.
    if (turns.several) return;
    if (!loop.probing || position < this.#probeFrom) return this.#takeProbe();
    const { difference } = loop;
    if (difference === this.#difference && records.isProbe(this.#probe)) return;
    this.#difference = difference;
    records.plantProbe(this.#probe, difference.slot, difference.value);
  }

  #takeProbe(): void {
    if (this.#difference) this.host.engine.records.unplant(this.#probe);
    this.#difference = null;
  }
}
