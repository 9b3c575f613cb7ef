import { POSITION_FORMS } from "../replay/position.ts";
import { describeSyndrome, hasFaultAddress } from "../replay/syndrome.ts";
import type { ReadDescriptor } from "../replay/queries/cause.ts";
import { explain, type Explanation } from "../replay/queries/explain.ts";
import { type Names, namesOf } from "../replay/queries/explain_symbols.ts";
import { descriptorKind, explanationText } from "../replay/queries/explain_text.ts";
import type { WriteAnswer } from "../replay/queries/who_wrote.ts";
import { instructionAt } from "../replay/queries/writers_instruction.ts";
import { ReplayError } from "../replay/replay_error.ts";
import { Session } from "../replay/session.ts";
import type { Trace } from "../trace/mod.ts";
import { type CpuFate, cpuFates, isMisfortune } from "../replay/queries/cpu_fates.ts";
import { defineCommand } from "./command.ts";
import { fateJson, fateLines } from "./cpu_fate_text.ts";
import { STATUS } from "./exit_status.ts";
import { flag, option } from "./options.ts";
import { hex, type Output, printable } from "./output.ts";
import { type OpenedTrace, openTraceFile, positionOf } from "./trace_file.ts";
import { UserError } from "./user_error.ts";
import { text } from "./values.ts";

/** `explain`: says why a boot stopped. */
export default defineCommand({
  description: [
    "Explains the fault that stopped the boot: of a storm or loop the first one. Shows the syndrome",
    "in words, the table walk that was used, the bits to blame, who wrote them and when, and the",
    "smallest change that would have let the access pass. With several CPUs also what became of each:",
    "never switched on, refused by PSCI, waiting, going round, in a handler.",
    `POS: ${POSITION_FORMS}. The fault there is explained, else the one being handled.`,
  ],
  operands: [{ name: "TRACE", help: "the trace to explain" }],
  options: {
    at: option("POS", text, "explain the fault at this position"),
    json: flag("print one JSON object"),
  },
  examples: [
    ["explain pxn.unboot", "why that boot stopped"],
    ["explain boot.unboot --at exception:3", "the third exception"],
  ],
  async run(values, [path], { out, err }) {
    const opened = await openTraceFile(path, err);
    const { trace } = opened;
    const at = values.at === undefined ? undefined : positionOf(trace, values.at, "at");
    const found = explained(opened, at);
    const fates = values.at === undefined ? fatesOf(opened) : [];
    if (!found && fates.length === 0) throw new UserError(`There is no fault in ${path}`);
    if (!found) {
      if (values.json) out.json({ cause: null, cpus: fates.map(fateJson) });
      else printFates(fates, opened, out);
      return STATUS.ok;
    }
    const symbols = namesOf(trace, opened.symbols);
    const words = explanationText(found, {
      symbols,
      instruction: (position) => instructionAt(trace, position),
      cpu: (position) => cpuPrefix(trace, position),
    });
    if (values.json) {
      const cpus = fates.length === 0 ? {} : { cpus: fates.map(fateJson) };
      out.json({ ...explanationJson(found, symbols, words), ...cpus });
      return STATUS.ok;
    }
    for (const line of words.split("\n")) out.line(printable(line));
    if (fates.length > 0) out.line();
    printFates(fates, opened, out);
    return STATUS.ok;
  },
});

function cpuPrefix({ header, turns }: Trace, position: number): string {
  return header.cpus > 1 ? `cpu${turns.cpuAt(position)}  ` : "";
}

/** What became of each CPU, if there are several and the boot did not end well for all of them. */
function fatesOf({ trace }: OpenedTrace): CpuFate[] {
  if (trace.header.cpus === 1 || trace.end === 0) return [];
  const fates = cpuFates(new Session(trace));
  return trace.footer?.reason === "poweroff" && !fates.some(isMisfortune) ? [] : fates;
}

function printFates(fates: readonly CpuFate[], { symbols }: OpenedTrace, out: Output): void {
  if (fates.length === 0) return;
  out.line("CPUs:");
  for (const fate of fates) {
    for (const line of fateLines(fate, symbols)) out.line(printable(`  ${line}`));
  }
}

function explained({ trace }: OpenedTrace, at: number | undefined): Explanation | undefined {
  try {
    return explain(new Session(trace), at);
  } catch (error) {
    if (error instanceof ReplayError) throw new UserError(error.message);
    throw error;
  }
}

function explanationJson(
  { event, cause, firstCause, level, diagnosis, writer, fix }: Explanation,
  symbols: Names,
  words: string,
): Record<string, unknown> {
  const { esr, far, elr, position } = event;
  const [name] = describeSyndrome(esr).split(/[,:]/);
  return {
    position,
    cpu: event.cpu,
    cause,
    first_cause: firstCause,
    exception: {
      class: event.type === "serror" ? "SError" : name,
      esr,
      far: hasFaultAddress(esr) ? far : null,
      elr,
    },
    level,
    walk: diagnosis.walk?.map(stepJson) ?? null,
    writer: writer && writerJson(writer, symbols),
    fix: fix && { descriptor: fix.descriptor, text: fix.text },
    text: words,
  };
}

function stepJson(step: ReadDescriptor): Record<string, unknown> {
  const { level, address, descriptor, stage } = step;
  const kind = descriptorKind(step);
  return { level, address: hex(address), descriptor, kind, ...(stage === 2 ? { stage } : {}) };
}

function writerJson(write: WriteAnswer, symbols: Names): Record<string, unknown> {
  const { by, position, pc, old } = write;
  const symbol = pc === null ? null : symbols.name(pc) ?? null;
  return { by, position, pc, symbol, old, new: write.new };
}
