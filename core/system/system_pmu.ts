/**
 * The performance monitors (Arm ARM D7): six event counters and the cycle counter.
 *
 * A counter's slot holds its value at the time in {@linkcode SYNC_SLOTS}; what has passed since is
 * added when a counter is read, when anything that decides about counting changes (the exception
 * level too), and where an overflow interrupts. Events are those of the reference: software
 * increment, instructions retired, cycles (one per ns).
 */

import type { SystemContext } from "./system_context.ts";
import type { InterruptLine } from "../devices/device.ts";
import { type ExceptionLevels, isSecure } from "../privilege.ts";
import type { CpuState } from "../state.ts";
import type { SpecialRegister } from "./system_special.ts";
import { slotOf } from "./sysregs.ts";

const EVENT_COUNTERS = 6;
const CYCLES = 31;
const IMPLEMENTED = 0x8000_003fn;
const UINT32 = 0xffff_ffffn;

const CONTROL = slotOf("PMCR_EL0");
const ENABLED = slotOf("PMCNTENSET_EL0");
const OVERFLOWS = slotOf("PMOVSSET_EL0");
const INTERRUPTS = slotOf("PMINTENSET_EL1");
const SELECTED = slotOf("PMSELR_EL0");
const MDCR_EL2 = slotOf("MDCR_EL2"), MDCR_EL3 = slotOf("MDCR_EL3");
const CYCLE_COUNTER = slotOf("PMCCNTR_EL0");
const CYCLE_FILTER = slotOf("PMCCFILTR_EL0");
const COUNTERS = slots((n) => `PMEVCNTR${n}_EL0`);
const TYPES = slots((n) => `PMEVTYPER${n}_EL0`);
/** Nanoseconds and retired instructions up to which the counters' slots have counted. */
const SYNC_SLOTS = { time: slotOf("PMU_TIME"), retired: slotOf("PMU_RETIRED") };

/** PMCR_EL0: enable, reset event counters, reset cycle counter, count every 64th, stop
 * cycles where events are prohibited, 64-bit overflow of cycles, and of events (FEAT_PMUv3p5). */
const PMCR = { E: 1n, P: 2n, C: 4n, D: 8n, DP: 0x20n, LC: 0x40n, LP: 0x80n, writable: 0xf9n };
const EVENT_MASK = 0xffffn;
const TYPE_MASK = 0xfe00_ffffn;
const FILTER_MASK = 0xfc00_0000n;
const SLOW = 64n;
/** Bits of MDCR_EL2, and SPME and SCCD of MDCR_EL3. */
const MDCR = { HPMN: 0x1fn, HPME: 0x80n, HPMD: 0x2_0000n, HCCD: 0x80_0000n, HLP: 0x400_0000n };
const MDCR3 = { SPME: 0x2_0000n, SCCD: 0x80_0000n };
/** Bits of PMEVTYPERn and PMCCFILTR: what is not counted, but NSH, which counts EL2. */
const FILTER = {
  P: 1n << 31n,
  U: 1n << 30n,
  NSK: 1n << 29n,
  NSU: 1n << 28n,
  NSH: 1n << 27n,
  M: 1n << 26n,
};
const EVENT = { softwareIncrement: 0n, retired: 8n, cycles: 0x11n };

/** The registers of the performance monitors that are not plain. */
export const PMU_REGISTERS: Readonly<Record<string, SpecialRegister>> = {
  PMCR_EL0: { set: setControl },
  PMCNTENSET_EL0: { set: orInto(ENABLED) },
  PMCNTENCLR_EL0: clearing(ENABLED),
  PMINTENSET_EL1: { set: orInto(INTERRUPTS) },
  PMINTENCLR_EL1: clearing(INTERRUPTS),
  PMOVSSET_EL0: { get: synchronised(OVERFLOWS), set: orInto(OVERFLOWS) },
  PMOVSCLR_EL0: clearing(OVERFLOWS),
  PMSWINC_EL0: { set: increment },
  PMCCNTR_EL0: counter(CYCLES),
  PMCCFILTR_EL0: { set: (context, value) => setType(context, CYCLES, value) },
  PMXEVTYPER_EL0: {
    get: (context) => typeOf(context, selected(context)),
    set: (context, value) => setType(context, selected(context), value),
  },
  PMXEVCNTR_EL0: {
    get: (context) => readCounter(context, selected(context), false),
    set: (context, value) => writeCounter(context, selected(context), value, false),
  },
  MDCR_EL2: { set: (context, value) => setLimits(context, MDCR_EL2, value) },
  MDCR_EL3: { set: (context, value) => setLimits(context, MDCR_EL3, value) },
  ...eachCounter((n) => [`PMEVCNTR${n}_EL0`, counter(n)]),
  ...eachCounter((n) => [
    `PMEVTYPER${n}_EL0`,
    { set: (context, value) => setType(context, n, value) },
  ]),
};

/** What counting goes by. */
type Counting = Pick<SystemContext, "state" | "levels" | "model" | "clock" | "retired">;

/**
 * Adds to every counter what has happened since the last call. What decides about counting must not
 * have changed since.
 *
 * @param inHand instructions that count although they have not retired: the one that asks
 */
function synchronise(context: Counting, inHand = 1): void {
  const { state } = context;
  const time = BigInt(Math.floor(context.clock.nanoseconds()));
  const retired = BigInt(context.retired + inHand);
  const before = state.get64(SYNC_SLOTS.time);
  const instructions = retired - state.get64(SYNC_SLOTS.retired);
  state.set64(SYNC_SLOTS.time, time);
  state.set64(SYNC_SLOTS.retired, retired);
  advance(context, CYCLES, isSlow(state) ? time / SLOW - before / SLOW : time - before);
  for (let n = 0; n < EVENT_COUNTERS; n++) {
    const event = state.get64(TYPES[n]) & EVENT_MASK;
    if (event === EVENT.cycles) advance(context, n, time - before);
    if (event === EVENT.retired) advance(context, n, instructions);
  }
}

/** The cycle counter counts every 64th cycle. */
function isSlow(state: CpuState): boolean {
  return (state.get64(CONTROL) & (PMCR.D | PMCR.LC)) === PMCR.D;
}

/** Whether a counter counts at the present exception level (D7.5, D7.6). */
function counts({ state, levels, model }: Counting, n: number): boolean {
  const hypervisor = levels.el2 ? state.get64(MDCR_EL2) : 0n;
  const isOfEl2 = levels.el2 && n !== CYCLES && n >= Number(hypervisor & MDCR.HPMN);
  const on = isOfEl2 ? hypervisor & MDCR.HPME : state.get64(CONTROL) & PMCR.E;
  if (!on || !(state.get64(ENABLED) & (1n << BigInt(n)))) return false;
  const { el } = state;
  const secure = isSecure(state, levels);
  const prohibited = el === 2 && !isOfEl2 && (hypervisor & MDCR.HPMD) !== 0n ||
    secure && !(state.get64(MDCR_EL3) & MDCR3.SPME);
  if (prohibited && (n !== CYCLES || state.get64(CONTROL) & PMCR.DP)) return false;
  if (n === CYCLES && hasLongCounters(model)) {
    if (secure && state.get64(MDCR_EL3) & MDCR3.SCCD) return false;
    if (el === 2 && hypervisor & MDCR.HCCD) return false;
  }
  return !isFiltered(state.get64(n === CYCLES ? CYCLE_FILTER : TYPES[n]), el, { levels, secure });
}

/** Whether PMCCFILTR or a PMEVTYPERn leaves an exception level out. */
function isFiltered(
  filter: bigint,
  el: number,
  { levels, secure }: { levels: ExceptionLevels; secure: boolean },
): boolean {
  const has = (bit: bigint) => (filter & bit) !== 0n;
  switch (el) {
    case 0:
      return secure ? has(FILTER.U) : has(FILTER.U) !== (levels.el3 && has(FILTER.NSU));
    case 1:
      return secure ? has(FILTER.P) : has(FILTER.P) !== (levels.el3 && has(FILTER.NSK));
    case 2:
      return !has(FILTER.NSH);
    default:
      return has(FILTER.M) !== has(FILTER.P);
  }
}

/** Adds to one counter if it counts, and notes its overflow. */
function advance(context: Counting, n: number, amount: bigint): void {
  if (amount === 0n || !counts(context, n)) return;
  const { state } = context;
  const slot = counterSlot(n);
  const sum = state.get64(slot) + amount;
  const width = widthOf(context, n);
  if (sum >> width !== state.get64(slot) >> width) {
    state.set64(OVERFLOWS, state.get64(OVERFLOWS) | (1n << BigInt(n)));
  }
  state.set64(slot, kept(context, n, sum));
}

/** FEAT_PMUv3p5: event counters have 64 bits, and the cycle counter can be stopped. */
function hasLongCounters({ features }: SystemContext["model"]): boolean {
  return features.has("FEAT_PMUv3p5");
}

/** What a counter keeps of a value. */
function kept({ model }: Counting, n: number, value: bigint): bigint {
  return n === CYCLES || hasLongCounters(model) ? BigInt.asUintN(64, value) : value & UINT32;
}

/** Bits of a counter behind which it overflows. */
function widthOf({ state, levels, model }: Counting, n: number): bigint {
  if (n === CYCLES) return state.get64(CONTROL) & PMCR.LC ? 64n : 32n;
  if (!hasLongCounters(model)) return 32n;
  const hypervisor = levels.el2 ? state.get64(MDCR_EL2) : 0n;
  const first = Number(hypervisor & MDCR.HPMN);
  const isLong = first !== 0 && n >= first ? hypervisor & MDCR.HLP : state.get64(CONTROL) & PMCR.LP;
  return isLong ? 64n : 32n;
}

/**
 * The monitors as something that happens by itself: the overflow interrupt.
 *
 * The line is high while PMCR_EL0.E is set and a counter whose interrupt is enabled has overflowed.
 * Counters are brought up to date only where one overflows, which depends on the guest alone.
 */
export class PerformanceMonitors {
  readonly #context: Counting;
  readonly #line: InterruptLine;
  #level = false;

  /** The monitors of a CPU; `line` is their interrupt. */
  constructor(context: Counting, line: InterruptLine) {
    this.#context = context;
    this.#line = line;
  }

  /** True if nothing here will ever happen by itself. */
  get idle(): boolean {
    return !this.#level && this.#context.state.get32(INTERRUPTS) === 0;
  }

  /** Virtual time in ns of the next overflow of a counter of cycles that interrupts, or Infinity. */
  nextEvent(): number {
    const { state } = this.#context;
    const time = state.get64(SYNC_SLOTS.time);
    let next = Infinity;
    for (const n of this.#interrupting(EVENT.cycles)) {
      const slow = n === CYCLES && isSlow(state);
      const at = slow ? (time / SLOW + this.#left(n)) * SLOW : time + this.#left(n);
      if (at <= BigInt(Number.MAX_SAFE_INTEGER)) next = Math.min(next, Number(at));
    }
    return next;
  }

  /** Instructions that retire before the next overflow of a counter of them that interrupts, or Infinity. */
  instructionsLeft(): number {
    const { state, retired } = this.#context;
    const since = retired - Number(state.get64(SYNC_SLOTS.retired));
    let next = Infinity;
    for (const n of this.#interrupting(EVENT.retired)) {
      next = Math.min(next, Number(this.#left(n)) - since);
    }
    return next;
  }

  /** Drives the interrupt line. */
  update(): void {
    const { state, clock } = this.#context;
    if (clock.nanoseconds() >= this.nextEvent() || this.instructionsLeft() <= 0) {
      synchronise(this.#context, 0);
    }
    const overflown = state.get64(INTERRUPTS) & state.get64(OVERFLOWS);
    this.#level = (state.get64(CONTROL) & PMCR.E) !== 0n && overflown !== 0n;
    this.#line.set(this.#level);
  }

  /** The exception level is about to change, between two instructions. */
  levelWillChange(): void {
    if (this.#context.state.get32(ENABLED) !== 0) synchronise(this.#context, 0);
  }

  /** Counters of an event that count now, have not overflowed yet, and interrupt when they do. */
  *#interrupting(event: bigint): Iterable<number> {
    const { state } = this.#context;
    const waiting = state.get64(INTERRUPTS) & ~state.get64(OVERFLOWS);
    if (waiting === 0n) return;
    for (const n of [...COUNTERS.keys(), CYCLES]) {
      const counted = n === CYCLES ? EVENT.cycles : state.get64(TYPES[n]) & EVENT_MASK;
      if ((waiting >> BigInt(n)) & 1n && counted === event && counts(this.#context, n)) yield n;
    }
  }

  /** What a counter lacks of its overflow, as of the last synchronisation. */
  #left(n: number): bigint {
    const { state } = this.#context;
    const width = widthOf(this.#context, n);
    return (1n << width) - BigInt.asUintN(Number(width), state.get64(counterSlot(n)));
  }
}

function setControl(context: SystemContext, value: bigint): void {
  synchronise(context);
  const { state } = context;
  if (value & PMCR.C) state.set64(CYCLE_COUNTER, 0n);
  if (value & PMCR.P) COUNTERS.forEach((slot) => state.set64(slot, 0n));
  // Implementer, version and number of counters stay.
  state.set64(CONTROL, (state.get64(CONTROL) & ~0xffn) | (value & PMCR.writable));
}

/** Where counting is prohibited, and which counters are EL2's. */
function setLimits(context: SystemContext, slot: number, value: bigint): void {
  synchronise(context);
  context.state.set64(slot, value);
}

/** PMSWINC_EL0: one more in each counter that counts software increments. */
function increment(context: SystemContext, value: bigint): void {
  synchronise(context);
  for (let n = 0; n < EVENT_COUNTERS; n++) {
    const event = context.state.get64(TYPES[n]) & EVENT_MASK;
    if ((value >> BigInt(n)) & 1n && event === EVENT.softwareIncrement) advance(context, n, 1n);
  }
}

function selected(context: SystemContext): number {
  return Number(context.state.get64(SELECTED));
}

function counterSlot(n: number): number {
  return n === CYCLES ? CYCLE_COUNTER : COUNTERS[n];
}

/** PMEVTYPERn, PMCCFILTR for 31, zero for a counter that does not exist. */
function typeOf({ state }: SystemContext, n: number): bigint {
  if (n === CYCLES) return state.get64(CYCLE_FILTER);
  return n < EVENT_COUNTERS ? state.get64(TYPES[n]) : 0n;
}

function setType(context: SystemContext, n: number, value: bigint): void {
  synchronise(context);
  if (n === CYCLES) context.state.set64(CYCLE_FILTER, value & FILTER_MASK);
  else if (n < EVENT_COUNTERS) context.state.set64(TYPES[n], value & TYPE_MASK);
}

/** The register of one counter. */
function counter(n: number): SpecialRegister {
  return {
    get: (context) => readCounter(context, n, true),
    set: (context, value) => writeCounter(context, n, value, true),
  };
}

/** @param cycles whether 31 means the cycle counter; through PMXEVCNTR_EL0 it means none */
function readCounter(context: SystemContext, n: number, cycles: boolean): bigint {
  if (n >= EVENT_COUNTERS && !(n === CYCLES && cycles)) return 0n;
  synchronise(context);
  return context.state.get64(counterSlot(n));
}

function writeCounter(context: SystemContext, n: number, value: bigint, cycles: boolean): void {
  if (n >= EVENT_COUNTERS && !(n === CYCLES && cycles)) return;
  synchronise(context);
  context.state.set64(counterSlot(n), kept(context, n, value));
}

/** A register that shows a set of counters and whose writes clear bits of it. */
function clearing(slot: number): SpecialRegister {
  return {
    get: synchronised(slot),
    set(context, value) {
      synchronise(context);
      context.state.set64(slot, context.state.get64(slot) & ~value);
    },
  };
}

function orInto(slot: number) {
  return (context: SystemContext, value: bigint) => {
    synchronise(context);
    context.state.set64(slot, context.state.get64(slot) | (value & IMPLEMENTED));
  };
}

/** Reads a slot; PMOVSSET must be up to date for that, the other sets do not change by themselves. */
function synchronised(slot: number) {
  return (context: SystemContext) => {
    if (slot === OVERFLOWS) synchronise(context);
    return context.state.get64(slot);
  };
}

function slots(name: (n: number) => string): number[] {
  return Array.from({ length: EVENT_COUNTERS }, (_, n) => slotOf(name(n)));
}

function eachCounter(
  entry: (n: number) => [string, SpecialRegister],
): Record<string, SpecialRegister> {
  return Object.fromEntries(COUNTERS.map((_, n) => entry(n)));
}
