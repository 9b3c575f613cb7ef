/** Asks our side about a guest, cold and warm, and QEMU's if it is wanted. */
import { buildKernel } from "../kernel/build.ts";
import { buildIndexInWorkers } from "../replay/index/build_index.ts";
import { callTree } from "../replay/mod.ts";
import { Session } from "../replay/session.ts";
import { openTrace } from "../trace/mod.ts";
import { fileAccess } from "../trace/random_access.ts";
import { buildGuest } from "./build_guest.ts";
import { ask, openWithIndex, type Question, QUESTIONS } from "./reverse_ours.ts";
import { choosePlaces, type Places } from "./reverse_places.ts";
import { askQemu, type QemuAnswer } from "./reverse_qemu.ts";

/** One question's times in milliseconds. */
export interface Row {
  readonly question: string;
  readonly cold: number | null;
  readonly p50: number;
  readonly p99: number;
  readonly qemu: QemuAnswer | null;
  readonly ratio: number | null;
}

/** How often and how long is asked. */
export interface Bounds {
  readonly runs: number;
  readonly coldRuns: number;
  readonly qemuRuns: number;
  readonly seconds: number;
  readonly qemu: boolean;
}

/** What was found of a guest; times in milliseconds. */
export interface Measured {
  readonly steps: number;
  readonly recordMs: number;
  readonly traceBytes: number;
  /** Most memory while recording, in bytes. */
  readonly peak: number;
  readonly indexMs: number;
  readonly indexBytes: number;
  readonly openMs: number;
  readonly callsMs: number;
  readonly rows: readonly Row[];
}

const script = (name: string) => new URL(name, import.meta.url).pathname;

/** @param rounds see {@linkcode buildGuest} */
export async function measureGuest(
  guest: string,
  folder: string,
  bounds: Bounds,
  rounds?: number,
): Promise<Measured> {
  const image = guest === "kernel"
    ? `${folder}/kernel.elf`
    : await buildGuest(guest, folder, rounds);
  if (guest === "kernel") await Deno.writeFile(image, buildKernel().elf);
  const path = `${folder}/trace.unboot`;
  const recorded = JSON.parse(await child([script("run_ours.ts"), image, "record", path]));
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
  const calling = performance.now();
  callTree(trace);
  const callsMs = performance.now() - calling;
  const { milliseconds: recordMs, bytes: traceBytes, peak } = recorded;
  return {
    ...{ steps: trace.end, recordMs, traceBytes, peak },
    ...{ indexMs, indexBytes, openMs, callsMs, rows },
  };
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

/** Runs a script; gives what it printed. */
async function child(args: string[]): Promise<string> {
  const { success, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", "--no-check", ...args],
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
  }).output();
  if (!success) throw new Error(new TextDecoder().decode(stderr));
  return new TextDecoder().decode(stdout);
}

function percentile(values: readonly number[], part: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(part * sorted.length))];
}
