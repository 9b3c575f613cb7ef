import { disassemble } from "../core/isa/disassemble.ts";
import type { ExceptionEvent } from "../core/observer.ts";
import { POSITION_FORMS } from "../replay/position.ts";
import type { Symbolizer } from "../replay/symbolizer.ts";
import type { ExecutedInstruction, Trace } from "../trace/mod.ts";
import type { StepEffects } from "../replay/queries/step_effects.ts";
import { defineCommand } from "./command.ts";
import { DumpEffects, effectsJson, effectsText } from "./dump_effects.ts";
import { DumpResults, resultsText } from "./dump_results.ts";
import { eventJson } from "./event_json.ts";
import { exceptionDetails } from "./event_text.ts";
import { positionWidth } from "./events.ts";
import { STATUS } from "./exit_status.ts";
import { flag, option } from "./options.ts";
import { hex, type Output, printable } from "./output.ts";
import { addressesOf, checkRange, cpuOf, openTraceFile, positionOf } from "./trace_file.ts";
import { UsageError } from "./user_error.ts";
import { count, text } from "./values.ts";

/** Steps shown by `--at` unless `--count` says otherwise. */
const AROUND = 20;
/** Instructions whose text is remembered: loops are printed from here. */
const MOST_REMEMBERED = 1 << 16;

/** What a line is about. */
type Step = ExecutedInstruction | ExceptionEvent;

/** `dump`: lists executed instructions. */
export default defineCommand({
  description: [
    "One line per step: position, PC, symbol, word, instruction; behind a semicolon the registers that",
    "it changed and the memory that it accessed (w4 0xADDRESS = VALUE: 4 bytes written, r: read). An",
    "exception that retires nothing is a step of its own. Without options everything is listed.",
    `POS: ${POSITION_FORMS}.`,
  ],
  operands: [{ name: "TRACE", help: "the trace to read" }],
  options: {
    from: option("POS", text, "from this position on"),
    to: option("POS", text, "up to, not including, this position"),
    count: option("N", count, "at most so many steps; the last ones before --to without --from", {
      short: "n",
    }),
    at: option("POS", text, `the steps around this position (${AROUND}, or --count)`),
    address: option("ADDR", text, "only instructions at these addresses, or of this symbol", {
      short: "a",
    }),
    cpu: option("N", count, "only this CPU's steps"),
    source: flag("name the source line where it changes"),
    "no-effects": flag(
      "re-execute nothing: only results that the trace holds (see values) are shown",
    ),
    json: flag("print one JSON object per line"),
  },
  examples: [
    ["dump boot.unboot --at fault", "what led to the first fault, and what came then"],
    ["dump boot.unboot --to end --count 30", "the last 30 steps"],
    ["dump boot.unboot --from symbol:main -n 50 --source", "the start of main()"],
  ],
  async run(values, [path], { out, err }) {
    const { trace, symbols } = await openTraceFile(path, err);
    const range = rangeOf(values, trace);
    const wanted = values.address === undefined
      ? undefined
      : addressesOf(values.address, symbols, "address");
    const printer = values.json ? new JsonPrinter(out, symbols) : new TextPrinter(out, symbols, {
      width: positionWidth(trace),
      severalCpus: trace.header.cpus > 1,
      ...(range.mark === undefined ? {} : { mark: range.mark }),
      source: values.source,
    });
    const cpu = cpuOf(trace, values.cpu);
    const isWanted = (step: Step) =>
      (cpu === undefined || step.cpu === cpu) &&
      (!wanted || (step.pc >= wanted.first && step.pc <= wanted.last));
    const effects = values["no-effects"] ? null : DumpEffects.of(trace, err);
    const results = new DumpResults(trace);
    for (const stretch of stretches(trace, range)) {
      if (!stretch.some(isWanted)) continue;
      effects?.load(stretch);
      for (const step of stretch) {
        if (!isWanted(step)) continue;
        if ("kind" in step) printer.exception(step, effects?.faulting(step));
        else {
          const done = effects?.at(step.position);
          printer.instruction(step, done, done ? undefined : results.at(step.position));
        }
      }
    }
    return STATUS.ok;
  },
});

interface Range {
  readonly from: number;
  readonly to: number;
  /** Position asked for with `--at`. */
  readonly mark?: number;
}

function rangeOf(
  values: {
    readonly from: string | undefined;
    readonly to: string | undefined;
    readonly at: string | undefined;
    readonly count: number | undefined;
  },
  trace: Trace,
): Range {
  const { end } = trace;
  if (values.at !== undefined) {
    if (values.from !== undefined || values.to !== undefined) {
      throw new UsageError("Option --at cannot be used together with --from or --to");
    }
    const mark = positionOf(trace, values.at, "at");
    const steps = values.count ?? AROUND;
    const from = Math.max(0, Math.min(mark - Math.floor(steps / 2), end - steps));
    return { from, to: Math.min(end, from + steps), mark };
  }
  const to = values.to === undefined ? end : positionOf(trace, values.to, "to");
  if (values.from === undefined && values.to !== undefined && values.count !== undefined) {
    return { from: Math.max(0, to - values.count), to };
  }
  const from = values.from === undefined ? 0 : positionOf(trace, values.from, "from");
  checkRange(from, to);
  return { from, to: Math.min(to, from + (values.count ?? Infinity)) };
}

/** Steps whose effects are held at a time. */
const STRETCH = 4096;

/** Parts of a range, in order. */
function* stretches(trace: Trace, range: Range): Generator<Step[]> {
  let part: Step[] = [];
  for (const step of steps(trace, range)) {
    if (part.length >= STRETCH) {
      yield part;
      part = [];
    }
    part.push(step);
  }
  yield part;
}

/** Instructions and exception entries in order; an SVC comes before the exception it raised. */
function* steps(
  trace: Trace,
  { from, to }: Range,
): Generator<Step> {
  const exceptions = trace.events({ kinds: new Set(["exception"]), from, to });
  let next = exceptions.next();
  for (const instruction of trace.executed(from, to)) {
    while (!next.done && next.value.position < instruction.position) {
      yield next.value as ExceptionEvent;
      next = exceptions.next();
    }
    yield instruction;
  }
  for (; !next.done; next = exceptions.next()) yield next.value as ExceptionEvent;
}

/** Shows steps. */
interface Printer {
  instruction(
    step: ExecutedInstruction,
    effects: StepEffects | undefined,
    results: readonly bigint[] | undefined,
  ): void;
  /** `word`: the instruction that faulted, where it could be read. */
  exception(event: ExceptionEvent, word: number | undefined): void;
}

class JsonPrinter implements Printer {
  readonly #out: Output;
  readonly #symbols: Symbolizer;

  constructor(out: Output, symbols: Symbolizer) {
    this.#out = out;
    this.#symbols = symbols;
  }

  instruction(
    { position, cpu, el, pc, word }: ExecutedInstruction,
    effects: StepEffects | undefined,
    results: readonly bigint[] | undefined,
  ): void {
    const symbol = this.#symbols.name(pc);
    this.#out.json({
      position,
      cpu,
      kind: "instruction",
      el,
      pc,
      ...(symbol === undefined ? {} : { symbol }),
      word: hex(word, 8),
      text: disassemble(word, pc),
      ...this.#symbols.source(pc),
      ...(effects && effectsJson(effects)),
      ...(results && { results }),
    });
  }

  exception(event: ExceptionEvent, word: number | undefined): void {
    this.#out.json({
      ...eventJson(event, this.#symbols),
      ...(word === undefined ? {} : { word: hex(word, 8), text: disassemble(word, event.pc) }),
    });
  }
}

interface TextOptions {
  /** Columns of a position. */
  readonly width: number;
  readonly severalCpus: boolean;
  /** Position to point at. */
  readonly mark?: number;
  /** Name source lines. */
  readonly source: boolean;
}

class TextPrinter implements Printer {
  readonly #out: Output;
  readonly #symbols: Symbolizer;
  readonly #options: TextOptions;
  readonly #known = new Map<bigint, { word: number; text: string }>();
  #source = "";

  constructor(out: Output, symbols: Symbolizer, options: TextOptions) {
    this.#out = out;
    this.#symbols = symbols;
    this.#options = options;
  }

  instruction(
    step: ExecutedInstruction,
    effects: StepEffects | undefined,
    results: readonly bigint[] | undefined,
  ): void {
    if (this.#options.source) this.#showSource(step.pc);
    const text = this.#prefix(step) + this.#textOf(step.pc, step.word);
    const behind = effects ? effectsText(effects) : resultsText(results);
    this.#out.line(behind === "" ? text : `${text}  ; ${behind}`);
  }

  exception(event: ExceptionEvent, word: number | undefined): void {
    const details = exceptionDetails(event, this.#symbols);
    const place = word === undefined
      ? `${hex(event.pc, 8)}  ${this.#name(event.pc)}`
      : this.#textOf(event.pc, word);
    this.#out.line(`${this.#prefix(event)}${place}  ** ${details}`);
  }

  #prefix({ position, cpu }: { position: number; cpu: number }): string {
    const { width, severalCpus, mark } = this.#options;
    const arrow = mark === undefined ? "" : mark === position ? "=> " : "   ";
    return `${arrow}${`#${position}`.padEnd(width)}  ${severalCpus ? `cpu${cpu}  ` : ""}`;
  }

  #textOf(pc: bigint, word: number): string {
    const known = this.#known.get(pc);
    if (known?.word === word) return known.text;
    const code = word.toString(16).padStart(8, "0");
    const text = `${hex(pc, 8)}  ${this.#name(pc)}  ${code}  ${disassemble(word, pc)}`;
    if (this.#known.size >= MOST_REMEMBERED) this.#known.clear();
    this.#known.set(pc, { word, text });
    return text;
  }

  #name(pc: bigint): string {
    const name = this.#symbols.name(pc);
    return (name === undefined ? "" : `<${printable(name)}>`).padEnd(30);
  }

  #showSource(pc: bigint): void {
    const place = this.#symbols.source(pc);
    const source = place === undefined ? "" : `${printable(place.file)}:${place.line}`;
    if (source !== "" && source !== this.#source) this.#out.line(`${source}:`);
    this.#source = source;
  }
}
