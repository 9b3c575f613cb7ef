import { assertEquals, assertNotEquals } from "@std/assert";
import { TestDriver, WRITES } from "./test_driver.ts";
import { VirtioRng } from "./virtio_rng.ts";

const DATA = 0x8000, STATUS = 0x70, INTERRUPT = 0x60;

function make(seed: bigint) {
  const driver = new TestDriver((memory) => new VirtioRng(seed, memory));
  driver.start();
  /** Asks for bytes. Gives how many there are said to be, and one more than that. */
  const ask = (length: number) => {
    driver.ram.fill(0, DATA);
    driver.describe(driver.queue(0), [{ address: DATA, length, flags: WRITES }]);
    driver.offer(0);
    return { written: driver.used(0)[1], bytes: driver.ram.slice(DATA, DATA + length + 1) };
  };
  return { driver, ask };
}

Deno.test("VirtioRng fills a chain with numbers that follow from the seed", () => {
  const one = make(1n), same = make(1n), other = make(2n);
  const first = one.ask(19);
  assertEquals([first.written, first.bytes[19]], [19, 0]);
  assertEquals(same.ask(19), first);
  assertNotEquals(other.ask(19), first);
  assertNotEquals(one.ask(19), first);
});

Deno.test("VirtioRng waits for a driver that is ready, and for room", () => {
  const { driver, ask } = make(1n);
  driver.start(0, 1, 3);
  assertEquals([ask(8).written, driver.used(0)[0]], [0, 0]);
  driver.write(STATUS, 7);
  assertEquals([driver.used(0), driver.read(INTERRUPT)], [[1, 8], 1]);
  driver.describe(driver.queue(0), [{ address: DATA, length: 8 }]);
  driver.offer(0);
  assertEquals(driver.used(0)[0], 1);
  // A chain with room takes the one without along.
  driver.describe(driver.queue(0), [{ address: DATA, length: 4, flags: WRITES }], 1);
  driver.offer(0, 1);
  assertEquals(driver.used(0), [3, 4]);
});

Deno.test("VirtioRng.restore() goes on with the numbers behind a state", () => {
  const { driver, ask } = make(7n);
  ask(8);
  const state = driver.transports.save();
  const next = ask(24);
  const copy = make(1n);
  copy.driver.ram.set(driver.ram);
  driver.transports.restore(state);
  driver.view.setUint16(driver.queue(0) + 16 * 8 + 2, 1, true);
  assertEquals(ask(24).bytes, next.bytes);
});
