import { assertEquals, assertThrows } from "@std/assert";
import { randomInteger } from "./_testing.ts";
import { ANY_ASID, Tlb, TLB_WORDS, type TlbEntry } from "./tlb.ts";

const PAGE: TlbEntry = {
  regime: 0,
  asid: 1,
  global: false,
  vaHi: 0,
  vaLo: 0x4000_1000,
  base: 0x8000_2000,
  sizeLog2: 12,
  level: 3,
  attrIndex: 7,
  shareability: 3,
  packedPermissions: 0xa5,
  secure: false,
  guarded: false,
  stage2: null,
};

function empty(): Tlb {
  return new Tlb(new Uint32Array(TLB_WORDS));
}

Deno.test("fill() then lookup() finds the entry with all its fields", () => {
  const tlb = empty();
  const big: TlbEntry = {
    ...PAGE,
    asid: 0xffff,
    global: true,
    regime: 2,
    vaHi: 0xffff_ff80,
    vaLo: 0,
    base: 0xab80_0000_0000,
    sizeLog2: 39,
    level: 0,
    packedPermissions: 0xff,
  };
  tlb.fill(PAGE);
  tlb.fill(big);
  assertEquals([...tlb.entries()].map((e) => e.sizeLog2).sort(), [12, 39]);
  assertEquals([...tlb.entries()].find((e) => e.sizeLog2 === 39), big);
  assertEquals([...tlb.entries()].find((e) => e.sizeLog2 === 12), PAGE);
  const hit = tlb.lookup(0, 1, 0, 0x4000_1fff);
  assertEquals(tlb.physicalOf(hit, 0, 0x4000_1fff), 0x8000_2fff);
  const far = tlb.lookup(2, 5, 0xffff_ffc0, 0x1234_5678);
  assertEquals(tlb.physicalOf(far, 0xffff_ffc0, 0x1234_5678), 0xabc0_1234_5678);
});

Deno.test("lookup() needs the regime, and the ASID unless the entry is global", () => {
  const tlb = empty();
  tlb.fill(PAGE);
  assertEquals(tlb.lookup(1, 1, 0, 0x4000_1000), -1);
  assertEquals(tlb.lookup(0, 2, 0, 0x4000_1000), -1);
  assertEquals(tlb.lookup(0, 1, 0, 0x4000_2000), -1);
  assertEquals(tlb.lookup(0, 1, 1, 0x4000_1000), -1);
  tlb.fill({ ...PAGE, global: true });
  assertEquals(tlb.lookup(0, 2, 0, 0x4000_1000) >= 0, true);
});

Deno.test("fill() replaces the ways of a full set in turn, whatever was looked up", () => {
  const tlb = empty();
  // One set: page numbers that differ by 65,536 fold to the same eight bits.
  const page = (i: number): TlbEntry => ({ ...PAGE, vaHi: i, vaLo: 0, sizeLog2: 16, level: 3 });
  const present = () => [0, 1, 2, 3, 4, 5, 6].filter((i) => tlb.lookup(0, 1, i, 0) >= 0);
  for (let i = 0; i < 4; i++) tlb.fill(page(i));
  for (let i = 0; i < 10; i++) tlb.lookup(0, 1, 0, 0);
  tlb.fill(page(4));
  assertEquals(present(), [1, 2, 3, 4]);
  tlb.fill(page(5));
  assertEquals(present(), [2, 3, 4, 5]);
  tlb.invalidateVa(0, 1, 5, 0);
  tlb.fill(page(6));
  assertEquals(present(), [2, 3, 4, 6]);
});

Deno.test("invalidateVa() drops entries of every size that hold the address, by ASID or global", () => {
  const fills: TlbEntry[] = [
    { ...PAGE },
    { ...PAGE, vaLo: 0x4000_0000, sizeLog2: 21, level: 2, global: true },
    { ...PAGE, asid: 2 },
    { ...PAGE, vaLo: 0x4000_3000 },
  ];
  const left = (asid: number) => {
    const tlb = empty();
    fills.forEach((e) => tlb.fill(e));
    tlb.invalidateVa(0, asid, 0, 0x4000_1000);
    return [...tlb.entries()].map((e) => `${e.asid} ${e.vaLo.toString(16)}`).sort();
  };
  assertEquals(left(1), ["1 40003000", "2 40001000"]);
  assertEquals(left(9), ["1 40001000", "1 40003000", "2 40001000"]);
  assertEquals(left(ANY_ASID), ["1 40003000"]);
});

Deno.test("invalidateRange() drops entries of any size that reach into a range, by ASID or global", () => {
  const fills: TlbEntry[] = [
    { ...PAGE },
    { ...PAGE, vaLo: 0x4000_0000, sizeLog2: 21, level: 2, global: true },
    { ...PAGE, asid: 2, vaLo: 0x4000_2000 },
    { ...PAGE, vaLo: 0x4000_3000 },
    { ...PAGE, vaHi: 0xffff_ffff, vaLo: 0xffff_f000 },
  ];
  const left = (asid: number, from: number, length: number) => {
    const tlb = empty();
    fills.forEach((e) => tlb.fill(e));
    tlb.invalidateRange(0, asid, from, length);
    return [...tlb.entries()].map((e) => `${e.asid} ${(e.vaLo >>> 12 & 0xfff).toString(16)}`)
      .sort();
  };
  assertEquals(left(1, 0x4000_1000, 0x2000), ["1 3", "1 fff", "2 2"]);
  assertEquals(left(ANY_ASID, 0x401f_f000, 0x1000), ["1 1", "1 3", "1 fff", "2 2"]);
  assertEquals(left(ANY_ASID, -0x2000, 0x2000), ["1 0", "1 1", "1 3", "2 2"]);
});

Deno.test("invalidateAsid() leaves global entries and other ASIDs", () => {
  const tlb = empty();
  tlb.fill(PAGE);
  tlb.fill({ ...PAGE, asid: 2 });
  tlb.fill({ ...PAGE, vaLo: 0x5000_0000, global: true });
  tlb.invalidateAsid(0, 1);
  assertEquals([...tlb.entries()].map((e) => [e.asid, e.global]).sort(), [[1, true], [2, false]]);
});

Deno.test("invalidateAll() empties one regime and leaves no trace in the words", () => {
  const words = new Uint32Array(TLB_WORDS);
  const tlb = new Tlb(words);
  tlb.fill(PAGE);
  tlb.fill({ ...PAGE, regime: 1 });
  tlb.invalidateAll(0);
  assertEquals([...tlb.entries()].map((e) => e.regime), [1]);
  tlb.invalidateAll(1);
  assertEquals(words.every((word) => word === 0), true);
});

Deno.test("the listener is told of every entry that leaves, with its address and size", () => {
  const gone: string[] = [];
  const tlb = new Tlb(new Uint32Array(TLB_WORDS), {
    onEvict: (hi, lo, size) => gone.push(`${hi} ${lo.toString(16)} ${size}`),
    onEvictAll: () => gone.push("all"),
  });
  gone.length = 0;
  for (let i = 0; i < 5; i++) tlb.fill({ ...PAGE, vaHi: i, vaLo: 0, sizeLog2: 16 });
  tlb.invalidateVa(0, 1, 1, 0x1234);
  tlb.invalidateAsid(0, 1);
  tlb.invalidateAll(0);
  assertEquals(gone, ["0 0 16", "1 0 16", "4 0 16", "2 0 16", "3 0 16", "all"]);
});

Deno.test("save() and restore() bring back entries and replacement pointers", () => {
  const tlb = empty();
  const page = (i: number): TlbEntry => ({ ...PAGE, vaHi: i, vaLo: 0, sizeLog2: 16 });
  for (let i = 0; i < 6; i++) tlb.fill(page(i));
  const other = empty();
  other.restore(tlb.save());
  tlb.fill(page(7));
  other.fill(page(7));
  assertEquals(other.save(), tlb.save());
});

Deno.test("restore() refuses a state that no TLB can have", () => {
  const bad = (index: number, value: number) => {
    const state = empty().save();
    state[index] = value;
    return assertThrows(() => empty().restore(state), RangeError).message;
  };
  assertEquals(bad(0, 3), "Cannot restore the TLB: size class 0: expected 0 entries, found 3");
  assertEquals(bad(16, 4), "Cannot restore the TLB: way 4 in set 0");
  assertEquals(bad(272, 1 | 15 << 2), "Cannot restore the TLB: size class 15");
  assertThrows(() => empty().restore(new Uint32Array(3)), RangeError, "expected 8464 words");
});

/** The TLB as a plain list of sets: the specification that the packed one must follow. */
class ListTlb {
  readonly sets = Array.from({ length: 256 }, (): (TlbEntry | null)[] => [null, null, null, null]);
  readonly next = new Uint8Array(256);

  setOf(vaHi: number, vaLo: number, sizeLog2: number): number {
    const page = (BigInt(vaHi) << 32n | BigInt(vaLo)) >> BigInt(sizeLog2);
    return Number((page ^ page >> 8n) & 0xffn);
  }

  fill(e: TlbEntry): void {
    const index = this.setOf(e.vaHi, e.vaLo, e.sizeLog2);
    const set = this.sets[index];
    let way = set.indexOf(null);
    if (way < 0) {
      way = this.next[index];
      this.next[index] = (way + 1) % 4;
    }
    set[way] = e;
  }

  drop(gone: (e: TlbEntry) => boolean): void {
    for (const set of this.sets) {
      set.forEach((e, way) => e !== null && gone(e) && (set[way] = null));
    }
  }

  holds(e: TlbEntry, vaHi: number, vaLo: number): boolean {
    const shift = BigInt(e.sizeLog2);
    const page = (hi: number, lo: number) => (BigInt(hi) << 32n | BigInt(lo)) >> shift;
    return page(e.vaHi, e.vaLo) === page(vaHi, vaLo);
  }

  lookup(asid: number, vaHi: number, vaLo: number): TlbEntry | null {
    const hits = this.sets.flat().filter((e) =>
      e !== null && this.holds(e, vaHi, vaLo) && (e.global || e.asid === asid)
    ) as TlbEntry[];
    // Smallest size first; the stable sort keeps the order of ways.
    return hits.sort((a, b) => a.sizeLog2 - b.sizeLog2)[0] ?? null;
  }
}

Deno.test("Tlb agrees with a plain list model over random operations", () => {
  const random = randomInteger(11);
  const tlb = empty();
  const model = new ListTlb();
  const sizes = [12, 12, 14, 16, 21, 25, 29, 30, 39];
  let hits = 0;
  for (let step = 0; step < 20_000; step++) {
    const sizeLog2 = sizes[random(sizes.length)];
    const high = random(2) === 0 ? 0 : 0xffff_0000;
    const va = BigInt(random(3000)) << BigInt(sizeLog2 + (random(4) === 0 ? 8 : 0));
    const vaHi = (Number(va >> 32n & 0xffffn) | high) >>> 0;
    const vaLo = Number(va & 0xffff_ffffn);
    const asid = random(4);
    const action = random(200);
    if (action < 120) {
      const found = tlb.lookup(0, asid, vaHi, vaLo);
      const expected = model.lookup(asid, vaHi, vaLo);
      assertEquals(found >= 0, expected !== null);
      if (expected === null) continue;
      hits++;
      assertEquals([tlb.sizeLog2Of(found), tlb.asidOf(found)], [expected.sizeLog2, expected.asid]);
    } else if (action < 190) {
      const base = random(2 ** 20) * 2 ** 20;
      const e = { ...PAGE, asid, global: random(4) === 0, vaHi, vaLo, sizeLog2, base };
      tlb.fill(e);
      model.fill(e);
    } else if (action < 196) {
      const which = random(2) === 0 ? ANY_ASID : asid;
      tlb.invalidateVa(0, which, vaHi, vaLo);
      model.drop((e) =>
        model.holds(e, vaHi, vaLo) && (which === ANY_ASID || e.global || e.asid === which)
      );
    } else if (action < 199) {
      tlb.invalidateAsid(0, asid);
      model.drop((e) => !e.global && e.asid === asid);
    } else if (random(8) === 0) {
      tlb.invalidateAll(0);
      model.drop(() => true);
    }
  }
  assertEquals(hits > 500, true, `${hits} hits`);
  assertEquals([...tlb.entries()].length, model.sets.flat().filter((e) => e !== null).length);
});
