/**
 * Positions as a person writes them: `#1234`, `1_234`, `end`, or the name of something that happened.
 */
import type { EventKind, Trace } from "../trace/mod.ts";
import { firstFault, isMmuEnable, isVectorWrite } from "./queries/milestones.ts";
import { firstExecution } from "./queries/first_execution.ts";
import { Symbolizer } from "./symbolizer.ts";

/** A position that cannot be understood, or that this trace does not have. The message is one line. */
export class PositionError extends Error {
  /** `PositionError` */
  override name = "PositionError";

  /** Whether no trace could have such a position. */
  readonly malformed: boolean;

  /** Takes a message of one line. */
  constructor(message: string, malformed = false) {
    super(message);
    this.malformed = malformed;
  }
}

/** What a position can be, for helps and errors. */
export const POSITION_FORMS: string = "#N, start, end, fault, mmu-on, vbar-set, exception:N, " +
  "exception:last, tlb:N, mmio:N, console:TEXT or symbol:NAME, all but console with +N or -N behind";

/** Kinds of events that can be counted: `exception:1` is the first. */
const COUNTED: Readonly<Record<string, EventKind>> = {
  exception: "exception",
  tlb: "tlb-fill",
  mmio: "mmio",
};

/**
 * The position that `text` means in a trace.
 *
 * @throws PositionError if it means nothing, did not happen, or lies beyond the end
 */
export function resolvePosition(trace: Trace, text: string): number {
  if (text.startsWith("console:")) {
    return required(consolePosition(trace, text.slice("console:".length)), text);
  }
  const [, name, offset = ""] = /^(.+?)([+-][\d_]+)?$/.exec(text) ?? [];
  if (name === undefined) throw unknownPosition(text);
  const position = resolveName(trace, name) + Number(offset.replaceAll("_", ""));
  if (position < 0 || position > trace.end) {
    throw new PositionError(`Position ${text} is #${position}, expected #0 to #${trace.end}`);
  }
  return position;
}

function resolveName(trace: Trace, name: string): number {
  const digits = name.replace(/^#/, "").replace(/[,_]/g, "");
  if (/^\d+$/.test(digits)) return Number(digits);
  switch (name) {
    case "start":
      return 0;
    case "end":
      return trace.end;
    case "fault":
      return required(firstFault(trace)?.position, name);
    case "mmu-on":
      return required(firstEvent(trace, "sysreg", isMmuEnable), name);
    case "vbar-set":
      return required(firstEvent(trace, "sysreg", isVectorWrite), name);
  }
  const [, kind, which] = /^(\w+):(.+)$/.exec(name) ?? [];
  if (kind === "symbol") return required(symbolPosition(trace, which), name);
  if (kind === undefined || !Object.hasOwn(COUNTED, kind)) throw unknownPosition(name);
  if (which === "last") return required(lastOf(trace, COUNTED[kind]), name);
  if (!/^[1-9]\d*$/.test(which)) throw unknownPosition(name);
  return required(nthOf(trace, COUNTED[kind], Number(which)), name);
}

function unknownPosition(text: string): PositionError {
  return new PositionError(`Unknown position "${text}": expected ${POSITION_FORMS}`, true);
}

function required(position: number | undefined, name: string): number {
  if (position !== undefined) return position;
  throw new PositionError(`There is no ${name} in this trace`);
}

function firstEvent(
  trace: Trace,
  kind: EventKind,
  matches: (event: { register?: string; old?: bigint; new?: bigint }) => boolean,
): number | undefined {
  for (const event of trace.events({ kinds: new Set([kind]) })) {
    if (matches(event as { register?: string })) return event.position;
  }
  return undefined;
}

/** Position of the n-th event of a kind, from 1; windows are skipped by their summaries. */
function nthOf(trace: Trace, kind: EventKind, n: number): number | undefined {
  let before = 0;
  for (const { number, start, end } of trace.windows) {
    const inWindow = number === 0 ? 0 : trace.summary(number).events[kind] ?? 0;
    if (before + inWindow < n) {
      before += inWindow;
      continue;
    }
    for (const { position } of trace.events({ kinds: new Set([kind]), from: start, to: end })) {
      if (++before === n) return position;
    }
  }
  return undefined;
}

function lastOf(trace: Trace, kind: EventKind): number | undefined {
  for (const { number, start, end } of trace.windows.toReversed()) {
    if (number === 0 || !trace.summary(number).events[kind]) continue;
    let last: number | undefined;
    for (const { position } of trace.events({ kinds: new Set([kind]), from: start, to: end })) {
      last = position;
    }
    return last;
  }
  return undefined;
}

/** Where the first byte of `text` was sent when it first appeared on the console. */
function consolePosition(trace: Trace, text: string): number | undefined {
  const wanted = new TextEncoder().encode(text);
  if (wanted.length === 0) throw unknownPosition("console:");
  const recent: { byte: number; position: number }[] = [];
  for (const event of trace.events({ kinds: new Set(["console"]) })) {
    if (event.kind !== "console") continue;
    recent.push(event);
    if (recent.length > wanted.length) recent.shift();
    if (recent.length === wanted.length && recent.every(({ byte }, i) => byte === wanted[i])) {
      return recent[0].position;
    }
  }
  return undefined;
}

function symbolPosition(trace: Trace, name: string): number | undefined {
  const symbol = new Symbolizer(trace.symbols(), []).find(name);
  if (!symbol) throw new PositionError(`The trace has no symbol "${name}"`);
  return firstExecution(trace, symbol.address);
}
