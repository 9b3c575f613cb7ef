/** Which register trapped an instruction. */
import type { ExceptionEvent } from "../../core/observer.ts";

/** A control that traps FP and SIMD instructions, and its value that does not. */
export interface FpTrap {
  /** Manual name. */
  readonly name: string;
  readonly field: string;
  /** What to do about it. */
  readonly fix: string;
}

const CPACR: FpTrap = {
  name: "CPACR_EL1",
  field: "FPEN",
  fix: "set CPACR_EL1.FPEN (bits 21:20) to 0b11, then ISB",
};
const FPEN = 20n, TFP = 1n << 10n;

/** What trapped an FP or SIMD instruction: the lowest level that does (Arm ARM D1.5). */
export function fpTrap(
  { fromEl }: Pick<ExceptionEvent, "fromEl">,
  system: Readonly<Record<string, bigint>>,
): FpTrap {
  const enabled = system.CPACR_EL1 >> FPEN & 3n;
  const byCpacr = fromEl <= 1 && !(enabled === 3n || (fromEl === 1 && enabled === 1n));
  if (byCpacr) return CPACR;
  for (const el of [2, 3]) {
    const name = `CPTR_EL${el}`;
    if (fromEl > el || ((system[name] ?? 0n) & TFP) === 0n) continue;
    return { name, field: "TFP", fix: `clear ${name}.TFP (bit 10), then ISB` };
  }
  return CPACR;
}
