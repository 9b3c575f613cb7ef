/** Stop points as one writes them at the prompt, and what they say when they stop. */
import { systemRegisterByName } from "../core/system/sysregs.ts";
import type { MachineEvent } from "../core/observer.ts";
import { translationOf } from "../replay/guest_view.ts";
import type { Session } from "../replay/session.ts";
import {
  type AccessReport,
  Breakpoint,
  Catchpoint,
  type Hit,
  type StopPoint,
  type WatchKind,
  Watchpoint,
} from "../replay/stop_points.ts";
import { exceptionClass, isFault } from "../replay/syndrome.ts";
import { PhysicalBytes, VirtualBytes } from "../replay/watched_bytes.ts";
import type { EventKind } from "../trace/mod.ts";
import { eventDetails } from "./event_text.ts";
import { hex } from "./output.ts";
import { takeCpu } from "./replay_cpus.ts";
import { condition, evaluate, type Names } from "./replay_expression.ts";
import { addressText, type Shown } from "./replay_show.ts";
import { UserError } from "./user_error.ts";

const DEFAULT_WATCHED = 8;
const MOST_WATCHED = 1 << 24;
/** The translation of each page of them is looked at for each access. */
const MOST_ANY = 1 << 16;
/** Kinds of events that can be caught, by their names at the prompt. */
const CAUGHT: Readonly<Record<string, EventKind>> = {
  exception: "exception",
  eret: "eret",
  tlb: "tlb-fill",
  mmio: "mmio",
  sysreg: "sysreg",
  hazard: "hazard",
};

/** How the watching commands are used. */
export const WATCH_USAGE: Readonly<Record<string, string>> = {
  watch: "ADDRESS [BYTES] [any] [change]",
  rwatch: "ADDRESS [BYTES] [any]",
  awatch: "ADDRESS [BYTES] [any]",
};

/** How `catch` is used. */
export const CATCH_USAGE = "exception [sync|irq|fiq|serror|fault|0xCLASS], tlb " +
  "[read|write|execute], mmio [read|write|0xADDRESS], sysreg [NAME], eret or hazard, each " +
  "with N behind for only the n-th of the trace, and cpu N for only those of a CPU";

/**
 * `ADDRESS [cpu N] [if CONDITION]`; gdb's `*ADDRESS` and `thread N` are the same.
 *
 * @throws UserError
 */
export function parseBreakpoint(text: string, names: Names, shown: Shown): StopPoint {
  const [, where, when] = /^(.+?)(?:\s+if\s+(.+))?$/.exec(text.trim()) ?? [];
  if (where === undefined) throw new UserError("Missing the address to break at");
  if (when === undefined && /\sif$/.test(where)) throw new UserError("Missing the condition");
  const words = where.split(/\s+/);
  const cpu = takeCpu(words, names.session.trace.header.cpus);
  const address = evaluate(words.join(" ").replace(/^\*\s*/, ""), names);
  if ((address & 3n) !== 0n) {
    throw new UserError(`Cannot break at ${hex(address)}: instructions are at multiples of 4`);
  }
  const holds = when === undefined ? null : condition(when, names);
  const own = cpu === undefined ? "" : ` cpu ${cpu}`;
  const suffix = when === undefined ? own : `${own} if ${when}`;
  return new Breakpoint(address, `break ${addressText(address, shown)}${suffix}`, holds, cpu);
}

/** Words that may stand behind what is watched. */
const WATCH_WORDS = new Set(["any", "change"]);

/**
 * `ADDRESS [BYTES] [any] [change]`, with a virtual address, or `phys:` and a physical one.
 *
 * @throws UserError, also where the address is not mapped to memory at the cursor
 */
export function parseWatchpoint(command: string, text: string, names: Names): StopPoint {
  const words = text.trim().split(/\s+/).filter((word) => word !== "");
  const own = new Set<string>();
  while (WATCH_WORDS.has(words.at(-1) ?? "")) own.add(words.pop()!);
  const [any, change] = [own.has("any"), own.has("change")];
  const [where, size, ...rest] = words;
  const physical = where?.startsWith("phys:") ?? false;
  if (where === undefined || rest.length > 0 || (change && command !== "watch")) {
    throw new UserError(`Usage: ${command} ${WATCH_USAGE[command]}`);
  }
  const place = placeOf(physical ? where.slice(5) : where);
  const address = evaluate(place.address, names);
  const symbol = physical ? undefined : names.symbols.find(place.address);
  const length = size === undefined
    ? place.bytes ?? (symbol?.size || DEFAULT_WATCHED)
    : Number(evaluate(size, names));
  if (length < 1 || length > MOST_WATCHED) {
    throw new UserError(`Cannot watch ${length} bytes: expected 1 to ${MOST_WATCHED}`);
  }
  const bytes = physical
    ? physicalBytes(names.session, Number(address), length)
    : virtualBytes(names, address, length, any);
  const kinds: Readonly<Record<string, WatchKind>> = {
    watch: change ? "change" : "write",
    rwatch: "read",
    awatch: "access",
  };
  const shown = physical ? `phys:${hex(address)}` : symbol ? `${where} (${hex(address)})` : where;
  const list = [command, shown, length, ...(any ? ["any"] : []), ...(change ? ["change"] : [])];
  return new Watchpoint(list.join(" "), kinds[command], bytes);
}

/** An address, or gdb's `*(u32*)ADDRESS` and `{4}ADDRESS`, which say the bytes as well. */
function placeOf(text: string): { readonly address: string; readonly bytes: number | undefined } {
  const [, number, bits, address] =
    /^(?:\{([1248])\}|\*\([usi](?:nt)?(8|16|32|64)(?:_t)?\*\))(.+)$/.exec(text) ?? [];
  if (address === undefined) return { address: text.replace(/^&/, ""), bytes: undefined };
  return { address, bytes: number === undefined ? Number(bits) / 8 : Number(number) };
}

function physicalBytes(session: Session, address: number, length: number): PhysicalBytes {
  if (session.machine.memory.contains(address, length)) {
    return new PhysicalBytes({ address, length });
  }
  throw new UserError(`Cannot watch ${hex(address)}: it is not RAM; for devices use catch mmio`);
}

function virtualBytes(
  { session, cpu }: Names,
  va: bigint,
  length: number,
  any: boolean,
): VirtualBytes {
  if (any && length > MOST_ANY) {
    throw new UserError(`Cannot watch ${length} bytes with any: expected 1 to ${MOST_ANY}`);
  }
  const { pa } = translationOf(session.machine, va, cpu());
  if (pa !== null && !session.machine.memory.contains(pa)) {
    throw new UserError(`Cannot watch ${hex(va)}: it is not RAM; for devices use catch mmio`);
  }
  return new VirtualBytes(session, { va, length, cpu: cpu() }, any);
}

/**
 * `KIND [FILTER] [N] [cpu N]`.
 *
 * @throws UserError
 */
export function parseCatchpoint(text: string, cpus = 1): StopPoint {
  const words = text.trim().split(/\s+/).filter((word) => word !== "");
  const cpu = takeCpu(words, cpus);
  const [kind = "", ...rest] = words;
  const nth = /^[1-9]\d*$/.test(rest.at(-1) ?? "") ? Number(rest.pop()) : 0;
  const [filter, ...superfluous] = rest;
  const matches = Object.hasOwn(CAUGHT, kind) ? filterOf(CAUGHT[kind], filter) : undefined;
  if (!matches || superfluous.length > 0) {
    throw new UserError(`Cannot catch "${text.trim()}": expected ${CATCH_USAGE}`);
  }
  const own = cpu === undefined ? matches : (e: MachineEvent) => e.cpu === cpu && matches(e);
  return new Catchpoint(`catch ${text.trim()}`, CAUGHT[kind], own, nth);
}

/** What a stop point reports, in one line; undefined for breakpoints. */
export function hitText({ access, event }: Hit, shown: Shown): string | undefined {
  const several = shown.debugger.session.trace.header.cpus > 1;
  if (event) {
    const cpu = several ? `cpu${event.cpu}  ` : "";
    return `${cpu}${event.kind}: ${eventDetails(event, shown.symbols)}`;
  }
  return access ? accessText(access, shown) : undefined;
}

function accessText(report: AccessReport, shown: Shown): string {
  const { position, pc, by, write, va, address, old } = report;
  const cpu = shown.debugger.session.trace.header.cpus > 1 ? `cpu${report.cpu} ` : "";
  const bytes = old.length === 1 ? "1 byte" : `${old.length} bytes`;
  const what = {
    instruction: "",
    "dc-zva": " by DC ZVA",
    walker: " by the walker",
    dma: " by DMA",
    loader: " by the loader",
  };
  const where = va === null || va === BigInt(address) ? "" : `, VA ${hex(va)}`;
  const values = write ? `${bytesText(old)} -> ${bytesText(report.new)}` : bytesText(old);
  return `${write ? "write" : "read"} of ${bytes} at ${hex(address)}${where}${what[by]}, ` +
    `#${position} ${cpu}${addressText(pc, shown)}: ${values}`;
}

/** Up to 8 bytes as a number, more of them one by one. */
function bytesText(bytes: Uint8Array): string {
  if (bytes.length > 8) return bytes.toHex();
  const value = bytes.reduceRight((number, byte) => number << 8n | BigInt(byte), 0n);
  return hex(value, 2 * bytes.length);
}

/** What a filter of `catch` lets through; undefined if it means nothing. */
function filterOf(
  kind: EventKind,
  filter: string | undefined,
): ((event: MachineEvent) => boolean) | undefined {
  if (filter === undefined) return () => true;
  const number = /^0x[0-9a-f]+$/i.test(filter) ? Number(filter) : undefined;
  switch (kind) {
    case "exception":
      if (number !== undefined) {
        return (e) => e.kind === kind && e.type === "sync" && exceptionClass(e.esr) === number;
      }
      if (filter === "fault") {
        return (e) => e.kind === kind && e.type === "sync" && isFault(e.esr);
      }
      if (!["sync", "irq", "fiq", "serror"].includes(filter)) return undefined;
      return (e) => e.kind === kind && e.type === filter;
    case "tlb-fill":
      if (!["read", "write", "execute"].includes(filter)) return undefined;
      return (e) => e.kind === kind && e.access === filter;
    case "mmio":
      if (number !== undefined) {
        return (e) => e.kind === kind && e.address <= number && number < e.address + e.size;
      }
      if (filter !== "read" && filter !== "write") return undefined;
      return (e) => e.kind === kind && e.write === (filter === "write");
    case "sysreg":
      if (![filter, filter.toUpperCase()].some(systemRegisterByName)) return undefined;
      return (e) => e.kind === kind && e.register.toUpperCase() === filter.toUpperCase();
    default:
      return undefined;
  }
}
