import { POSITION_FORMS } from "../replay/position.ts";
import { type Names, namesOf } from "../replay/queries/explain_symbols.ts";
import { readTarget, TargetError } from "../replay/queries/who_wrote_target.ts";
import { writeHistory } from "../replay/queries/write_history.ts";
import type { MemoryWrite } from "../replay/queries/writers.ts";
import { windowsThatWrote } from "../replay/queries/writers_stretches.ts";
import { ReplayError } from "../replay/replay_error.ts";
import { Session } from "../replay/session.ts";
import type { Trace } from "../trace/mod.ts";
import { defineCommand } from "./command.ts";
import { STATUS } from "./exit_status.ts";
import { flag, option } from "./options.ts";
import { grouped, hex, type Output, plural, printable } from "./output.ts";
import { checkRange, openTraceFile, positionOf } from "./trace_file.ts";
import { UsageError, UserError } from "./user_error.ts";
import { positive, text } from "./values.ts";

const TARGETS = "0xADDRESS, 0xADDRESS+BYTES, SYMBOL, SYMBOL+BYTES, pa:0xADDRESS";

/** `writes`: lists every write of memory. */
export default defineCommand({
  description: [
    "Lists every write to some bytes of memory in a whole boot, first to last, however they were",
    "addressed: position, instruction, what was there and what was written. The windows of the trace",
    "that wrote there are executed again, on all processors.",
    `TARGET: ${TARGETS}. Virtual addresses mean what they translate to at --to.`,
    `POS: ${POSITION_FORMS}.`,
  ],
  operands: [
    { name: "TRACE", help: "the trace to read" },
    { name: "TARGET", help: "what was written" },
  ],
  options: {
    from: option("POS", text, "from this position on"),
    to: option("POS", text, "up to, not including, this position (default end)"),
    size: option("BYTES", positive, "bytes at an address (default: the symbol's, or 1)", {
      short: "s",
    }),
    count: option("N", positive, "at most so many writes", { short: "n" }),
    "by-function": flag("count the writes of each function instead"),
    json: flag("print one JSON object per line"),
  },
  examples: [
    ["writes boot.unboot 0x40518000+4096", "the history of a page of descriptors"],
    ["writes boot.unboot page_root --to fault", "of a variable, up to the first fault"],
    ["writes boot.unboot 0x40518000+4096 --by-function", "who fills that page"],
  ],
  async run(values, [path, target], { out, err }) {
    const { trace, symbols, source } = await openTraceFile(path, err);
    const from = values.from === undefined ? 0 : positionOf(trace, values.from, "from");
    const to = values.to === undefined ? trace.end : positionOf(trace, values.to, "to");
    checkRange(from, to);
    const printer = values["by-function"]
      ? new FunctionCounter(out, namesOf(trace, symbols), values.json)
      : new WritePrinter(out, trace, namesOf(trace, symbols), values.json);
    const limit = values.count ?? Infinity;
    try {
      const { size } = values;
      const place = { position: to, ...(size === undefined ? {} : { size }) };
      const session = new Session(trace, { window: nearWindow(trace, target, { from, to }) });
      const written = readTarget(session, symbols, target, place);
      if (written.kind !== "memory") {
        throw new UsageError(`${target} is a register: expected ${TARGETS}`);
      }
      let given = 0;
      await writeHistory(source, session, written.range, { from, to }, (write) => {
        printer.write(write);
        return ++given < limit;
      });
    } catch (error) {
      if (error instanceof TargetError || error instanceof ReplayError) {
        throw new UserError(error.message);
      }
      throw error;
    }
    printer.end();
    return STATUS.ok;
  },
});

/** Keyframe to begin at: the one that the target's meaning is looked up at, or the first writes follow. */
function nearWindow(trace: Trace, target: string, stretch: { from: number; to: number }): number {
  const { number, end } = trace.windowAt(stretch.to);
  const [, address] = /^pa:(0x[0-9a-f_]+)/i.exec(target) ?? [];
  if (address === undefined) return end === stretch.to ? number : number - 1;
  const page = { address: Number(address.replaceAll("_", "")), length: 1 };
  return (windowsThatWrote(trace, page, stretch).at(-1) ?? 1) - 1;
}

/** What writes are handed to. */
interface WriteSink {
  write(write: MemoryWrite): void;
  end(): void;
}

/** A line for each write. */
class WritePrinter implements WriteSink {
  constructor(
    readonly out: Output,
    readonly trace: Trace,
    readonly names: Names,
    readonly json: boolean,
  ) {}

  write({ by, position, pc, va, address, old, bytes }: MemoryWrite): void {
    const { out, trace, names } = this;
    const symbol = pc === null ? undefined : names.name(pc);
    const cpu = trace.turns.cpuAt(position);
    if (this.json) {
      return out.json({
        by,
        position,
        cpu,
        pc,
        symbol: symbol ?? null,
        address: hex(address),
        va,
        size: bytes.length,
        old: number(old),
        new: number(bytes),
      });
    }
    const who = pc === null
      ? ""
      : hex(pc) + (symbol === undefined ? "" : ` <${printable(symbol)}>`);
    const alias = va === null || va === BigInt(address) ? "" : ` (as ${hex(va)})`;
    const onCpu = trace.header.cpus > 1 ? ` cpu ${cpu}` : "";
    out.line(
      `#${position}${onCpu}  ${who}  ${by} ${hex(address)}${alias}: ` +
        `${digits(old)} -> ${digits(bytes)}`,
    );
  }

  end(): void {}
}

/** Counts by function. */
class FunctionCounter implements WriteSink {
  readonly #functions = new Map<string, { writes: number; bytes: number; first: number }>();

  constructor(readonly out: Output, readonly names: Names, readonly json: boolean) {}

  write({ by, position, pc, bytes }: MemoryWrite): void {
    const name = pc === null ? by : this.names.name(pc)?.replace(/\+0x[0-9a-f]+$/, "") ?? hex(pc);
    const known = this.#functions.get(name);
    if (!known) this.#functions.set(name, { writes: 1, bytes: bytes.length, first: position });
    else {
      known.writes++;
      known.bytes += bytes.length;
    }
  }

  end(): void {
    const all = [...this.#functions].toSorted(([, a], [, b]) =>
      b.writes - a.writes || a.first - b.first
    );
    for (const [name, { writes, bytes, first }] of all) {
      if (this.json) this.out.json({ function: name, writes, bytes, first });
      else {
        this.out.line(
          `${grouped(writes).padStart(12)}  ${plural(bytes, "byte")}, first at #${first}  ` +
            printable(name),
        );
      }
    }
  }
}

/** Little-endian bytes as one number; longer ones, which are zero or a device's, as their first eight. */
function number(bytes: Uint8Array): bigint {
  return bytes.subarray(0, 8).reduceRight((value, byte) => value << 8n | BigInt(byte), 0n);
}

function digits(bytes: Uint8Array): string {
  const text = hex(number(bytes), 2 * Math.min(8, bytes.length));
  return bytes.length > 8 ? `${text}… (${bytes.length} bytes)` : text;
}
