/**
 * Memory as the guest sees it at the cursor, without a trace of the looking: no TLB is filled, no
 * device read, no event raised.
 */
import type { Cpu } from "../core/cpu.ts";
import type { Machine } from "../core/machine.ts";
import type { DescriptorBus } from "../mmu/bus.ts";
import { canonical } from "../mmu/tlb_format.ts";
import { stage2Address, type Stage2Walk, walkStage2 } from "../mmu/stage2.ts";
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
  /** As `packPermissions` in `mmu/` makes them. */
  readonly packedPermissions: number;
  /** Index into MAIR. */
  readonly attrIndex: number;
}

/** How an address translates. */
export interface TranslationView {
  /** Where it is; null where nothing is mapped. The TLB goes before the tables. */
  readonly pa: number | null;
  /** The TLB's entry; null if it has none, or stage 1 is off. */
  readonly tlb: TlbEntryView | null;
  /** The walk of the tables as they are; null if stage 1 is off. */
  readonly walk: Walk | null;
  /** The walk of stage 2's tables for what stage 1 gives; null without a stage 2, or where stage 1 faults. */
  readonly second: Stage2Walk | null;
}

/**
 * Translates a virtual address, whatever its permissions.
 *
 * @param cpu whose address it is; that of the CPU in turn if left out
 * @internal
 */
export function translationOf(
  machine: Machine,
  va: bigint,
  cpu: Cpu = machine.cpu,
): TranslationView {
  const { regime } = cpu.processor.translation;
  const { hi, lo } = halves(va);
  if (regime.stage2 !== null) return throughBothStages(machine, va, cpu);
  if (!regime.enabled) {
    const tops = regime.ranges[0].topByteIgnored ? 56 : 64;
    const flat = Number(BigInt.asUintN(tops, va));
    const pa = flat < 2 ** regime.physicalAddressBits ? flat : null;
    return { pa, tlb: null, walk: null, second: null };
  }
  const walked = walk(tableMemory(machine), regime, hi, lo);
  const hit = tlbEntryOf(machine, va, cpu);
  const pa = hit?.pa ?? (walked.leaf === null ? null : leafAddress(walked.leaf, hi, lo));
  return { pa, tlb: hit, walk: walked, second: null };
}

/** The same where there is a stage 2. */
function throughBothStages(machine: Machine, va: bigint, cpu: Cpu): TranslationView {
  const { regime } = cpu.processor.translation;
  const { hi, lo } = halves(va);
  const bus = tableMemory(machine);
  const walked = regime.enabled ? walk(bus, regime, hi, lo) : null;
  const hit = tlbEntryOf(machine, va, cpu);
  const leaf = walked?.leaf ?? null;
  if (regime.enabled && leaf === null) {
    return { pa: hit?.pa ?? null, tlb: hit, walk: walked, second: null };
  }
  const ipa = leaf === null ? Number(BigInt.asUintN(48, va)) : leafAddress(leaf, hi, lo);
  const second = walkStage2(bus, regime.stage2!, ipa);
  const found = second.leaf === null ? null : stage2Address(second.leaf, ipa);
  return { pa: hit?.pa ?? found, tlb: hit, walk: walked, second };
}

/**
 * The modelled TLB's entry for a virtual address; null if it has none, or stage 1 is off.
 *
 * @param cpu whose TLB; that of the CPU in turn if left out
 * @internal
 */
export function tlbEntryOf(
  machine: Machine,
  va: bigint,
  cpu: Cpu = machine.cpu,
): TlbEntryView | null {
  const { translation: { regime }, tlb } = cpu.processor;
  if (!regime.enabled && regime.stage2 === null) return null;
  const { hi, lo } = halves(va);
  const entry = tlb.lookup(regime.tag, regime.asid, canonical(hi), lo);
  if (entry < 0) return null;
  return {
    pa: tlb.physicalOf(entry, canonical(hi), lo),
    sizeLog2: tlb.sizeLog2Of(entry),
    level: tlb.levelOf(entry),
    global: tlb.globalOf(entry),
    asid: tlb.asidOf(entry),
    packedPermissions: tlb.packedPermissionsOf(entry),
    attrIndex: tlb.attrIndexOf(entry),
  };
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
 * @param cpu whose address it is; that of the CPU in turn if left out
 * @internal
 */
export function readVirtual(
  machine: Machine,
  va: bigint,
  length: number,
  cpu: Cpu = machine.cpu,
): Uint8Array | null {
  const bytes = new Uint8Array(length);
  for (let at = 0; at < length;) {
    const address = BigInt.asUintN(64, va + BigInt(at));
    const part = Math.min(length - at, PAGE - Number(address % BigInt(PAGE)));
    const { pa } = translationOf(machine, address, cpu);
    const read = pa === null ? null : readPhysical(machine, pa, part);
    if (!read) return null;
    bytes.set(read, at);
    at += part;
  }
  return bytes;
}

/**
 * Memory as the table walker sees it; devices other than flash do not answer.
 *
 * @internal
 */
export function tableMemory({ memory, board: { bus }, spaces }: Machine): DescriptorBus {
  return {
    readDescriptor(physical, into, secure = false) {
      const address = spaces.place(physical, secure);
      if (memory.contains(address, 8)) {
        into[0] = memory.word(address);
        into[1] = memory.word(address + 4);
        return true;
      }
      // Reading flash changes nothing; reading another device might.
      return bus.find(address)?.executable ? bus.readLong(address, into) : false;
    },
  };
}
