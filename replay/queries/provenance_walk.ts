/**
 * How an address translates at the cursor of a session: by the modelled TLB, and by the tables.
 */
import type { TlbFillEvent } from "../../core/observer.ts";
import type { DescriptorBus } from "../../mmu/bus.ts";
import { denialReason, packPermissions } from "../../mmu/permissions.ts";
import type { Access, PermissionReason } from "../../mmu/permissions.ts";
import type { Regime } from "../../mmu/regime.ts";
import { canonical } from "../../mmu/translate.ts";
import { leafAddress, type Walk, walk } from "../../mmu/walk.ts";
import type { Session } from "../session.ts";

/** A 64-bit address as the walk takes it. */
export interface AddressWords {
  readonly hi: number;
  readonly lo: number;
}

/** Splits a 64-bit number. */
export function wordsOf(address: bigint): AddressWords {
  return { hi: Number(address >> 32n & 0xffff_ffffn), lo: Number(address & 0xffff_ffffn) };
}

/** Memory as the walker sees it at the cursor; devices other than flash do not answer. */
export function tableMemory({ machine }: Session): DescriptorBus {
  const { memory } = machine;
  const { bus } = machine.board;
  const view = new DataView(memory.bytes.buffer, memory.bytes.byteOffset, memory.bytes.byteLength);
  return {
    readDescriptor(address, into) {
      if (memory.contains(address, 8)) {
        into[0] = view.getUint32(address - memory.base, true);
        into[1] = view.getUint32(address - memory.base + 4, true);
        return true;
      }
      // Reading flash changes nothing; reading a device might.
      return bus.find(address)?.executable ? bus.readLong(address, into) : false;
    },
  };
}

/** The regime at the cursor. */
export function regimeAt({ machine }: Session): Regime {
  return machine.processor.translation.regime;
}

/** What a walk gives, as far as accesses can tell. */
export interface WalkOutcome {
  readonly walk: Walk;
  /** Physical address; null where the walk faults. */
  readonly pa: number | null;
  /** MAIR attribute byte; null where the walk faults. */
  readonly attributes: number | null;
  /** Why the access is denied; null if it is not, or the walk faults. */
  readonly denied: PermissionReason | null;
}

/** Walks for one access. */
export function walkFor(
  bus: DescriptorBus,
  regime: Regime,
  va: bigint,
  { access, el }: { readonly access: Access; readonly el: number },
): WalkOutcome {
  const { hi, lo } = wordsOf(va);
  const outcome = walk(bus, regime, hi, lo);
  const { leaf } = outcome;
  if (!leaf) return { walk: outcome, pa: null, attributes: null, denied: null };
  return {
    walk: outcome,
    pa: leafAddress(leaf, hi, lo),
    attributes: regime.attributes[leaf.attrIndex],
    denied: denialReason(packPermissions(leaf), regime.wxn, access, el),
  };
}

/** The TLB's entry for an address at the cursor. */
export interface TlbHit {
  readonly pa: number;
  readonly packedPermissions: number;
  /** MAIR attribute byte. */
  readonly attributes: number;
}

/** The TLB's entry for an address at the cursor, or undefined. */
export function tlbHit(session: Session, va: bigint): TlbHit | undefined {
  const regime = regimeAt(session);
  if (!regime.enabled) return undefined;
  const { tlb } = session.machine.processor;
  const { hi, lo } = wordsOf(va);
  const entry = tlb.lookup(regime.tag, regime.asid, canonical(hi), lo);
  if (entry < 0) return undefined;
  return {
    pa: tlb.physicalOf(entry, canonical(hi), lo),
    packedPermissions: tlb.packedPermissionsOf(entry),
    attributes: regime.attributes[tlb.attrIndexOf(entry)],
  };
}

/** The fill that made the TLB's entry for an address, before a position. */
export function fillOf(
  { trace }: Session,
  { va, pa, asid }: { readonly va: bigint; readonly pa: number; readonly asid: number },
  before: number,
): TlbFillEvent | undefined {
  const kinds = new Set(["tlb-fill"] as const);
  for (let number = trace.windows.length - 1; number > 0; number--) {
    const { start, end } = trace.windows[number];
    if (start >= before) continue;
    let last: TlbFillEvent | undefined;
    for (const event of trace.events({ kinds, from: start, to: Math.min(end, before) })) {
      if (event.kind !== "tlb-fill" || !covers(event, va)) continue;
      if (!event.global && event.asid !== asid) continue;
      const offset = Number(BigInt.asUintN(event.sizeLog2, va));
      const size = 2 ** event.sizeLog2;
      if (event.pa - event.pa % size + offset === pa) last = event;
    }
    if (last) return last;
  }
  return undefined;
}

/** Whether a fill's entry translates an address. */
function covers({ va, sizeLog2 }: TlbFillEvent, address: bigint): boolean {
  // The top byte may be a tag.
  const top = 56 - sizeLog2;
  return BigInt.asUintN(top, va >> BigInt(sizeLog2)) ===
    BigInt.asUintN(top, address >> BigInt(sizeLog2));
}

/**
 * The physical address of a virtual one at the cursor: by the TLB, else by the tables.
 *
 * @returns undefined where nothing is mapped
 */
export function physicalAddress(session: Session, va: bigint): number | undefined {
  const regime = regimeAt(session);
  if (!regime.enabled) return va < 1n << 48n ? Number(va) : undefined;
  const hit = tlbHit(session, va);
  if (hit) return hit.pa;
  const { pa } = walkFor(tableMemory(session), regime, va, { access: 0, el: 1 });
  return pa ?? undefined;
}
