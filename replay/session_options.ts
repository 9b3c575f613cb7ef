import type { MemoryWatch } from "../core/memory/memory.ts";
import type { Observer } from "../core/observer.ts";

/** What a session is made for. */
export interface SessionOptions {
  /** Whether the machine can have a flow observer. It must be set before a keyframe is loaded. */
  readonly flow?: boolean;
  /** Whether the machine looks for hazards. */
  readonly hazards?: boolean;
  /** Whether what instructions write to registers is kept, for {@linkcode Engine.takeResults}. */
  readonly results?: boolean;
  /** Whether every store is watched: see {@linkcode ReplayMachineOptions.watched}. */
  readonly watched?: boolean;
  /** It goes forward, mostly: nothing is kept for steps back. */
  readonly forward?: boolean;
  /** At whose end it begins; 0, which is the start, if left out. */
  readonly window?: number;
  /** Re-execute windows of other machine versions as they come: for those who check every step. */
  readonly anyVersion?: boolean;
}

/** Who looks on while a session executes. */
export interface Onlookers {
  /** Receives events. */
  readonly events?: Observer;
  /** Sees accesses to memory. */
  readonly watch?: MemoryWatch;
}
