/**
 * Random translation cases for the oracle: mostly well formed, each with a few things wrong.
 */
import { HIGH_TABLE, HIGH_TCR, OPERATIONS, type OracleCase, TABLES, TARGETS } from "./oracle.ts";

/** A small deterministic generator (xorshift32). */
export class Random {
  #state: number;

  constructor(seed: number) {
    this.#state = seed >>> 0 || 1;
  }

  /** An integer from 0 to n − 1. */
  below(n: number): number {
    let x = this.#state;
    x ^= x << 13;
    x ^= x >>> 17;
    x ^= x << 5;
    this.#state = x >>> 0;
    return this.#state % n;
  }

  /** True once in `n` times. */
  oneIn(n: number): boolean {
    return this.below(n) === 0;
  }

  pick<T>(values: readonly T[]): T {
    return values[this.below(values.length)];
  }

  /** `width` random bits. */
  bits(width: number): bigint {
    let value = 0n;
    for (let i = 0; i < width; i += 16) value = value << 16n | BigInt(this.below(65536));
    return BigInt.asUintN(width, value);
  }
}

/** What the case generator needs to know of the implementation. */
export interface CaseOptions {
  /** Which granules TG may ask for: log2 of bytes. */
  granules: readonly number[];
  /** TG may also hold reserved values and granules that are not implemented. */
  anyGranule: boolean;
  /** Largest TxSZ that is mostly asked for; 39 if left out. */
  maxTxsz?: number;
  /** TCR's HA and HD are set now and then. */
  hardwareFlags?: true;
}

const TG0: Record<number, bigint> = { 12: 0n, 16: 1n, 14: 2n };
const TG1: Record<number, bigint> = { 14: 1n, 12: 2n, 16: 3n };

/** A case of a random operation. */
export function randomCase(random: Random, options: CaseOptions): OracleCase {
  const operation = random.below(OPERATIONS.length);
  const translationOnly = operation < 4;
  const range = translationOnly ? random.below(2) : 0;
  const granule = random.pick(options.granules);
  const { maxTxsz = 39 } = options;
  let txsz = 16 + random.below(maxTxsz - 15);
  if (random.oneIn(20)) txsz = random.below(64);
  const tbi = random.oneIn(3);
  const tcr = makeTcr(random, { translationOnly, range, granule, txsz, tbi, options });
  const va = makeAddress(random, { translationOnly, range, txsz, tbi, operation });
  const { ttbr, descriptors } = makeTables(random, { translationOnly, granule, txsz, va, maxTxsz });
  const wxn = random.oneIn(3) ? 1n << 19n : 0n;
  const mmu = translationOnly && !options.hardwareFlags && random.oneIn(30) ? 0n : 1n;
  const bigEndian = translationOnly && random.oneIn(20);
  if (bigEndian) { for (const d of descriptors) d.value = reverse(d.value); }
  return {
    operation,
    sctlr: 0x30d0_0800n | wxn | mmu | (bigEndian ? 1n << 25n : 0n),
    tcr,
    ttbr0: range === 0 ? ttbr : random.bits(48),
    ttbr1: range === 1 ? ttbr : translationOnly ? random.bits(48) : HIGH_TABLE,
    mair: random.oneIn(2) ? 0x0044_04ff_bb0c_4f08n : random.bits(64),
    va,
    descriptors,
  };
}

interface TcrChoice {
  translationOnly: boolean;
  range: number;
  granule: number;
  txsz: number;
  tbi: boolean;
  options: CaseOptions;
}

function makeTcr(random: Random, choice: TcrChoice): bigint {
  const { translationOnly, range, granule, txsz, tbi, options } = choice;
  const ips = random.oneIn(3) ? 5n : BigInt(random.below(options.anyGranule ? 8 : 6));
  let tg = range === 0 ? TG0[granule] : TG1[granule];
  if (options.anyGranule && random.oneIn(8)) tg = BigInt(random.below(4));
  const epd = random.oneIn(30) ? 1n : 0n;
  const kept = options.hardwareFlags ? random.bits(2) << 39n : 0n;
  const codeTags = random.oneIn(3) ? 3n << 51n : 0n;
  const half = range === 0
    ? BigInt(txsz) | epd << 7n | tg << 14n | (tbi ? 1n << 37n : 0n)
    : BigInt(txsz) << 16n | epd << 23n | tg << 30n | (tbi ? 1n << 38n : 0n);
  return half | kept | codeTags | ips << 32n | (translationOnly ? 0n : HIGH_TCR);
}

interface AddressChoice {
  translationOnly: boolean;
  range: number;
  txsz: number;
  tbi: boolean;
  operation: number;
}

function makeAddress(random: Random, choice: AddressChoice): bigint {
  const inputSize = 64 - choice.txsz;
  let va = random.bits(Math.min(inputSize, 52));
  if (!choice.translationOnly) {
    // Whatever block maps it, the address ends in the targets.
    const offset = TARGETS.start + random.below(TARGETS.end - TARGETS.start);
    va = va >> 31n << 31n | 1n << 30n | BigInt(offset & 0x3fff_ffff);
    if (random.oneIn(2)) va = va >> 39n << 39n | 1n << 30n | BigInt(offset & 0x3fff_ffff);
    va = va >> 3n << 3n;
    if (OPERATIONS[choice.operation].startsWith("fetch") && random.oneIn(30)) va += 2n;
    va = BigInt.asUintN(inputSize, va);
  }
  if (choice.range === 1) va |= (1n << 64n) - (1n << BigInt(inputSize));
  const flip = inputSize - 1 + random.below(65 - inputSize);
  if (random.oneIn(20) && flip !== 30) va ^= 1n << BigInt(flip);
  if (random.oneIn(4)) va = BigInt.asUintN(56, va) | random.bits(8) << 56n;
  return BigInt.asUintN(64, va);
}

interface TableChoice {
  translationOnly: boolean;
  granule: number;
  txsz: number;
  va: bigint;
  maxTxsz: number;
}

/** Builds a chain of tables down to a leaf, and sometimes damages it. */
function makeTables(
  random: Random,
  choice: TableChoice,
): { ttbr: bigint; descriptors: { address: number; value: bigint }[] } {
  const { granule, va } = choice;
  const stride = granule - 3;
  const inputSize = 64 - Math.min(Math.max(choice.txsz, 16), choice.maxTxsz);
  const start = 4 - Math.ceil((inputSize - granule) / stride);
  const leafLevel = Math.max(start, random.pick([1, 1, 2, 2, 2, 3, 3, 3, 3, 0]));
  const descriptors: { address: number; value: bigint }[] = [];
  const ttbrBase = tableAddress(random, granule);
  let table = ttbrBase;
  let top = inputSize;
  for (let level = start; level <= leafLevel; level++) {
    const shift = granule + stride * (3 - level);
    const index = Number(BigInt.asUintN(top - shift, va >> BigInt(shift)));
    top = shift;
    const address = table + 8 * index;
    const next = tableAddress(random, granule);
    let value = level < leafLevel
      ? BigInt(next) | 3n | random.bits(granule - 2) << 2n | tableAttributes(random)
      : leaf(random, choice, level, shift);
    // A block is not made a table: what answers at its address is not ours.
    const block = level === leafLevel && level < 3;
    if (random.oneIn(40)) value ^= 1n << BigInt(random.pick(block ? [0, 10] : [0, 1, 10]));
    if (random.oneIn(40)) value ^= addressBit(random);
    descriptors.push({ address, value });
    table = next;
  }
  let ttbr = BigInt(ttbrBase) | random.bits(16) << 48n;
  if (random.oneIn(10)) ttbr |= random.bits(6);
  if (random.oneIn(40)) ttbr |= addressBit(random);
  return { ttbr, descriptors: descriptors.filter((d) => d.address < TABLES.end) };
}

/** One address bit above the memory map; not bit 39, where PCIe would answer. */
function addressBit(random: Random): bigint {
  return 1n << BigInt(random.pick([36, 37, 38, 40, 41, 42, 43, 44, 45, 46, 47]));
}

/** A free place for a table; rarely one where no memory answers. */
function tableAddress(random: Random, granule: number): number {
  if (random.oneIn(60)) return 0x5000_0000 + (random.below(256) << 16);
  const size = 1 << granule;
  return TABLES.start + random.below((TABLES.end - TABLES.start) / size) * size;
}

function tableAttributes(random: Random): bigint {
  let value = random.bits(5) << 52n >> 1n & 0x07f0_0000_0000_0000n;
  for (let bit = 59n; bit < 64n; bit++) if (random.oneIn(5)) value |= 1n << bit;
  return value;
}

function leaf(random: Random, choice: TableChoice, level: number, shift: number): bigint {
  let attributes = random.bits(10) << 2n & 0xbfcn | random.bits(7) << 52n;
  if (!random.oneIn(16)) attributes |= 1n << 10n;
  if (random.oneIn(2)) attributes &= ~(3n << 53n);
  const type = level === 3 ? 3n : 1n;
  let output = random.bits(random.pick([32, 36, 40, 44, 48]));
  if (!choice.translationOnly) {
    output = BigInt(TARGETS.start + random.below(TARGETS.end - TARGETS.start));
    if (shift >= 29) output = 0x4000_0000n;
    if (shift >= 39) output = 0n;
    if (random.oneIn(20)) output = 0x5000_0000n;
  }
  // Bits below a block's size are sometimes left in; below the granule they are other fields.
  const aligned = !choice.translationOnly || !random.oneIn(10);
  const low = BigInt(aligned ? shift : choice.granule);
  const ignored = random.oneIn(4) ? random.bits(choice.granule - 12) << 12n : 0n;
  return output >> low << low | ignored | attributes | type;
}

function reverse(value: bigint): bigint {
  let result = 0n;
  for (let i = 0; i < 8; i++) result = result << 8n | value >> BigInt(8 * i) & 0xffn;
  return result;
}
