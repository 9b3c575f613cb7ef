/**
 * Our side of `reverse.ts`. As a program, `reverse_ours.ts TRACE QUESTION PLACES`: opens the trace and
 * answers one question, for the time that a fresh process takes.
 */
import { IndexReader } from "../replay/index/index_reader.ts";
import { attachIndex } from "../replay/index/trace_index.ts";
import {
  Breakpoint,
  Debugger,
  PhysicalBytes,
  readTarget,
  Session,
  Symbolizer,
  Watchpoint,
  whoWrote,
  type WriteAnswer,
} from "../replay/mod.ts";
import { fileAccess, openTrace, type Trace } from "../trace/mod.ts";
import type { Places, Word } from "./reverse_places.ts";

/** The questions, in the order of the table. */
export const QUESTIONS = {
  "reverse-stepi at the end": "stepi",
  "reverse-stepi at random places": "random",
  "goto a random place": "goto",
  "reverse-continue to a breakpoint near the start": "early",
  "reverse-continue to a breakpoint near the end": "often",
  "reverse-continue to a watchpoint near the end": "recent",
  "20 hits of a conditional breakpoint back": "conditional",
  "1,000 hits of a conditional breakpoint back": "thousand",
  "who wrote a word near the end": "who-recent",
  "who wrote a word near the start": "who-old",
  "who wrote a physical address, at random places": "who-physical",
  "who wrote a virtual address, at random places": "who-virtual",
  "who wrote a general register, at random places": "who-register",
  "who wrote a system register, at random places": "who-system",
} as const;

/** Those that are asked about. */
const SYSTEM_REGISTERS = [
  ...["SCTLR_EL1", "TCR_EL1", "TTBR0_EL1", "TTBR1_EL1", "VBAR_EL1", "MAIR_EL1", "CPACR_EL1"],
  ...["ELR_EL1", "SPSR_EL1", "ESR_EL1", "TPIDR_EL0", "TPIDR_EL1", "SP_EL0", "CNTV_CVAL_EL0"],
];

const NO_SYMBOLS = new Symbolizer([], []);

/** Name of a question. */
export type Question = typeof QUESTIONS[keyof typeof QUESTIONS];

/** Opens a trace with the index beside it. */
export function openWithIndex(path: string): Trace {
  const trace = openTrace(fileAccess(path));
  try {
    attachIndex(trace, new IndexReader(fileAccess(`${path}.idx`), trace, console.error));
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
  return trace;
}

/** Answers one question from the end of the trace; gives the milliseconds behind the way there. */
export function ask(
  session: Session,
  question: Question,
  places: Places,
  random: () => number,
): number {
  const machine = new Debugger(session);
  const somewhere = () => Math.floor(random() * places.lastPosition) + 1;
  if (question === "random") machine.goto(somewhere());
  else if (!question.startsWith("who")) machine.goto(places.lastPosition);
  const target = somewhere();
  const pick = <T>(list: readonly T[]) => list[Math.floor(random() * list.length)];
  const store = pick(places.stores);
  const start = performance.now();
  switch (question) {
    case "stepi":
    case "random":
      machine.reverseStep();
      break;
    case "goto":
      machine.goto(target);
      break;
    case "early":
    case "often":
      backTo(machine, new Breakpoint(BigInt(places[question]), ""), 1);
      break;
    case "recent":
      backTo(machine, new Watchpoint("", "write", new PhysicalBytes(wordRange(places.recent))), 1);
      break;
    case "conditional":
    case "thousand": {
      const holds = ({ machine: { processor } }: Session) => processor.here().position >= 0;
      const point = new Breakpoint(BigInt(places.often), "", holds);
      backTo(machine, point, question === "thousand" ? 1000 : 20);
      break;
    }
    case "who-recent":
      who(session, places.recent, places.lastPosition);
      break;
    case "who-old":
      who(session, places.old, places.lastPosition);
      break;
    case "who-physical":
      who(session, pick(places.stores), places.lastPosition);
      break;
    case "who-virtual": {
      const { va, position } = store;
      const written = readTarget(session, NO_SYMBOLS, `${va}+8`, { position });
      answer(whoWrote(session, written, { before: position }));
      break;
    }
    case "who-register": {
      const name = `x${Math.floor(random() * 31)}`;
      answer(whoWrote(session, { kind: "register", name }, { before: target }));
      break;
    }
    case "who-system": {
      const written = { kind: "system", name: pick(SYSTEM_REGISTERS) } as const;
      answer(whoWrote(session, written, { before: target }));
    }
  }
  return performance.now() - start;
}

function backTo(machine: Debugger, point: Breakpoint | Watchpoint, hits: number): void {
  machine.add(point);
  for (let i = 0; i < hits; i++) machine.reverseContinue();
}

function who(session: Session, word: Pick<Word, "address">, before: number): void {
  const range = wordRange(word);
  const { pc } = answer(whoWrote(session, { kind: "memory", range }, { before }));
  if (pc === null) throw new Error("expected an instruction that wrote");
}

function answer([write]: Iterable<WriteAnswer>): WriteAnswer {
  if (!write) throw new Error("expected an answer");
  return write;
}

function wordRange({ address }: Pick<Word, "address">): { address: number; length: number } {
  return { address, length: 8 };
}

if (import.meta.main) {
  const [path, question, places] = Deno.args;
  ask(new Session(openWithIndex(path)), question as Question, JSON.parse(places), () => 0.5);
}
