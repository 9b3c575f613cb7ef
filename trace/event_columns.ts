/**
 * The `events` item: events in order, as columns.
 *
 * Common columns have one value per event: `kind`, `position`, `pc`, and `cpu` if it is not always
 * 0. Each kind that occurs has a map of its own columns, one value per event of that kind. The
 * layout comes from `EVENTS` in `schema.ts`; recording one event is a few appends of numbers.
 */

import type {
  DescriptorRead,
  MachineEvent,
  TlbFillEvent,
  TranslationContext,
} from "../core/observer.ts";
import { ByteColumn, ColumnReader, WordColumn } from "./columns.ts";
import type { EventColumns } from "./event_filter.ts";
import { type Fields, uint } from "./fields.ts";
import {
  BOOLEANS,
  CHOICES,
  type ColumnType,
  EVENT_KINDS,
  type EventKind,
  EVENTS,
  type EventSchema,
} from "./schema.ts";
import { TraceError } from "./trace_error.ts";

/** Most events in one item. */
export const MAX_EVENTS_PER_ITEM = 1 << 16;

/** Most distinct strings in one item, and their longest. */
const MAX_STRINGS = 1 << 16;
const MAX_STRING_LENGTH = 1024;

/** In `readLevel`, beside the level: the descriptor is of stage 2. */
const STAGE_2 = 8;
/** In `ipa`: there was no stage 2. */
const NO_IPA = 0xffff_ffff_ffff;

type EventRecord = Record<string, unknown>;

interface WritableColumn {
  field: string;
  /** Whether anything that was pushed since the last `take` says something; left out if always. */
  used?: () => boolean;
  push: (event: EventRecord) => void;
  take: () => Uint8Array;
}

/** What is kept of the events of one kind. */
interface OfKind {
  readonly kind: EventKind;
  readonly code: number;
  readonly columns: WritableColumn[];
  /** In the item in hand. */
  count: number;
  /** Since `takeCounts`. */
  total: number;
}

/** Collects the events of one item. */
export class EventWriter {
  readonly #strings = new Map<string, number>();
  readonly #kind = new ByteColumn();
  readonly #position = new ByteColumn();
  readonly #cpu = new ByteColumn();
  readonly #pc = new WordColumn();
  readonly #byKind = new Map<EventKind, OfKind>();
  /** What the event before was of: many are like the one before. */
  #lastOwn: OfKind | undefined;
  /** Kinds since `takeCounts`, in the order of their first events. */
  #seen: OfKind[] = [];
  #first = 0;
  #last = 0;
  #cpus = 0;
  #count = 0;

  /** Events so far. */
  get count(): number {
    return this.#count;
  }

  /** Whether the item should be written before another event is added. */
  get full(): boolean {
    return this.#count >= MAX_EVENTS_PER_ITEM;
  }

  /** Adds an event. Positions must not descend. */
  add(event: MachineEvent): void {
    if (this.#count++ === 0) this.#first = this.#last = event.position;
    const { kind } = event;
    let own = this.#lastOwn;
    if (own?.kind !== kind) own = this.#lastOwn = this.#ofKind(kind);
    own.count++;
    if (own.total++ === 0) this.#seen.push(own);
    this.#kind.push(own.code);
    this.#position.pushUint(event.position - this.#last);
    this.#last = event.position;
    this.#cpu.pushUint(event.cpu);
    this.#cpus |= event.cpu;
    this.#pc.push(event.pc);
    const { columns } = own;
    for (let i = 0; i < columns.length; i++) columns[i].push(event as unknown as EventRecord);
  }

  /** How many events of each kind were added since the last call. */
  takeCounts(): Partial<Record<EventKind, number>> {
    const counts: Partial<Record<EventKind, number>> = {};
    for (const own of this.#seen) {
      counts[own.kind] = own.total;
      own.total = 0;
    }
    this.#seen = [];
    return counts;
  }

  #ofKind(kind: EventKind): OfKind {
    let own = this.#byKind.get(kind);
    if (!own) {
      const { code } = EVENTS[kind];
      own = { kind, code, columns: this.#columnsOf(kind), count: 0, total: 0 };
      this.#byKind.set(kind, own);
    }
    return own;
  }

  /** The item's content; empties the writer. */
  take(): Record<string, unknown> {
    const content: Record<string, unknown> = {
      first: uint(this.#first),
      count: this.#count,
      strings: [...this.#strings.keys()],
      kind: this.#kind.take(),
      position: this.#position.take(),
      pc: this.#pc.take(),
    };
    const cpu = this.#cpu.take();
    if (this.#cpus !== 0) content.cpu = cpu;
    for (const kind of EVENT_KINDS) {
      const own = this.#byKind.get(kind);
      if (!own || own.count === 0) continue;
      const present = own.columns.map((c) => ({ c, used: c.used?.() ?? true }));
      const taken = present.map(({ c, used }) => ({ used, entry: [c.field, c.take()] as const }));
      content[kind] = Object.fromEntries(
        taken.filter(({ used }) => used).map(({ entry }) => entry),
      );
      own.count = 0;
    }
    this.#strings.clear();
    this.#cpus = 0;
    this.#count = 0;
    return content;
  }

  #columnsOf(kind: EventKind): WritableColumn[] {
    const { columns, perRead }: EventSchema = EVENTS[kind];
    const own = Object.entries(columns).map(([field, type]) => this.#column(field, type));
    return perRead ? [...own, ...descriptorColumns(), ...contextColumns()] : own;
  }

  #column(field: string, type: ColumnType): WritableColumn {
    if (type === "delta" || type === "physical") {
      const words = new WordColumn();
      const push = type === "delta"
        ? (event: EventRecord) => words.push(event[field] as bigint)
        : (event: EventRecord) => words.pushNumber(event[field] as number);
      return { field, push, take: () => words.take() };
    }
    const bytes = new ByteColumn();
    return { field, push: this.#byteColumn(bytes, field, type), take: () => bytes.take() };
  }

  #byteColumn(bytes: ByteColumn, field: string, type: ColumnType): (event: EventRecord) => void {
    const choices = CHOICES[field];
    if (type === "string") return (event) => bytes.pushUint(this.#string(event[field] as string));
    if (type === "uint") return (event) => bytes.pushUint(event[field] as number);
    if (field === "reads") {
      return (event) => bytes.push((event.descriptors as DescriptorRead[]).length);
    }
    if (choices) return (event) => bytes.push(choices.indexOf(event[field] as string));
    return (event) => bytes.push(Number(event[field]));
  }

  #string(text: string): number {
    const known = this.#strings.get(text);
    if (known !== undefined) return known;
    this.#strings.set(text, this.#strings.size);
    return this.#strings.size - 1;
  }
}

function descriptorColumns(): WritableColumn[] {
  const level = new ByteColumn();
  const address = new WordColumn();
  const descriptor = new WordColumn();
  const each = (push: (read: DescriptorRead) => void) => (event: EventRecord) =>
    (event as unknown as TlbFillEvent).descriptors.forEach(push);
  return [
    {
      field: "readLevel",
      push: each((r) => level.push(r.level | (r.stage === 2 ? STAGE_2 : 0))),
      take: () => level.take(),
    },
    {
      field: "readAddress",
      push: each((r) => address.pushNumber(r.address)),
      take: () => address.take(),
    },
    {
      field: "descriptor",
      push: each((r) => descriptor.push(r.descriptor)),
      take: () => descriptor.take(),
    },
  ];
}

/** Columns of {@linkcode TranslationContext}; the regime is 0 where an event has none. */
function contextColumns(): WritableColumn[] {
  const columns = {
    regime: new ByteColumn(),
    secure: new ByteColumn(),
    vmid: new ByteColumn(),
    ipa: new WordColumn(),
  };
  const { regime, secure, vmid, ipa } = columns;
  let any = false;
  const push = (event: EventRecord) => {
    const { translation } = event as unknown as TlbFillEvent;
    any ||= translation !== undefined;
    regime.push(translation?.regime ?? 0);
    secure.push(translation?.secure ? 1 : 0);
    vmid.pushUint(translation?.vmid ?? 0);
    ipa.pushNumber(translation?.ipa ?? NO_IPA);
  };
  const used = () => any;
  const last = () => {
    const bytes = ipa.take();
    any = false;
    return bytes;
  };
  const none = () => {};
  return [
    { field: "regime", used, push, take: () => regime.take() },
    { field: "secure", used, push: none, take: () => secure.take() },
    { field: "vmid", used, push: none, take: () => vmid.take() },
    { field: "ipa", used, push: none, take: last },
  ];
}

function contextReader(fields: Fields): () => TranslationContext | undefined {
  if (!fields.has("regime")) return () => undefined;
  const column = (name: string) =>
    new ColumnReader(fields.bytes(name), `"${name}" of ${fields.what}`);
  const [regime, secure, vmid, ipa] = ["regime", "secure", "vmid", "ipa"].map(column);
  return () => {
    const context = {
      regime: bounded(regime.byte(), 3, "regime", fields.what),
      secure: bounded(secure.byte(), 1, "secure", fields.what) === 1,
      vmid: vmid.uint(0xffff),
      ipa: physical(ipa.word(), fields.what),
    };
    if (context.regime === 0) return undefined;
    return context.ipa === NO_IPA ? { ...context, ipa: null } : context;
  };
}

/** What an item says before its events are decoded. */
export function eventColumns(fields: Fields): EventColumns {
  return {
    strings: fields.texts("strings"),
    has: (kind) => fields.has(kind),
    bytes: (kind, name) => fields.has(kind) ? fields.fields(kind).bytes(name) : NO_BYTES,
  };
}

const NO_BYTES = new Uint8Array(0);

/** How a reader of a kind's columns makes the next event. */
type NextEvent = (base: { position: number; cpu: number; pc: bigint }) => MachineEvent;

/**
 * Reads the events of an item, in order. Events of unknown kinds are skipped.
 *
 * @param wanted kinds to decode; other kinds are passed over without reading their columns
 */
export function* readEvents(
  fields: Fields,
  wanted: (kind: EventKind) => boolean,
): Generator<MachineEvent> {
  const { what } = fields;
  const count = fields.uint("count", MAX_EVENTS_PER_ITEM);
  const strings = fields.texts("strings");
  if (strings.length > MAX_STRINGS || strings.some((s) => s.length > MAX_STRING_LENGTH)) {
    throw new TraceError(`Cannot read ${what}: expected at most ${MAX_STRINGS} short strings`);
  }
  const kinds = fields.bytes("kind", count);
  const positions = new ColumnReader(fields.bytes("position"), `positions of ${what}`);
  const pcs = new ColumnReader(fields.bytes("pc"), `pcs of ${what}`);
  const cpus = fields.has("cpu")
    ? new ColumnReader(fields.bytes("cpu"), `cpus of ${what}`)
    : undefined;
  const readers = new Map<EventKind, NextEvent>();
  let position = fields.uint("first");
  for (let i = 0; i < count; i++) {
    position += positions.uint();
    const pc = pcs.word();
    const cpu = cpus?.uint(0xffff) ?? 0;
    const kind = EVENT_KINDS[kinds[i]];
    if (kind === undefined || !wanted(kind)) continue;
    let next = readers.get(kind);
    if (!next) readers.set(kind, next = kindReader(fields.fields(kind), kind, strings));
    yield next({ position, cpu, pc });
  }
  positions.finish();
  pcs.finish();
}

function kindReader(fields: Fields, kind: EventKind, strings: string[]): NextEvent {
  const schema: EventSchema = EVENTS[kind];
  const columns = Object.entries(schema.columns).map(([field, type]) => ({
    field,
    read: columnReader(fields, field, type, strings),
  }));
  const descriptors = schema.perRead ? descriptorReader(fields) : undefined;
  const context = schema.optional ? contextReader(fields) : undefined;
  return ({ position, cpu, pc }) => {
    const event: EventRecord = { position, cpu, pc, kind };
    for (const { field, read } of columns) event[field] = read();
    if (descriptors) {
      event.descriptors = descriptors(event.reads as number);
      delete event.reads;
    }
    const translation = context?.();
    if (translation) event.translation = translation;
    return event as unknown as MachineEvent;
  };
}

function columnReader(
  fields: Fields,
  field: string,
  type: ColumnType,
  strings: string[],
): () => unknown {
  const column = new ColumnReader(fields.bytes(field), `"${field}" of ${fields.what}`);
  if (type === "string") return () => strings[column.uint(strings.length - 1)];
  if (type === "uint") return () => column.uint();
  if (type === "delta") return () => column.word();
  if (type === "physical") return () => physical(column.word(), fields.what);
  const choices = CHOICES[field];
  if (choices) return () => choices[bounded(column.byte(), choices.length - 1, field, fields.what)];
  if (BOOLEANS.has(field)) return () => bounded(column.byte(), 1, field, fields.what) === 1;
  return () => column.byte();
}

function descriptorReader(fields: Fields): (count: number) => DescriptorRead[] {
  const column = (name: string) =>
    new ColumnReader(fields.bytes(name), `"${name}" of ${fields.what}`);
  const [level, address, descriptor] = ["readLevel", "readAddress", "descriptor"].map(column);
  return (count) =>
    Array.from({ length: count }, () => {
      const byte = level.byte();
      return {
        level: byte & ~STAGE_2,
        address: physical(address.word(), fields.what),
        descriptor: descriptor.word(),
        ...(byte & STAGE_2 ? { stage: 2 as const } : {}),
      };
    });
}

function bounded(value: number, limit: number, field: string, what: string): number {
  if (value > limit) {
    throw new TraceError(
      `Cannot read "${field}" of ${what}: expected at most ${limit}, found ${value}`,
    );
  }
  return value;
}

function physical(address: bigint, what: string): number {
  if (address > 0xffff_ffff_ffffn) {
    throw new TraceError(
      `Cannot read ${what}: expected a physical address of 48 bits, found 0x${
        address.toString(16)
      }`,
    );
  }
  return Number(address);
}
