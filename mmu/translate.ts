/**
 * From a virtual address to a physical one: range check, TLB, walk, permissions.
 *
 * A hit allocates nothing: the outcome is left in the fields of {@linkcode Translation}. Only
 * translations that the access may use are entered in the TLB, so a fault never fills it.
 */

import type { DescriptorBus } from "./bus.ts";
import type { Fault, WalkFault } from "./fault.ts";
import { flatAttributes, flatShareability, NON_SHAREABLE } from "./flat_attributes.ts";
import { makesDirty, updatedLow, writeBack } from "./hardware_flags.ts";
import {
  type Access,
  ACCESS_EXECUTE,
  ACCESS_WRITE,
  ALL_PERMISSIONS,
  denialReason,
  packPermissions,
  permissionMask,
  privilegedMask,
  wantedBit,
} from "./permissions.ts";
import { type Regime, rightsOf } from "./regime.ts";
import {
  combineAttributes,
  combineShareability,
  stage2Address,
  type Stage2Leaf,
  stage2Mask,
  type Stage2Walk,
  useStage2,
  walkStage2,
} from "./stage2.ts";
import { alignDown } from "./table_bits.ts";
import type { Tlb, TlbStage2 } from "./tlb.ts";
import { canonical } from "./tlb_format.ts";
import type { TranslationListener, TranslationParts } from "./translation_parts.ts";
import {
  checkRange,
  type Leaf,
  leafAddress,
  leafPermissions,
  selectRange,
  type Walk,
  walk,
} from "./walk.ts";

export type { TlbFill, TranslationListener, TranslationParts } from "./translation_parts.ts";

/** log2 of what stage 1 maps at once where it is off: more than stage 2 can. */
const FLAT_SIZE = 48;
/** Execute at EL0 and at the privileged level, of a mask of permissions.ts. */
const EXECUTE_BITS = 0x24;
/** Read and write at EL0. */
const EL0_DATA = 3;

/** Translates addresses of one CPU. */
export class Translation {
  /** The current regime. Set it anew when one of its registers changes. */
  regime: Regime;

  /** PSTATE.PAN: EL1, and EL2 in EL2&0, may not read or write what EL0 may. */
  pan = false;

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
  /** `pa` is in the Secure address space. */
  secure = false;
  /** GP of the leaf. */
  guarded = false;

  /** The fault, after {@linkcode translate} returned false. */
  fault: Fault | null = null;
  /** The walk that ended with `fault` or denied the access; null where there was none. */
  faultWalk: Walk | null = null;

  readonly #bus: DescriptorBus;
  readonly #tlb: Tlb | null;
  readonly #listener: TranslationListener | null;
  readonly #strict: boolean;
  readonly #firstOnly: boolean;
  /** Stage 2's walk for the translation in hand. */
  #second: Stage2Walk | null = null;

  /** Makes a translation over its parts. */
  constructor(parts: TranslationParts) {
    this.#bus = parts.bus;
    this.#tlb = parts.tlb;
    this.regime = parts.regime;
    this.#listener = parts.listener ?? null;
    this.#strict = parts.strict ?? false;
    this.#firstOnly = parts.firstOnly ?? false;
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
    if (!regime.enabled) return this.#flat(vaHi, vaLo, access, el);
    const select = selectRange(regime, vaHi);
    const range = regime.ranges[select];
    const rangeFault = checkRange(range, select, vaHi, vaLo) ??
      (range.privileged && el === 0
        ? { kind: "translation", level: 0, cause: "e0pd" } as const
        : null) ??
      // TBID: an ignored top byte of data that is part of an instruction's address.
      (access === ACCESS_EXECUTE && range.topByteIgnored && !range.codeTopByteIgnored &&
          canonical(vaHi) !== vaHi
        ? { kind: "translation", level: 0, cause: "hole" } as const
        : null);
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
    const { regime } = this;
    const second = regime.stage2 === null ? null : tlb.stage2Of(entry);
    const flat = second !== null && second.flat;
    const secure = tlb.secureOf(entry);
    let permissions = flat
      ? ALL_PERMISSIONS
      : this.#stage1Permissions(tlb.packedPermissionsOf(entry), secure);
    if (access !== ACCESS_EXECUTE && !flat && this.#isKeptOff(permissions, el)) return false;
    if (second !== null) permissions &= stage2Mask(second.permissions);
    if ((permissions & wantedBit(access, el)) === 0) return false;
    this.pa = tlb.physicalOf(entry, vaHi, vaLo);
    this.sizeLog2 = tlb.sizeLog2Of(entry);
    this.level = tlb.levelOf(entry);
    this.permissions = permissions;
    this.secure = secure;
    this.guarded = tlb.guardedOf(entry);
    this.attributes = flat
      ? flatAttributes(regime, access)
      : regime.attributes[tlb.attrIndexOf(entry)];
    this.shareability = flat ? flatShareability(access) : tlb.shareabilityOf(entry);
    if (second !== null) this.#combine(second);
    return true;
  }

  /** What stage 1 permits. */
  #stage1Permissions(packed: number, toSecure: boolean): number {
    const { regime } = this;
    const mask = regime.hasEl0
      ? permissionMask(packed, regime.wxn)
      : privilegedMask(packed, regime.wxn);
    return regime.secureFetchOnly && !toSecure ? mask & ~EXECUTE_BITS : mask;
  }

  /** Whether PAN denies the privileged level data that EL0 may read or write. */
  #isKeptOff(permissions: number, el: number): boolean {
    return this.pan && el !== 0 && this.regime.hasEl0 && (permissions & EL0_DATA) !== 0;
  }

  /** Attributes of both stages. */
  #combine(second: Pick<TlbStage2, "memoryAttributes" | "shareability">): void {
    const { regime } = this;
    // HCR_EL2.DC: stage 1 is Normal, Write-Back, Non-shareable, whatever the access.
    if (regime.defaultCacheable) this.shareability = NON_SHAREABLE;
    this.attributes = combineAttributes(regime.stage2!, this.attributes, second.memoryAttributes);
    this.shareability = combineShareability(
      this.shareability,
      second.shareability,
      this.attributes,
    );
  }

  /** Walks; `denying` is the entry that denied the access, or -1. */
  #miss(vaHi: number, vaLo: number, access: Access, el: number, denying: number): boolean {
    const { regime } = this;
    const tlb = this.#tlb;
    if (denying >= 0 && this.#strict && regime.stage2 === null && !this.#mayDirty(vaHi, access)) {
      this.faultWalk = null;
      return this.#deny(tlb!.levelOf(denying), tlb!.packedPermissionsOf(denying), access, el);
    }
    const outcome = walk(this.#bus, regime, vaHi, vaLo);
    this.faultWalk = outcome;
    const { leaf } = outcome;
    if (leaf === null) return this.#fail(outcome.fault!);
    const packed = leafPermissions(leaf, access);
    this.permissions = this.#stage1Permissions(packed, leaf.secure);
    if ((this.permissions & wantedBit(access, el)) === 0) {
      return this.#deny(leaf.level, packed, access, el);
    }
    if (access !== ACCESS_EXECUTE && this.#isKeptOff(this.permissions, el)) {
      return this.#fail({ kind: "permission", level: leaf.level, reason: "pan" });
    }
    const fault = this.#keepFlags(outcome, access);
    if (fault !== null) return this.#fail(fault);
    this.pa = leafAddress(leaf, vaHi, vaLo);
    this.sizeLog2 = leaf.sizeLog2;
    this.level = leaf.level;
    this.secure = leaf.secure;
    this.guarded = leaf.guarded;
    this.attributes = regime.attributes[leaf.attrIndex];
    this.shareability = leaf.shareability;
    if (regime.stage2 !== null && !this.#firstOnly && !this.#secondStage(access, el)) return false;
    this.faultWalk = null;
    if (tlb === null) return true;
    if (denying >= 0) {
      tlb.invalidateEntry(denying);
      if (!this.#isDirtied(leaf, access)) this.#listener?.onStale(vaHi, vaLo);
    }
    this.#fill(tlb, { leaf, walk: outcome }, access, vaHi, vaLo);
    return true;
  }

  /** Whether hardware may make a page writable that an entry has as read-only. */
  #mayDirty(vaHi: number, access: Access): boolean {
    const { regime } = this;
    return access === ACCESS_WRITE &&
      regime.ranges[selectRange(regime, vaHi)].hardwareDirty === true;
  }

  /** Whether the access made a page of either stage writable. */
  #isDirtied(leaf: Leaf | null, access: Access): boolean {
    const second = this.regime.stage2 === null ? null : this.#second;
    return [leaf, second?.leaf].some((one) => one && makesDirty(one, access));
  }

  /** Sets the flags that hardware keeps in the leaf's descriptor. */
  #keepFlags({ leaf, steps }: Walk, access: Access): WalkFault | null {
    const read = steps[steps.length - 1], low = updatedLow(read.lo, leaf!, access, 1);
    if (low === read.lo) return null;
    if (makesDirty(leaf!, access)) leaf!.ap &= 1;
    const { regime } = this;
    if (read.stage2 !== undefined) {
      const walk = read.stage2, { ipa } = walk;
      const fault = useStage2(this.#bus, regime.stage2!, walk, ACCESS_WRITE, 1);
      if (fault !== null) {
        return { kind: "stage2", level: fault.level, ipa, onWalk: true, fault, walk };
      }
    }
    if (writeBack(this.#bus, read, low, regime.bigEndianTables)) return null;
    return { kind: "unsupported-atomic-update", level: leaf!.level };
  }

  /**
   * Translates `pa`, which is an IPA, by stage 2 and combines what both stages say.
   *
   * @returns false with `fault`
   */
  #secondStage(access: Access, el: number): boolean {
    const ipa = this.pa;
    const walk = walkStage2(this.#bus, this.regime.stage2!, ipa);
    const { leaf } = walk;
    const fault = leaf === null
      ? walk.fault!
      : useStage2(this.#bus, this.regime.stage2!, walk, access, el);
    if (fault !== null) {
      const { level } = fault;
      return this.#fail({ kind: "stage2", level, ipa, onWalk: false, fault, walk });
    }
    this.#second = walk;
    this.#apply(leaf!, ipa);
    return true;
  }

  #apply(leaf: Stage2Leaf, ipa: number): void {
    this.pa = stage2Address(leaf, ipa);
    this.sizeLog2 = Math.min(this.sizeLog2, leaf.sizeLog2);
    this.permissions &= stage2Mask(leaf.permissions);
    this.#combine(leaf);
  }

  /** Enters what the fields say. `found` is stage 1's; null where it is off. */
  #fill(
    tlb: Tlb,
    found: { leaf: Leaf; walk: Walk } | null,
    access: Access,
    vaHi: number,
    vaLo: number,
  ): void {
    const { regime, sizeLog2, pa } = this;
    const leaf = found?.leaf ?? null;
    const second = regime.stage2 === null ? null : this.#second;
    tlb.fill({
      regime: regime.tag,
      asid: regime.asid,
      global: !(leaf?.notGlobal ?? false),
      vaHi: canonical(vaHi),
      vaLo,
      base: alignDown(pa, sizeLog2),
      sizeLog2,
      level: this.level,
      attrIndex: leaf?.attrIndex ?? 0,
      shareability: leaf?.shareability ?? 0,
      packedPermissions: leaf === null ? 0 : packPermissions(leaf),
      secure: this.secure,
      guarded: this.guarded,
      stage2: second === null ? null : { ...second.leaf!, flat: leaf === null },
    });
    this.#listener?.onFill({
      access,
      vaHi,
      vaLo,
      pa,
      asid: regime.asid,
      global: !(leaf?.notGlobal ?? false),
      attributes: this.attributes,
      permissions: this.permissions,
      sizeLog2,
      leaf,
      walk: found?.walk ?? null,
      regime,
      stage2: second,
    });
  }

  /** Stage 1 off (Arm ARM D8.2.10): the address is physical or an IPA, of at most the implemented size. */
  #flat(vaHi: number, vaLo: number, access: Access, el: number): boolean {
    const { regime } = this;
    const select = selectRange(regime, vaHi);
    const { topByteIgnored, codeTopByteIgnored } = regime.ranges[select];
    const ignored = access === ACCESS_EXECUTE ? codeTopByteIgnored : topByteIgnored;
    const high = ignored ? vaHi & 0xff_ffff : vaHi;
    if (high >= 2 ** (regime.physicalAddressBits - 32)) {
      this.faultWalk = null;
      return this.#fail({ kind: "address-size", level: 0, cause: "flat" });
    }
    if (regime.stage2 !== null && !this.#firstOnly) {
      return this.#flatFirst(high, vaLo, access, el);
    }
    this.#setFlat(high, vaLo, access);
    this.sizeLog2 = 12;
    return true;
  }

  #setFlat(high: number, vaLo: number, access: Access): void {
    const { regime } = this;
    this.pa = high * 0x1_0000_0000 + vaLo;
    this.level = 0;
    this.permissions = ALL_PERMISSIONS;
    this.secure = regime.secure;
    this.guarded = false;
    this.attributes = flatAttributes(regime, access);
    this.shareability = flatShareability(access);
  }

  /** Stage 1 off, stage 2 on. */
  #flatFirst(high: number, vaLo: number, access: Access, el: number): boolean {
    const { regime } = this;
    const tlb = this.#tlb;
    const entry = tlb === null ? -1 : tlb.lookup(regime.tag, regime.asid, high, vaLo);
    if (entry >= 0 && this.#use(tlb!, entry, high, vaLo, access, el)) return true;
    this.#setFlat(high, vaLo, access);
    this.sizeLog2 = FLAT_SIZE;
    this.faultWalk = null;
    if (!this.#secondStage(access, el)) return false;
    if (tlb === null) return true;
    if (entry >= 0) {
      tlb.invalidateEntry(entry);
      if (!this.#isDirtied(null, access)) this.#listener?.onStale(high, vaLo);
    }
    this.#fill(tlb, null, access, high, vaLo);
    return true;
  }

  #deny(level: number, packed: number, access: Access, el: number): boolean {
    const reason = denialReason(packed, this.regime.wxn, access, rightsOf(this.regime, el));
    const other = access === ACCESS_EXECUTE ? "secure-fetch" : "pan";
    return this.#fail({ kind: "permission", level, reason: reason ?? other });
  }

  #fail(fault: Fault): boolean {
    this.fault = fault;
    return false;
  }
}
