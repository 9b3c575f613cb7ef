/** One row of the table of system registers, and the constructors that rows are written with. */

/** In place of an EL: not accessible at any that this processor has. */
export const NEVER = 4;

/** What lets EL0 in: SCTLR_EL1, CNTKCTL_EL1 and PMUSERENR_EL0 bits (see `system_access.ts`). */
export type El0Gate =
  | "UCT"
  | "UMA"
  | "counter-frequency"
  | "physical-counter"
  | "virtual-counter"
  | "physical-timer"
  | "virtual-timer"
  | "pmu"
  | "pmu-increment"
  | "pmu-cycles"
  | "pmu-select"
  | "pmu-events"
  | "context-number";

/** What the machine must do after a write. */
export type WriteEffect =
  | "sctlr"
  | "tcr"
  | "ttbr"
  | "mair"
  | "traps"
  | "timer"
  | "pstate"
  | "el2-regime"
  | "el3-regime"
  | "stage2"
  | "hypervisor"
  | "security";

/** What a machine may lack, and registers with it. */
export type RegisterFeature =
  | "gic-v3"
  | "el2"
  | "el3"
  | "el2-or-el3"
  | "el2-highest"
  | "el2-vhe"
  | "el2-ras"
  | "el2-csv2"
  | "el2-hcx"
  | "el3-csv2"
  | "el1-highest"
  | "own"
  | `FEAT_${string}`;

/** A system register. */
export interface SystemRegister {
  /** As in the manual. */
  readonly name: string;
  /** op0:op1:CRn:CRm:op2 in 16 bits, op0 on top. */
  readonly encoding: number;
  /** Lowest EL that may read, or {@linkcode NEVER}. */
  readonly read: number;
  /** Lowest EL that may write, or {@linkcode NEVER}. */
  readonly write: number;
  /** Value after reset. */
  readonly reset: bigint;
  /** Bits that a write sets. The others read as zero once written. */
  readonly mask: bigint;
  /** Always reads as `reset`; writes, where allowed, do nothing. */
  readonly constant: boolean;
  /** Byte address of its slot in the processor state; 0 if it has none. */
  readonly slot: number;
  /** Traps EL0 with EC 0x18 while closed. */
  readonly gate?: El0Gate;
  /** What a write means beside its value. */
  readonly effect?: WriteEffect;
  /** What the machine must have for the register to exist. */
  readonly needs?: RegisterFeature;
  /**
   * What a register of EL2 is from EL3 where there is no EL2: the same, or a constant that is its
   * reset value; zero if left out.
   */
  readonly withoutEl2?: "kept" | "constant";
}

/** The optional columns of a row. */
export type RowOptions = Partial<
  Pick<SystemRegister, "reset" | "mask" | "gate" | "effect" | "needs" | "withoutEl2">
>;

/** A row before slots are given out. */
export interface RowDraft extends Omit<SystemRegister, "slot"> {
  readonly stored: boolean;
}

const ALL_BITS = 0xffff_ffff_ffff_ffffn;

/** A register that keeps what is written to it, within `mask`. */
export function stored(name: string, at: string, access: string, options?: RowOptions): RowDraft {
  return draft(name, at, access, { stored: true, mask: ALL_BITS, ...options });
}

/** A register that always reads the same; if it may be written, that does nothing. */
export function constant(
  name: string,
  at: string,
  access: string,
  value: bigint,
  gate?: El0Gate,
): RowDraft {
  const row = draft(name, at, access, { stored: false, constant: true, reset: value });
  return gate ? { ...row, gate } : row;
}

/** A register without storage of its own: `system_special.ts` has its functions. */
export function special(name: string, at: string, access: string, options?: RowOptions): RowDraft {
  return draft(name, at, access, { stored: false, mask: ALL_BITS, ...options });
}

/**
 * @param at `op0 op1 CRn CRm op2` in decimal
 * @param access lowest EL for reads, then for writes, `-` for none: `1 1`, `0 -`
 */
function draft(
  name: string,
  at: string,
  access: string,
  options: RowOptions & { stored: boolean; constant?: boolean },
): RowDraft {
  const [op0, op1, crn, crm, op2] = at.split(" ").map(Number);
  const [read, write] = access.split(" ").map((el) => el === "-" ? NEVER : Number(el));
  const encoding = (op0 << 14) | (op1 << 11) | (crn << 7) | (crm << 3) | op2;
  return { name, encoding, read, write, reset: 0n, mask: 0n, constant: false, ...options };
}
