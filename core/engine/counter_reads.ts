import { NANOSECONDS_PER_TICK } from "../devices/generic_timer.ts";
import { systemRegisterByName } from "../system/sysregs.ts";
import { CLOCK, LAYOUT } from "./layout.ts";
import { type Expression, i32, i64, load, type Local, op } from "./wasm/function_builder.ts";

/** What stands in for a call out that reads a system register, where the register is a counter. */
export interface CounterReads {
  /** Whether the read of the register with this encoding (op0:op1:CRn:CRm:op2) can be answered here. */
  isOpen(encoding: Local): Expression;
  /** The counter. */
  readonly ticks: Expression;
}

/** CNTPCT_EL0; CNTVCT_EL0 is the next. */
const FIRST = systemRegisterByName("CNTPCT_EL0")!.encoding;
const TICK_SHIFT = BigInt(Math.log2(NANOSECONDS_PER_TICK));

/**
 * Reads of the counter in generated code, from what stands at `LAYOUT.clock`: virtual time is what
 * retired instructions took, and how many retired follows from budget and run.
 */
export function counterReads(
  { record, runStart, budget }: { record: Local; runStart: Local; budget: Local },
): CounterReads {
  const clock = (offset: number) => load("i64.load", i32(0), LAYOUT.clock + offset);
  const inRun = op("i32.shr_u", op("i32.sub", record, runStart), i32(4));
  const since = op("i64.extend_i32_s", op("i32.sub", inRun, budget));
  const nanoseconds = op(
    "i64.add",
    clock(CLOCK.base),
    op("i64.mul", since, clock(CLOCK.step)),
  );
  return {
    isOpen(encoding) {
      const which = op("i32.sub", encoding, i32(FIRST));
      const open = load("i32.load", i32(0), LAYOUT.clock + CLOCK.open);
      const allowed = op("i32.and", op("i32.shr_u", open, which), i32(1));
      return op("i32.and", op("i32.lt_u", which, i32(2)), allowed);
    },
    ticks: op("i64.shr_u", nanoseconds, i64(TICK_SHIFT)),
  };
}
