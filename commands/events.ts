import type { MachineEvent } from "../core/observer.ts";
import { POSITION_FORMS } from "../replay/position.ts";
import type { EventFilter } from "../trace/event_filter.ts";
import type { Trace } from "../trace/reader.ts";
import { EVENT_KINDS, type EventKind } from "../trace/schema.ts";
import { defineCommand } from "./command.ts";
import { eventJson } from "./event_json.ts";
import { eventDetails } from "./event_text.ts";
import { STATUS } from "./exit_status.ts";
import { flag, option, repeated } from "./options.ts";
import { hex, printable } from "./output.ts";
import {
  addressesOf,
  checkRange,
  cpuOf,
  type OpenedTrace,
  openTraceFile,
  positionOf,
} from "./trace_file.ts";
import { count, someOf, text } from "./values.ts";

/** Width of the longest kind. */
const KIND_WIDTH = Math.max(...EVENT_KINDS.map((kind) => kind.length));

/** `events`: lists what happened. */
export default defineCommand({
  description: [
    "One line per event: position, kind, PC with symbol, details. All filters must hold.",
    `Kinds: ${EVENT_KINDS.join(", ")}.`,
    `POS: ${POSITION_FORMS}.`,
    "ADDR: 0xADDRESS, 0xFIRST-0xEND, 0xFIRST+LENGTH or a symbol; it matches the PC and every",
    "virtual or physical address that the event names.",
  ],
  operands: [{ name: "TRACE", help: "the trace to read" }],
  options: {
    kind: repeated("KIND,…", someOf(...EVENT_KINDS), "only these kinds", { short: "k" }),
    from: option("POS", text, "from this position on"),
    to: option("POS", text, "up to, not including, this position"),
    address: option("ADDR", text, "only events that name such an address", { short: "a" }),
    cpu: option("N", count, "only of this CPU"),
    count: option("N", count, "at most so many events", { short: "n" }),
    json: flag("print one JSON object per line"),
  },
  examples: [
    ["events boot.unboot --kind exception", "every exception"],
    ["events boot.unboot -k sysreg,tlbi,barrier --to mmu-on+20", "how the MMU was turned on"],
    ["events boot.unboot --address 0x40600000+0x1000", "whatever concerns that page"],
  ],
  async run(values, [path], { out, err }) {
    const opened = await openTraceFile(path, err);
    const filter = filterOf(values, opened);
    const limit = values.count ?? Infinity;
    const line = textLine(opened);
    let shown = 0;
    for (const event of opened.trace.events(filter)) {
      if (shown++ >= limit) break;
      if (values.json) out.json(eventJson(event, opened.symbols));
      else out.line(line(event));
    }
    return STATUS.ok;
  },
});

interface FilterValues {
  readonly kind: EventKind[][];
  readonly from: string | undefined;
  readonly to: string | undefined;
  readonly address: string | undefined;
  readonly cpu: number | undefined;
}

function filterOf(values: FilterValues, { trace, symbols }: OpenedTrace): EventFilter {
  const filter: EventFilter = {};
  const kinds = values.kind.flat();
  if (kinds.length > 0) filter.kinds = new Set(kinds);
  if (values.from !== undefined) filter.from = positionOf(trace, values.from, "from");
  if (values.to !== undefined) filter.to = positionOf(trace, values.to, "to");
  if (values.address !== undefined) {
    filter.address = addressesOf(values.address, symbols, "address");
  }
  checkRange(filter.from, filter.to);
  const cpu = cpuOf(trace, values.cpu);
  if (cpu !== undefined) filter.cpu = cpu;
  return filter;
}

function textLine({ trace, symbols }: OpenedTrace): (event: MachineEvent) => string {
  const width = positionWidth(trace);
  const severalCpus = trace.header.cpus > 1;
  return (event) => {
    const name = symbols.name(event.pc);
    const columns = [
      `#${event.position}`.padEnd(width),
      ...(severalCpus ? [`cpu${event.cpu}`] : []),
      event.kind.padEnd(KIND_WIDTH),
      (name === undefined ? hex(event.pc, 8) : printable(name)).padEnd(28),
      eventDetails(event, symbols),
    ];
    return columns.join("  ");
  };
}

/** Columns that a position of this trace takes, with its `#`. */
export function positionWidth(trace: Trace): number {
  return `#${trace.end}`.length;
}
