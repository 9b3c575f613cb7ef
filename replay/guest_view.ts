/**
 * Memory as the guest sees it at the cursor, without a trace of the looking: no TLB is filled, no
 * device read, no event raised.
 */
import type { Machine } from "../core/machine.ts";
import type { DescriptorBus } from "../mmu/bus.ts";
import { canonical } from "../mmu/translate.ts";
import { leafAddress, type Walk, walk } from "../mmu/walk.ts";

const PAGE = 4096;

/** An entry of the modelled TLB. */
export interface TlbEntryView {
  /** Physical address of the address that was looked up. */
  readonly pa: number;
  /** log2 of the bytes that the entry covers. */
  readonly sizeLog2: number;
  /** Level of the leaf descriptor. */
  readonly level: number;
  /** Whether it belongs to every ASID. */
  readonly global: boolean;
  /** The ASID that it belongs to otherwise. */
  readonly asid: number;
}

/** How an address translates. */
export interface TranslationView {
  /** Where it is; null where nothing is mapped. The TLB goes before the tables. */
  readonly pa: number | null;
  /** The TLB's entry; null if it has none, or stage 1 is off. */
  readonly tlb: TlbEntryView | null;
  /** The walk of the tables as they are; null if stage 1 is off. */
  readonly walk: Walk | null;
}

/**
 * Translates a virtual address, whatever its permissions.
 *
 * @internal
 */
export function translationOf(machine: Machine, va: bigint): TranslationView {
  const { translation, tlb } = machine.processor;
  const { regime } = translation;
  const { hi, lo } = halves(va);
  if (!regime.enabled) {
    const tops = regime.ranges[0].topByteIgnored ? 56 : 64;
    const flat = Number(BigInt.asUintN(tops, va));
    return { pa: flat < 2 ** regime.physicalAddressBits ? flat : null, tlb: null, walk: null };
  }
  const walked = walk(quietBus(machine), regime, hi, lo);
  const entry = tlb.lookup(regime.tag, regime.asid, canonical(hi), lo);
  const hit = entry < 0 ? null : {
    pa: tlb.physicalOf(entry, canonical(hi), lo),
    sizeLog2: tlb.sizeLog2Of(entry),
    level: tlb.levelOf(entry),
    global: tlb.globalOf(entry),
    asid: tlb.asidOf(entry),
  };
  const pa = hit?.pa ?? (walked.leaf === null ? null : leafAddress(walked.leaf, hi, lo));
  return { pa, tlb: hit, walk: walked };
}

/** Bits 63:32 and 31:0. */
export function halves(address: bigint): { hi: number; lo: number } {
  const wide = BigInt.asUintN(64, address);
  return { hi: Number(wide >> 32n), lo: Number(wide & 0xffff_ffffn) };
}

/**
 * Bytes of physical memory: RAM or flash; null where there is neither. A copy.
 *
 * @internal
 */
export function readPhysical(machine: Machine, address: number, length: number): Uint8Array | null {
  const { memory, board } = machine;
  if (memory.contains(address, length)) return memory.read(address, length).slice();
  const bytes = new Uint8Array(length);
  for (let i = 0; i < length; i++) {
    // Reading flash changes nothing; reading another device might.
    if (memory.contains(address + i)) bytes[i] = memory.read(address + i, 1)[0];
    else if (board.bus.find(address + i)?.executable) bytes[i] = board.bus.read(address + i, 1);
    else return null;
  }
  return bytes;
}

/**
 * Bytes at a virtual address; null if one of them is not mapped, or in a device.
 *
 * @internal
 */
export function readVirtual(machine: Machine, va: bigint, length: number): Uint8Array | null {
  const bytes = new Uint8Array(length);
  for (let at = 0; at < length;) {
    const address = BigInt.asUintN(64, va + BigInt(at));
    const part = Math.min(length - at, PAGE - Number(address % BigInt(PAGE)));
    const { pa } = translationOf(machine, address);
    const read = pa === null ? null : readPhysical(machine, pa, part);
    if (!read) return null;
    bytes.set(read, at);
    at += part;
  }
  return bytes;
}

/** Reads descriptors from RAM and flash. */
function quietBus(machine: Machine): DescriptorBus {
  return {
    readDescriptor(address, into) {
      const bytes = readPhysical(machine, address, 8);
      if (!bytes) return false;
      const words = new DataView(bytes.buffer);
      into[0] = words.getUint32(0, true);
      into[1] = words.getUint32(4, true);
      return true;
    },
  };
}
