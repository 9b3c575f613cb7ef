import { SECURE_RAM, secureBytes } from "../core/memory/physical_spaces.ts";
import { type Milestone, type MilestoneName, milestones } from "../replay/queries/milestones.ts";
import type { Trace } from "../trace/mod.ts";
import { defineCommand } from "./command.ts";
import { eventDetails, exceptionDetails, place, sourceText } from "./event_text.ts";
import { eventJson } from "./event_json.ts";
import { DEFAULTS } from "./defaults.ts";
import { STATUS } from "./exit_status.ts";
import { flag } from "./options.ts";
import { bytesText, grouped, hex, type Output, plural, printable } from "./output.ts";
import { describeReason, faultOf } from "./recording_report.ts";
import { type OpenedTrace, openTraceFile } from "./trace_file.ts";

/** What milestones are called in text. */
const MILESTONE_NAMES: Readonly<Record<MilestoneName, string>> = {
  "first-console-byte": "first console byte",
  "vectors-set": "vectors set",
  "translation-table-set": "translation table set",
  "mmu-on": "MMU on",
  "mmu-off": "MMU off",
  "caches-on": "caches on",
  "first-exception": "first exception",
  "first-fault": "first fault",
  "first-interrupt": "first interrupt",
  "first-el0": "first entry to EL0",
};

/** Console bytes shown at the end of the text. */
const LAST_CONSOLE_LINES = 3;

/** `info`: what a trace holds. */
export default defineCommand({
  description: [
    "What was recorded, when and by what; how it ended; what the boot got done and when; how many",
    "events of each kind there are; hazards (works in QEMU, may hang on hardware); sizes.",
  ],
  operands: [{ name: "TRACE", help: "the trace to read" }],
  options: { json: flag("print one JSON object") },
  examples: [
    ["info boot.unboot", "everything worth knowing at a glance"],
    ["info boot.unboot --json", "the same for programs"],
  ],
  async run({ json }, [path], { out, err }) {
    const opened = await openTraceFile(path, err);
    if (json) out.json(infoJson(opened));
    else infoText(opened, out);
    return STATUS.ok;
  },
});

/** Counts that a complete trace has in its footer, and a truncated one in its summaries. */
interface Totals {
  readonly events: Record<string, number>;
  readonly instructions: number;
}

/** Instructions that each CPU retired. */
function retiredOf(trace: Trace): readonly number[] {
  return trace.keyframe(trace.windows.length - 1).retired;
}

function totalsOf(trace: Trace): Totals {
  const last = trace.windows.length - 1;
  const instructions = retiredOf(trace).reduce((sum, count) => sum + count, 0);
  if (trace.footer) return { events: trace.footer.events, instructions };
  const events: Record<string, number> = {};
  for (let window = 1; window <= last; window++) {
    for (const [kind, count] of Object.entries(trace.summary(window).events)) {
      events[kind] = (events[kind] ?? 0) + count;
    }
  }
  return { events, instructions };
}

/** How often each hazard was seen, and where first. */
function hazardsOf({ trace }: OpenedTrace): Map<string, { count: number; first: number }> {
  const hazards = new Map<string, { count: number; first: number }>();
  for (const event of trace.events({ kinds: new Set(["hazard"]) })) {
    if (event.kind !== "hazard") continue;
    const known = hazards.get(event.hazard);
    if (known) known.count++;
    else hazards.set(event.hazard, { count: 1, first: event.position });
  }
  return hazards;
}

function infoJson(opened: OpenedTrace): Record<string, unknown> {
  const { path, bytes, trace, symbols } = opened;
  const { header, image, footer, truncated } = trace;
  const { events, instructions } = totalsOf(trace);
  const fault = faultOf(trace);
  return {
    trace: path,
    bytes,
    format: header.format.join("."),
    recorded_at: header.recordedAt,
    recorder: header.recorder,
    profile: opened.stored.header.profile,
    machine_version: header.machineVersion,
    machine: header.machine,
    cpus: header.cpus,
    ...(header.cpus > 1 ? { cpu_instructions: retiredOf(trace) } : {}),
    memory: { base: hex(header.memory.base), size: header.memory.size },
    options: header.options,
    image: {
      name: image.name,
      kind: image.kind,
      description: image.describe,
      pc: image.pc,
      files: image.files.map((file) => ({ ...file, sha256: file.sha256.toHex() })),
      warnings: image.warnings,
    },
    reason: footer?.reason ?? null,
    detail: footer?.detail ?? {},
    truncated,
    steps: trace.end,
    instructions,
    events,
    hazards: Object.fromEntries(hazardsOf(opened)),
    first_fault: fault ? eventJson(fault, symbols) : null,
    milestones: milestones(trace).map(({ name, event }) => ({
      name,
      ...eventJson(event, symbols),
    })),
    sizes: sizesJson(opened.stored, 0),
    boot_sizes: sizesJson(opened.stored, 1),
  };
}

/** Items and bytes by kind, of the windows from `first` on. */
function sizesJson(trace: Trace, first: number): Record<string, { items: number; bytes: number }> {
  const sizes = [...trace.sizes(first)];
  return Object.fromEntries(sizes.map(([kind, { items, bytes }]) => [kind, { items, bytes }]));
}

function infoText(opened: OpenedTrace, out: Output): void {
  const { path, bytes, trace, symbols } = opened;
  const { header, image, footer, truncated } = trace;
  const { events, instructions } = totalsOf(trace);
  const bits = instructions === 0
    ? ""
    : `, ${(bytes * 8 / instructions).toFixed(3)} bits per instruction`;
  const options = Object.entries(header.options)
    .filter(([name, value]) => DEFAULTS[name] !== value)
    .map(([name, value]) => `--${name} ${value}`);
  const ended = truncated
    ? `unknown: the trace is truncated at #${truncated.position} (${printable(truncated.why)})`
    : `${footer!.reason}: ${describeReason(footer!.reason)}`;
  const rows: [string, string][] = [
    ["trace", `${path}, ${bytesText(bytes)}${bits}`],
    [
      "profile",
      opened.stored.header.profile === "full" ? "" : "attach: the rest is executed again",
    ],
    ["image", `${printable(image.name)}: ${printable(image.describe)}`],
    ["machine", `${machineText(trace)}`],
    [
      "recorded",
      `${printable(header.recordedAt)} by ${
        printable(header.recorder)
      }, machine version ${header.machineVersion}`,
    ],
    ["options", printable(options.join(" "))],
    ["length", `${plural(instructions, "instruction")}, ${plural(trace.end, "step")}`],
    ["ended", ended],
  ];
  for (const [name, value] of rows) if (value !== "") out.line(`${name.padEnd(10)}${value}`);
  for (const warning of image.warnings) out.line(`warning   ${printable(warning)}`);
  if (header.cpus > 1) section(out, "CPUs", cpuRows(trace));
  section(out, "Milestones", milestoneRows(opened));
  const fault = footer?.reason === "poweroff" ? undefined : faultOf(trace);
  if (fault) {
    section(out, "The fault to look at", [
      [`#${fault.position}`, `${place(fault.pc, symbols)}${sourceText(fault.pc, symbols)}`],
      ["", exceptionDetails(fault, symbols)],
      ...vectorNote(trace, fault.position),
    ]);
  }
  section(out, "Last lines of the console", lastConsoleLines(trace).map((line) => ["", line]));
  section(
    out,
    "Events",
    Object.entries(events).map(([kind, count]) => [grouped(count), kind]),
    true,
  );
  section(out, "Hazards: works in QEMU, may hang on hardware", hazardRows(opened), true);
  section(out, "Bytes of the trace", sizeRows(opened, instructions), true);
}

function section(
  out: Output,
  title: string,
  rows: readonly (readonly [string, string])[],
  alignRight = false,
): void {
  if (rows.length === 0) return;
  const width = Math.max(...rows.map(([left]) => left.length));
  out.line(`\n${title}`);
  for (const [left, right] of rows) {
    const cell = alignRight ? left.padStart(width) : left.padEnd(width);
    out.line(`  ${cell}${width === 0 ? "" : "  "}${right}`);
  }
}

function machineText({ header }: Trace): string {
  const { machine, cpus, memory, options } = header;
  const words = Object.values(machine).map(String);
  // Traces have Secure RAM behind the other.
  const secured = secureBytes(options.secure === true);
  const mebibytes = (bytes: number, base: number) => `${bytes / 2 ** 20} MiB at ${hex(base)}`;
  return printable(
    `${words.join(", ")}, ${plural(cpus, "CPU")}, ` +
      mebibytes(memory.size - secured, memory.base) +
      (secured > 0 ? `, Secure ${mebibytes(secured, SECURE_RAM.base)}` : ""),
  );
}

/** When each CPU began, and how much it did. */
function cpuRows(trace: Trace): [string, string][] {
  return retiredOf(trace).map((count, cpu) => {
    const first = trace.turns.next(cpu, 0);
    return [
      `cpu${cpu}`,
      first < trace.end ? `from #${first}, ${plural(count, "instruction")}` : "never on",
    ];
  });
}

function milestoneRows({ trace, symbols }: OpenedTrace): [string, string][] {
  const name = (milestone: Milestone) => MILESTONE_NAMES[milestone.name].padEnd(22);
  const start: [string, string] = ["#0", `${"start".padEnd(22)}${place(trace.image.pc, symbols)}`];
  const found = milestones(trace);
  const fault = found.find(({ name }) => name === "first-fault")?.event;
  // Mostly the first exception is the first fault: once is enough.
  const shown = found.filter(({ name, event }) =>
    name !== "first-exception" || event.position !== fault?.position
  );
  const rows = shown.map((milestone): [string, string] => {
    const { event } = milestone;
    const where = symbols.name(event.pc) ?? hex(event.pc, 8);
    return [
      `#${event.position}`,
      `${name(milestone)}${printable(where)}: ${eventDetails(event, symbols)}`,
    ];
  });
  return [start, ...rows, [`#${trace.end}`, "end"]];
}

/** A fault before the vectors are set has nowhere to go. */
function vectorNote(trace: Trace, position: number): [string, string][] {
  const vectors = milestones(trace).find(({ name }) => name === "vectors-set");
  if (vectors && vectors.event.position < position) return [];
  return [["", "VBAR was not set before: the vectors were still those of reset"]];
}

function hazardRows(opened: OpenedTrace): [string, string][] {
  return [...hazardsOf(opened)].map(([name, { count, first }]) => [
    grouped(count),
    `${printable(name)}, first at #${first}`,
  ]);
}

/** What the boot took, a kind of item a line, and apart from that what was booted. */
function sizeRows({ stored: trace }: OpenedTrace, instructions: number): [string, string][] {
  const sizes = [...trace.sizes(1)].sort(([, a], [, b]) => b.bytes - a.bytes);
  const total = (all: Iterable<{ bytes: number }>) =>
    [...all].reduce((sum, { bytes }) => sum + bytes, 0);
  const all = total(trace.sizes().values());
  const boot = total(sizes.map(([, size]) => size));
  const row = (bytes: number, name: string): [string, string] => [
    grouped(bytes),
    instructions === 0 ? name : `${name.padEnd(20)}${bitsText(bytes, instructions)}`,
  ];
  return [
    ...sizes.map(([kind, { bytes }]) => row(bytes, kind)),
    row(boot, "in all"),
    [grouped(all - boot), "what was booted: image, symbols, state at #0"],
  ];
}

function bitsText(bytes: number, instructions: number): string {
  return `${(bytes * 8 / instructions).toFixed(4)} bit per instruction`;
}

/** The end of what the guest printed, without empty lines. */
function lastConsoleLines(trace: Trace): string[] {
  const MOST_BYTES = 4096;
  const bytes: number[] = [];
  const kinds = new Set(["console"] as const);
  for (const { number, start, end } of trace.windows.toReversed()) {
    if (number === 0 || !trace.summary(number).events.console) continue;
    const own: number[] = [];
    for (const event of trace.events({ kinds, from: start, to: end })) {
      if (event.kind === "console") own.push(event.byte);
    }
    bytes.unshift(...own.slice(-MOST_BYTES));
    if (bytes.length >= MOST_BYTES) break;
  }
  const text = new TextDecoder().decode(Uint8Array.from(bytes));
  return text.split(/\r?\n/).filter((line) => line.trim() !== "").slice(-LAST_CONSOLE_LINES)
    .map((line) => printable(line.replaceAll("\r", "")));
}
