/** What a translation is made of, and what it reports besides its result. */

import type { DescriptorBus } from "./bus.ts";
import type { Access } from "./permissions.ts";
import type { Regime } from "./regime.ts";
import type { Stage2Walk } from "./stage2.ts";
import type { Tlb } from "./tlb.ts";
import type { Leaf, Walk } from "./walk.ts";

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
  /** log2 of the bytes that the entry covers: the smaller of both stages. */
  sizeLog2: number;
  /** The leaf that `walk` found; null where stage 1 is off. */
  leaf: Leaf | null;
  /** The walk, with the descriptors that it read; null where stage 1 is off. */
  walk: Walk | null;
  /** The regime it is tagged with. */
  regime: Regime;
  /** Stage 2's walk of the output of stage 1; null where there is no stage 2. */
  stage2: Stage2Walk | null;
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
  /** The result is that of stage 1, whose tables stage 2 translates in any case. */
  firstOnly?: boolean;
}
