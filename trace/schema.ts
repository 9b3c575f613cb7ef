/**
 * The trace format in one place: item kinds, versions, limits and what each item holds.
 *
 * A file is a CBOR sequence (RFC 8742) of framed items; `SPEC.md` is the prose, `trace.cddl` the
 * grammar. It can be in one of these states:
 *
 * - **complete**: ends with a footer; every window is committed;
 * - **truncated**: the recorder was killed or the disk was full. What follows the last commit is
 *   ignored, and the reader says `truncated at #N`;
 * - **not a trace**: the prologue (window 0) was never committed, or the first item is no header.
 *
 * Version rule: an unknown item kind, event kind or map field is skipped. A change that such
 * skipping makes harmless raises the minor version, every other change the major one. A reader
 * tries a newer minor version and refuses another major one.
 */

/** Version of the format that this code writes: `[major, minor]`. */
export const FORMAT_VERSION: readonly [number, number] = [1, 3];

/** Item kinds, the first element of a frame. */
export const ITEM = {
  header: 0,
  image: 1,
  symbols: 2,
  lines: 3,
  pages: 4,
  input: 5,
  flow: 6,
  events: 7,
  keyframe: 8,
  values: 9,
  summary: 10,
  commit: 11,
  footer: 12,
  digest: 13,
} as const;

/** What a trace holds of its windows; see `SPEC.md` section 15. */
export const PROFILES = ["full", "attach"] as const;

/** What a trace holds of its windows. */
export type Profile = typeof PROFILES[number];

/** Name of each item kind. */
export const ITEM_NAMES: readonly string[] = Object.keys(ITEM);

/** Largest content of one item, in bytes; larger data is split over several items of the kind. */
export const MAX_CONTENT = 32 * 1024 * 1024;

/** Steps per window unless the recorder is told otherwise. */
export const DEFAULT_WINDOW_STEPS = 1 << 22;

/** Most steps that a window may have. */
export const MAX_WINDOW_STEPS = 1 << 22;

/** Most instructions in a block. */
export const MAX_BLOCK_STEPS = 64;

/** Block table limits: at a window's end beyond either, the next window starts an empty table. */
export const MAX_TABLE_BLOCKS = 1 << 20;

/** Instructions in the block table at which the next window starts an empty one. */
export const MAX_TABLE_STEPS = 1 << 23;

/** Bytes of a page in `pages` items and summaries. */
export const PAGE_SIZE = 4096;

/** A page is stored without reference to its earlier content at least every so many times. */
export const MAX_PAGE_CHAIN = 16;

/** Address spaces of `pages` items. */
export const SPACE = {
  /** Guest physical memory. */
  memory: 0,
  /** The bytes of the modelled TLB of all CPUs, from address 0. */
  tlb: 1,
} as const;

/** How a block's last instruction leaves it. */
export const BLOCK_KIND = {
  sequential: 0,
  direct: 1,
  conditional: 2,
  call: 3,
  indirect: 4,
  indirectCall: 5,
  return: 6,
  exception: 7,
} as const;

/** Why a recording ended. */
export const END_REASONS = [
  "poweroff",
  "reset",
  "loop",
  "halted",
  "fault-storm",
  "max-instructions",
  "interrupted",
  "disk-full",
  "internal-error",
] as const;

/** Why a recording ended. */
export type EndReason = typeof END_REASONS[number];

/**
 * How a column of an event kind is encoded; see `columns.ts`. `physical` is encoded as `delta` and
 * has at most 48 bits; `string` is a `uint` index into the item's strings.
 */
export type ColumnType = "byte" | "uint" | "delta" | "physical" | "string";

/** A kind of event: its code in the `kind` column and its own columns, in this order. */
export interface EventSchema {
  /** Value in the `kind` column. */
  readonly code: number;
  /** Columns with one value per event of this kind. */
  readonly columns: Readonly<Record<string, ColumnType>>;
  /** Columns with one value per descriptor read instead of one per event (`tlb-fill` only). */
  readonly perRead?: Readonly<Record<string, ColumnType>>;
  /** Columns that an item has only if one of its events has something for them (`tlb-fill` only). */
  readonly optional?: Readonly<Record<string, ColumnType>>;
}

/**
 * Every event kind.
 *
 * `byte` columns hold small numbers, booleans (0, 1) and the choices of {@linkcode CHOICES};
 * `string` columns hold indices into the item's `strings`.
 */
export const EVENTS = {
  "exception": {
    code: 0,
    columns: {
      type: "byte",
      retires: "byte",
      fromEl: "byte",
      toEl: "byte",
      vector: "delta",
      esr: "delta",
      far: "delta",
      elr: "delta",
      spsr: "delta",
    },
  },
  "eret": {
    code: 1,
    columns: { fromEl: "byte", toEl: "byte", elr: "delta", spsr: "delta", illegal: "byte" },
  },
  "tlb-fill": {
    code: 2,
    columns: {
      access: "byte",
      va: "delta",
      pa: "physical",
      level: "byte",
      sizeLog2: "byte",
      asid: "uint",
      global: "byte",
      attributes: "byte",
      permissions: "byte",
      reads: "byte",
    },
    perRead: { readLevel: "byte", readAddress: "physical", descriptor: "delta" },
    optional: { regime: "byte", secure: "byte", vmid: "uint", ipa: "physical" },
  },
  "tlbi": { code: 3, columns: { operation: "string", value: "delta" } },
  "cache": { code: 4, columns: { operation: "string", value: "delta" } },
  "barrier": { code: 5, columns: { operation: "string", value: "delta" } },
  "sysreg": { code: 6, columns: { register: "string", old: "delta", new: "delta" } },
  "mmio": {
    code: 7,
    columns: { write: "byte", address: "physical", size: "byte", value: "delta" },
  },
  "console": { code: 8, columns: { byte: "byte" } },
  "hazard": { code: 9, columns: { hazard: "string", address: "delta" } },
  "unknown": { code: 10, columns: { word: "uint", text: "string" } },
  "reset": { code: 11, columns: { reason: "string" } },
  "turn": { code: 12, columns: {} },
} as const satisfies Record<string, EventSchema>;

/** Name of an event kind. */
export type EventKind = keyof typeof EVENTS;

/** Event kinds by code. */
export const EVENT_KINDS: readonly EventKind[] = Object.keys(EVENTS) as EventKind[];

/** Meaning of the values of `byte` columns that are choices. */
export const CHOICES: Readonly<Record<string, readonly string[]>> = {
  type: ["sync", "irq", "fiq", "serror"],
  access: ["read", "write", "execute"],
};

/** `byte` columns that are booleans. */
export const BOOLEANS: ReadonlySet<string> = new Set(["retires", "illegal", "global", "write"]);
