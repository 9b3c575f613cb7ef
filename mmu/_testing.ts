/**
 * What the tests of this directory share: descriptor memory, register values, random numbers.
 */
import type { DescriptorBus } from "./bus.ts";
import { ARMV8_0_MMU } from "./features.ts";
import { makeRegime, type Regime, type RegimeRegisters } from "./regime.ts";

/** Sparse physical memory of descriptors; what was not written is zero, or absent above `end`. */
export class TestMemory implements DescriptorBus {
  /** Addresses read, in order. */
  readonly reads: number[] = [];
  readonly #words = new Map<number, bigint>();
  readonly #end: number;

  constructor(end = 2 ** 48) {
    this.#end = end;
  }

  /** Stores one descriptor. */
  set(address: number, descriptor: bigint): void {
    this.#words.set(address, descriptor);
  }

  readDescriptor(address: number, into: Uint32Array): boolean {
    this.reads.push(address);
    if (address >= this.#end) return false;
    const value = this.#words.get(address) ?? 0n;
    into[0] = Number(value & 0xffff_ffffn);
    into[1] = Number(value >> 32n);
    return true;
  }
}

/** SCTLR.M. */
export const MMU_ON = 1n;
/** SCTLR.WXN. */
export const WXN = 1n << 19n;
/** A valid leaf's common bits: valid, AF, inner shareable. */
export const LEAF = 1n | 1n << 10n | 3n << 8n;
/** Bit 1: page or table. */
export const PAGE = 2n;
/** A table descriptor's type. */
export const TABLE = 3n;

/** 48-bit output, T0SZ = T1SZ = 16, 4 KB granules. */
export const TCR_4K_48 = 16n | 16n << 16n | 2n << 30n | 5n << 32n;

/** A regime with the MMU on and 4 KB granules, changed by `changes`. */
export function testRegime(
  changes: Partial<RegimeRegisters> = {},
  features = ARMV8_0_MMU,
): Regime {
  const registers = { sctlr: MMU_ON, tcr: TCR_4K_48, ttbr0: 0x1000n, ttbr1: 0x2000n, mair: 0n };
  return makeRegime({ ...registers, ...changes }, features);
}

/** Bits 63:32 and 31:0 of an address, as the API takes them. */
export function words(va: bigint): [number, number] {
  return [Number(va >> 32n), Number(va & 0xffff_ffffn)];
}

/** A deterministic generator of integers from 0 to n − 1 (xorshift32). */
export function randomInteger(seed: number): (n: number) => number {
  let state = seed;
  return (n) => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) % n;
  };
}
