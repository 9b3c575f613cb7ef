/**
 * Header, image and footer as read.
 */

import type { CborMap, CborValue } from "./cbor.ts";
import { Fields } from "./fields.ts";
import type { LoadedRange } from "./keyframe_writer.ts";
import type { ImageDescription, ImageFile } from "./recorder_options.ts";
import {
  END_REASONS,
  type EndReason,
  FORMAT_VERSION,
  MAX_WINDOW_STEPS,
  type Profile,
  PROFILES,
} from "./schema.ts";
import { TraceError } from "./trace_error.ts";

/** The machine's state at a window's end. */
export interface Keyframe {
  /** Window at whose end this is; 0 is the state at #0. */
  window: number;
  /** Steps before it. */
  position: number;
  /** Instructions retired, per CPU. */
  retired: number[];
  /** CPUs, devices and time as the machine saved them. */
  state: CborMap;
  /** Modelled TLB of all CPUs, opaque bytes. */
  tlb: Uint8Array;
  /** State hash, 8 bytes. */
  hash: Uint8Array;
}

/** Who recorded what, and how. */
export interface TraceHeader {
  /** Format version, `[major, minor]`. */
  format: [number, number];
  /** When the recording was made; the one field that two recordings differ in, and not hashed. */
  recordedAt: string;
  /** Name and version of the recording program. */
  recorder: string;
  /** Raised by any change of what machines do. */
  machineVersion: number;
  /** The machine in words and numbers. */
  machine: Record<string, CborValue>;
  /** Number of CPUs. */
  cpus: number;
  /** RAM: physical address and bytes. */
  memory: { base: number; size: number };
  /** Steps of every window but the last. */
  windowSteps: number;
  /** Options that the guest could notice. */
  options: Record<string, CborValue>;
  /** What is here of the windows. */
  profile: Profile;
  /** The image file. */
  image: { name: string; sha256: Uint8Array };
}

/** How the recording ended. */
export interface TraceFooter {
  /** Why. */
  reason: EndReason;
  /** What belongs to the reason, for example the first fault of a storm. */
  detail: Record<string, CborValue>;
  /** Steps recorded. */
  position: number;
  /** Instructions retired, per CPU. */
  retired: number[];
  /** Events by kind. */
  events: Record<string, number>;
}

/** Reads a header; refuses another major version. */
export function parseHeader(fields: Fields, recordedAt: string): TraceHeader {
  const [major, minor] = fields.uints("format");
  if (major !== FORMAT_VERSION[0] || minor === undefined) {
    throw new TraceError(
      `Cannot open the trace: expected format ${FORMAT_VERSION[0]}.x, found ${major}.${minor}`,
    );
  }
  const memory = fields.fields("memory");
  const image = fields.fields("image");
  const windowSteps = fields.uint("windowSteps", MAX_WINDOW_STEPS);
  if (windowSteps === 0) {
    throw new TraceError("Cannot open the trace: expected windows of at least one step");
  }
  return {
    format: [major, minor],
    recordedAt,
    recorder: fields.text("recorder"),
    machineVersion: fields.uint("machineVersion"),
    machine: fields.fields("machine").map,
    cpus: fields.uint("cpus", 256),
    memory: { base: memory.uint("base", 2 ** 48), size: memory.uint("size", 2 ** 48) },
    windowSteps,
    options: fields.fields("options").map,
    profile: profileOf(fields),
    image: { name: image.text("name"), sha256: image.bytes("sha256", 32) },
  };
}

function profileOf(fields: Fields): Profile {
  const name = fields.has("profile") ? fields.text("profile") : "full";
  const profile = PROFILES.find((known) => known === name);
  if (profile) return profile;
  throw new TraceError(
    `Cannot open the trace: expected profile ${PROFILES.join(" or ")}, found "${name}"`,
  );
}

/** Reads an image item. */
export function parseImage(fields: Fields): ImageDescription {
  const files = fields.array("files").map((value, i): ImageFile => {
    const file = new Fields(value, `file ${i} of ${fields.what}`);
    return {
      role: file.text("role") as ImageFile["role"],
      name: file.text("name"),
      size: file.uint("size"),
      sha256: file.bytes("sha256", 32),
    };
  });
  return {
    name: fields.text("name"),
    kind: fields.text("kind") as ImageDescription["kind"],
    describe: fields.text("describe", 65536),
    pc: fields.word("pc"),
    files,
    warnings: fields.texts("warnings"),
  };
}

/** Reads where an image item says that a boot writes; null if it does not. */
export function parseLoaded(fields: Fields): LoadedRange[] | null {
  if (!fields.has("loaded")) return null;
  return fields.array("loaded").map((value, i) => {
    const range = new Fields(value, `range ${i} of ${fields.what}`);
    return { address: range.uint("address", 2 ** 48), length: range.uint("length", 2 ** 48) };
  });
}

/** Reads a footer. */
export function parseFooter(fields: Fields): TraceFooter {
  const reason = fields.text("reason");
  if (!(END_REASONS as readonly string[]).includes(reason)) {
    throw new TraceError(`Cannot read the footer: expected an end reason, found "${reason}"`);
  }
  return {
    reason: reason as EndReason,
    detail: fields.fields("detail").map,
    position: fields.uint("position"),
    retired: fields.uints("retired"),
    events: fields.counts("events"),
  };
}
