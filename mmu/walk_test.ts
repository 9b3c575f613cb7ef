import { assertEquals, assertStrictEquals } from "@std/assert";
import {
  LEAF,
  PAGE,
  randomInteger,
  TABLE,
  TCR_4K_48,
  TestMemory,
  testRegime,
  words,
} from "./_testing.ts";
import { CORTEX_A57_MMU } from "./features.ts";
import { levelShift, type RegimeRegisters } from "./regime.ts";
import { leafAddress, type Walk, walk } from "./walk.ts";

/** Tables at 0x1000, 0x3000, 0x4000, 0x5000 that map address 0 to the page at 0x8000_0000. */
function fourLevels(): TestMemory {
  const memory = new TestMemory();
  memory.set(0x1000, 0x3000n | TABLE);
  memory.set(0x3000, 0x4000n | TABLE);
  memory.set(0x4000, 0x5000n | TABLE);
  memory.set(0x5000, 0x8000_0000n | LEAF | PAGE);
  return memory;
}

function faultOf(memory: TestMemory, va: bigint, changes: Partial<RegimeRegisters> = {}) {
  return walk(memory, testRegime(changes), ...words(va)).fault;
}

Deno.test("walk() reads one descriptor of each level and returns the page", () => {
  const memory = fourLevels();
  memory.set(0x5008, 0x0060_0000_8000_1000n | LEAF | PAGE | 1n << 11n | 2n << 6n | 5n << 2n);
  const found = walk(memory, testRegime(), ...words(0x1234n));
  assertEquals(memory.reads, [0x1000, 0x3000, 0x4000, 0x5008]);
  assertEquals(found.steps.map((s) => [s.level, s.index]), [[0, 0], [1, 0], [2, 0], [3, 1]]);
  assertEquals([found.steps[3].hi, found.steps[3].lo], [0x0060_0000, 0x8000_1f97]);
  const { leaf } = found;
  assertEquals(leaf, {
    level: 3,
    sizeLog2: 12,
    base: 0x8000_1000,
    reserved: false,
    misaligned: false,
    attrIndex: 5,
    shareability: 3,
    notGlobal: true,
    contiguous: false,
    ap: 2,
    uxn: 1,
    pxn: 1,
    apTable: 0,
    uxnTable: 0,
    pxnTable: 0,
    secure: false,
    guarded: false,
  });
  assertEquals(leafAddress(leaf!, 0, 0x1234), 0x8000_1234);
});

Deno.test("walk() ignores address bits below the granule, in tables and pages", () => {
  const memory = new TestMemory();
  memory.set(0x10000, 0x2f000n | TABLE);
  memory.set(0x20000, 0x8000_f000n | LEAF | PAGE);
  const regime = testRegime({ tcr: 30n | 1n << 14n, ttbr0: 0x10000n });
  assertEquals(walk(memory, regime, 0, 0).leaf!.base, 0x8000_0000);
  assertEquals(memory.reads, [0x10000, 0x20000]);
});

Deno.test("walk() stops at a block of level 1 or 2 and ignores address bits below its size", () => {
  const memory = fourLevels();
  memory.set(0x4000, 0x8030_1000n | LEAF);
  const two = walk(memory, testRegime(), ...words(0x12_3456n)).leaf!;
  assertEquals([two.level, two.sizeLog2, two.base, two.misaligned], [2, 21, 0x8020_0000, true]);
  memory.set(0x3000, 0x4_0000_0000n | LEAF);
  const one = walk(memory, testRegime(), ...words(0x3fff_ffffn)).leaf!;
  assertEquals([one.level, one.sizeLog2, one.misaligned], [1, 30, false]);
  assertEquals(leafAddress(one, 0, 0x3fff_ffff), 0x4_3fff_ffff);
});

Deno.test("walk() gives a translation fault at the level of an invalid descriptor", () => {
  const tables = [0x1000, 0x3000, 0x4000, 0x5000];
  for (let level = 0; level < 4; level++) {
    const memory = fourLevels();
    memory.set(tables[level], 0xffff_ffff_ffff_fffen);
    assertEquals(faultOf(memory, 0n), { kind: "translation", level, cause: "invalid" });
  }
});

Deno.test("walk() refuses a level 3 descriptor with bit 1 clear", () => {
  const memory = fourLevels();
  memory.set(0x5000, 0x8000_0000n | LEAF);
  assertEquals(faultOf(memory, 0n), { kind: "translation", level: 3, cause: "reserved" });
});

Deno.test("walk() refuses a level 0 block as the architecture does, or maps it as the reference", () => {
  const memory = fourLevels();
  memory.set(0x1000, LEAF);
  assertEquals(faultOf(memory, 0n), { kind: "translation", level: 0, cause: "reserved" });
  const { leaf } = walk(memory, testRegime({}, CORTEX_A57_MMU), ...words(0x45_6789_abcdn));
  assertEquals([leaf!.reserved, leaf!.sizeLog2], [true, 39]);
  assertEquals(leafAddress(leaf!, 0x45, 0x6789_abcd), 0x45_6789_abcd);
});

Deno.test("walk() gives an access flag fault for AF = 0, after reserved encodings and address size", () => {
  const memory = fourLevels();
  memory.set(0x5000, 0x8000_0000n | 3n);
  assertEquals(faultOf(memory, 0n), { kind: "access-flag", level: 3 });
  memory.set(0x5000, 1n << 47n | 3n);
  assertEquals(faultOf(memory, 0n, { tcr: TCR_4K_48 & ~(7n << 32n) }), {
    kind: "address-size",
    level: 3,
    cause: "descriptor",
    address: 2 ** 47,
  });
});

Deno.test("walk() gives an address size fault at level 0 for TTBR and at each level for a table", () => {
  const tcr = TCR_4K_48 & ~(7n << 32n) | 1n << 32n;
  assertEquals(faultOf(fourLevels(), 0n, { tcr, ttbr0: 1n << 36n }), {
    kind: "address-size",
    level: 0,
    cause: "ttbr",
    address: 2 ** 36,
  });
  [0x1000, 0x3000, 0x4000].forEach((table, level) => {
    const memory = fourLevels();
    memory.set(table, 1n << 36n | TABLE);
    assertEquals(faultOf(memory, 0n, { tcr })?.level, level);
    assertEquals(faultOf(memory, 0n, { tcr })?.kind, "address-size");
  });
});

Deno.test("walk() gives an external abort at the level whose descriptor nothing answers", () => {
  const memory = new TestMemory(0x4000);
  memory.set(0x1000, 0x3000n | TABLE);
  memory.set(0x3000, 0x4000n | TABLE);
  const found = walk(memory, testRegime(), 0, 8 << 21);
  assertEquals(found.fault, { kind: "external-abort-on-walk", level: 2, address: 0x4040 });
  assertEquals(found.steps.length, 2);
});

Deno.test("walk() faults at level 0 in the hole between the ranges, without reading", () => {
  const memory = fourLevels();
  const hole = { kind: "translation", level: 0, cause: "hole" } as const;
  assertEquals(faultOf(memory, 1n << 48n), hole);
  assertEquals(faultOf(memory, 0xfffe_ffff_ffff_ffffn), hole);
  assertEquals(faultOf(memory, 0x0100_0000_0000_0000n), hole);
  const small = 39n | 39n << 16n | 2n << 30n;
  assertEquals(faultOf(memory, 1n << 25n, { tcr: small }), hole);
  assertEquals(faultOf(memory, 0xffff_ffff_fdff_ffffn, { tcr: small }), hole);
  assertEquals(memory.reads, []);
});

Deno.test("walk() uses TTBR1 for addresses with bit 55 set", () => {
  const memory = new TestMemory();
  memory.set(0x2ff8, 0x3000n | TABLE);
  const found = walk(memory, testRegime(), 0xffff_ffff, 0xffff_f000);
  assertStrictEquals(found.range, 1);
  assertEquals(memory.reads, [0x2ff8, 0x3ff8]);
});

Deno.test("walk() ignores the top byte where TBI is set, and selects by bit 55 all the same", () => {
  const memory = fourLevels();
  const tcr = TCR_4K_48 | 1n << 37n;
  assertEquals(faultOf(memory, 0xa500_0000_0000_0000n, { tcr }), null);
  assertEquals(faultOf(memory, 0xa5ff_ffff_ffff_f000n, { tcr })?.level, 0, "TBI0 is not TBI1");
  const both = tcr | 1n << 38n;
  const found = walk(memory, testRegime({ tcr: both }), ...words(0x00ff_ffff_ffff_f000n));
  assertEquals([found.range, found.steps.length], [1, 1]);
});

Deno.test("walk() faults at level 0 where EPDn disables walks, for its range only", () => {
  const off = { kind: "translation", level: 0, cause: "walks-disabled" } as const;
  assertEquals(faultOf(fourLevels(), 0n, { tcr: TCR_4K_48 | 1n << 7n }), off);
  assertEquals(faultOf(fourLevels(), 0n, { tcr: TCR_4K_48 | 1n << 23n }), null);
  assertEquals(faultOf(fourLevels(), (1n << 64n) - 1n, { tcr: TCR_4K_48 | 1n << 23n }), off);
});

Deno.test("walk() faults at level 0 where TxSZ is out of range", () => {
  const tcr = TCR_4K_48 & ~63n | 40n;
  assertEquals(faultOf(fourLevels(), 0n, { tcr }), {
    kind: "translation",
    level: 0,
    cause: "txsz",
  });
});

Deno.test("walk() ORs the attributes of all tables into the leaf", () => {
  const memory = fourLevels();
  memory.set(0x1000, 0x3000n | TABLE | 1n << 59n);
  memory.set(0x3000, 0x4000n | TABLE | 1n << 61n | 1n << 60n);
  memory.set(0x4000, 0x5000n | TABLE | 1n << 62n);
  const leaf = walk(memory, testRegime(), 0, 0).leaf!;
  assertEquals([leaf.apTable, leaf.uxnTable, leaf.pxnTable], [3, 1, 1]);
  assertEquals([leaf.ap, leaf.uxn, leaf.pxn], [0, 0, 0]);
});

Deno.test("walk() reads big-endian tables with SCTLR.EE", () => {
  const memory = new TestMemory();
  memory.set(0x1000, 0x0130_0000_0000_0000n | 3n << 56n);
  const found = walk(memory, testRegime({ sctlr: 1n | 1n << 25n }), 0, 0);
  assertEquals([found.steps[0].hi, found.steps[0].lo], [0, 0x3003]);
});

/** The same walk in BigInt, written from the tables of D8.2 rather than from its pseudocode. */
function bruteForce(memory: TestMemory, granule: number, txsz: number, va: bigint): string {
  const splits: Record<number, number[]> = {
    12: [39, 30, 21, 12],
    14: [47, 36, 25, 14],
    16: [99, 42, 29, 16],
  };
  const size = 64 - txsz;
  if (va >> BigInt(size) !== 0n) return "fault 0";
  let level = splits[granule].findIndex((low) => low < size);
  let table = 0x10000n;
  let high = size;
  for (;; level++) {
    const low = splits[granule][level];
    const index = (va % (1n << BigInt(high))) >> BigInt(low);
    const into = new Uint32Array(2);
    memory.readDescriptor(Number(table + 8n * index), into);
    const descriptor = BigInt(into[1]) << 32n | BigInt(into[0]);
    const address = (descriptor & 0xffff_ffff_ffffn) >> BigInt(granule) << BigInt(granule);
    const kind = Number(descriptor & 3n);
    const block = level === 2 || granule === 12 && level === 1;
    if (kind === (level === 3 ? 3 : 1) && (block || level === 3)) {
      if ((descriptor & 1024n) === 0n) return `flag ${level}`;
      return `pa ${(address >> BigInt(low) << BigInt(low)) + va % (1n << BigInt(low))}`;
    }
    if (kind !== 3) return `fault ${level}`;
    table = address;
    high = low;
  }
}

function summary({ leaf, fault }: Walk, vaHi: number, vaLo: number): string {
  if (leaf !== null) return `pa ${leafAddress(leaf, vaHi, vaLo)}`;
  return `${fault!.kind === "access-flag" ? "flag" : "fault"} ${fault!.level}`;
}

Deno.test("walk() agrees with a brute-force model on random tables of every granule and size", () => {
  const random = randomInteger(5);
  const outcomes = new Set<string>();
  for (let round = 0; round < 10_000; round++) {
    const granule = [12, 14, 16][random(3)];
    const txsz = 16 + random(24);
    const va = BigInt(random(2 ** 24)) * BigInt(random(2 ** 24)) % (1n << BigInt(65 - txsz));
    const memory = new TestMemory();
    const tcr = BigInt(txsz) | { 12: 0n, 14: 2n, 16: 1n }[granule]! << 14n | 5n << 32n;
    const regime = testRegime({ tcr, ttbr0: 0x10000n });
    // Descriptors where this walk will look: tables at 0x10000, 0x20000, …
    let table = 0x10000;
    let high = 64 - txsz;
    for (let level = regime.ranges[0].startLevel; level < 4; level++) {
      const low = levelShift(granule, level);
      const index = Number(BigInt.asUintN(high, va) >> BigInt(low));
      const type = BigInt(random(4) === 0 ? random(4) : 3);
      const flag = random(8) === 0 ? 0n : 1024n;
      const leaf = level === 3 || type !== 3n;
      const output = BigInt(leaf ? random(2 ** 31) * 2 ** 16 : table + 0x10000);
      memory.set(table + 8 * index, output | type | flag);
      table += 0x10000;
      high = low;
    }
    const found = summary(walk(memory, regime, ...words(va)), ...words(va));
    assertEquals(found, bruteForce(memory, granule, txsz, va), `${granule} ${txsz} ${va}`);
    outcomes.add(found.startsWith("pa") ? "pa" : found);
  }
  assertEquals(outcomes.size, 8, [...outcomes].join());
});
