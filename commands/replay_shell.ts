/**
 * The prompt of `replay`: one line in, some lines out. It knows nothing of terminals.
 *
 * Commands have gdb's names and may be cut to what is unambiguous; a few of gdb's own short forms
 * go before that.
 */
import { Debugger, type Stop } from "../replay/debugger.ts";
import { PositionError, resolvePosition } from "../replay/position.ts";
import { walkAt } from "../replay/queries/walk_at.ts";
import type { Session } from "../replay/session.ts";
import type { Symbolizer } from "../replay/symbolizer.ts";
import { walkWriters } from "../replay/queries/walk_writers.ts";
import { namesOf } from "../replay/queries/explain_symbols.ts";
import type { Output } from "./output.ts";
import { ALIASES } from "./replay_aliases.ts";
import { Bookmarks } from "./replay_bookmarks.ts";
import { cpuNumber, selectedCpu } from "./replay_cpus.ts";
import { evaluate, EXPRESSION_HELP, type Names } from "./replay_expression.ts";
import { INFO_USAGE, showInfo } from "./replay_info.ts";
import {
  CATCH_USAGE,
  hitText,
  parseBreakpoint,
  parseCatchpoint,
  parseWatchpoint,
  WATCH_USAGE,
} from "./replay_points.ts";
import {
  addressText,
  endText,
  frameText,
  type MemoryFormat,
  memoryFormat,
  memoryLines,
  type Shown,
  stepText,
  whereText,
} from "./replay_show.ts";
import { UserError } from "./user_error.ts";
import { printWalk } from "./walk.ts";

interface ShellCommand {
  /** What stands behind the name. */
  readonly usage: string;
  readonly help: string;
  run(shell: ReplayShell, rest: string): void;
}

const COMMANDS: Readonly<Record<string, ShellCommand>> = {
  step: {
    usage: "[N]",
    help: "one step (or N): an instruction, or an exception that retires nothing",
    run: (shell, rest) => shell.stopped(shell.debugger.step(countOf(rest))),
  },
  next: {
    usage: "[N]",
    help: "a step over calls",
    run: (shell, rest) => shell.stopped(shell.debugger.next(countOf(rest))),
  },
  finish: {
    usage: "",
    help: "up to where this function has returned",
    run: (shell, rest) => shell.stopped((nothing(rest), shell.debugger.finish())),
  },
  continue: {
    usage: "",
    help: "up to the next stop point, or the end",
    run: (shell, rest) => shell.stopped((nothing(rest), shell.debugger.continue())),
  },
  "reverse-step": {
    usage: "[N]",
    help: "one step back (or N)",
    run: (shell, rest) => shell.stopped(shell.debugger.reverseStep(countOf(rest))),
  },
  "reverse-next": {
    usage: "[N]",
    help: "a step back over calls",
    run: (shell, rest) => shell.stopped(shell.debugger.reverseNext(countOf(rest))),
  },
  "reverse-finish": {
    usage: "",
    help: "back to the call that entered this function",
    run: (shell, rest) => shell.stopped((nothing(rest), shell.debugger.reverseFinish())),
  },
  "reverse-continue": {
    usage: "",
    help: "back to the last stop point, or the start",
    run: (shell, rest) => shell.stopped((nothing(rest), shell.debugger.reverseContinue())),
  },
  goto: {
    usage: "POS",
    help: "to a position: #N, end, fault, mmu-on, exception:N, symbol:NAME, a bookmark, …",
    run: (shell, rest) => shell.stopped(shell.debugger.goto(shell.positionOf(rest))),
  },
  bookmark: {
    usage: "[NAME]",
    help: "name this position, for goto in this session; without a name list the bookmarks",
    run: (shell, rest) => shell.bookmark(rest),
  },
  break: {
    usage: "ADDRESS [cpu N] [if CONDITION]",
    help:
      "stop before the instruction at an address, on one CPU only with cpu N (thread N), where " +
      "the condition is not 0; it is an " +
      "expression as of print, and false where it reads memory that is not mapped",
    run: (shell, rest) => shell.add(parseBreakpoint(rest, shell.names, shell.shown)),
  },
  watch: {
    usage: WATCH_USAGE.watch,
    help: "stop at writes through this address in the present regime and ASID, wherever it is " +
      "mapped; any: at all that reach the bytes; phys:0x…: physical memory, however reached",
    run: (shell, rest) => shell.add(parseWatchpoint("watch", rest, shell.names)),
  },
  rwatch: {
    usage: WATCH_USAGE.rwatch,
    help: "stop at reads of memory",
    run: (shell, rest) => shell.add(parseWatchpoint("rwatch", rest, shell.names)),
  },
  awatch: {
    usage: WATCH_USAGE.awatch,
    help: "stop at reads and writes",
    run: (shell, rest) => shell.add(parseWatchpoint("awatch", rest, shell.names)),
  },
  catch: {
    usage: "KIND [FILTER] [N] [cpu N]",
    help: `stop before ${CATCH_USAGE}`,
    run: (shell, rest) => shell.add(parseCatchpoint(rest, shell.cpus)),
  },
  delete: {
    usage: "[NUMBER…] | bookmark NAME",
    help: "forget stop points, or all, or a bookmark",
    run: (shell, rest) => {
      const [, bookmark] = /^bookmark\s+(.*)$/.exec(rest) ?? [];
      if (bookmark !== undefined) return shell.bookmarks.remove(bookmark);
      for (const { number } of shell.pointsOf(rest)) shell.debugger.remove(number);
    },
  },
  enable: {
    usage: "[NUMBER…]",
    help: "let stop points stop again",
    run: (shell, rest) => {
      for (const point of shell.pointsOf(rest)) point.enabled = true;
    },
  },
  disable: {
    usage: "[NUMBER…]",
    help: "let stop points be, without forgetting them",
    run: (shell, rest) => {
      for (const point of shell.pointsOf(rest)) point.enabled = false;
    },
  },
  ignore: {
    usage: "NUMBER COUNT",
    help: "pass a stop point by so many times",
    run: (shell, rest) => {
      const [number, count = ""] = rest.split(/\s+/);
      if (number === "" || !/^\d+$/.test(count)) throw new UserError("Usage: ignore NUMBER COUNT");
      for (const point of shell.pointsOf(number)) point.ignore = Number(count);
    },
  },
  info: {
    usage: INFO_USAGE,
    help: "registers, the stop points, the bookmarks, where this is, or what each CPU does",
    run: (shell, rest) => showInfo(shell, rest),
  },
  cpu: {
    usage: "[N]",
    help:
      "look at a CPU, from 0: registers, where, x, print, walk, step, next and finish are its; " +
      "a stop of another CPU looks at that",
    run: (shell, rest) => shell.look("cpu", rest),
  },
  thread: {
    usage: "[N]",
    help: "the same with gdb's numbers, from 1",
    run: (shell, rest) => shell.look("thread", rest),
  },
  where: {
    usage: "",
    help: "the next step, the processor's mode, and the calls that led here",
    run: (shell) => shell.print(...whereText(shell.shown)),
  },
  x: {
    usage: "/NFU ADDRESS",
    help: "memory: N units, F of x d u t c s i, U of b h w g; without an address, what follows",
    run: (shell, rest) => shell.examine(rest),
  },
  print: {
    usage: "EXPRESSION",
    help: `a number; an expression is ${EXPRESSION_HELP}. Values have 64 bits and are unsigned`,
    run: (shell, rest) => {
      if (rest === "") throw new UserError("Missing the expression");
      const value = evaluate(rest, shell.names);
      const signed = BigInt.asIntN(64, value);
      shell.print(`${addressText(value, shell.shown)}  ${signed}`);
    },
  },
  walk: {
    usage: "ADDRESS",
    help: "how an address translates here, descriptor by descriptor, and who wrote each",
    run: (shell, rest) => shell.walk(evaluate(rest, shell.names)),
  },
  help: {
    usage: "",
    help: "this list",
    run: (shell) => shell.help(),
  },
  quit: {
    usage: "",
    help: "leave",
    run: (shell) => void (shell.done = true),
  },
};

/** See the top of this file. */
export class ReplayShell {
  readonly debugger: Debugger;
  readonly names: Names;
  readonly shown: Shown;
  readonly out: Output;
  /** Whether `quit` was given. */
  done = false;
  readonly bookmarks: Bookmarks;
  #format: MemoryFormat = { count: 1, format: "x", size: 8 };
  #next: bigint | undefined;

  /** Begins where the session is. */
  constructor(session: Session, symbols: Symbolizer, out: Output) {
    this.debugger = new Debugger(session);
    this.names = { session, symbols, cpu: () => selectedCpu(this.debugger) };
    this.shown = { debugger: this.debugger, symbols };
    this.bookmarks = new Bookmarks(session.trace);
    this.out = out;
  }

  /**
   * Does what a line says; an empty one does nothing.
   *
   * @throws UserError or ReplayError with one line
   */
  execute(line: string): void {
    const [, name, rest] = /^\s*([a-z-]*)\s*(.*?)\s*$/s.exec(line) ?? [];
    if (name === undefined || (name === "" && rest !== "")) {
      throw new UserError(`Unknown command "${line.trim()}": help lists them`);
    }
    if (name !== "") commandOf(name).run(this, rest);
  }

  /** How many CPUs there are. */
  get cpus(): number {
    return this.debugger.session.trace.header.cpus;
  }

  /** `cpu` and `thread`. */
  look(word: "cpu" | "thread", rest: string): void {
    if (rest !== "") this.debugger.select(cpuNumber(word, rest, this.cpus));
    this.print(frameText(this.shown));
  }

  /** Prints lines. */
  print(...lines: readonly string[]): void {
    for (const line of lines) this.out.line(line);
  }

  /** Prints where a move ended, and why. */
  stopped({ reason, points, hit }: Stop): void {
    for (const number of points) {
      this.print(`Reached stop point ${number}: ${this.#pointText(number)}`);
    }
    const report = hit ? hitText(hit, this.shown) : undefined;
    if (report !== undefined) this.print(`  ${report}`);
    if (reason === "start") this.print("Start of the trace.");
    if (reason === "end") {
      const text = endText(this.debugger.session);
      this.print(`${text[0].toUpperCase()}${text.slice(1)}.`);
    }
    this.print(stepText(this.shown));
  }

  /** Adds a stop point and says its number. */
  add(point: Parameters<Debugger["add"]>[0]): void {
    const { number } = this.debugger.add(point);
    this.print(`Stop point ${number}: ${point.text}`);
  }

  /** Stop points by their numbers; all without any. */
  pointsOf(text: string): ReturnType<Debugger["add"]>[] {
    const numbers = text.split(/\s+/).filter((word) => word !== "");
    if (numbers.length === 0) return [...this.debugger.points];
    return numbers.map((number) => {
      const point = /^\d+$/.test(number) ? this.debugger.point(Number(number)) : undefined;
      if (!point) throw new UserError(`There is no stop point ${number}`);
      return point;
    });
  }

  /** The position that a text means. */
  positionOf(text: string): number {
    try {
      return this.bookmarks.position(text) ?? resolvePosition(this.debugger.session.trace, text);
    } catch (error) {
      if (error instanceof PositionError) throw new UserError(error.message);
      throw error;
    }
  }

  /** `bookmark`. */
  bookmark(name: string): void {
    const { bookmarks } = this;
    if (name !== "") bookmarks.set(name, this.debugger.position);
    else if (bookmarks.count === 0) this.print("There are no bookmarks.");
    else {
      for (const [each, position] of bookmarks) {
        this.print(`${each}: ${stepText(this.shown, position)}`);
      }
    }
  }

  /** `x`. */
  examine(rest: string): void {
    const [, format, address] = /^(?:\/(\S*))?\s*(.*)$/.exec(rest) ?? [];
    this.#format = memoryFormat(format ?? "", this.#format);
    const from = address ? evaluate(address, this.names) : this.#next;
    if (from === undefined) throw new UserError("Missing the address to look at");
    const { lines, next } = memoryLines(this.shown, from, this.#format);
    this.#next = next;
    this.print(...lines);
  }

  /** `walk`. */
  walk(address: bigint): void {
    const { session, position } = this.debugger;
    const walk = walkAt(session, address, selectedCpu(this.debugger));
    const writers = walkWriters(session, walk);
    session.seek(position);
    const { trace } = session;
    printWalk(walk, this.out, { trace, symbols: namesOf(trace, this.names.symbols), writers });
  }

  /** `help`. */
  help(): void {
    for (const [name, { usage, help }] of Object.entries(COMMANDS)) {
      this.print(`${`${name} ${usage}`.trimEnd()}\n    ${help}`);
    }
  }

  #pointText(number: number): string {
    return this.debugger.point(number)?.point.text ?? "";
  }
}

/** Names of all commands, for completion. */
export const SHELL_COMMANDS: readonly string[] = Object.keys(COMMANDS);

function commandOf(name: string): ShellCommand {
  const full = ALIASES[name] ?? name;
  if (Object.hasOwn(COMMANDS, full)) return COMMANDS[full];
  const matching = SHELL_COMMANDS.filter((command) => command.startsWith(full));
  if (matching.length === 1) return COMMANDS[matching[0]];
  throw new UserError(
    matching.length === 0
      ? `Unknown command "${name}": help lists them`
      : `Ambiguous command "${name}": ${matching.join(", ")}`,
  );
}

function countOf(rest: string): number {
  if (rest === "") return 1;
  const count = Number(rest.replaceAll("_", ""));
  if (!Number.isSafeInteger(count) || count < 1) {
    throw new UserError(`Cannot read the count "${rest}": expected a number from 1`);
  }
  return count;
}

function nothing(rest: string): void {
  if (rest !== "") throw new UserError(`Unexpected "${rest}"`);
}
