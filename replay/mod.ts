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
export { Session } from "./session.ts";
export type { SessionOptions } from "./session_options.ts";
export {
  describeSyndrome,
  exceptionClass,
  hasFaultAddress,
  isFault,
  isFaultEvent,
} from "./syndrome.ts";
export { type Verification, verify } from "./queries/verify.ts";
export { checkExpanded, expandTrace } from "./expand.ts";
export { type TlbDifference, type WalkAt, walkAt } from "./queries/walk_at.ts";

export { callTree, type CallTreeOptions } from "./queries/calls/call_tree.ts";
export type { CallKind, CallNode, CallNodes } from "./queries/calls/call_nodes.ts";
export { firstExecution } from "./queries/first_execution.ts";
export {
  firstFault,
  isMmuEnable,
  isVectorWrite,
  type Milestone,
  type MilestoneName,
  milestones,
} from "./queries/milestones.ts";

export { explain, type Explanation } from "./queries/explain.ts";
export { type DescriptorKind, descriptorKind, explanationText } from "./queries/explain_text.ts";
export type { TextContext } from "./queries/explain_text.ts";
export { type Names, namesOf } from "./queries/explain_symbols.ts";
export type { Cause, Diagnosis, Guilty, ReadDescriptor } from "./queries/cause.ts";
export type { PermissionCause } from "./queries/cause_permission.ts";
export type { Stage2Cause } from "./queries/cause_stage2.ts";
export type { FailedAccess, WrongStart } from "./queries/cause_start.ts";
export type { EncodingMistake } from "./queries/cause_tables.ts";
export type { Fix } from "./queries/fix.ts";
export type { ByteWriters } from "./queries/provenance.ts";
export {
  whoWrote,
  type WhoWroteOptions,
  type WriteAnswer,
  type Writer,
  type Written,
} from "./queries/who_wrote.ts";
export type { MemoryWriter } from "./queries/writers.ts";
export { readTarget, TargetError } from "./queries/who_wrote_target.ts";
export { type WalkWriters, walkWriters } from "./queries/walk_writers.ts";
