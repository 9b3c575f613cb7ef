/** What a recording is made with, and what comes of it. */

import type { LineRow } from "../core/loader/dwarf_line.ts";
import type { GuestSymbol } from "../core/loader/elf.ts";
import type { FlowEncoder } from "./flow_source.ts";
import type { LoadedRange } from "./keyframe_writer.ts";
import type { RecorderThreads } from "./recorder_threads.ts";
import type { EndReason, EventKind } from "./schema.ts";

/** A file that the guest was made of. */
export interface ImageFile {
  /** What it was for. */
  role: "image" | "dtb" | "initrd" | "load" | "firmware" | "pflash" | "disk";
  /** As given, without its directory. */
  name: string;
  /** Bytes. */
  size: number;
  /** 32 bytes. */
  sha256: Uint8Array;
}

/** What was booted. */
export interface ImageDescription {
  /** Name of the image file. */
  name: string;
  /** How it was booted. */
  kind: "elf" | "linux" | "flat" | "firmware";
  /** One line for people: what was loaded where. */
  describe: string;
  /** Address of the first instruction. */
  pc: bigint;
  /** The files, the image itself first. */
  files: ImageFile[];
  /** What the user was told, one line each. */
  warnings: string[];
}

/** What a recording is made with. All of it but `recordedAt` must be deterministic. */
export interface RecorderOptions {
  /** Time of the recording, at most 64 bytes; always give the same length. */
  recordedAt: string;
  /** Name and version of the recording program. */
  recorder: string;
  /** The machine in words and numbers: board, CPU, memory. */
  machine: Record<string, string | number | boolean>;
  /** Options that the guest can notice. */
  options: Record<string, string | number | boolean>;
  /** What is booted. */
  image: ImageDescription;
  /** Its symbols; empty to leave them out. */
  symbols: readonly GuestSymbol[];
  /** Its line table; empty to leave it out. */
  lines: readonly LineRow[];
  /**
   * What a boot writes: nothing else is not zero at #0. All of memory is searched if this is left
   * out, and resets cannot be re-executed.
   */
  loaded?: readonly LoadedRange[];
  /** Steps per window; the default unless a test wants small ones. */
  windowSteps?: number;
  /** For tests: another encoder than the WebAssembly one. */
  flowEncoder?: FlowEncoder;
  /**
   * Threads to do part of the work as soon as they are ready: they are started behind the first
   * window unless they were before. They end with the recording.
   */
  threads?: RecorderThreads | null;
}

/** How a recording ended. */
export interface RecordingResult {
  /** Why it ended. */
  reason: EndReason;
  /** Steps that the trace holds. */
  steps: number;
  /** Instructions retired in them. */
  instructions: number;
  /** Events by kind. */
  events: Partial<Record<EventKind, number>>;
  /** Length of the trace. */
  bytes: number;
  /** Items, bytes of content and bytes in the file by item kind, see `ITEM`. */
  sizes: ReadonlyMap<number, { items: number; content: number; bytes: number }>;
  /** What the sink said, if it failed. */
  error?: Error;
  /** What one of the threads said, if it failed only now; the reason is then `internal-error`. */
  failure?: Error;
}
