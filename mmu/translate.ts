/**
 * From a virtual address to a physical one: range check, TLB, walk, permissions.
 *
 * A hit allocates nothing: the outcome is left in the fields of {@linkcode Translation}. Only
 * translations that the access may use are entered in the TLB, so a fault never fills it.
 */

import type { DescriptorBus } from "./bus.ts";
import type { Fault } from "./fault.ts";
import {
  type Access,
  ACCESS_EXECUTE,
  ALL_PERMISSIONS,
  denialReason,
  packPermissions,
  permissionMask,
} from "./permissions.ts";
import type { Regime } from "./regime.ts";
import type { Tlb } from "./tlb.ts";
import { checkRange, type Leaf, leafAddress, selectRange, type Walk, walk } from "./walk.ts";

/** A fill of the TLB, with the walk that produced it. */
export interface TlbFill {
  /** What needed the translation. */
  access: Access;
  /** Bits 63:32 of the address translated, top byte as the program gave it. */
  vaHi: number;
  /** Bits 31:0. */
  vaLo: number;
  /** Its physical address. */
  pa: number;
  /** Current ASID. */
  asid: number;
  /** Belongs to every ASID. */
  global: boolean;
  /** MAIR attribute byte. */
  attributes: number;
  /** Mask of permissions.ts. */
  permissions: number;
  /** The leaf that `walk` found. */
  leaf: Leaf;
  /** The walk, with the descriptors that it read. */
  walk: Walk;
}

/** What a translation reports besides its result. */
export interface TranslationListener {
  /** An entry was filled. */
  onFill(fill: TlbFill): void;
  /**
   * A TLB entry denied the access but the tables, changed without TLBI, permit it: the entry was
   * replaced. Works in QEMU, may fault for ever on hardware.
   */
  onStale(vaHi: number, vaLo: number): void;
}

/** What a {@linkcode Translation} is made of. */
export interface TranslationParts {
  /** Physical memory, for descriptors. */
  bus: DescriptorBus;
  /** The modelled TLB; null to walk for every translation. */
  tlb: Tlb | null;
  /** The regime to start with. */
  regime: Regime;
  /** Told of fills. */
  listener?: TranslationListener;
  /** Keep to a TLB entry that denies an access, as hardware may, instead of walking again. */
  strict?: boolean;
}

/** Device-nGnRnE. */
const FLAT_DATA = 0x00;
const FLAT_FETCH_CACHED = 0xaa;
const FLAT_FETCH_UNCACHED = 0x44;
const NORMAL_WRITE_BACK = 0xff;
/** The reference reports flat data as non-shareable; Device memory has no such property. */
const NON_SHAREABLE = 0;
const OUTER_SHAREABLE = 2;

/** Translates addresses of one CPU. */
export class Translation {
  /** The current regime. Set it anew when one of its registers changes. */
  regime: Regime;

  /** Physical address, after {@linkcode translate} returned true; so are the five below. */
  pa = 0;
  /** log2 of the bytes of the block or page, within which `pa` and all else holds. */
  sizeLog2 = 12;
  /** Level of the leaf descriptor; 0 where stage 1 is off. */
  level = 0;
  /** Everything that this translation permits: mask of permissions.ts. */
  permissions = 0;
  /** MAIR attribute byte; below 0x10 is Device memory. */
  attributes = 0;
  /** 0 non-shareable, 2 outer, 3 inner. */
  shareability = 0;

  /** The fault, after {@linkcode translate} returned false. */
  fault: Fault | null = null;
  /** The walk that ended with `fault` or denied the access; null where there was none. */
  faultWalk: Walk | null = null;

  readonly #bus: DescriptorBus;
  readonly #tlb: Tlb | null;
  readonly #listener: TranslationListener | null;
  readonly #strict: boolean;

  /** Makes a translation over its parts. */
  constructor(parts: TranslationParts) {
    this.#bus = parts.bus;
    this.#tlb = parts.tlb;
    this.regime = parts.regime;
    this.#listener = parts.listener ?? null;
    this.#strict = parts.strict ?? false;
  }

  /**
   * Translates an address for one access, filling the TLB.
   *
   * @param vaHi bits 63:32 of the virtual address, unsigned
   * @param vaLo bits 31:0, unsigned
   * @param el exception level whose permissions apply: 0 also for unprivileged accesses from EL1
   * @returns true with the result in the fields, or false with `fault`
   */
  translate(vaHi: number, vaLo: number, access: Access, el: number): boolean {
    const { regime } = this;
    if (!regime.enabled) return this.#flat(vaHi, vaLo, access);
    const select = selectRange(regime, vaHi);
    const range = regime.ranges[select];
    const rangeFault = checkRange(range, select, vaHi, vaLo);
    if (rangeFault !== null) {
      this.faultWalk = { range: select, steps: [], leaf: null, fault: rangeFault };
      return this.#fail(rangeFault);
    }
    const canonicalHi = canonical(vaHi);
    const tlb = this.#tlb;
    if (tlb === null) return this.#miss(vaHi, vaLo, access, el, -1);
    const entry = tlb.lookup(regime.tag, regime.asid, canonicalHi, vaLo);
    if (entry >= 0 && this.#use(tlb, entry, canonicalHi, vaLo, access, el)) return true;
    return this.#miss(vaHi, vaLo, access, el, entry);
  }

  /** Loads the fields from an entry; false where it denies the access. */
  #use(
    tlb: Tlb,
    entry: number,
    vaHi: number,
    vaLo: number,
    access: Access,
    el: number,
  ): boolean {
    const permissions = permissionMask(tlb.packedPermissionsOf(entry), this.regime.wxn);
    if ((permissions & wanted(access, el)) === 0) return false;
    this.pa = tlb.physicalOf(entry, vaHi, vaLo);
    this.sizeLog2 = tlb.sizeLog2Of(entry);
    this.level = tlb.levelOf(entry);
    this.permissions = permissions;
    this.attributes = this.regime.attributes[tlb.attrIndexOf(entry)];
    this.shareability = tlb.shareabilityOf(entry);
    return true;
  }

  /** Walks; `denying` is the entry that denied the access, or -1. */
  #miss(vaHi: number, vaLo: number, access: Access, el: number, denying: number): boolean {
    const { regime } = this;
    const tlb = this.#tlb;
    if (denying >= 0 && this.#strict) {
      this.faultWalk = null;
      return this.#deny(tlb!.levelOf(denying), tlb!.packedPermissionsOf(denying), access, el);
    }
    const outcome = walk(this.#bus, regime, vaHi, vaLo);
    this.faultWalk = outcome;
    const { leaf } = outcome;
    if (leaf === null) return this.#fail(outcome.fault!);
    const packed = packPermissions(leaf);
    this.permissions = permissionMask(packed, regime.wxn);
    if ((this.permissions & wanted(access, el)) === 0) {
      return this.#deny(leaf.level, packed, access, el);
    }
    this.faultWalk = null;
    this.pa = leafAddress(leaf, vaHi, vaLo);
    this.sizeLog2 = leaf.sizeLog2;
    this.level = leaf.level;
    this.attributes = regime.attributes[leaf.attrIndex];
    this.shareability = leaf.shareability;
    if (tlb === null) return true;
    if (denying >= 0) {
      tlb.invalidateEntry(denying);
      this.#listener?.onStale(vaHi, vaLo);
    }
    this.#fill(tlb, leaf, packed, vaHi, vaLo);
    this.#listener?.onFill({
      access,
      vaHi,
      vaLo,
      pa: this.pa,
      asid: regime.asid,
      global: !leaf.notGlobal,
      attributes: this.attributes,
      permissions: this.permissions,
      leaf,
      walk: outcome,
    });
    return true;
  }

  #fill(tlb: Tlb, leaf: Leaf, packedPermissions: number, vaHi: number, vaLo: number): void {
    tlb.fill({
      regime: this.regime.tag,
      asid: this.regime.asid,
      global: !leaf.notGlobal,
      vaHi: canonical(vaHi),
      vaLo,
      base: leaf.base,
      sizeLog2: leaf.sizeLog2,
      level: leaf.level,
      attrIndex: leaf.attrIndex,
      shareability: leaf.shareability,
      packedPermissions,
    });
  }

  /** Stage 1 off (Arm ARM D8.2.10): the address is physical, of at most the implemented size. */
  #flat(vaHi: number, vaLo: number, access: Access): boolean {
    const { regime } = this;
    const select = selectRange(regime, vaHi);
    const high = regime.ranges[select].topByteIgnored ? vaHi & 0xff_ffff : vaHi;
    if (high >= 2 ** (regime.physicalAddressBits - 32)) {
      this.faultWalk = null;
      return this.#fail({ kind: "address-size", level: 0, cause: "flat" });
    }
    this.pa = high * 0x1_0000_0000 + vaLo;
    this.sizeLog2 = 12;
    this.level = 0;
    this.permissions = ALL_PERMISSIONS;
    this.attributes = flatAttributes(regime, access);
    this.shareability = access === ACCESS_EXECUTE ? OUTER_SHAREABLE : NON_SHAREABLE;
    return true;
  }

  #deny(level: number, packed: number, access: Access, el: number): boolean {
    const reason = denialReason(packed, this.regime.wxn, access, el)!;
    return this.#fail({ kind: "permission", level, reason });
  }

  #fail(fault: Fault): boolean {
    this.fault = fault;
    return false;
  }
}

/** The bit of a permission mask that an access needs. */
function wanted(access: Access, el: number): number {
  return 1 << access + (el === 0 ? 0 : 3);
}

/** High word with bits 63:56 made equal to bit 55: the form in which the TLB holds addresses. */
export function canonical(vaHi: number): number {
  return vaHi << 8 >> 8 >>> 0;
}

function flatAttributes(regime: Regime, access: Access): number {
  if (regime.defaultCacheable) return NORMAL_WRITE_BACK;
  if (access !== ACCESS_EXECUTE) return FLAT_DATA;
  return regime.instructionCache ? FLAT_FETCH_CACHED : FLAT_FETCH_UNCACHED;
}
