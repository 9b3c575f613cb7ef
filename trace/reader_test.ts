import { assert, assertEquals, assertNotEquals } from "@std/assert";
import type { EventKind } from "./mod.ts";
import { openTrace } from "./mod.ts";
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
