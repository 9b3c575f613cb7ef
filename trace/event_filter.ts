import type { MachineEvent } from "../core/observer.ts";
import type { EventKind } from "./schema.ts";

/** What the columns of up to 65,536 events say before the events are decoded. */
export interface EventColumns {
  /** Distinct strings of the events, among them the registers that `sysreg` events name. */
  readonly strings: readonly string[];
  /** Whether there are events of a kind. */
  has(kind: EventKind): boolean;
  /** A column of one byte per event of a kind, in order; empty if the kind did not occur. */
  bytes(kind: EventKind, name: string): Uint8Array;
}

/** Which events to give; what is absent does not restrict. */
export interface EventFilter {
  /** Kinds wanted. */
  kinds?: ReadonlySet<EventKind>;
  /** First position. */
  from?: number;
  /** Position after the last one. */
  to?: number;
  /** Index of the CPU. */
  cpu?: number;
  /** Events that name an address (virtual or physical, or their PC) in `[first, last]`. */
  address?: { first: bigint; last: bigint };
  /** Whether events with these columns can be wanted: the others are not decoded at all. */
  mayMatter?: (columns: EventColumns) => boolean;
}

/** Whether an event passes a filter. */
export function eventMatches(event: MachineEvent, filter: EventFilter): boolean {
  const { from = 0, to = Infinity, cpu, address, kinds } = filter;
  if (event.position < from || event.position >= to) return false;
  if (cpu !== undefined && event.cpu !== cpu) return false;
  if (kinds && !kinds.has(event.kind)) return false;
  if (!address) return true;
  return eventAddresses(event).some((a) => a >= address.first && a <= address.last);
}

/** Every address that an event names: its PC, and what it accessed, translated, took or read. */
export function eventAddresses(event: MachineEvent): bigint[] {
  switch (event.kind) {
    case "exception":
      return [event.pc, event.vector, event.far, event.elr];
    case "eret":
      return [event.pc, event.elr];
    case "tlb-fill":
      return [
        event.pc,
        event.va,
        BigInt(event.pa),
        ...event.descriptors.map((read) => BigInt(read.address)),
      ];
    case "mmio":
      return [event.pc, BigInt(event.address)];
    case "cache":
      return [event.pc, event.value];
    case "hazard":
      return [event.pc, event.address];
    default:
      return [event.pc];
  }
}
