/**
 * The smallest change with which a failed access would have passed, checked by walking again.
 *
 * The descriptor to blame is searched first: every way to flip one, two and three of its bits that
 * mean something, then the same over all descriptors of the walk. A descriptor that says nothing has
 * no bits to flip; there the neighbours in its table say what it would have been.
 */
import { cpuInTurn } from "../../core/machine_state.ts";
import type { ExceptionEvent } from "../../core/observer.ts";
import * as descriptor from "../../mmu/descriptor.ts";
import type { DescriptorBus } from "../../mmu/bus.ts";
import { levelShift, type Regime } from "../../mmu/regime.ts";
import { tableMemory } from "../guest_view.ts";
import type { Session } from "../session.ts";
import type { Cause, Diagnosis, ReadDescriptor } from "./cause.ts";
import { type FailedAccess, rangeOf } from "./cause_start.ts";
import { levelText, mistakenSecond, mistakenStep } from "./cause_tables.ts";
import { fpTrap } from "./cause_trap.ts";
import { physicalOf, regimeAt, walkFor } from "./provenance_walk.ts";
import { outputSizeField, regimeWith, registersAt } from "./stage_registers.ts";

/** A change that would have helped. */
export interface Fix {
  /** The guilty descriptor's new value; null where something else is to be changed. */
  readonly descriptor: bigint | null;
  /** What to change, in words. */
  readonly text: string;
}

/** Names of the bits that may be flipped, by kind of descriptor (Arm ARM D8.3). */
const BITS: Readonly<Record<number, string>> = {
  0: "bit 0 (valid)",
  1: "bit 1 (table or page)",
  6: "AP[1] (bit 6)",
  7: "AP[2] (bit 7)",
  10: "AF (bit 10)",
  53: "PXN (bit 53)",
  54: "UXN (bit 54)",
  59: "PXNTable (bit 59)",
  60: "UXNTable (bit 60)",
  61: "APTable[0] (bit 61)",
  62: "APTable[1] (bit 62)",
};
/** The same for stage 2, whose tables have none. */
const SECOND_BITS: Readonly<Record<number, string>> = {
  ...BITS,
  6: "S2AP[0] (bit 6)",
  7: "S2AP[1] (bit 7)",
  54: "XN (bit 54)",
};
const SECOND_LEAF_BITS = [1, 0, 10, 54, 6, 7], SECOND_TABLE_BITS = [1, 0];
const LEAF_BITS = [1, 0, 10, 53, 54, 6, 7], TABLE_BITS = [1, 0, 59, 60, 61, 62];
const MOST_FLIPS = 3;
/** Descriptors of one walk of one stage. */
const MOST_LEVELS = 4;
/** Bytes between a descriptor and a neighbour that says what it would have been. */
const MOST_DISTANCE = 16 * 8;
const ADDRESS = 0xffff_ffff_f000n;

interface Flip {
  readonly step: ReadDescriptor;
  readonly bit: number;
}

/** Finds the change for a diagnosis; null where none was found. The cursor must be at the fault. */
export function findFix(
  session: Session,
  event: ExceptionEvent,
  diagnosis: Diagnosis,
): Fix | null {
  const { cause, start, guilty, failed } = diagnosis;
  if (start) return startFix(diagnosis);
  if (cause === "stale-tlb") return staleFix(session, diagnosis);
  if (cause === "fp-trapped") return { descriptor: null, text: trapFix(session, event) };
  if (!failed || guilty?.kind !== "descriptor") return null;
  if (cause === "external-abort" || cause === "device-alignment") return null;
  const regime = regimeAt(session);
  if (cause === "address-size") return addressFix(session, regime, guilty.step, failed);
  const flips = flipFix(session, regime, diagnosis);
  return flips ?? (isUnmapped(cause) ? neighbourFix(session, regime, guilty.step, failed) : null);
}

function isUnmapped(cause: Cause): boolean {
  return cause === "not-mapped" || cause === "not-mapped-stage2";
}

function startFix({ start }: Diagnosis): Fix | null {
  const { register, value, meant } = start!;
  if (meant === null) return null;
  return { descriptor: null, text: `${register} = ${hex(meant)} instead of ${hex(value)}` };
}

function trapFix(session: Session, event: ExceptionEvent): string {
  return fpTrap(event, cpuInTurn(session.state()).system).fix;
}

function staleFix(session: Session, { guilty, failed }: Diagnosis): Fix {
  const { el, asid } = regimeAt(session);
  if (guilty?.kind === "register") {
    const text = el === 1
      ? `before ${guilty.name} is written: TLBI ASIDE1IS for ASID ${asid} (VMALLE1IS for global ` +
        "entries); DSB ISH; ISB"
      : `before ${guilty.name} is written: TLBI ALLE${el}IS; DSB ISH; ISB`;
    return { descriptor: null, text };
  }
  const step = guilty?.kind === "descriptor" ? guilty.step : undefined;
  const page = hex((failed?.va ?? 0n) >> 12n);
  const invalidate = step?.stage === 2
    ? "TLBI IPAS2E1IS for the address; DSB ISH; TLBI VMALLE1IS"
    : `TLBI VAE${el}IS for page ${page}`;
  return {
    descriptor: step?.descriptor ?? null,
    text: `after the descriptor is written: DSB ISHST; ${invalidate}; DSB ISH; ISB`,
  };
}

/** Memory with some descriptors changed. */
function patched(bus: DescriptorBus, changes: ReadonlyMap<number, bigint>): DescriptorBus {
  return {
    readDescriptor(address, into, secure) {
      const change = changes.get(address);
      if (change === undefined) return bus.readDescriptor(address, into, secure);
      into[0] = Number(change & 0xffff_ffffn);
      into[1] = Number(change >> 32n);
      return true;
    },
  };
}

/** Whether the access passes with some descriptors changed, and through no mistaken one. */
function passes(
  session: Session,
  regime: Regime,
  failed: FailedAccess,
  changes: ReadonlyMap<number, bigint>,
): boolean {
  const bus = patched(tableMemory(session.machine), changes);
  const outcome = walkFor(bus, regime, failed.va, failed);
  const { walk, stage2, pa, denied, descriptors } = outcome;
  if (pa === null || denied !== null) return false;
  if (stage2 !== null && mistakenSecond(session, regime.stage2!, stage2)) return false;
  return [...changes.keys()].every((address) => descriptors.some((s) => s.address === address)) &&
    !mistakenStep(session, regime, walk);
}

function flipFix(session: Session, regime: Regime, diagnosis: Diagnosis): Fix | null {
  const { guilty, walk, failed, cause } = diagnosis;
  if (guilty?.kind !== "descriptor" || !failed) return null;
  const { step } = guilty;
  // Without an address there is nothing to make valid.
  if (isUnmapped(cause) && (step.descriptor & ADDRESS) === 0n) return null;
  const own = candidates(step, guilty.bits);
  const others = (walk ?? []).filter(({ stage }) => stage === step.stage).slice(-MOST_LEVELS)
    .filter(({ address }) => address !== step.address)
    .flatMap((other) => candidates(other, []));
  for (const flips of [own, [...own, ...others]]) {
    for (let size = 1; size <= MOST_FLIPS; size++) {
      for (const chosen of choose(flips, size)) {
        const changes = apply(chosen);
        if (!passes(session, regime, failed, changes)) continue;
        return { descriptor: changes.get(step.address) ?? step.descriptor, text: flipText(chosen) };
      }
    }
  }
  return null;
}

/** Flips to try, the blamed bits first; then those that clear a bit before those that set one. */
function candidates(step: ReadDescriptor, blamed: readonly number[]): Flip[] {
  const leaf = step.level === 3 || (step.descriptor & 2n) === 0n || blamed.includes(1);
  const bits = step.stage === 2
    ? leaf ? SECOND_LEAF_BITS : SECOND_TABLE_BITS
    : leaf
    ? LEAF_BITS
    : TABLE_BITS;
  const rank = (bit: number) => {
    const index = blamed.indexOf(bit);
    return index >= 0 ? index : (step.descriptor >> BigInt(bit) & 1n) ? 10 : 20;
  };
  return bits.toSorted((a, b) => rank(a) - rank(b)).map((bit) => ({ step, bit }));
}

/** All choices of `size` items, in order. */
function* choose<T>(items: readonly T[], size: number, from = 0): Generator<T[]> {
  if (size === 0) {
    yield [];
    return;
  }
  for (let i = from; i <= items.length - size; i++) {
    for (const rest of choose(items, size - 1, i + 1)) yield [items[i], ...rest];
  }
}

function apply(flips: readonly Flip[]): Map<number, bigint> {
  const changes = new Map<number, bigint>();
  for (const { step, bit } of flips) {
    const value = changes.get(step.address) ?? step.descriptor;
    changes.set(step.address, value ^ 1n << BigInt(bit));
  }
  return changes;
}

function flipText(flips: readonly Flip[]): string {
  const byStep = Map.groupBy(flips, ({ step }) => step);
  return [...byStep].map(([step, own]) => {
    const parts = own.map(({ bit }) => {
      const set = step.descriptor >> BigInt(bit) & 1n;
      return `${set ? "clear" : "set"} ${(step.stage === 2 ? SECOND_BITS : BITS)[bit]}`;
    });
    const value = apply(own).get(step.address)!;
    return `${parts.join(" and ")} of the ${levelText(step)} descriptor at ` +
      `${hex(step.address)}: ${hex(step.descriptor)} -> ${hex(value)}`;
  }).join("; ");
}

/** An output address that is too large: a larger IPS if there is something, else fewer bits. */
function addressFix(
  session: Session,
  regime: Regime,
  step: ReadDescriptor,
  failed: FailedAccess,
): Fix | null {
  const address = Number(step.descriptor & ADDRESS);
  const { el, stage2 } = regime;
  const outputSize = step.stage === 2 ? stage2!.outputSize : regime.outputSize;
  if (step.stage !== 2 && isSomething(session, regime, address)) {
    const registers = registersAt(session);
    const { name, at } = outputSizeField(regime);
    for (let size = 1n; size <= 5n; size++) {
      const tcr = registers.tcr & ~(7n << at) | size << at;
      const other = regimeWith(session, { ...registers, tcr });
      if (!passes(session, other, failed, new Map())) continue;
      const text = `TCR_EL${el}.${name} (bits ${at + 2n}:${at}) = ${size}`;
      return { descriptor: null, text };
    }
  }
  const value = step.descriptor & ~(ADDRESS & ~((1n << BigInt(outputSize)) - 1n));
  if (!passes(session, regime, failed, new Map([[step.address, value]]))) return null;
  return {
    descriptor: value,
    text: `clear the address bits from ${outputSize} up of the ${levelText(step)} ` +
      `descriptor at ${hex(step.address)}: ${hex(step.descriptor)} -> ${hex(value)}`,
  };
}

/** Whether there is memory or a device at what a descriptor of stage 1 names. */
function isSomething({ machine }: Session, regime: Regime, address: number): boolean {
  const pa = physicalOf(tableMemory(machine), regime, address);
  if (pa === null) return false;
  const place = machine.spaces.place(pa, regime.secure);
  return machine.memory.contains(place) || machine.board.bus.find(place) !== undefined;
}

/** What an empty descriptor would be if it went on as its nearest neighbour in the table. */
function neighbourFix(
  session: Session,
  regime: Regime,
  step: ReadDescriptor,
  failed: FailedAccess,
): Fix | null {
  const second = step.stage === 2;
  const { granuleLog2 } = second ? regime.stage2!.range : regime.ranges[rangeOf(regime, failed.va)];
  const bytes = 2 ** granuleLog2;
  const first = step.address - step.address % bytes;
  const size = 2 ** levelShift(granuleLog2, step.level);
  const bus = tableMemory(session.machine);
  const words = new Uint32Array(2);
  for (let distance = 8; distance <= MOST_DISTANCE; distance += 8) {
    for (const address of [step.address - distance, step.address + distance]) {
      if (address < first || address >= first + bytes) continue;
      if (!bus.readDescriptor(address, words, regime.secure) || !descriptor.isValid(words[0])) {
        continue;
      }
      if (step.level < 3 && descriptor.isTableOrPage(words[0])) continue;
      const neighbour = BigInt(words[1]) << 32n | BigInt(words[0]);
      const target = Number(neighbour & ADDRESS) + (step.address - address) / 8 * size;
      if (!isSomething(session, second ? { ...regime, stage2: null } : regime, target)) continue;
      const value = neighbour & ~ADDRESS | BigInt(target);
      if (!passes(session, regime, failed, new Map([[step.address, value]]))) continue;
      return {
        descriptor: value,
        text: `map it: with the ${levelText(step)} descriptor at ${hex(step.address)} = ` +
          `${hex(value)}, as its neighbour at ${hex(address)} goes on, the access passes`,
      };
    }
  }
  return null;
}

function hex(value: number | bigint): string {
  return `0x${value.toString(16)}`;
}
