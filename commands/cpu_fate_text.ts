/** What became of each CPU, in words: for `explain` and `info`. */
import type { CpuFate, CpuFateKind } from "../replay/queries/cpu_fates.ts";
import type { Symbolizer } from "../replay/mod.ts";
import { exceptionDetails, place } from "./event_text.ts";
import { grouped, hex } from "./output.ts";

/** What PSCI answers (DEN 0022, 5.2.2). */
const ANSWERS: Readonly<Record<string, string>> = {
  "-1": "NOT_SUPPORTED",
  "-2": "INVALID_PARAMETERS",
  "-3": "DENIED",
  "-4": "ALREADY_ON",
  "-5": "ON_PENDING",
  "-6": "INTERNAL_FAILURE",
  "-9": "INVALID_ADDRESS",
};

const KINDS: Readonly<Record<Exclude<CpuFateKind, "refused" | "fault">, string>> = {
  "never-on": "was never switched on: nobody called PSCI CPU_ON for it",
  off: "was switched off in the end",
  "waits-for-event": "waits for an event (WFE) that no CPU sends, or for memory to change",
  "waits-for-interrupt": "waits for an interrupt (WFI)",
  spins: "goes round in a few instructions",
  runs: "was running in the end",
};

/** Lines about a CPU: the first says all, those behind it are details. */
export function fateLines(fate: CpuFate, symbols: Symbolizer): string[] {
  const { cpu, kind, began, last, call, polls } = fate;
  const lines = [`cpu${cpu} ${headline(fate, symbols)}`];
  if (kind === "refused") {
    lines.push(`  entry ${place(call!.entry, symbols)}`);
    if ((call!.entry & 3n) !== 0n) lines.push("  The entry is not a multiple of 4");
  }
  if (began) lines.push(`  began at #${began.position}, ${place(began.pc, symbols)}`);
  if (kind === "fault") lines.push(...faultLines(fate, symbols));
  else if (last && kind !== "off") {
    lines.push(`  last at #${last.position}, ${place(last.pc, symbols)}, MMU ${onOff(fate.mmu)}`);
  }
  for (const { address, value } of polls) lines.push(`  reads ${hex(address)}: ${hex(value)}`);
  return lines;
}

function headline({ kind, call, fault, last }: CpuFate, symbols: Symbolizer): string {
  switch (kind) {
    case "refused": {
      const { answer, position } = call!;
      if (answer === 0n) return `was switched on at #${position}, and had no turn any more`;
      const name = ANSWERS[String(answer)] ?? String(answer);
      return `did not come up: PSCI CPU_ON at #${position} answered ${name}`;
    }
    case "fault":
      return `is in the handler of a fault: ${exceptionDetails(fault!, symbols)}`;
    default:
      return `${KINDS[kind]}${kind === "off" ? ` (#${last!.position})` : ""}`;
  }
}

function faultLines({ fault, before, mmu }: CpuFate, symbols: Symbolizer): string[] {
  const { position, pc, far } = fault!;
  const lines = [
    `  fault at #${position}, ${place(pc, symbols)}, ${
      grouped(before)
    } instructions after it began, ` +
    `MMU ${onOff(mmu)}`,
  ];
  if (!mmu && (pc >= 1n << 48n || far >= 1n << 48n)) {
    lines.push("  The address is a virtual one, and a CPU that comes up has its MMU off");
  }
  lines.push(`  explain --at ${position} says more`);
  return lines;
}

function onOff(on: boolean): string {
  return on ? "on" : "off";
}

/** The same for programs. */
export function fateJson({ cpu, kind, began, last, call, fault, mmu, polls }: CpuFate) {
  return {
    cpu,
    state: kind,
    began,
    last,
    call,
    fault: fault && { position: fault.position, pc: fault.pc, esr: fault.esr, far: fault.far },
    mmu,
    polls: polls.map(({ address, value }) => ({ address: hex(address), value })),
  };
}
