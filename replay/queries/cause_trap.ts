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
/** With HCR_EL2.E2H it has the form of CPACR_EL1. */
const HOST_CPTR: FpTrap = {
  name: "CPTR_EL2",
  field: "FPEN",
  fix: "set CPTR_EL2.FPEN (bits 21:20) to 0b11, then ISB",
};
const E2H = 1n << 34n, TGE = 1n << 27n;
const FPEN = 20n, TFP = 1n << 10n;

/** What trapped an FP or SIMD instruction: the lowest level that does (Arm ARM D1.5). */
export function fpTrap(
  { fromEl }: Pick<ExceptionEvent, "fromEl">,
  system: Readonly<Record<string, bigint>>,
): FpTrap {
  const hcr = system.HCR_EL2 ?? 0n;
  const inHost = (hcr & E2H) !== 0n && (fromEl === 2 || (fromEl === 0 && (hcr & TGE) !== 0n));
  if (inHost && !isEnabled(system.CPTR_EL2, fromEl)) return HOST_CPTR;
  if (fromEl <= 1 && !inHost && !isEnabled(system.CPACR_EL1, fromEl)) return CPACR;
  for (const el of hcr & E2H ? [3] : [2, 3]) {
    const name = `CPTR_EL${el}`;
    if (fromEl > el || ((system[name] ?? 0n) & TFP) === 0n) continue;
    return { name, field: "TFP", fix: `clear ${name}.TFP (bit 10), then ISB` };
  }
  return hcr & E2H ? HOST_CPTR : CPACR;
}

function isEnabled(control: bigint, fromEl: number): boolean {
  const enabled = control >> FPEN & 3n;
  return enabled === 3n || (fromEl > 0 && enabled === 1n);
}
