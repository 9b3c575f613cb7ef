import type { CallOut } from "../isa/ops.ts";

/** Numbers by which generated code names the call-outs. */
export const CALL_OUTS: Readonly<Record<CallOut, number>> = {
  mrs: 0,
  msr: 1,
  "msr-immediate": 2,
  sys: 3,
  sysl: 4,
  barrier: 5,
  hint: 6,
  "dc-zva": 7,
  random: 8,
  pointer: 9,
  "return-address": 10,
};

/** What the module needs from TypeScript; every answer is one of `ANSWER`. */
export interface InterpreterImports {
  /** Decodes the line of the record in SLOT.record. */
  decode(): void;
  /** Makes SLOT.pc executable: fills its lookup entry. Answers non-zero if it cannot be fetched. */
  fetch(): number;
  /** The load or store described by the access bits at SLOT.accessAddress. */
  access(kind: number): number;
  callOut(what: number, argument: number): number;
}
