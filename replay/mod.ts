/** Looking at a recorded boot: positions, names, queries. */
export { POSITION_FORMS, PositionError, resolvePosition } from "./position.ts";
export { type SourcePlace, Symbolizer, type SymbolPlace } from "./symbolizer.ts";
export type { Difference } from "./difference.ts";
export {
  halves,
  readPhysical,
  readVirtual,
  type TlbEntryView,
  translationOf,
  type TranslationView,
} from "./guest_view.ts";
export { isSameMachineVersion, otherVersion } from "./replay_machine.ts";
export { Debugger, type NumberedPoint, type Stop, type StopReason } from "./debugger.ts";
export {
  type AccessReport,
  Breakpoint,
  Catchpoint,
  type Direction,
  type Hit,
  type Places,
  type StopPoint,
  type WatchKind,
  Watchpoint,
  type Way,
} from "./stop_points.ts";
export { PhysicalBytes, VirtualBytes, type WatchedBytes } from "./watched_bytes.ts";
export type { PhysicalRange } from "./queries/writers.ts";
export { Timeline, type TimelineInstruction } from "./timeline.ts";
export { ReplayError } from "./replay_error.ts";
export { Session, type SessionOptions } from "./session.ts";
export {
  describeSyndrome,
  exceptionClass,
  hasFaultAddress,
  isFault,
  isFaultEvent,
} from "./syndrome.ts";
export { type Verification, verify } from "./queries/verify.ts";
export { type TlbDifference, type WalkAt, walkAt } from "./queries/walk_at.ts";

export { firstExecution } from "./queries/first_execution.ts";
export {
  firstFault,
  isMmuEnable,
  isVectorWrite,
  type Milestone,
  type MilestoneName,
  milestones,
} from "./queries/milestones.ts";
