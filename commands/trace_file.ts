import { PositionError, resolvePosition } from "../replay/position.ts";
import { Symbolizer } from "../replay/symbolizer.ts";
import { fileAccess } from "../trace/random_access.ts";
import { openTrace, type Trace } from "../trace/reader.ts";
import { TraceError } from "../trace/trace_error.ts";
import { explain } from "./files.ts";
import type { Output } from "./output.ts";
import { openIndex } from "./trace_index.ts";
import { UsageError, UserError } from "./user_error.ts";

/** A trace and the names in it. */
export interface OpenedTrace {
  /** The file, as named by the user. */
  readonly path: string;
  /** Length of the file. */
  readonly bytes: number;
  /** All of the trace; of profile `attach` the full one, if it can be executed again. */
  readonly trace: Trace;
  /** What the file itself holds. */
  readonly stored: Trace;
  /** The file that holds all of the trace, for workers; null if none does. */
  readonly source: string | null;
  readonly symbols: Symbolizer;
}

/**
 * Opens a trace file; says so on `err` if it was cut off. The file stays open until the program ends.
 *
 * @throws UserError or TraceError with one line
 */
export async function openTraceFile(path: string, err: Output): Promise<OpenedTrace> {
  const file = explain("read", path, () => {
    const info = Deno.statSync(path);
    if (info.isDirectory) throw new Deno.errors.IsADirectory();
    // A pipe cannot be read here and there, and may have nobody at its other end.
    if (!info.isFile) throw new UserError(`Cannot read ${path}: expected a regular file`);
    return fileAccess(path);
  });
  const stored = namingFile(path, () => openTrace(file));
  if (stored.truncated) {
    const { position, why } = stored.truncated;
    err.line(`unboot: ${path} is truncated at #${position}: ${why}`);
  }
  const full = stored.header.profile === "attach" ? await openAttached(path, stored, err) : null;
  const { trace, path: source } = full ?? { trace: stored, path };
  if (source !== null) openIndex(source, trace, err);
  const symbols = new Symbolizer(trace.symbols(), trace.lines());
  return { path, bytes: file.size, trace, stored, source, symbols };
}

/** Only this kind of trace needs a machine to be opened. */
async function openAttached(path: string, trace: Trace, err: Output) {
  const { openFull } = await import("./attached_trace.ts");
  return await openFull(path, trace, err);
}

function namingFile<T>(path: string, body: () => T): T {
  try {
    return body();
  } catch (error) {
    if (!(error instanceof TraceError)) throw error;
    throw new UserError(`${path}: ${error.message}`);
  }
}

/**
 * The position that an option names.
 *
 * @throws UsageError, or UserError if this trace does not have it
 */
export function positionOf(trace: Trace, text: string, option: string): number {
  try {
    return resolvePosition(trace, text);
  } catch (error) {
    if (!(error instanceof PositionError)) throw error;
    if (error.malformed) throw new UsageError(`Option --${option}: ${error.message}`);
    throw new UserError(error.message);
  }
}

/**
 * The CPU that `--cpu` names; undefined if it was not given.
 *
 * @throws UsageError if the trace has no such CPU
 */
export function cpuOf({ header }: Trace, cpu: number | undefined): number | undefined {
  if (cpu === undefined || cpu < header.cpus) return cpu;
  const expected = header.cpus === 1 ? "0: the trace has one CPU" : `0 to ${header.cpus - 1}`;
  throw new UsageError(`Option --cpu: there is no CPU ${cpu}, expected ${expected}`);
}

/**
 * Refuses `--from` behind `--to`.
 *
 * @throws UsageError
 */
export function checkRange(from: number | undefined, to: number | undefined): void {
  if (from === undefined || to === undefined || from <= to) return;
  throw new UsageError(`Options --from and --to: expected --from first, found #${from} and #${to}`);
}

/**
 * Addresses that an option names: `0x40600000`, `0x40600000-0x40601000` (the end is not included),
 * `0x40600000+0x1000`, or a symbol's name, which means all of it.
 *
 * @throws UsageError with one line
 */
export function addressesOf(
  text: string,
  symbols: Symbolizer,
  option: string,
): { first: bigint; last: bigint } {
  const [, start, sign, other] = /^(0x[0-9a-f_]+)(?:([+-])(0x[0-9a-f_]+|\d+))?$/i.exec(text) ?? [];
  if (start === undefined) {
    const symbol = symbols.find(text);
    if (symbol) {
      const bytes = BigInt(Math.max(1, symbol.size));
      return { first: symbol.address, last: symbol.address + bytes - 1n };
    }
    throw new UsageError(
      `Option --${option}: expected 0xADDRESS, 0xFIRST-0xEND, 0xFIRST+LENGTH or a symbol, ` +
        `found "${text}"`,
    );
  }
  const first = BigInt(start.replaceAll("_", ""));
  if (other === undefined) return { first, last: first };
  const number = BigInt(other.replaceAll("_", ""));
  const last = (sign === "+" ? first + number : number) - 1n;
  if (last < first) throw new UsageError(`Option --${option}: the range "${text}" is empty`);
  return { first, last };
}
