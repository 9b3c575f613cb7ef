import { Machine } from "../core/machine.ts";
import type { Note } from "../core/medium.ts";
import type { ExceptionEvent, MmioEvent, UnknownEvent } from "../core/observer.ts";
import { SECURE_UART } from "../core/board_map.ts";
import { isFaultEvent } from "../replay/syndrome.ts";
import { sharedBytes } from "../trace/image_memory.ts";
import { Recorder } from "../trace/recorder.ts";
import type { RecorderOptions } from "../trace/recorder_options.ts";
import { RecorderThreads } from "../trace/recorder_threads.ts";
import { type EndReason, PROFILES } from "../trace/schema.ts";
import type { InputSource } from "../core/input_source.ts";
import { INPUT_HELP, parseInputScript, ScriptInput } from "./input_script.ts";
import { TerminalInput } from "./input_terminal.ts";
import type { SmallTrace } from "./attach.ts";
import { baseName, BOOT_OPTIONS, builtInName, type Guest, prepareGuest } from "./boot_options.ts";
import { type CommandIo, defineCommand } from "./command.ts";
import { STATUS, statusOf } from "./exit_status.ts";
import { createTrace } from "./trace_output.ts";
import { noteMedia, saveFlash } from "./guest_media.ts";
import { GuestConsole } from "./guest_console.ts";
import { Interrupts } from "./interrupts.ts";
import { flag, option, optionOr, type Values } from "./options.ts";
import { type ByteSink, grouped, Output } from "./output.ts";
import { Progress } from "./progress.ts";
import { recordingJson, recordingText } from "./recording_report.ts";
import { openOutput, readFile } from "./files.ts";
import { UsageError } from "./user_error.ts";
import { oneOf, positive, text } from "./values.ts";
import { VERSION } from "./version.ts";

/** Longest time between two looks at signals, in milliseconds. */
const BREATHE_MS = 50;
/** Fewest steps between two looks at the clock: a moment even where every step is an event. */
const LEAST_STEPS = 1 << 16;
const MOST_STEPS = 1 << 22;

const OPTIONS = {
  output: option("FILE", text, "the trace to write (default: the image's name with .unboot)", {
    short: "o",
  }),
  ...BOOT_OPTIONS,
  "max-instructions": option("N", positive, "end the recording after so many steps"),
  console: option("FILE", text, "where the guest's console goes: FILE, - for here, or none"),
  "secure-console": option("FILE", text, "where the bytes of the Secure UART go (see --secure)"),
  "no-symbols": flag("leave the image's symbols and source lines out"),
  profile: optionOr(
    "full|attach",
    oneOf(...PROFILES),
    "full",
    "what the trace holds: attach is small, and executed again where it is opened",
  ),
  values: flag("add the result of every instruction when the guest has ended (see: values)"),
  json: flag("print one JSON object; the console goes to standard error"),
} as const;

/** `record`: boots something and records it. */
export default defineCommand({
  description: [
    "IMAGE is an ELF file, a Linux Image (also gzip'd) or a flat binary; without it the built-in",
    "kernel boots. The guest runs on QEMU's virt board. Sizes: 64K, 128M, 1G;",
    "numbers: 1000, 200M. Ctrl-C ends the recording in good order.",
    ...INPUT_HELP,
    "Exit status: 0 the guest powered off, 3 it ended in another way, 130 interrupted.",
  ],
  operands: [{ name: "IMAGE", help: "what to boot", optional: true }],
  options: OPTIONS,
  examples: [
    ["record -o boot.unboot", "the built-in kernel"],
    ["record --bug pxn -o pxn.unboot", "the same with its first historic bug"],
    ["record kernel.elf -o k.unboot --max-instructions 200M", "your kernel"],
    ["record Image --initrd initrd.gz --append 'console=ttyAMA0'", "Linux"],
  ],
  run,
});

async function run(
  values: Values<typeof OPTIONS>,
  [image]: readonly string[],
  io: CommandIo,
): Promise<number> {
  if (values.values && values.profile === "attach") {
    throw new UsageError("Option --values cannot be used together with --profile attach");
  }
  const guest = await prepareGuest(image, values);
  for (const warning of guest.description.warnings) io.err.line(`unboot: warning: ${warning}`);
  io.err.flush();
  const path = values.output ?? defaultPath(image, values);
  if (values.console === path) {
    throw new UsageError(`Option --console: ${path} is the trace, expected another file`);
  }
  if (values.values || values.profile === "attach") checkRegular(path);
  const script = scriptOf(values.input);
  // What is noted before there is a recorder waits for it.
  const notes: Parameters<Note>[] = [];
  let note: Note = (...input) => notes.push(input);
  const media = noteMedia(guest.media, (source, bytes) => note(source, bytes));
  const threads = RecorderThreads.ofHost();
  // What the threads look into as well is there once.
  if (threads) { for (const part of guest.plan.segments) part.bytes = sharedBytes(part.bytes); }
  // They start while the machine is made; the built-in kernel is mostly done before.
  if (image !== undefined) threads?.start();
  const machine = new Machine({ ...guest.machine, media });
  machine.boot(guest.plan);
  // Last, because it empties an older trace.
  const console = new GuestConsole(consoleSink(values.console, values.json, io));
  const secureFile = values["secure-console"];
  const secure = new GuestConsole(
    secureFile === undefined ? null : new Output(openOutput(secureFile)),
  );
  const sink = createTrace(path);
  const recorder = new Recorder(machine, sink, { ...recorderOptions(guest, values), threads });
  let firstFault: ExceptionEvent | undefined;
  let firstUnknown: UnknownEvent | undefined;
  machine.observer = {
    event(event) {
      recorder.event(event);
      if (event.kind === "console") console.add(event.byte);
      else if (event.kind === "mmio" && isSecureByte(event)) {
        secure.add(Number(event.value & 0xffn));
      } else if (event.kind === "exception" && isFaultEvent(event)) firstFault ??= event;
      else if (event.kind === "unknown") firstUnknown ??= event;
    },
  };
  note = (source, bytes) => recorder.input(source, bytes);
  machine.inputObserver = note;
  for (const input of notes) note(...input);
  const started = performance.now();
  const terminal = values.input === "-" ? openTerminal(machine, console) : null;
  machine.input = terminal ?? script;
  const outcome = await recordAll(recorder, machine, {
    limit: values["max-instructions"] ?? Infinity,
    console,
    progress: new Progress(io.err, started),
  }).finally(() => terminal?.close());
  secure.flush();
  const result = recorder.finish(outcome.reason, detailOf(machine, outcome));
  sink.close();
  saveFlash(values.pflash, machine.board);
  if (!console.atLineStart && !values.json) io.err.line();
  const seconds = (performance.now() - started) / 1000;
  const failed = result.error ?? result.failure;
  const small = values.profile === "attach" && !failed ? await shrunk(path) : null;
  const bytes = small?.bytes ??
    (values.values && !failed ? await addTo(path, io.err) : result.bytes);
  const written = { ...result, bytes };
  const ended: Outcome = result.failure
    ? { reason: result.reason, error: result.failure }
    : outcome;
  const report = { path, result: written, seconds, outcome: ended, firstFault, firstUnknown };
  if (values.json) io.out.json(recordingJson(report, guest.description));
  await recordingText(report, io.err, values.json);
  small?.put();
  // Somebody who closes a pipe knows; other reasons are worth a line.
  if (console.error !== undefined && !(console.error instanceof Deno.errors.BrokenPipe)) {
    throw console.error;
  }
  const { exitCode } = machine;
  return exitCode === null || exitCode === 0n ? statusOf(result.reason) : STATUS.guest;
}

/** Whether this sends a byte by the UART that only Secure accesses find: its first register is DR. */
function isSecureByte({ write, address }: MmioEvent): boolean {
  return write && address === SECURE_UART;
}

/** Refuses pipes and devices for a trace that is to be made into another one. */
function checkRegular(path: string): void {
  let isFile = true;
  try {
    isFile = Deno.statSync(path).isFile;
  } catch {
    // What is not there will be a file; what else is wrong is found when it is created.
  }
  if (!isFile) {
    throw new UsageError(
      `Option --output: ${path} is no file, as --values and --profile attach need`,
    );
  }
}

/** The trace of profile `attach` that is to replace a trace. */
async function shrunk(path: string): Promise<SmallTrace> {
  const { shrink } = await import("./attach.ts");
  return shrink(path);
}

/** Adds values to a trace's file. Gives its length. */
async function addTo(path: string, err: Output): Promise<number> {
  const { writeValues } = await import("./add_values.ts");
  const { openTraceFile } = await import("./trace_file.ts");
  const { trace, source } = await openTraceFile(path, err);
  return writeValues(trace, { source, output: path, err });
}

/** The script that `--input` names, if it names one. */
function scriptOf(input: string | undefined): InputSource | null {
  if (input === undefined || input === "-") return null;
  const text = new TextDecoder().decode(readFile(input));
  return new ScriptInput(parseInputScript(text, input));
}

function openTerminal(machine: Machine, console: GuestConsole): TerminalInput {
  return new TerminalInput({
    flush: () => console.flush(),
    quit: () => machine.end("interrupted"),
  });
}

function recorderOptions(guest: Guest, values: Values<typeof OPTIONS>): RecorderOptions {
  const { segments, symbols, lines } = guest.plan;
  return {
    recordedAt: new Date().toISOString(),
    recorder: `unboot ${VERSION}`,
    machine: { board: "virt", cpu: values.cpu },
    options: guest.options,
    image: guest.description,
    symbols: values["no-symbols"] ? [] : symbols,
    lines: values["no-symbols"] ? [] : lines,
    loaded: segments.map(({ address, zeroTo, bytes }) => ({
      address,
      length: zeroTo - address,
      bytes,
    })),
  };
}

/** How a recording came to its end. */
export interface Outcome {
  readonly reason: EndReason;
  /** What was thrown, for `internal-error`. */
  readonly error?: unknown;
}

interface RecordingContext {
  readonly limit: number;
  readonly console: GuestConsole;
  readonly progress: Progress;
}

/** Records part by part; looks at signals and hands the console on in between. */
async function recordAll(
  recorder: Recorder,
  machine: Machine,
  { limit, console, progress }: RecordingContext,
): Promise<Outcome> {
  const interrupts = new Interrupts();
  let breathed = performance.now();
  let looked = breathed;
  let steps = LEAST_STEPS;
  try {
    for (;;) {
      const reason = recorder.recordPart(steps, limit);
      const now = performance.now();
      steps = nextSteps(steps, now - looked);
      looked = now;
      if (reason === null && now - breathed < BREATHE_MS) continue;
      if (console.hasPending) {
        progress.clear();
        console.flush();
      }
      if (reason) return { reason };
      if (console.error !== undefined) return { reason: "interrupted" };
      if (console.atLineStart) {
        progress.show(now, () => `${grouped(machine.retired)} instructions`);
      }
      await new Promise((resolve) => setTimeout(resolve, 0));
      breathed = performance.now();
      if (interrupts.requested) return { reason: "interrupted" };
    }
  } catch (error) {
    console.flush();
    return { reason: "internal-error", error };
  } finally {
    progress.clear();
    interrupts.close();
  }
}

/** Steps of the next part: short parts cost speed, long ones patience. */
function nextSteps(steps: number, milliseconds: number): number {
  if (milliseconds < BREATHE_MS / 4) return Math.min(steps * 2, MOST_STEPS);
  return milliseconds > BREATHE_MS ? Math.max(LEAST_STEPS, steps / 2) : steps;
}

/** What the footer says beside the reason. */
function detailOf(machine: Machine, { error }: Outcome): Record<string, string | number> {
  if (error !== undefined) return { error: String(error) };
  return {
    ...(machine.firstFault < 0 ? {} : { firstFault: machine.firstFault }),
    ...(machine.exitCode === null ? {} : { exitCode: String(machine.exitCode) }),
  };
}

function defaultPath(image: string | undefined, { bug, firmware }: Values<typeof OPTIONS>): string {
  const file = image ?? firmware;
  return `${file === undefined ? builtInName(bug) : baseName(file)}.unboot`;
}

function consoleSink(where: string | undefined, json: boolean, io: CommandIo): ByteSink | null {
  if (where === "none") return null;
  if (where === "-") return io.out;
  if (where !== undefined) return new Output(openOutput(where));
  return json ? io.err : io.out;
}
