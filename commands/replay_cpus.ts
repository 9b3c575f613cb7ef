/** Several CPUs at the prompt of `replay`: which is looked at, and what each is doing. */
import type { Cpu } from "../core/cpu.ts";
import type { Debugger } from "../replay/mod.ts";
import { addressText, levelText, type Shown } from "./replay_show.ts";
import { UserError } from "./user_error.ts";

/** The CPU that is looked at. */
export function selectedCpu({ cpu, session }: Debugger): Cpu {
  return session.machine.cpus[cpu];
}

/**
 * The CPU that a number means: CPUs count from 0, gdb's threads from 1.
 *
 * @throws UserError if there is none
 */
export function cpuNumber(word: "cpu" | "thread", text: string, cpus: number): number {
  const first = word === "cpu" ? 0 : 1;
  const number = /^\d+$/.test(text) ? Number(text) - first : -1;
  if (number >= 0 && number < cpus) return number;
  throw new UserError(
    `There is no ${word} ${text}: expected ${first}${
      cpus === 1 ? "" : ` to ${cpus - 1 + first}`
    }, the trace has ${cpus === 1 ? "one CPU" : `${cpus} CPUs`}`,
  );
}

/** Takes `cpu N` or `thread N` off the end of some words; undefined if they do not end so. */
export function takeCpu(words: string[], cpus: number): number | undefined {
  const [word, number] = words.slice(-2);
  if (words.length < 2 || (word !== "cpu" && word !== "thread")) return undefined;
  words.splice(-2);
  return cpuNumber(word, number, cpus);
}

/** What a CPU that has no turn is doing; undefined where its next step is an ordinary one. */
export function stateText(cpu: Cpu): string | undefined {
  if (!cpu.on) return "off";
  return cpu.waiting ? "waits for an interrupt" : undefined;
}

/** A line per CPU: number as a thread, what it does, PC, level, and when its next step is. */
export function cpuLines(shown: Shown): string[] {
  const { session, cpu: selected, position } = shown.debugger;
  const { machine, trace } = session;
  const lines = machine.cpus.map((cpu) => {
    const { index, processor } = cpu;
    const { turns } = trace;
    const next = turns.next(index, position);
    const inTurn = turns.cpuAt(position) === index;
    const when = next < trace.end ? `next step #${next}` : "no more steps";
    const pc = inTurn ? session.pc : processor.state.pc;
    const place = cpu.on ? `${addressText(pc, shown)}  ${levelText(cpu)}` : "";
    return [
      `${index === selected ? "*" : " "} ${index + 1}`,
      `cpu${index}`,
      (inTurn ? "in turn" : stateText(cpu) ?? "between turns").padEnd(22),
      when.padEnd(`next step #${trace.end}`.length),
      place,
    ].join("  ").trimEnd();
  });
  return ["  Id  CPU   State                   Steps", ...lines];
}
