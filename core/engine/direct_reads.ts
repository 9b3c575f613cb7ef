import { SLOT } from "../state.ts";
import { systemRegisterByName } from "../system/sysregs.ts";
import { type Expression, i32, load, op } from "./wasm/function_builder.ts";

/**
 * System registers that generated code reads by itself: plain storage that nothing traps. An
 * operating system reads some of them, where it keeps its current task and its per-CPU data, every
 * hundred instructions.
 */
export interface DirectRead {
  /** op0:op1:CRn:CRm:op2. */
  readonly encoding: number;
  /** Whether it may be read now: 0 or 1; left out where it always may. */
  readonly isOpen?: Expression;
  /** What it holds, an i64. */
  readonly value: Expression;
}

const privileged = op("i32.ne", load("i32.load", i32(0), SLOT.el), i32(0));

/** The likely ones first. */
export const DIRECT_READS: readonly DirectRead[] = [
  // It has no name of its own while it is the stack pointer in use.
  stored("SP_EL0", op("i32.and", privileged, load("i32.load", i32(0), SLOT.spSel))),
  stored("TPIDR_EL1", privileged),
  stored("TPIDR_EL0"),
  {
    encoding: systemRegisterByName("DAIF")!.encoding,
    isOpen: privileged,
    value: load("i64.load32_u", i32(0), SLOT.daif),
  },
];

function stored(name: string, isOpen?: Expression): DirectRead {
  const { encoding, slot } = systemRegisterByName(name)!;
  return { encoding, value: load("i64.load", i32(0), slot), ...(isOpen ? { isOpen } : {}) };
}

/** The one with this encoding. */
export function directRead(encoding: number): DirectRead | undefined {
  return DIRECT_READS.find((read) => read.encoding === encoding);
}
