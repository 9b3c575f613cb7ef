/** The trace: its format, recorder and reader. See `SPEC.md`. */

export { openTrace, Trace } from "./reader.ts";
export type { ExecutedInstruction } from "./executed.ts";
export type { Keyframe, TraceFooter, TraceHeader } from "./trace_info.ts";
export { eventAddresses, eventMatches } from "./event_filter.ts";
export type { EventColumns, EventFilter } from "./event_filter.ts";
export type { WindowInfo } from "./window_index.ts";
export type { TurnTable } from "./turn_table.ts";
export type { WindowSummary } from "./summary.ts";
export type { ExceptionEntries, WindowFlow } from "./flow_decoder.ts";
export { BlockTable } from "./block_table.ts";
export type { InputEvent } from "./input_columns.ts";
export { bytesAccess, FileAccess, fileAccess } from "./random_access.ts";
export type { RandomAccess } from "./random_access.ts";
export { ValuesCopy } from "./copy_trace.ts";
export type { FramedItem } from "./copy_trace.ts";
export type { InstructionResults } from "./window_values.ts";
export { writeAttached } from "./attach_writer.ts";
export { Recorder } from "./recorder.ts";
export { RecorderThreads } from "./recorder_threads.ts";
export type {
  ImageDescription,
  ImageFile,
  RecorderOptions,
  RecordingResult,
} from "./recorder_options.ts";
export type { FollowedMemory } from "./page_reader.ts";
export type { LoadedRange } from "./keyframe_writer.ts";
export { FileSink } from "./file_sink.ts";
export type { TraceSink } from "./writer.ts";
export type { RecordableMachine, RecordableMemory, RecordableState } from "./recordable_machine.ts";
export type {
  BlockLookup,
  CodeObserver,
  FlowContext,
  FlowEncoder,
  FlowFields,
  FlowObserver,
  FlowSource,
} from "./flow_source.ts";
export { WasmFlowEncoder } from "./flow_encoder_wasm.ts";
export {
  DEFAULT_WINDOW_STEPS,
  END_REASONS,
  EVENT_KINDS,
  EVENTS,
  FORMAT_VERSION,
  MAX_WINDOW_STEPS,
  PAGE_SIZE,
  PROFILES,
} from "./schema.ts";
export type { ColumnType, EndReason, EventKind, EventSchema, Profile } from "./schema.ts";
export type { CborMap, CborValue } from "./cbor.ts";
export { hashPage, hashState, hashWords } from "./state_hash.ts";
export type { StateHash } from "./state_hash.ts";
export { TraceError } from "./trace_error.ts";
export { sharedBytes } from "./image_memory.ts";
export type { ImageMemory } from "./image_memory.ts";
