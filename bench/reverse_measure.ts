/** Asks our side about a guest, cold and warm, and QEMU's if it is wanted. */
import { buildIndexInWorkers } from "../replay/index/build_index.ts";
import { PAGE_BYTES } from "../core/memory/memory.ts";
import { callTree, Session } from "../replay/mod.ts";
import { writeHistory } from "../replay/queries/write_history.ts";
import { openTrace, type Trace } from "../trace/mod.ts";
import { fileAccess } from "../trace/random_access.ts";
import { ask, openWithIndex, type Question, QUESTIONS } from "./reverse_ours.ts";
import { choosePlaces, type Places } from "./reverse_places.ts";
import { askQemu, type QemuAnswer } from "./reverse_qemu.ts";
import { runScript, subjectOf } from "./reverse_subject.ts";

/** Of every so many stores all writes to the page are asked for. */
const PAGE_STRIDE = 4;

/** Nobody reads more: stacks are written to tens of millions of times. */
const MOST_WRITES = 100_000;

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
  /** Most memory while recording, in bytes; null where it is not known. */
  readonly peak: number | null;
  readonly indexMs: number;
  readonly indexBytes: number;
  readonly openMs: number;
  readonly callsMs: number;
  /** All writes to a page, or the first {@linkcode MOST_WRITES}; pages that {@linkcode Places.stores} are in. */
  readonly writesMs: readonly number[];
  readonly rows: readonly Row[];
}

/** @param rounds see {@linkcode subjectOf} */
export async function measureGuest(
  guest: string,
  folder: string,
  bounds: Bounds,
  rounds?: number,
): Promise<Measured> {
  const subject = await subjectOf(guest, folder, rounds);
  const recorded = await subject.record(folder);
  const { path } = recorded;
  const { indexMs, indexBytes } = await makeIndex(path);
  const opening = performance.now();
  const trace = openWithIndex(path);
  const openMs = performance.now() - opening;
  const places = choosePlaces(trace);
  const questions = Object.values(QUESTIONS);
  const warm = askWarm(new Session(trace), places, questions, bounds);
  const cold = await askCold(path, places, questions, bounds);
  const theirs = bounds.qemu
    ? await askQemu(subject.qemu, folder, places, questions, {
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
  const whole = await askWhole(path, trace, places);
  const { milliseconds: recordMs, bytes: traceBytes, peak } = recorded;
  return {
    ...{ steps: trace.end, recordMs, traceBytes, peak },
    ...{ indexMs, indexBytes, openMs, ...whole, rows },
  };
}

/** What goes through the whole trace. */
async function askWhole(
  path: string,
  trace: Trace,
  { stores }: Places,
): Promise<Pick<Measured, "callsMs" | "writesMs">> {
  const calling = performance.now();
  callTree(trace);
  const callsMs = performance.now() - calling;
  const writesMs: number[] = [];
  for (const { address } of stores.filter((_, i) => i % PAGE_STRIDE === 0)) {
    const start = performance.now();
    const range = { address: address - address % PAGE_BYTES, length: PAGE_BYTES };
    const bounds = { from: 0, to: trace.end };
    let left = MOST_WRITES;
    await writeHistory(path, new Session(trace), range, bounds, () => --left > 0);
    writesMs.push(performance.now() - start);
  }
  return { callsMs, writesMs };
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
      await runScript("reverse_ours.ts", path, question, JSON.stringify(places));
      times.get(question)!.push(performance.now() - start);
    }
  }
  return times;
}

/** The value that a part of them is not above. */
export function percentile(values: readonly number[], part: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(part * sorted.length))];
}
