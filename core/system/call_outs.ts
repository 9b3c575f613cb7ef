import { CALL_OUTS } from "../engine/interpreter_imports.ts";
import { ANSWER } from "../engine/reasons.ts";
import { deferVirtualError } from "../exceptions/interrupt_routing.ts";
import { EC } from "../exceptions/exception.ts";
import type { MemoryAccess } from "../memory/memory_access.ts";
import { authenticatePointer } from "./pointer_authentication.ts";
import { effectiveHcr, HCR, SCR, scrOf } from "../privilege.ts";
import type { Processor } from "../processor.ts";
import { type CpuState, SLOT } from "../state.ts";
import { readSystemRegister, writePstateImmediate, writeSystemRegister } from "./system_access.ts";
import type { SystemException, SystemOutcome } from "./system_context.ts";
import { checkZeroBlock, executeBarrier, executeSys, executeSysl } from "./system_maintenance.ts";
import { slotOf } from "./sysregs.ts";

/**
 * The instructions that generated code leaves to TypeScript: system registers, maintenance,
 * barriers, hints, DC ZVA, random numbers, pointer authentication.
 */

const SCTLR_EL1 = slotOf("SCTLR_EL1");
const SCTLR_NTWI = 0x1_0000n;
const ELR = ["ELR_EL1", "ELR_EL1", "ELR_EL2", "ELR_EL3"].map(slotOf);
const RNG_STATE = slotOf("RNG_STATE");
const HINT = { yield: 1, wfe: 2, wfi: 3, sev: 4, sevl: 5, esb: 16 } as const;
/** ISS of a trapped WFI: CV = 1, COND = always. */
const TRAPPED_ALWAYS = 0x1e0_0000;

/** See the top of this file. Those of one CPU. */
export class CallOuts {
  readonly #processor: Processor;
  readonly #access: MemoryAccess;
  readonly #state: CpuState;

  /** @param access the CPU's loads and stores, of which DC ZVA is one */
  constructor(processor: Processor, access: MemoryAccess) {
    this.#processor = processor;
    this.#access = access;
    this.#state = processor.state;
  }

  /** A call-out of generated code by its number in `CALL_OUTS`; operand and result are in scratch. */
  call(what: number, argument: number): number {
    switch (what) {
      case CALL_OUTS.mrs:
        return this.#mrs(argument);
      case CALL_OUTS.msr:
        return this.#msr(argument);
      case CALL_OUTS["msr-immediate"]:
        return this.#msrImmediate(argument);
      case CALL_OUTS.sys:
        return this.#sys(argument);
      case CALL_OUTS.sysl:
        return this.#sysl(argument);
      case CALL_OUTS.barrier:
        return this.#barrier(argument);
      case CALL_OUTS.hint:
        return this.#hint(argument);
      case CALL_OUTS["dc-zva"]:
        return this.#zeroBlock();
      case CALL_OUTS.random:
        return this.#random();
      case CALL_OUTS.pointer:
        return this.#pointer(argument, this.#state.get64(SLOT.scratch));
      case CALL_OUTS["return-address"]:
        return this.#returnAddress(argument);
      default:
        return ANSWER.done;
    }
  }

  /** Physical interrupts, and virtual ones above them. */
  get #waitingInterrupts(): number {
    const { pendingInterrupts, host, cpu } = this.#processor;
    return pendingInterrupts | (host.board.virtualInterruptsOf(cpu) << 16);
  }

  #mrs(encoding: number): number {
    const before = this.#waitingInterrupts;
    const value = readSystemRegister(this.#processor, encoding);
    if (typeof value !== "bigint") return this.#trapped(value);
    this.#state.set64(SLOT.scratch, value);
    return this.#answer("done", before);
  }

  #msr(encoding: number): number {
    const before = this.#waitingInterrupts;
    const trapped = this.#state.get32(SLOT.fpTrap);
    const outcome = writeSystemRegister(this.#processor, encoding, this.#state.get64(SLOT.scratch));
    if (trapped && !this.#state.get32(SLOT.fpTrap)) this.#processor.fpEnabled();
    return this.#answer(outcome, before);
  }

  #msrImmediate(argument: number): number {
    return this.#answer(writePstateImmediate(this.#processor, argument));
  }

  #sys(argument: number): number {
    return this.#answer(executeSys(this.#processor, argument, this.#state.get64(SLOT.scratch)));
  }

  #sysl(argument: number): number {
    return this.#answer(executeSysl(this.#processor, argument));
  }

  #barrier(argument: number): number {
    const outcome = executeBarrier(this.#processor, argument);
    return typeof outcome === "object" ? this.#trapped(outcome) : ANSWER.done;
  }

  /**
   * WFE and SEV do nothing on a single CPU, as in the reference; ESB defers an SError; WFI waits unless an interrupt is pending, and is
   * trapped where EL0 may not wait.
   */
  #hint(argument: number): number {
    if (argument === HINT.esb) {
      const { model, levels } = this.#processor;
      if (model.features.has("FEAT_RAS")) deferVirtualError(this.#state, levels);
      return ANSWER.done;
    }
    if (argument !== HINT.wfi) {
      return this.#processor.cpuCount > 1 ? this.#event(argument) : ANSWER.done;
    }
    const { pendingInterrupts, virtualInterrupts } = this.#processor;
    if ((pendingInterrupts | virtualInterrupts) !== 0) return ANSWER.done;
    const target = this.#waitTrap();
    if (target > 0) return this.#trapped({ ec: EC.wfx, iss: TRAPPED_ALWAYS, target });
    this.#processor.waiting = true;
    return ANSWER.leave;
  }

  /** Signs, authenticates or strips a pointer. */
  #pointer(argument: number, pointer: bigint): number {
    const { state, levels, control, translation: { regime } } = this.#processor;
    const context = { state, levels, regime, control };
    const result = authenticatePointer(context, argument, pointer);
    if (typeof result !== "bigint") return this.#trapped(result);
    state.set64(SLOT.scratch, result);
    return ANSWER.done;
  }

  /** ERETAA and ERETAB: what the exception return behind it takes in place of ELR. */
  #returnAddress(argument: number): number {
    const { el } = this.#state;
    if (el === 0) return ANSWER.done;
    const answer = this.#pointer(argument, this.#state.get64(ELR[el]));
    if (answer === ANSWER.done) this.#processor.returnAddress = this.#state.get64(SLOT.scratch);
    return answer;
  }

  /** RNDR: SplitMix64 from a seed that is the same for every machine, so that a boot repeats. */
  #random(): number {
    const state = this.#state;
    const seed = BigInt.asUintN(64, state.get64(RNG_STATE) + 0x9e37_79b9_7f4a_7c15n);
    state.set64(RNG_STATE, seed);
    let z = BigInt.asUintN(64, (seed ^ (seed >> 30n)) * 0xbf58_476d_1ce4_e5b9n);
    z = BigInt.asUintN(64, (z ^ (z >> 27n)) * 0x94d0_49bb_1331_11ebn);
    state.set64(SLOT.scratch, z ^ (z >> 31n));
    return ANSWER.done;
  }

  /** WFE, SEV, SEVL and YIELD where there are other CPUs. */
  #event(argument: number): number {
    switch (argument) {
      case HINT.sev:
        for (const processor of this.#processor.host.all()) processor.event = true;
        return ANSWER.done;
      case HINT.sevl:
        this.#processor.event = true;
        return ANSWER.done;
      case HINT.wfe:
        if (!this.#processor.event) break;
        this.#processor.event = false;
        return ANSWER.done;
    }
    this.#processor.yielding = true;
    return ANSWER.leave;
  }

  /** DC ZVA: zeroes the 64-byte block that holds the address in scratch. */
  #zeroBlock(): number {
    const refused = checkZeroBlock(this.#processor);
    if (refused) return this.#trapped(refused);
    const address = this.#state.get64(SLOT.scratch);
    return this.#access.zeroBlock(address);
  }

  /** @param before interrupts that waited before: registers of the GICv3 can change them */
  #answer(outcome: SystemOutcome, before: number = this.#waitingInterrupts): number {
    if (outcome === "done") return this.#waitingInterrupts === before ? ANSWER.done : ANSWER.leave;
    if (outcome === "leave") return ANSWER.leave;
    return this.#trapped(outcome);
  }

  #trapped(exception: SystemException): number {
    this.#processor.trap = exception;
    return ANSWER.exception;
  }

  /** The EL that a trapped WFI goes to; 0 if it is not trapped. */
  #waitTrap(): number {
    const { state, levels } = this.#processor;
    if (state.el === 0 && !(state.get64(SCTLR_EL1) & SCTLR_NTWI)) return 1;
    if (state.el < 2 && effectiveHcr(state, levels) & HCR.TWI) return 2;
    return levels.el3 && state.el < 3 && scrOf(state, levels) & SCR.TWI ? 3 : 0;
  }
}
