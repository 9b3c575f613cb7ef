/**
 * The performance monitors (Arm ARM D7): six event counters and the cycle counter.
 *
 * A counter's slot holds its value at the time in {@linkcode SYNC_SLOTS}; what has passed since is
 * added when a counter is read and when anything that decides about counting changes. Events are
 * those of the reference: software increment, instructions retired, cycles (one per ns). The
 * filters of PMEVTYPERn and PMCCFILTR by EL are kept but not applied, and overflow sets PMOVSSET
 * without an interrupt.
 */

import type { SystemContext } from "./system_context.ts";
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
const CYCLE_COUNTER = slotOf("PMCCNTR_EL0");
const CYCLE_FILTER = slotOf("PMCCFILTR_EL0");
const COUNTERS = slots((n) => `PMEVCNTR${n}_EL0`);
const TYPES = slots((n) => `PMEVTYPER${n}_EL0`);
/** Nanoseconds and retired instructions up to which the counters' slots have counted. */
const SYNC_SLOTS = { time: slotOf("PMU_TIME"), retired: slotOf("PMU_RETIRED") };

/** PMCR_EL0: enable, reset event counters, reset cycle counter, count every 64th, 64-bit overflow. */
const PMCR = { E: 1n, P: 2n, C: 4n, D: 8n, LC: 0x40n, writable: 0xf9n };
const EVENT_MASK = 0xffffn;
const TYPE_MASK = 0xfe00_ffffn;
const FILTER_MASK = 0xfc00_0000n;
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
  ...eachCounter((n) => [`PMEVCNTR${n}_EL0`, counter(n)]),
  ...eachCounter((n) => [
    `PMEVTYPER${n}_EL0`,
    { set: (context, value) => setType(context, n, value) },
  ]),
};

/** Adds to every counter what has happened since the last call. */
function synchronise(context: SystemContext): void {
  const { state } = context;
  const time = BigInt(Math.floor(context.clock.nanoseconds()));
  const retired = BigInt(context.retired);
  const nanoseconds = time - state.get64(SYNC_SLOTS.time);
  const instructions = retired - state.get64(SYNC_SLOTS.retired);
  state.set64(SYNC_SLOTS.time, time);
  state.set64(SYNC_SLOTS.retired, retired);
  const control = state.get64(CONTROL);
  if (!(control & PMCR.E)) return;
  const slow = (control & (PMCR.D | PMCR.LC)) === PMCR.D;
  advance(context, CYCLES, slow ? nanoseconds / 64n : nanoseconds);
  for (let n = 0; n < EVENT_COUNTERS; n++) {
    const event = state.get64(TYPES[n]) & EVENT_MASK;
    if (event === EVENT.cycles) advance(context, n, nanoseconds);
    if (event === EVENT.retired) advance(context, n, instructions);
  }
}

/** Adds to one counter if it is enabled, and notes its overflow. */
function advance({ state }: SystemContext, n: number, amount: bigint): void {
  const bit = 1n << BigInt(n);
  if (!(state.get64(ENABLED) & bit)) return;
  const slot = counterSlot(n);
  const old = state.get64(slot);
  const sum = old + amount;
  const long = n === CYCLES && (state.get64(CONTROL) & PMCR.LC) !== 0n;
  const width = long ? 64n : 32n;
  if (sum >> width !== old >> width) state.set64(OVERFLOWS, state.get64(OVERFLOWS) | bit);
  state.set64(slot, n === CYCLES ? BigInt.asUintN(64, sum) : sum & UINT32);
}

function setControl(context: SystemContext, value: bigint): void {
  synchronise(context);
  const { state } = context;
  if (value & PMCR.C) state.set64(CYCLE_COUNTER, 0n);
  if (value & PMCR.P) COUNTERS.forEach((slot) => state.set64(slot, 0n));
  // Implementer, version and number of counters stay.
  state.set64(CONTROL, (state.get64(CONTROL) & ~0xffn) | (value & PMCR.writable));
}

/** PMSWINC_EL0: one more in each counter that counts software increments. */
function increment(context: SystemContext, value: bigint): void {
  synchronise(context);
  if (!(context.state.get64(CONTROL) & PMCR.E)) return;
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
  context.state.set64(counterSlot(n), n === CYCLES ? value : value & UINT32);
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
