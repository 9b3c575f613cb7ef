import { assertEquals, assertNotEquals } from "@std/assert";
import { VirtioRng } from "./virtio_rng.ts";

function make(seed: bigint) {
  const bytes = new Uint8Array(32);
  const rng = new VirtioRng(seed, {
    read: () => undefined,
    write(address, part) {
      bytes.set(part, address);
      return true;
    },
  });
  const ask = (length: number) => {
    bytes.fill(0);
    const written = rng.process(0, { head: 0, out: [], in: [{ address: 0, length }] });
    return { written, bytes: bytes.slice(0, length + 1) };
  };
  return { rng, ask };
}

Deno.test("VirtioRng.process() fills a chain with numbers that follow from the seed", () => {
  const one = make(1n), same = make(1n), other = make(2n);
  const first = one.ask(19);
  assertEquals([first.written, first.bytes[19]], [19, 0]);
  assertEquals(same.ask(19), first);
  assertNotEquals(other.ask(19), first);
  assertNotEquals(one.ask(19), first);
});

Deno.test("VirtioRng.restore() goes on with the numbers behind a state", () => {
  const { rng, ask } = make(7n);
  ask(8);
  const state = rng.save();
  const next = ask(24);
  rng.restore(state);
  assertEquals(ask(24), next);
});
