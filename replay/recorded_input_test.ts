import { assertEquals } from "@std/assert";
import { POWER_KEY } from "../core/input_source.ts";
import { RecordedInput } from "./recorded_input.ts";

Deno.test("RecordedInput gives what was typed behind a state, and the ends of its waits", () => {
  const ns = (time: bigint) => new Uint8Array(BigUint64Array.of(time).buffer);
  const input = new RecordedInput([
    { position: 5, source: "console", bytes: Uint8Array.of(1, 2) },
    { position: 9, source: "time", bytes: ns(700n) },
    { position: 9, source: "console", bytes: Uint8Array.of(3) },
    { position: 9, source: "disk0", bytes: Uint8Array.of(4) },
    { position: 12, source: "power", bytes: new Uint8Array() },
  ]);
  assertEquals([input.isEmpty, input.nextPosition()], [false, 5]);
  assertEquals([input.take(), input.take(), input.nextPosition()], [1, 2, 9]);
  assertEquals(input.waitUntil({ position: 8, from: 0, to: 1000 }), 1000);
  assertEquals(input.waitUntil({ position: 9, from: 0, to: 1000 }), 700);
  assertEquals([input.pressesPower, input.take()], [false, 3]);
  assertEquals([input.nextPosition(), input.pressesPower, input.take()], [12, true, POWER_KEY]);
  assertEquals([input.nextPosition(), input.pressesPower], [Infinity, false]);
  input.seek(9);
  // The state at #9 holds the end of the wait, but not what was typed behind it.
  assertEquals(input.waitUntil({ position: 9, from: 0, to: 1000 }), 1000);
  assertEquals(input.nextPosition(), 9);
  input.seek(5);
  assertEquals(input.take(), 1);
});
