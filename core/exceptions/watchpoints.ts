/** Hardware watchpoints (Arm ARM D2.11): DBGWVRn_EL1 and DBGWCRn_EL1. */

import {
  contextMatches,
  type DebugException,
  debugException,
  type Debugged,
  generatesHere,
  isWatchedState,
} from "./debug_unit.ts";
import { EC } from "./exception.ts";
import { slotOf } from "../system/sysregs.ts";

/** An access to data that is about to be made. */
export interface DataAccess {
  readonly va: bigint;
  /** Bytes. */
  readonly size: number;
  readonly write: boolean;
  /** The level whose permissions count: 0 for unprivileged accesses, too. */
  readonly el: number;
}

const MDSCR = slotOf("MDSCR_EL1");
const MDSCR_MDE = 0x8000n;
const WATCHPOINTS = [0, 1, 2, 3].map((n) => ({
  value: slotOf(`DBGWVR${n}_EL1`),
  control: slotOf(`DBGWCR${n}_EL1`),
}));
/** DBGWCRn: fields by lowest bit. */
const CONTROL = { lsc: 3, bas: 5, lbn: 16, wt: 20, mask: 24 } as const;
/** LSC: loads, stores. */
const LOADS = 1, STORES = 2;
/** ISS: the access was a write. */
const WNR = 0x40;

/** Whether there is a watchpoint to look for: then no access may be made without asking. */
export function isWatching({ state }: Debugged): boolean {
  if (!(state.get64(MDSCR) & MDSCR_MDE)) return false;
  return WATCHPOINTS.some(({ control }) => (state.get64(control) & 1n) !== 0n);
}

/** The exception of a watchpoint that an access hits; undefined if none is hit. */
export function watchpointException(
  cpu: Debugged,
  access: DataAccess,
): DebugException | undefined {
  if (!generatesHere(cpu)) return undefined;
  for (let n = 0; n < WATCHPOINTS.length; n++) {
    const start = hitAt(cpu, n, access);
    if (start === undefined) continue;
    const far = access.va > start ? access.va : start;
    return { ...debugException(cpu, EC.watchpoint, access.write ? WNR : 0), far };
  }
  return undefined;
}

/** First byte that a watchpoint watches, if the access hits it. */
function hitAt(cpu: Debugged, n: number, access: DataAccess): bigint | undefined {
  const control = Number(cpu.state.get64(WATCHPOINTS[n].control) & 0xffff_ffffn);
  const field = (at: number, width: number) => control >>> at & (1 << width) - 1;
  if (field(0, 1) === 0) return undefined;
  if ((field(CONTROL.lsc, 2) & (access.write ? STORES : LOADS)) === 0) return undefined;
  const range = watchedRange(cpu.state.get64(WATCHPOINTS[n].value), field);
  if (!range) return undefined;
  const { start, length } = range;
  if (access.va >= start + length || access.va + BigInt(access.size) <= start) return undefined;
  if (!isWatchedState(cpu, field, access.el)) return undefined;
  return field(CONTROL.wt, 1) === 0 || contextMatches(cpu, field(CONTROL.lbn, 4))
    ? start
    : undefined;
}

/** MASK: an aligned power of two; else BAS: bytes of a doubleword, or of a word where DBGWVR[2] is set. */
function watchedRange(
  value: bigint,
  field: (at: number, width: number) => number,
): { start: bigint; length: bigint } | undefined {
  const base = BigInt.asUintN(64, BigInt.asIntN(49, value));
  const mask = field(CONTROL.mask, 5);
  if (mask === 1 || mask === 2) return undefined;
  if (mask > 0) {
    const length = 1n << BigInt(mask);
    return { start: base & ~(length - 1n), length };
  }
  const bas = field(CONTROL.bas, 8) & (base & 4n ? 0xf : 0xff);
  if (bas === 0) return undefined;
  const first = Math.log2(bas & -bas);
  // Only the first run of bytes counts, as the manual permits.
  const length = Math.log2((bas >>> first) + 1 & ~(bas >>> first));
  return { start: base + BigInt(first), length: BigInt(length) };
}
