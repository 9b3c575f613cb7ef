import { assertEquals } from "@std/assert";
import { LAYOUT, NO_TAG } from "./layout.ts";
import { LookupCaches } from "./lookup.ts";

const LEVELS = 2;

/** Tags that let something through, in both caches. */
function tagsIn(memory: ArrayBuffer): number {
  const words = new BigUint64Array(memory, 0, LAYOUT.tlb / 8);
  const count = (from: number, stride: number, entries: number, offsets: readonly number[]) => {
    let found = 0;
    for (let el = 0; el < LEVELS; el++) {
      for (let entry = 0; entry < entries; entry++) {
        const at = (from + el * stride + entry * 32) / 8;
        found += offsets.filter((offset) => words[at + offset] !== NO_TAG).length;
      }
    }
    return found;
  };
  return count(LAYOUT.dataLookup, LAYOUT.dataLookupStride, LAYOUT.dataLookupEntries, [0, 1, 3]) +
    count(LAYOUT.fetchLookup, LAYOUT.fetchLookupStride, LAYOUT.fetchLookupEntries, [0]);
}

for (const pages of [0, 1, 63, 64, 65, 3000]) {
  Deno.test(`LookupCaches.flush() drops all of ${pages} pages, and again what comes after`, () => {
    const memory = new ArrayBuffer(LAYOUT.tlb);
    const caches = new LookupCaches(memory, LEVELS);
    assertEquals(tagsIn(memory), 0);
    for (const round of [1, 2]) {
      for (let page = 0; page < pages; page++) {
        const va = { hi: round, lo: page * 4096 };
        const allow = {
          read: true,
          write: true,
          writeBesideCode: false,
          unaligned: true,
          decodedWords: 0,
        };
        caches.allowData(page & 1, va, 0x10_0000 + page * 4096, allow);
        caches.allowFetch(page & 1, va, BigInt(va.lo), 0x20_0000, page);
      }
      assertEquals(tagsIn(memory) > 0, pages > 0);
      caches.flush();
      assertEquals(tagsIn(memory), 0);
    }
  });
}
