/**
 * Translations that were used although the tables, changed without TLBI, say something else.
 */
import type { DescriptorRead, ExceptionEvent } from "../../core/observer.ts";
import { denialReason } from "../../mmu/permissions.ts";
import { rightsOf } from "../../mmu/regime.ts";
import { tableMemory, tlbEntryOf, translationOf } from "../guest_view.ts";
import type { Session } from "../session.ts";
import type { Diagnosis } from "./cause.ts";
import type { FailedAccess } from "./cause_start.ts";
import { fillOf, regimeAt, walkFor } from "./provenance_walk.ts";
import { copiedLoad, loadOf, type RegisterLoad } from "./who_wrote_copy.ts";
import { effectsOf } from "./writers_effects.ts";
import { writesBefore } from "./writers.ts";
import { executedBackwards } from "./writers_instruction.ts";

/** Copies that the address which failed is followed through. */
const MOST_HOPS = 16;

/** What of a diagnosis a stale translation gives. */
export type StaleDiagnosis =
  & Pick<Diagnosis, "cause" | "why" | "guilty" | "walk" | "fill" | "now" | "asOf">
  & { readonly failed: FailedAccess };

/**
 * Whether the cursor's TLB holds an entry for an access that the tables do not agree with.
 *
 * @param used whether the access was translated, and failed behind that; otherwise it was denied,
 *   which the TLB alone does only on a machine that keeps to it
 */
export function staleTranslation(
  session: Session,
  failed: FailedAccess,
  used: boolean,
): StaleDiagnosis | undefined {
  const regime = regimeAt(session);
  const hit = tlbEntryOf(session.machine, failed.va);
  if (!hit) return undefined;
  const now = walkFor(tableMemory(session.machine), regime, failed.va, failed);
  const passes = now.pa !== null && now.denied === null;
  if (used) {
    // The view of an entry has no memory type of stage 2.
    const sameType = regime.stage2 !== null ||
      now.attributes === regime.attributes[hit.attrIndex];
    if (now.pa === hit.pa && sameType) return undefined;
  } else {
    // Then the machine walks again in any case.
    if (regime.stage2 !== null) return undefined;
    const level = rightsOf(regime, failed.el);
    const denied = denialReason(hit.packedPermissions, regime.wxn, failed.access, level);
    if (denied === null || !passes) return undefined;
  }
  const cpu = session.machine.cpu.index;
  const fill = fillOf(session, { va: failed.va, pa: hit.pa, regime, cpu }, failed.position + 1);
  const common = {
    cause: "stale-tlb" as const,
    failed,
    walk: fill?.descriptors ?? null,
    fill: fill ?? null,
    now: now.descriptors,
    asOf: failed.position,
  };
  const held = `the TLB still holds the translation to 0x${hit.pa.toString(16)}`;
  const to = now.pa === null ? "" : `(to 0x${now.pa.toString(16)}) `;
  if (fill && hasOtherRoot(fill.descriptors, now.descriptors)) {
    const register = `TTBR${now.walk.range}_EL${regime.el}`;
    const tag = hit.global ? "and the entry is global" : `with the same ASID ${hit.asid}`;
    const why = `${held}; ${register} names other tables since ${to}${tag}, without a TLBI`;
    return { ...common, why, guilty: { kind: "register", name: register } };
  }
  const changed = changedStep(fill?.descriptors ?? [], now.descriptors);
  return {
    ...common,
    why: `${held}; the tables were changed ${to}without a TLBI for that address`,
    guilty: changed ? { kind: "descriptor", step: changed, bits: [] } : null,
  };
}

/** Whether a fill and a walk began in different tables of stage 1. */
function hasOtherRoot(
  filled: readonly DescriptorRead[],
  now: readonly DescriptorRead[],
): boolean {
  const [before] = filled.filter(({ stage }) => stage !== 2);
  const [after] = now.filter(({ stage }) => stage !== 2);
  return before !== undefined && after !== undefined && before.address !== after.address;
}

/** The descriptor that has another value than a fill found, as it is now; else the leaf. */
function changedStep(
  filled: readonly DescriptorRead[],
  now: readonly DescriptorRead[],
): DescriptorRead | undefined {
  const same = (a: DescriptorRead) => (b: DescriptorRead) =>
    a.address === b.address && a.stage === b.stage;
  const before = filled.find((read) => now.find(same(read))?.descriptor !== read.descriptor);
  return before && now.find(same(before)) || now.at(-1);
}

/**
 * Whether the address that an access failed at, or a branch went to, was loaded through a stale
 * translation.
 */
export function stalePointer(
  session: Session,
  event: ExceptionEvent,
  fetch: boolean,
): StaleDiagnosis | undefined {
  const { trace } = session;
  let register: string | undefined;
  let before = event.position;
  if (fetch || event.far === 0n && event.esr >> 26n === 0n) {
    // The branch that went there is the last instruction that was executed.
    const [branch] = executedBackwards(trace, event.position);
    if (!branch) return undefined;
    register = effectsOf(branch.word).target;
    before = branch.position;
  } else {
    const { memory } = session.machine;
    const { pa } = translationOf(session.machine, event.pc);
    if (pa === null || !memory.contains(pa, 4)) return undefined;
    register = effectsOf(memory.word(pa)).base;
  }
  if (register === undefined) return undefined;
  let load = loadOf(session, { kind: "register", register }, before);
  for (let hops = 0; load && hops < MOST_HOPS; hops++) {
    const stale = staleLoad(session, load, event.fromEl);
    if (stale) return stale;
    load = loadBefore(session, load);
  }
  return undefined;
}

/** Whether a load went through a stale translation. */
function staleLoad(
  session: Session,
  { position, va }: RegisterLoad,
  el: number,
): StaleDiagnosis | undefined {
  session.seek(position);
  const regime = regimeAt(session);
  if (va === null || (!regime.enabled && regime.stage2 === null)) return undefined;
  const stale = staleTranslation(session, { position, va, access: 0, el }, true);
  if (!stale) return undefined;
  const why = `the address was loaded from 0x${
    va.toString(16)
  } at #${position}, where ${stale.why}`;
  return { ...stale, why };
}

/** Where the bytes that a load read had been loaded from, if they were copied there. */
function loadBefore(session: Session, load: RegisterLoad): RegisterLoad | undefined {
  const range = { address: load.address, length: load.length };
  const [write] = writesBefore(session, range, load.position, 1);
  if (write?.by !== "store") return undefined;
  const { position, address, bytes } = write;
  return copiedLoad(session, { position, address, size: bytes.length }, range);
}
