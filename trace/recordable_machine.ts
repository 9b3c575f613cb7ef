import type { Observer } from "../core/observer.ts";
import type { FlowObserver, FlowSource } from "./flow_source.ts";
import type { EndReason } from "./schema.ts";

/**
 * What the recorder needs of a machine. `core/machine.ts` is one; tests use a synthetic one.
 *
 * Invariant: recording must not change what the machine does.
 */
export interface RecordableMachine {
  /** Steps so far. */
  readonly position: number;
  /** Instructions retired so far, over all CPUs. */
  readonly retired: number;
  /** Each CPU's instructions retired so far; left out where there is just one. */
  readonly cpus?: readonly { readonly retired: number }[];
  /** Raised by any change of architectural results, TLB geometry or device behaviour. */
  readonly machineVersion: number;
  /** RAM. */
  readonly memory: RecordableMemory;
  /** Answers for the records of the flow. */
  readonly flowSource: FlowSource;
  /** Receives events. */
  observer: Observer | null;
  /** Receives the flow. */
  flowObserver: FlowObserver | null;
  /** Runs to position `until`; null if it got there, else why it ended earlier. */
  run(until: number): EndReason | null;
  /** Delivers the partial run, so that it becomes a block of its own. */
  cutFlow(): void;
  /** Everything but RAM. Equal for equal states. */
  save(): RecordableState;
}

/** RAM whose first writes can be watched. */
export interface RecordableMemory {
  /** Physical address of the first byte. */
  readonly base: number;
  /** Bytes. */
  readonly size: number;
  /** All of it. */
  readonly bytes: Uint8Array;
  /** `listener` runs before the first write to each page since the last restart. */
  trackFirstWrites(listener: (pageAddress: number) => void): { restart(): void; close(): void };
}

/** A saved machine: plain CBOR-able data; `tlb` is stored apart because little of it changes. */
export interface RecordableState {
  /** The modelled TLB of all CPUs. */
  readonly tlb: Uint8Array;
  /** `pstate` (as SPSR) and `system` (registers by manual name) of the first are looked at. */
  readonly cpus: readonly object[];
  /** Device states by name. */
  readonly devices?: object;
  /** The terms of virtual time. */
  readonly time?: object;
}
