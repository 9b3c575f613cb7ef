/**
 * Whether a walk failed because it started wrong: TTBR names no table, or TCR another shape of it.
 *
 * A wrong start shows when the instruction behind the one that turned the MMU on cannot be fetched:
 * its address must translate to itself, so another base or shape that does so is what was meant.
 */
import type { Regime } from "../../mmu/regime.ts";
import { selectRange, type Walk } from "../../mmu/walk.ts";
import { halves, tableMemory } from "../guest_view.ts";
import type { Session } from "../session.ts";
import { isEmptyTable, lookAt, looksLikeTable, mistakenStep, stage1Shape } from "./cause_tables.ts";
import { isMmuEnable } from "./milestones.ts";
import { walkFor } from "./provenance_walk.ts";
import { regimeWith, registersAt, type StageRegisters } from "./stage_registers.ts";
import { littleEndian } from "./who_wrote.ts";
import { writesBefore } from "./writers.ts";

/** What should have been in the register. */
export interface WrongStart {
  /** Its name. */
  readonly cause: "ttbr" | "tcr-range";
  /** Manual name. */
  readonly register: string;
  /** What it held. */
  readonly value: bigint;
  /** In words: what is wrong. */
  readonly why: string;
  /** A value with which the access passes; null if none was found. */
  readonly meant: bigint | null;
}

/** The access that failed. */
export interface FailedAccess {
  /** Steps before it. */
  readonly position: number;
  /** Its virtual address. */
  readonly va: bigint;
  /** 0 read, 1 write, 2 execute. */
  readonly access: 0 | 1 | 2;
  /** Whose rights it had. */
  readonly el: number;
}

const EXECUTE = 2;
/** TxSZ of tables that begin at level 0, 1 and 2 with 4 KB granules, 1, 2 and 2 with 64 KB. */
const USUAL_SIZES = [16n, 25n, 34n];
/** Writes of a descriptor that are undone to see what it was; tables are cleared byte by byte. */
const MOST_WRITES = 64;
const ADDRESS_BITS = 0xffff_ffff_fffen;
const GRANULES_0 = [12, 16, 14, 0], GRANULES_1 = [0, 14, 12, 16];

/** What is wrong with the registers that a failed walk started from; undefined if nothing seems to be. */
export function wrongStart(
  session: Session,
  regime: Regime,
  walk: Walk,
  failed: FailedAccess,
): WrongStart | undefined {
  const shape = wrongShape(session, regime, walk, failed);
  if (shape || wasTable(session, walk, failed)) return shape;
  return wrongBase(session, regime, walk, failed) ??
    meantOtherwise(session, regime, walk, failed) ??
    neverWorked(session, regime, walk, failed);
}

/**
 * Whether the walk ended at its first descriptor and this one had named a table until something
 * wrote over it: then TTBR is right, and who spoiled the table is to blame.
 */
function wasTable(session: Session, { steps, fault }: Walk, { position }: FailedAccess): boolean {
  const [first] = steps;
  if (steps.length !== 1 || fault?.kind !== "translation") return false;
  const { memory, spaces } = session.machine;
  const address = spaces.place(first.address, first.secure ?? false);
  if (!memory.contains(address, 8)) return false;
  const value = memory.read(address, 8).slice();
  const isMemory = (at: number) => memory.contains(spaces.place(at, first.secure ?? false));
  let found = false;
  for (const write of writesBefore(session, { address, length: 8 }, position, MOST_WRITES)) {
    for (let i = 0; i < write.old.length; i++) {
      const at = write.address + i - address;
      if (at >= 0 && at < 8) value[at] = write.old[i];
    }
    const before = littleEndian(value);
    found = (before & 3n) === 3n && isMemory(Number(before & 0xffff_ffff_f000n));
    if (found) break;
  }
  session.seek(position);
  return found;
}

/** Faults that TCR itself makes. */
function wrongShape(
  session: Session,
  regime: Regime,
  { range, fault }: Walk,
  failed: FailedAccess,
): WrongStart | undefined {
  const registers = registersAt(session);
  const tcr = registers.tcr;
  const shown = { cause: "tcr-range", register: `TCR_EL${regime.el}`, value: tcr } as const;
  const { inputSize } = regime.ranges[range];
  if (fault?.kind === "translation") {
    const field = `T${range}SZ`;
    if (fault.cause === "hole") {
      const why = `the address is outside the ${inputSize} bits that ${field} gives TTBR${range}`;
      return { ...shown, why, meant: widerRange(session, registers, range, failed) };
    }
    if (fault.cause === "txsz") {
      const size = `${field} is ${txszOf(tcr, range)}, which this processor does not have`;
      const why = regime.ranges[range].walksDisabled
        ? `EPD${range} is set: TTBR${range} is not walked; and ${size}`
        : size;
      return { ...shown, why, meant: null };
    }
    if (fault.cause === "walks-disabled") {
      const meant = tcr & ~(1n << (range ? 23n : 7n));
      const why = `EPD${range} is set: TTBR${range} is not walked`;
      const passes = passesWith(session, { ...registers, tcr: meant }, failed);
      return { ...shown, why, meant: passes ? meant : null };
    }
  }
  const requested = range
    ? GRANULES_1[Number(tcr >> 30n & 3n)]
    : GRANULES_0[Number(tcr >> 14n & 3n)];
  if (requested !== regime.ranges[range].granuleLog2 && (fault || failed.access === EXECUTE)) {
    const why = `TG${range} asks for a granule that this processor does not have`;
    return { ...shown, why, meant: null };
  }
  return undefined;
}

/** Faults that show that TTBR names no table. */
function wrongBase(
  session: Session,
  regime: Regime,
  { range, fault, steps }: Walk,
  failed: FailedAccess,
): WrongStart | undefined {
  const { memory, spaces } = session.machine;
  const registers = registersAt(session);
  const register = `TTBR${range}_EL${regime.el}`;
  const value = range ? registers.ttbr1 : registers.ttbr0;
  const { tableBase, granuleLog2 } = regime.ranges[range];
  const shown = { cause: "ttbr", register, value } as const;
  const meant = () => findRoot(session, regime, range, failed) ?? null;
  if (fault?.kind === "address-size" && fault.cause === "ttbr") {
    const why = `${register} holds an address that is larger than physical memory can be`;
    return { ...shown, why, meant: meant() };
  }
  if (!fault) return undefined;
  if (BigInt(tableBase) !== (value & ADDRESS_BITS)) {
    const why = `the address in ${register} is not aligned: the walk starts at ` +
      `0x${tableBase.toString(16)}`;
    return { ...shown, why, meant: meant() };
  }
  // Whether there is memory behind an IPA is for stage 2 to say.
  if (regime.stage2 === null && !memory.contains(spaces.place(tableBase, regime.secure))) {
    const why = `${register} names a table at 0x${tableBase.toString(16)}, where there is no RAM`;
    return { ...shown, why, meant: meant() };
  }
  if (steps.length !== 1 || fault.kind !== "translation") return undefined;
  const bytes = 2 ** granuleLog2;
  const page = tableBase - tableBase % bytes;
  const shape = stage1Shape(regime, range);
  if (!isEmptyTable(session, shape, page)) {
    if (looksLikeTable(lookAt(session, shape, page))) return undefined;
    const why = `what ${register} points to is no table`;
    return { ...shown, why, meant: meant() };
  }
  const found = meant();
  if (found === null && !mmuJustOn(session, failed)) return undefined;
  const why = `the table at 0x${tableBase.toString(16)} that ${register} names is empty`;
  return { ...shown, why, meant: found };
}

/** Another base or shape with which the first fetch through the MMU would have gone on. */
function meantOtherwise(
  session: Session,
  regime: Regime,
  walk: Walk,
  failed: FailedAccess,
): WrongStart | undefined {
  if (failed.access !== EXECUTE || !mmuJustOn(session, failed)) return undefined;
  const isMistaken = mistakenStep(session, regime, walk) !== undefined;
  if (walk.leaf && walkedTo(walk, failed) === failed.va && !isMistaken) return undefined;
  const registers = registersAt(session);
  const { range } = walk;
  const root = findRoot(session, regime, range, failed, regime.ranges[range].tableBase);
  const register = `TTBR${range}_EL${regime.el}`;
  const value = range ? registers.ttbr1 : registers.ttbr0;
  if (root !== undefined) {
    const why = `${register} names a table of a lower level, not the one at ` +
      `0x${root.toString(16)} where the walk should start`;
    return { cause: "ttbr", register, value, why, meant: root };
  }
  const tcr = findShape(session, registers, range, failed);
  if (tcr === undefined) return undefined;
  const why = `the tables are of another shape than T${range}SZ and TG${range} say`;
  const shown = { cause: "tcr-range", register: `TCR_EL${regime.el}` } as const;
  return { ...shown, value: registers.tcr, why, meant: tcr };
}

/** Another shape with which the first access ever that a TTBR translates would have passed. */
function neverWorked(
  session: Session,
  regime: Regime,
  { range, steps, fault }: Walk,
  failed: FailedAccess,
): WrongStart | undefined {
  if (steps.length !== 1 || fault?.kind !== "translation") return undefined;
  const kinds = new Set(["tlb-fill"] as const);
  for (const event of session.trace.events({ kinds, to: failed.position + 1 })) {
    if (event.kind !== "tlb-fill" || (event.translation?.regime ?? 1) !== regime.el) continue;
    if (rangeOf(regime, event.va) === range) return undefined;
  }
  const { tcr } = registersAt(session);
  const meant = findShape(session, registersAt(session), range, failed, false);
  if (meant === undefined) return undefined;
  const why = `the tables of TTBR${range} are of another shape than T${range}SZ and TG${range} say`;
  return { cause: "tcr-range", register: `TCR_EL${regime.el}`, value: tcr, why, meant };
}

function walkedTo({ leaf }: Walk, { va }: FailedAccess): bigint | undefined {
  return leaf ? BigInt(leaf.base) + BigInt.asUintN(leaf.sizeLog2, va) : undefined;
}

/** Whether the MMU was turned on by the step before, so that the address was physical until then. */
function mmuJustOn({ trace }: Session, { position, va }: FailedAccess): boolean {
  const from = Math.max(0, position - 2);
  const kinds = new Set(["sysreg"] as const);
  for (const event of trace.events({ kinds, from, to: position })) {
    if (event.kind === "sysreg" && isMmuEnable(event)) return va - event.pc <= 8n;
  }
  return false;
}

/**
 * A page of RAM that, as the first table, translates the address to itself and permits the access.
 *
 * @param child if given, only a page above the table there
 */
function findRoot(
  session: Session,
  regime: Regime,
  range: 0 | 1,
  failed: FailedAccess,
  child?: number,
): bigint | undefined {
  if (failed.access !== EXECUTE || !mmuJustOn(session, failed)) return undefined;
  const { memory } = session.machine;
  const bus = tableMemory(session.machine);
  const bytes = 2 ** regime.ranges[range].granuleLog2;
  for (let base = memory.base; base + bytes <= memory.base + memory.size; base += bytes) {
    if (base === regime.ranges[range].tableBase) continue;
    const named = { tableBase: base, tableBaseTooLarge: false };
    const ranges = regime.ranges.map((r, i) => i === range ? { ...r, ...named } : r);
    const other = { ...regime, ranges };
    const { walk, ipa, pa, denied } = walkFor(bus, other, failed.va, failed);
    if (ipa === null || pa === null || denied !== null || BigInt(ipa) !== failed.va) continue;
    if (mistakenStep(session, other, walk)) continue;
    if (child !== undefined && !walk.steps.some((s) => s.address - s.address % bytes === child)) {
      continue;
    }
    return BigInt(base);
  }
  return undefined;
}

/** A TCR with another TxSZ or granule that lets the access pass, and translates its address to itself. */
function findShape(
  session: Session,
  registers: StageRegisters,
  range: 0 | 1,
  failed: FailedAccess,
  toItself = true,
): bigint | undefined {
  const shift = range ? 16n : 0n;
  const granules = range ? [[2n, 30n], [3n, 30n]] : [[0n, 14n], [1n, 14n]];
  for (const [code, at] of granules) {
    for (const txsz of [BigInt(txszOf(registers.tcr, range)), ...USUAL_SIZES]) {
      let tcr = registers.tcr & ~(0x3fn << shift) & ~(3n << at);
      tcr |= txsz << shift | code << at;
      const changed = regimeWith(session, { ...registers, tcr });
      const outcome = walkFor(tableMemory(session.machine), changed, failed.va, failed);
      const { ipa, pa, denied } = outcome;
      if (ipa === null || pa === null || denied) continue;
      if (toItself && BigInt(ipa) !== failed.va) continue;
      if (!mistakenStep(session, changed, outcome.walk)) return tcr;
    }
  }
  return undefined;
}

/** TCR with the largest TxSZ that makes the access pass. */
function widerRange(
  session: Session,
  registers: StageRegisters,
  range: 0 | 1,
  failed: FailedAccess,
): bigint | null {
  const shift = range ? 16n : 0n;
  for (let txsz = BigInt(txszOf(registers.tcr, range)) - 1n; txsz >= 16n; txsz--) {
    const tcr = registers.tcr & ~(0x3fn << shift) | txsz << shift;
    if (passesWith(session, { ...registers, tcr }, failed)) return tcr;
  }
  return null;
}

function passesWith(session: Session, registers: StageRegisters, failed: FailedAccess): boolean {
  const { pa, denied } = walkFor(
    tableMemory(session.machine),
    regimeWith(session, registers),
    failed.va,
    failed,
  );
  return pa !== null && denied === null;
}

function txszOf(tcr: bigint, range: 0 | 1): number {
  return Number(tcr >> (range ? 16n : 0n) & 0x3fn);
}

/** Which TTBR an address belongs to. */
export function rangeOf(regime: Regime, va: bigint): 0 | 1 {
  return selectRange(regime, halves(va).hi);
}
