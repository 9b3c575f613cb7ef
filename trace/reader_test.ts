import { assert, assertEquals, assertNotEquals } from "@std/assert";
import type { EventKind } from "./mod.ts";
import { openTrace, PAGE_SIZE } from "./mod.ts";
import { recordSynthetic } from "./testing.ts";

function bytesOf(windowSteps: number): Uint8Array {
  return recordSynthetic({ seed: 3, steps: 20_000, eventEvery: 4 }, windowSteps).bytes;
}

const TRACE = openTrace(bytesOf(1000));

Deno.test("Trace.eventsBackwards() gives what events() gives, reversed", () => {
  const all = [...TRACE.events()];
  assert(all.length > 100 && TRACE.windows.length > 3);
  assertEquals([...TRACE.eventsBackwards()], all.toReversed());
  const kinds = new Set<EventKind>(["exception", "sysreg"]);
  const part = { kinds, from: all[10].position, to: all[80].position };
  assertEquals([...TRACE.eventsBackwards(part)], [...TRACE.events(part)].reverse());
});

Deno.test("Trace.events() decodes only what `mayMatter` says can be wanted", () => {
  const kinds = new Set<EventKind>(["exception"]);
  const seen: number[] = [];
  const none = TRACE.events({
    kinds,
    mayMatter({ has, bytes }) {
      assertEquals(has("exception"), bytes("exception", "type").length > 0);
      seen.push(bytes("exception", "type").length);
      return false;
    },
  });
  assertEquals([...none], []);
  const expected = [...TRACE.events({ kinds })].length;
  assertEquals(seen.reduce((sum, count) => sum + count, 0), expected);
});

Deno.test("Trace.identity() differs between traces, and is the same for the same bytes", () => {
  assertEquals(openTrace(bytesOf(1000)).identity(), TRACE.identity());
  assertNotEquals(openTrace(bytesOf(500)).identity(), TRACE.identity());
});

Deno.test("Trace.changedPages() names the pages between two windows that page() gives otherwise", () => {
  const trace = TRACE;
  const last = trace.windows.length - 1;
  const into = new Uint8Array(PAGE_SIZE).fill(0xff);
  let unchanged = 0;
  for (const [after, to] of [[-1, 0], [-1, last], [0, 1], [3, 4], [3, 11], [0, last], [5, 5]]) {
    const changed = new Set(trace.changedPages(after, to));
    for (const address of trace.pageAddresses(to)) {
      const page = trace.page(address, to, into);
      assert(page === into);
      assertEquals(page, trace.page(address, to));
      if (changed.has(address)) continue;
      assertEquals(page, trace.page(address, after));
      unchanged++;
    }
    if (after < 0) assertEquals([...changed], trace.pageAddresses(to));
  }
  assert(unchanged > 0);
});
