/**
 * The generic timer of one CPU (Arm ARM D11): counters and timers.
 *
 * Control and compare values live in the CPU's system register slots, so saving the registers
 * saves the timers. The counter is virtual time at 62.5 MHz, one tick per 16 ns, as the
 * reference's; CNTVOFF_EL2 is 0 without EL2.
 */

import { slotOf } from "../system/sysregs.ts";
import type { CpuState } from "../state.ts";
import type { Clock, InterruptLine } from "./device.ts";

/** The timers: two of EL1, two of EL2 (the second with FEAT_VHE) and that of Secure EL1. */
export type TimerName = "virtual" | "physical" | "hypervisor" | "hypervisorVirtual" | "secure";

/** Private interrupt numbers as the board wires them: as on the reference, EL2's virtual timer has none. */
export const TIMER_INTERRUPT = { virtual: 27, physical: 30, hypervisor: 26, secure: 29 } as const;

/** Of the counter. */
export const NANOSECONDS_PER_TICK = 16;
/** CNTx_CTL: read as words, because this is asked between any two stretches of execution. */
const ENABLE = 1;
const IMASK = 2;
const ISTATUS = 4;
/** Ticks from here on do not fit a number of nanoseconds: in 104 days of virtual time. */
const NEVER_TICKS = Math.floor(Number.MAX_SAFE_INTEGER / NANOSECONDS_PER_TICK);

const CONTROL = {
  virtual: slotOf("CNTV_CTL_EL0"),
  physical: slotOf("CNTP_CTL_EL0"),
  hypervisor: slotOf("CNTHP_CTL_EL2"),
  hypervisorVirtual: slotOf("CNTHV_CTL_EL2"),
  secure: slotOf("CNTPS_CTL_EL1"),
} as const;
const COMPARE = {
  virtual: slotOf("CNTV_CVAL_EL0"),
  physical: slotOf("CNTP_CVAL_EL0"),
  hypervisor: slotOf("CNTHP_CVAL_EL2"),
  hypervisorVirtual: slotOf("CNTHV_CVAL_EL2"),
  secure: slotOf("CNTPS_CVAL_EL1"),
} as const;
const TIMERS: readonly TimerName[] = [
  "virtual",
  "physical",
  "hypervisor",
  "hypervisorVirtual",
  "secure",
];
/** The slots of all control registers. */
const CONTROLS: readonly number[] = TIMERS.map((timer) => CONTROL[timer]);
/** CNTVOFF_EL2: how far the virtual counter is behind. */
const OFFSET = slotOf("CNTVOFF_EL2");

/** Outputs of the timers; one that is left out is not connected. */
export type TimerLines = Partial<Record<TimerName, InterruptLine>>;

/** Counter and timers of one CPU. */
export class GenericTimer {
  readonly #state: CpuState;
  readonly #clock: Clock;
  readonly #lines: TimerLines;

  /** Makes the timers of the CPU with these registers; `lines` are their outputs. */
  constructor(state: CpuState, clock: Clock, lines: TimerLines) {
    this.#state = state;
    this.#clock = clock;
    this.#lines = lines;
  }

  /** CNTPCT: ticks since reset, by default now. */
  counter(nanoseconds: number = this.#clock.nanoseconds()): bigint {
    return BigInt(Math.floor(nanoseconds / NANOSECONDS_PER_TICK));
  }

  /** CNTVCT: the same without what EL2 takes off. */
  virtualCounter(nanoseconds?: number): bigint {
    return BigInt.asUintN(64, this.counter(nanoseconds) - this.#state.get64(OFFSET));
  }

  /** The counter that a timer compares with. */
  #count(timer: TimerName, nanoseconds?: number): bigint {
    return timer === "virtual" ? this.virtualCounter(nanoseconds) : this.counter(nanoseconds);
  }

  /** CNTx_CTL: ENABLE, IMASK, and ISTATUS where the timer is on and its condition holds. */
  control(timer: TimerName): bigint {
    const control = this.#state.get32(CONTROL[timer]) & (ENABLE | IMASK);
    if (!(control & ENABLE)) return BigInt(control);
    // As on the reference, the condition is looked at between instructions.
    const now = this.#clock.before?.() ?? this.#clock.nanoseconds();
    const met = this.#count(timer, now) >= this.#state.get64(COMPARE[timer]);
    return BigInt(met ? control | ISTATUS : control);
  }

  /** CNTx_TVAL: ticks until the condition holds, 32 bits, signed in the guest's eyes. */
  value(timer: TimerName): bigint {
    return BigInt.asUintN(32, this.#state.get64(COMPARE[timer]) - this.#count(timer));
  }

  /** Writes CNTx_TVAL: sets the compare value relative to now. */
  setValue(timer: TimerName, value: bigint): void {
    const compare = this.#count(timer) + BigInt.asIntN(32, value);
    this.#state.set64(COMPARE[timer], BigInt.asUintN(64, compare));
  }

  /** Drives the interrupt lines from the registers and the time. */
  update(): void {
    for (const timer of TIMERS) this.#lines[timer]?.set(this.#output(timer));
  }

  /**
   * Virtual time in ns at which an enabled, unmasked timer's condition becomes true: never before
   * now, Infinity if none can. A timer whose line is already high gives no further event.
   */
  nextEvent(): number {
    let next = Infinity;
    for (const timer of TIMERS) {
      if ((this.#state.get32(CONTROL[timer]) & (ENABLE | IMASK)) !== ENABLE) continue;
      const own = this.#number(COMPARE[timer]);
      const compare = timer === "virtual" ? own + this.#number(OFFSET) : own;
      if (compare >= NEVER_TICKS || compare <= this.#ticks) continue;
      next = Math.min(next, compare * NANOSECONDS_PER_TICK);
    }
    return next;
  }

  /** The physical counter as a number. */
  get #ticks(): number {
    return Math.floor(this.#clock.nanoseconds() / NANOSECONDS_PER_TICK);
  }

  /** What a slot holds as a number: exact below 2^53. */
  #number(slot: number): number {
    const state = this.#state;
    return (state.get32(slot + 4) >>> 0) * 0x1_0000_0000 + (state.get32(slot) >>> 0);
  }

  /** True if no timer is on: nothing here will ever happen by itself. */
  get idle(): boolean {
    let controls = 0;
    for (let i = 0; i < CONTROLS.length; i++) controls |= this.#state.get32(CONTROLS[i]);
    return (controls & ENABLE) === 0;
  }

  #output(timer: TimerName): boolean {
    const control = this.#state.get32(CONTROL[timer]) & (ENABLE | IMASK);
    if (control !== ENABLE) return false;
    const compare = this.#number(COMPARE[timer]);
    // This is asked between any two stretches of execution, and BigInts are slow.
    const isPlain = timer !== "virtual" || this.#number(OFFSET) === 0;
    if (isPlain && compare < NEVER_TICKS) return this.#ticks >= compare;
    return this.#count(timer) >= this.#state.get64(COMPARE[timer]);
  }
}
