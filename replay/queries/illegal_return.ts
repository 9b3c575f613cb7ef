/** Why an exception return was illegal (Arm ARM D1.3.4, IllegalExceptionReturn()). */
import type { ExceptionEvent, ExceptionReturnEvent } from "../../core/observer.ts";
import type { Trace } from "../../trace/mod.ts";

/** Steps before the fault in which the return is looked for; it is the one before as a rule. */
const MOST_STEPS = 1000;

/** What made PSTATE.IL be set before this illegal execution state, in words. */
export function illegalReturn(trace: Trace, { position, cpu }: ExceptionEvent): string {
  const kinds = new Set(["eret"] as const);
  const from = Math.max(0, position - MOST_STEPS);
  let last: ExceptionReturnEvent | undefined;
  for (const event of trace.events({ kinds, from, to: position })) {
    if (event.kind === "eret" && event.cpu === cpu && event.illegal) last = event;
  }
  const what = "PSTATE.IL is set by an illegal exception return";
  return last ? `${what}: ${reason(last)}` : what;
}

function reason({ spsr, fromEl, position }: ExceptionReturnEvent): string {
  const asks = `SPSR_EL${fromEl} 0x${spsr.toString(16)} of the ERET at #${position} asks for`;
  const mode = Number(spsr & 0x1fn), el = (mode >> 2) & 3;
  if (mode & 0x10) return `${asks} AArch32, which this machine does not have`;
  if (mode & 2 || mode === 1) return `${asks} mode 0x${mode.toString(16)}, which is reserved`;
  if (el > fromEl) return `${asks} EL${el}, which is above EL${fromEl}`;
  return `${asks} EL${el}, which is not there, not enabled, or not AArch64 by SCR_EL3 and HCR_EL2`;
}
