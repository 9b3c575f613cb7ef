/** The difference that a comparison found, in words. */
import { disassemble } from "../../core/isa/disassemble.ts";
import { systemRegisterByName } from "../../core/system/sysregs.ts";
import { Symbolizer } from "../../replay/symbolizer.ts";
import type { ExecutedInstruction, RegisterDifference } from "./lockstep.ts";
import type { LockstepResult } from "./run.ts";

/** One line that says how far the two agree, and at what speed that was found. */
export function summaryLine(
  { difference, from, to, entries, seconds, end }: LockstepResult,
): string {
  const rate = Math.round((to - from) / seconds / 1000);
  const how = difference ? "differ" : end ? `agree to the end (${end})` : "agree";
  return `${how}: #${from} to #${to}, ${entries} points compared, ${seconds.toFixed(1)} s, ` +
    `${rate}k steps/s`;
}

/** A difference as lines of text. */
export function differenceLines(
  { difference, plan }: LockstepResult,
  systemRegisters: readonly RegisterDifference[] | null,
): string[] {
  if (!difference) return [];
  const symbols = new Symbolizer(plan.symbols, []);
  const place = (pc: bigint) => `0x${pc.toString(16)}${named(symbols.name(pc))}`;
  const { position, pc, referencePc, registers, last, agreed, exception } = difference;
  const lines = [`first difference at #${position}, agreed last at #${agreed}`];
  if (referencePc === null) lines.push("  the reference ended");
  if (referencePc !== null && referencePc !== pc) {
    lines.push(`  reference at ${place(referencePc)}`);
  }
  lines.push(`  ours at ${place(pc)}`);
  for (const register of registers) lines.push(`  ${registerText(register)}`);
  for (const register of systemRegisters ?? []) lines.push(`  ${registerText(register)}`);
  lines.push("  ours executed before:", ...last.map((one) => instructionText(one, place(one.pc))));
  if (exception && exception.position >= agreed) {
    const { type, esr, far, elr } = exception;
    lines.push(
      `  ours took at #${exception.position}: ${type} ESR 0x${esr.toString(16)} ` +
        `FAR 0x${far.toString(16)} ELR 0x${elr.toString(16)}`,
    );
  }
  return lines;
}

function named(name: string | undefined): string {
  return name === undefined ? "" : ` <${name}>`;
}

function registerText({ name, ours, reference }: RegisterDifference): string {
  const kind = systemRegisterByName(name) ? "system register " : "";
  return `${kind}${name}: ours 0x${ours.toString(16)}, reference 0x${reference.toString(16)}`;
}

function instructionText({ position, pc, word }: ExecutedInstruction, place: string): string {
  const text = word === undefined ? "(not fetched yet)" : disassemble(word, pc);
  return `    #${position} ${place}  ${text}`;
}
