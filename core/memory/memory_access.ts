import type { DescriptorBus } from "../../mmu/bus.ts";
import type { Fault } from "../../mmu/fault.ts";
import { type Access, ACCESS_EXECUTE, ACCESS_READ, ACCESS_WRITE } from "../../mmu/permissions.ts";
import type { Regime } from "../../mmu/regime.ts";
import type { Translation } from "../../mmu/translate.ts";
import { canonical } from "../../mmu/tlb_format.ts";
import type { Board } from "../devices/bus.ts";
import type { Requester } from "../devices/mod.ts";
import { ACCESS, ANSWER } from "../engine/reasons.ts";
import type { GuestMemory, WatchedAccess } from "./memory.ts";
import type { HazardName } from "../observer.ts";
import { swapBytes } from "./byte_order.ts";
import { PhysicalAccess, type PhysicalHost } from "./physical_access.ts";
import type { PhysicalSpaces } from "./physical_spaces.ts";
import type { DebugException } from "../exceptions/debug_unit.ts";
import { SLOT } from "../state.ts";
import type { DataAccess } from "../exceptions/watchpoints.ts";
import { wide } from "../wide.ts";

/**
 * Accesses that generated code cannot finish by itself: a page not in the lookup cache, a device,
 * an unaligned or page-crossing access, a store to decoded code, a fault.
 *
 * The order of checks is the manual's AArch64.MemSingle (J1.1.3): alignment that is always
 * required, then translation and permissions, then alignment that depends on the memory type,
 * then the access itself.
 */

/** What the access unit needs of the machine. */
export interface AccessHost extends PhysicalHost {
  readonly translation: Translation;
  readonly spaces: PhysicalSpaces;
  /** Whose access it is, for devices that ask. */
  readonly requester: Requester;
  /** Faults where hardware may, instead of going on as the reference does. */
  readonly strict: boolean;
  /** SCTLR_ELx.A. */
  alignmentChecked(): boolean;
  /** Data is big-endian at the current EL. */
  bigEndian(): boolean;
  /** Whether accesses with the permissions of an EL are little-endian wherever they come from. */
  littleEndian(el: number): boolean;
  /** The EL whose permissions unprivileged accesses have. */
  unprivilegedEl(): number;
  /** Which lookup cache the data accesses of an EL use. */
  lookupBank(el: number): number;
  /** The watchpoint that an access to data hits. */
  watchpoint(access: DataAccess): DebugException | undefined;
  /** Whether there is a watchpoint at all. */
  watching(): boolean;
  hazard(name: HazardName, address: bigint): void;
}

/** A fault with what its exception needs. */
export interface PendingFault {
  readonly fault: Fault;
  readonly access: Access;
  readonly address: bigint;
}

/** Device memory is below this MAIR attribute byte. */
const FIRST_NORMAL = 0x10;

const ZERO_BLOCK = new Uint8Array(64);

/** Loads, stores and fetches of one CPU. */
export class MemoryAccess {
  /** The fault, after {@linkcode access} or {@linkcode fetch} answered non-zero. */
  pending: PendingFault | undefined;
  /** The watchpoint that was hit, in place of a fault. */
  hit: DebugException | undefined;
  /** The instruction in hand is the one being fetched. */
  fetching = false;
  /** The instruction in hand is a load or store that is being made. */
  accessing = false;
  readonly #scratch: DataView;
  readonly #scratchBytes: Uint8Array;
  readonly #state: DataView;
  readonly #physical: PhysicalAccess;

  constructor(readonly host: AccessHost) {
    const { engine } = host;
    this.#scratch = new DataView(engine.memory, SLOT.scratch, 64);
    this.#scratchBytes = new Uint8Array(engine.memory, SLOT.scratch, 64);
    this.#state = new DataView(engine.memory, 0, SLOT.end);
    this.#physical = new PhysicalAccess(host);
  }

  /** Makes the page of SLOT.pc executable: see `InterpreterImports.fetch`. */
  fetch(): number {
    this.fetching = true;
    const answer = this.#fetch();
    this.fetching = false;
    return answer;
  }

  #fetch(): number {
    const { engine, translation, memory } = this.host;
    const { state } = engine;
    const lo = this.#state.getUint32(SLOT.pc, true), hi = this.#state.getUint32(SLOT.pc + 4, true);
    const el = state.el;
    const branched = { hi, lo };
    const pcHi = branchHigh(translation.regime, hi);
    if (pcHi !== hi) this.#state.setUint32(SLOT.pc + 4, pcHi, true);
    if (!translation.translate(pcHi, lo, ACCESS_EXECUTE, el)) {
      return this.#fail(translation.fault!, ACCESS_EXECUTE, state.pc);
    }
    // The reference translates first, so a misaligned address that is not mapped aborts.
    if (lo & 3) return this.#fail({ kind: "pc-alignment" }, ACCESS_EXECUTE, state.pc);
    const pa = this.#place();
    const hostPage = memory.contains(pa)
      ? engine.layout.guest + pa - memory.base - (pa & 0xfff)
      : this.host.rom.hostPage(pa);
    if (hostPage === undefined) {
      const slaveError = this.host.board.find(pa) !== undefined;
      return this.#fail(
        { kind: "external-abort", address: translation.pa, slaveError },
        ACCESS_EXECUTE,
        state.pc,
      );
    }
    const records = engine.records.recordsOf(hostPage);
    const page = wide(pcHi, (lo & ~0xfff) >>> 0);
    const context = engine.flow.contextId(el, page, records);
    engine.lookup.allowFetch(el, branched, page, records, context, translation.guarded);
    return ANSWER.done;
  }

  /** The load or store at SLOT.accessAddress: see `InterpreterImports.access`. */
  access(kind: number): number {
    this.accessing = true;
    const answer = this.#access(kind);
    this.accessing = false;
    return answer;
  }

  #access(kind: number): number {
    const { engine, translation, memory } = this.host;
    const size = 1 << (kind & ACCESS.sizeMask);
    const write = (kind & ACCESS.write) !== 0;
    const conditional = (kind & ACCESS.asWrite) !== 0;
    const checkedAs = write || conditional ? ACCESS_WRITE : ACCESS_READ;
    const el = kind & ACCESS.unprivileged ? this.host.unprivilegedEl() : engine.state.el;
    const lo = this.#state.getUint32(SLOT.accessAddress, true);
    const hi = this.#state.getUint32(SLOT.accessAddress + 4, true);
    const where = (kind >>> ACCESS.scratchShift) & 0xff;
    const refused = this.#checkAlignment(kind, lo, where);
    // The reference reads before a store-exclusive writes, and so reports a read where that fails.
    const readsFirst = conditional && !this.host.strict;
    if (refused) return this.#fail(refused, readsFirst ? ACCESS_READ : checkedAs, wide(hi, lo));
    if (readsFirst && !translation.translate(hi, lo, ACCESS_READ, el)) {
      return this.#fail(translation.fault!, ACCESS_READ, wide(hi, lo));
    }
    const firstBytes = Math.min(size, 4096 - (lo & 0xfff));
    let secondPa = 0;
    if (firstBytes < size) {
      const next = {
        hi: lo + firstBytes > 0xffff_ffff ? (hi + 1) >>> 0 : hi,
        lo: (lo + firstBytes) >>> 0,
      };
      // The first page is translated again below, so that its fault comes first.
      if (!translation.translate(hi, lo, checkedAs, el)) {
        return this.#fail(translation.fault!, checkedAs, wide(hi, lo));
      }
      if (!translation.translate(next.hi, next.lo, checkedAs, el)) {
        return this.#fail(translation.fault!, checkedAs, wide(next.hi, next.lo));
      }
      secondPa = this.#place();
    }
    if (!translation.translate(hi, lo, checkedAs, el)) {
      return this.#fail(translation.fault!, checkedAs, wide(hi, lo));
    }
    const pa = this.#place();
    const normal = translation.attributes >= FIRST_NORMAL;
    if (lo & (size - 1) && !normal) {
      if (this.host.strict) {
        return this.#fail({ kind: "alignment", cause: "device" }, checkedAs, wide(hi, lo));
      }
      this.host.hazard("unaligned-device", wide(hi, lo));
    }
    const watched = this.host.watching() && !(kind & ACCESS.comparison);
    if (watched && this.#hits({ va: wide(hi, lo), size, write, el })) return ANSWER.exception;
    const swapped = this.host.bigEndian();
    if (firstBytes === size && memory.contains(pa, size) && !swapped && !memory.isWatched(pa)) {
      if (!write && size < 8) this.#scratch.setUint32(where, 0, true);
      if (!write) this.#scratch.setUint32(where + 4, 0, true);
      this.#physical.transfer(pa, size, where, write);
      this.#allow(el, hi, lo, pa, normal);
      return ANSWER.done;
    }
    const parts = firstBytes < size
      ? [{ pa, bytes: firstBytes }, { pa: secondPa, bytes: size - firstBytes }]
      : [{ pa, bytes: size }];
    let offset = where;
    if (!write) this.#scratch.setBigUint64(where, 0n, true);
    else if (swapped) swapBytes(this.#scratchBytes, kind);
    for (const part of parts) {
      if (memory.isWatched(part.pa) && !(kind & ACCESS.comparison)) {
        const va = wide(hi, lo) + BigInt(offset - where);
        this.#watched({ by: "instruction", write, address: part.pa, va }, offset, part.bytes);
      }
      if (!this.#physical.transfer(part.pa, part.bytes, offset, write)) {
        const address = part.pa === pa ? translation.pa : part.pa;
        const fault: Fault = { kind: "external-abort", address, slaveError: false };
        // To the reference's bus an unaligned load is two aligned ones, a crossing store its bytes.
        const done = offset - where;
        const from = write ? lo + done : lo - (lo & (size - 1)) + (done > 0 ? size : 0);
        const carry = from > 0xffff_ffff ? 1 : 0;
        return this.#fail(fault, checkedAs, wide((hi + carry) >>> 0, from >>> 0));
      }
      offset += part.bytes;
    }
    if (swapped && !write) swapBytes(this.#scratchBytes, kind);
    if (parts.length === 1 && memory.contains(pa)) this.#allow(el, hi, lo, pa, normal);
    return ANSWER.done;
  }

  /** DC ZVA: zeroes the 64 bytes around `address` (Arm ARM C5.3.17). */
  zeroBlock(address: bigint): number {
    const { translation, memory } = this.host;
    const hi = Number(address >> 32n), lo = Number(address & 0xffff_ffffn);
    const { el } = this.host.engine.state;
    if (!translation.translate(hi, lo, ACCESS_WRITE, el)) {
      return this.#fail(translation.fault!, ACCESS_WRITE, address);
    }
    const block = { va: address & ~63n, size: 64, write: true, el };
    if (this.#hits(block)) return ANSWER.exception;
    const place = this.#place();
    const pa = place - (place & 63);
    if (translation.attributes < FIRST_NORMAL && this.host.strict) {
      return this.#fail({ kind: "alignment", cause: "dc-zva" }, ACCESS_WRITE, address);
    }
    if (!memory.contains(pa, 64)) {
      return this.#zeroDevice(pa) ? ANSWER.done : this.#fail(
        { kind: "external-abort", address: translation.pa, slaveError: false },
        ACCESS_WRITE,
        address & ~63n,
      );
    }
    const va = address & ~63n;
    memory.announce({ by: "dc-zva", write: true, address: pa, va, bytes: ZERO_BLOCK });
    this.store(pa, ZERO_BLOCK);
    this.#allow(el, hi, lo, pa, translation.attributes >= FIRST_NORMAL);
    return ANSWER.done;
  }

  /** As the reference does it: byte by byte. */
  #zeroDevice(pa: number): boolean {
    this.#scratch.setUint8(0, 0);
    this.accessing = true;
    let answered = true;
    for (let i = 0; i < 64 && answered; i++) answered = this.#physical.transfer(pa + i, 1, 0, true);
    this.accessing = false;
    return answered;
  }

  #hits(access: DataAccess): boolean {
    if (!this.host.watching()) return false;
    this.hit = this.host.watchpoint(access);
    return this.hit !== undefined;
  }

  /** Where the address just translated is: see {@linkcode PhysicalSpaces}. */
  #place(): number {
    const { translation, spaces, requester } = this.host;
    if (spaces.split) requester.secure = translation.secure;
    return spaces.place(translation.pa, translation.secure);
  }

  /** Bytes at a virtual address as the CPU would load them; undefined if it could not. */
  readVirtual(address: bigint, length: number): Uint8Array | undefined {
    const result = new Uint8Array(length);
    const done = this.#eachPage(address, length, ACCESS_READ, (pa, from, count) => {
      const { memory } = this.host;
      const bytes = memory.read(pa, count);
      memory.announce({ by: "dma", write: false, address: pa, bytes });
      result.set(bytes, from);
    });
    return done ? result : undefined;
  }

  /** Stores bytes at a virtual address. Gives false if the CPU could not. */
  writeVirtual(address: bigint, bytes: Uint8Array): boolean {
    return this.#eachPage(address, bytes.length, ACCESS_WRITE, (pa, from, count) => {
      const part = bytes.subarray(from, from + count);
      this.host.memory.announce({ by: "dma", write: true, address: pa, bytes: part });
      this.store(pa, part);
    });
  }

  /** Calls `part` for each page of a virtual range, all of which must be in RAM. */
  #eachPage(
    address: bigint,
    length: number,
    access: Access,
    part: (pa: number, from: number, count: number) => void,
  ): boolean {
    const { translation, memory, engine } = this.host;
    for (let done = 0; done < length;) {
      const at = BigInt.asUintN(64, address + BigInt(done));
      const hi = Number(at >> 32n), lo = Number(at & 0xffff_ffffn);
      if (!translation.translate(hi, lo, access, engine.state.el)) return false;
      const count = Math.min(length - done, 4096 - (lo & 0xfff));
      if (!memory.contains(translation.pa, count)) return false;
      part(translation.pa, done, count);
      done += count;
    }
    return true;
  }

  /** Changes guest memory. */
  store(pa: number, bytes: Uint8Array): void {
    this.host.memory.write(pa, bytes);
  }

  /** Announces an access whose bytes stand in scratch or in memory. */
  #watched(access: Omit<WatchedAccess, "bytes">, offset: number, length: number): void {
    const { memory, engine } = this.host;
    const bytes = access.write
      ? new Uint8Array(engine.memory, SLOT.scratch + offset, length)
      : memory.read(access.address, length);
    memory.announce({ ...access, bytes });
  }

  /** Lets following accesses to the page through without asking. */
  #allow(el: number, hi: number, lo: number, pa: number, normal: boolean): void {
    const { engine, translation, memory } = this.host;
    const watched = memory.isWatched(pa);
    if (watched && !memory.watch!.writesOnly || this.host.watching()) return;
    if (!this.host.littleEndian(el)) return;
    const hostPage = engine.layout.guest + pa - memory.base - (pa & 0xfff);
    const rights = el === 0 ? translation.permissions : translation.permissions >> 3;
    const write = (rights & 2) !== 0 && memory.isOpen(pa) && !watched;
    const code = write && engine.records.holdsCode(hostPage);
    engine.lookup.allowData(this.host.lookupBank(el), { hi, lo }, hostPage, {
      read: (rights & 1) !== 0,
      write: write && !code,
      writeBesideCode: code,
      unaligned: normal && !this.host.alignmentChecked(),
      decodedWords: engine.records.decodedWords(hostPage),
    });
  }

  #checkAlignment(kind: number, lo: number, where: number): Fault | undefined {
    // The two halves of a 16-byte element and the elements behind the first follow from the first.
    if (where !== 0) return undefined;
    const unaligned = (lo & ((1 << ((kind >>> ACCESS.alignShift) & 15)) - 1)) !== 0;
    if (!unaligned) return undefined;
    if (this.host.alignmentChecked()) return { kind: "alignment", cause: "sctlr-a" };
    // The reference refuses an unaligned load-acquire or store-release, too.
    const special = kind & (ACCESS.natural | ACCESS.ordered);
    return special ? { kind: "alignment", cause: "exclusive-or-ordered" } : undefined;
  }

  #fail(fault: Fault, access: Access, address: bigint): number {
    this.pending = { fault, access, address };
    return ANSWER.exception;
  }
}

/** Reads descriptors for the walker: from RAM and, as on the reference, from devices; holes do not answer. */
export function descriptorBus(
  memory: GuestMemory,
  board: Board,
  spaces: PhysicalSpaces,
): DescriptorBus {
  const view = new DataView(memory.bytes.buffer, memory.bytes.byteOffset, memory.size);
  return {
    readDescriptor(physical, into, secure = false) {
      const address = spaces.place(physical, secure);
      if (!memory.contains(address, 8)) return board.readLong(address, into);
      if (memory.watch) {
        const bytes = memory.read(address, 8);
        memory.announce({ by: "walker", write: false, address, bytes });
      }
      into[0] = view.getUint32(address - memory.base, true);
      into[1] = view.getUint32(address - memory.base + 4, true);
      return true;
    },
    writeDescriptor(physical, low, high, secure = false) {
      const address = spaces.place(physical, secure);
      if (!memory.contains(address, 8)) return false;
      const bytes = new Uint8Array(8);
      const words = new DataView(bytes.buffer);
      words.setUint32(0, low, true);
      words.setUint32(4, high, true);
      if (memory.watch) memory.announce({ by: "walker", write: true, address, bytes });
      memory.write(address, bytes);
      return true;
    },
  };
}

/** AArch64.BranchAddr() (Arm ARM J1.1.3): a branch drops an ignored top byte. */
function branchHigh(regime: Regime, hi: number): number {
  const range = regime.ranges[regime.ranges.length === 2 ? (hi >>> 23) & 1 : 0];
  return range.codeTopByteIgnored ? canonical(hi) : hi;
}
