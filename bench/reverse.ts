/**
 * Going back in time, beside QEMU's: `deno task bench:reverse [--short] [--guest NAME,…] [--no-qemu] [--json]`.
 *
 * The same questions about the same image: here on a trace with its index, cold (a fresh process with
 * the opening of the trace) and warm (in one process; 50th and 99th percentile), and on QEMU's
 * record and replay through gdb (medians). Guests: `kernel` (the built-in one) and those of
 * `build_guest.ts`. Nothing is asked for longer than `--seconds` (default 60; short: 10).
 */
import { parseArgs } from "@std/cli/parse-args";
import { buildKernel } from "../kernel/build.ts";
import { buildIndexInWorkers } from "../replay/index/build_index.ts";
import { Session } from "../replay/session.ts";
import { openTrace } from "../trace/mod.ts";
import { fileAccess } from "../trace/random_access.ts";
import { buildGuest } from "./build_guest.ts";
import { ask, openWithIndex, type Question, QUESTIONS } from "./reverse_ours.ts";
import { choosePlaces, type Places } from "./reverse_places.ts";
import { askQemu, type QemuAnswer, qemuVersions } from "./reverse_qemu.ts";

interface Row {
  question: string;
  cold: number | null;
  p50: number;
  p99: number;
  qemu: QemuAnswer | null;
  ratio: number | null;
}

interface Bounds {
  readonly runs: number;
  readonly coldRuns: number;
  readonly qemuRuns: number;
  readonly seconds: number;
  readonly qemu: boolean;
}

const script = (name: string) => new URL(name, import.meta.url).pathname;

async function main(): Promise<void> {
  const options = parseArgs(Deno.args, {
    string: ["guest", "seconds"],
    boolean: ["short", "json", "no-qemu"],
  });
  const { short } = options;
  const bounds: Bounds = {
    runs: short ? 11 : 51,
    coldRuns: short ? 1 : 5,
    qemuRuns: short ? 1 : 3,
    seconds: Number(options.seconds ?? (short ? 10 : 60)),
    qemu: !options["no-qemu"],
  };
  const guests = String(options.guest ?? (short ? "kernel" : "kernel,heap")).split(",");
  const machine = `${navigator.hardwareConcurrency} cores, Deno ${Deno.version.deno}; ${
    bounds.qemu ? await qemuVersions().catch((error) => `no QEMU or gdb: ${error.message}`) : ""
  }`;
  if (!options.json) console.log(machine);
  for (const guest of guests) {
    const folder = await Deno.makeTempDir();
    try {
      const result = await measure(guest, folder, bounds);
      if (options.json) console.log(JSON.stringify({ machine, guest, ...result }));
      else report(guest, result);
    } finally {
      await Deno.remove(folder, { recursive: true });
    }
  }
}

async function measure(
  guest: string,
  folder: string,
  bounds: Bounds,
): Promise<{ steps: number; indexMs: number; indexBytes: number; openMs: number; rows: Row[] }> {
  const image = guest === "kernel" ? `${folder}/kernel.elf` : await buildGuest(guest, folder);
  if (guest === "kernel") await Deno.writeFile(image, buildKernel().elf);
  const path = `${folder}/trace.unboot`;
  await child([script("run_ours.ts"), image, "record", path]);
  const { indexMs, indexBytes } = await makeIndex(path);
  const opening = performance.now();
  const trace = openWithIndex(path);
  const openMs = performance.now() - opening;
  const places = choosePlaces(trace);
  const questions = Object.values(QUESTIONS);
  const warm = askWarm(new Session(trace), places, questions, bounds);
  const cold = await askCold(path, places, questions, bounds);
  const theirs = bounds.qemu
    ? await askQemu(image, folder, places, questions, {
      runs: bounds.qemuRuns,
      questionMs: bounds.seconds * 1000,
    }).catch((error) => new Map(questions.map((q) => [q, [error.message as QemuAnswer]])))
    : new Map<Question, QemuAnswer[]>();
  const rows = Object.entries(QUESTIONS).map(([text, question]): Row => {
    const times = warm.get(question)!;
    const p50 = percentile(times, 0.5);
    const answers = theirs.get(question) ?? [];
    const known = answers.filter((answer) => typeof answer === "number");
    const qemu = known.length > 0 ? percentile(known, 0.5) : answers[0] ?? null;
    return {
      question: text,
      cold: percentile(cold.get(question)!, 0.5),
      p50,
      p99: percentile(times, 0.99),
      qemu,
      ratio: typeof qemu === "number" ? qemu / p50 : null,
    };
  });
  return { steps: trace.end, indexMs, indexBytes, openMs, rows };
}

async function makeIndex(path: string): Promise<{ indexMs: number; indexBytes: number }> {
  const start = performance.now();
  const parts = await buildIndexInWorkers(path, openTrace(fileAccess(path)));
  const bytes = await new Blob(parts as BlobPart[]).bytes();
  await Deno.writeFile(`${path}.idx`, bytes);
  return { indexMs: performance.now() - start, indexBytes: bytes.length };
}

/** Each question again and again in this process, all in turn. */
function askWarm(
  session: Session,
  places: Places,
  questions: readonly Question[],
  { runs, seconds }: Bounds,
): Map<Question, number[]> {
  const times = new Map(questions.map((question): [Question, number[]] => [question, []]));
  let state = 1;
  const random = () => (state = Math.imul(state, 48271) >>> 0) / 2 ** 32;
  const end = performance.now() + seconds * 1000;
  for (let run = 0; run < runs && (run === 0 || performance.now() < end); run++) {
    for (const question of questions) {
      // It takes seconds where it is slow: a few times will do.
      if (question === "thousand" && run >= 3) continue;
      times.get(question)!.push(ask(session, question, places, random));
    }
  }
  return times;
}

async function askCold(
  path: string,
  places: Places,
  questions: readonly Question[],
  { coldRuns }: Bounds,
): Promise<Map<Question, number[]>> {
  const times = new Map(questions.map((question): [Question, number[]] => [question, []]));
  for (let run = 0; run < coldRuns; run++) {
    for (const question of questions) {
      const start = performance.now();
      await child([script("reverse_ours.ts"), path, question, JSON.stringify(places)]);
      times.get(question)!.push(performance.now() - start);
    }
  }
  return times;
}

async function child(args: string[]): Promise<void> {
  const { success, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", "--no-check", ...args],
    stdin: "null",
    stdout: "null",
    stderr: "piped",
  }).output();
  if (!success) throw new Error(new TextDecoder().decode(stderr));
}

function percentile(values: readonly number[], part: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(part * sorted.length))];
}

function report(guest: string, result: Awaited<ReturnType<typeof measure>>): void {
  const { steps, indexMs, indexBytes, openMs, rows } = result;
  console.log(`\n${guest}: ${(steps / 1e6).toFixed(1)} M steps`);
  console.log(
    `  index made in ${indexMs.toFixed(0)} ms, ${indexBytes} bytes; opened in ${
      openMs.toFixed(1)
    } ms`,
  );
  const cell = (value: number | null) => (value === null ? "" : value.toFixed(1)).padStart(9);
  const width = Math.max(...rows.map(({ question }) => question.length));
  console.log(`  ${"ms".padEnd(width)}     cold      p50      p99     QEMU  QEMU / p50`);
  for (const { question, cold, p50, p99, qemu, ratio } of rows) {
    const theirs = typeof qemu === "string" ? `  ${qemu}` : cell(qemu);
    const times = ratio === null ? "" : `${ratio.toFixed(0).padStart(12)}`;
    console.log(
      `  ${question.padEnd(width)}${cell(cold)}${cell(p50)}${cell(p99)}${theirs}${times}`,
    );
  }
}

await main();
