import { assertEquals } from "@std/assert";
import { type Buffer, INDIRECT, NEXT, SIZE, TestDriver, WRITES } from "./test_driver.ts";
import { VirtioConsole } from "./virtio_console.ts";

const TRANSMIT = 1, TEXT = 0xc000, TABLE = 0xd000, HOLE = 0x2_0000;
const INTERRUPT = 0x60, ACKNOWLEDGE = 0x64, PAGE_SIZE = 0x28, PAGE = 0x40, ALIGN = 0x3c;
const NOTIFY_ON_EMPTY = 1 << 24, EVENT_INDEX = 1 << 29;

/** A console and what it printed: a device that answers while it is notified. */
function make() {
  let printed = "";
  const driver = new TestDriver((memory) =>
    new VirtioConsole(memory, (byte) => printed += String.fromCharCode(byte))
  );
  driver.ram.set(new TextEncoder().encode("hello, world"), TEXT);
  driver.start(0, 2);
  const take = () => {
    const text = printed;
    printed = "";
    return text;
  };
  /** Sends a chain. Gives what was printed and how many chains are back. */
  const send = (...buffers: Buffer[]): [string, number] => {
    driver.describe(driver.queue(TRANSMIT), buffers);
    driver.offer(TRANSMIT);
    return [take(), driver.used(TRANSMIT)[0]];
  };
  return { driver, send, take };
}

// What happens in each case was seen on the reference, by random use of the same device.

Deno.test("Virtqueue.take() gives the buffers of a chain, of a table, and what stands in for a hole", () => {
  const { driver, send } = make();
  assertEquals(send({ address: TEXT, length: 5 }, { address: TEXT + 5, length: 7 }), [
    "hello, world",
    1,
  ]);
  driver.describe(TABLE, [{ address: TEXT + 7, length: 5 }, { address: TEXT, length: 2 }]);
  assertEquals(send({ address: TABLE, length: 32, flags: INDIRECT }), ["worldhe", 2]);
  assertEquals(send({ address: HOLE, length: 2 }, { address: TEXT, length: 1 }), ["\0\0h", 3]);
  // Only the first descriptor leads to a table.
  const inner = { address: TEXT, length: 5, flags: INDIRECT };
  assertEquals(send({ address: TEXT, length: 1 }, inner), ["hhello", 4]);
});

Deno.test("Virtqueue.take() stops at what makes no sense, until the device is reset", () => {
  const good = { address: TEXT, length: 5 };
  const wrong: Record<string, Buffer[]> = {
    "an empty buffer": [{ address: TEXT, length: 0 }],
    "a loop": [{ ...good, flags: NEXT, next: 0 }],
    "a descriptor behind the last": [{ ...good, flags: NEXT, next: SIZE }],
    "a buffer to read behind one to write": [{ ...good, flags: WRITES }, good],
    "two holes": [{ address: HOLE, length: 1 }, { address: HOLE + 1, length: 1 }],
    "a long hole": [{ address: HOLE, length: 5000 }],
    "a table of half a descriptor": [{ address: TABLE, length: 24, flags: INDIRECT }],
    "an empty table": [{ address: TABLE, length: 0, flags: INDIRECT }],
    "a table in a hole": [{ address: HOLE, length: 16, flags: INDIRECT }],
  };
  for (const [what, buffers] of Object.entries(wrong)) {
    const { driver, send } = make();
    assertEquals(send(...buffers), ["", 0], what);
    // The driver is interrupted all the same; the status says nothing.
    assertEquals([driver.read(INTERRUPT), driver.read(0x70)], [1, 7], what);
    assertEquals(send(good), ["", 0], what);
    driver.ram.fill(0, driver.queue(0), TEXT);
    driver.start(0, 2);
    assertEquals(send(good), ["hello", 1], what);
  }
});

Deno.test("Virtqueue.take() refuses a head that there is not", () => {
  const { driver, send, take } = make();
  driver.offer(TRANSMIT, SIZE);
  assertEquals([take(), driver.used(TRANSMIT)[0]], ["", 0]);
  assertEquals(send({ address: TEXT, length: 5 }), ["", 0]);
});

Deno.test("Virtqueue.wantsInterrupt() goes by the flag, the event index and an empty queue", () => {
  const interrupts = (features: number, prepare: (driver: TestDriver) => void) => {
    const { driver, send } = make();
    driver.start(features, 2);
    prepare(driver);
    return [1, 2, 3].map(() => {
      send({ address: TEXT, length: 1 });
      const pending = driver.read(INTERRUPT);
      driver.write(ACKNOWLEDGE, 1);
      return pending;
    });
  };
  const ring = 16 * SIZE, event = ring + 4 + 2 * SIZE;
  const silence = (driver: TestDriver) =>
    driver.view.setUint16(driver.queue(TRANSMIT) + ring, 1, true);
  const await2 = (driver: TestDriver) =>
    driver.view.setUint16(driver.queue(TRANSMIT) + event, 2, true);
  assertEquals(interrupts(0, () => {}), [1, 1, 1]);
  assertEquals(interrupts(0, silence), [0, 0, 0]);
  assertEquals(interrupts(NOTIFY_ON_EMPTY, silence), [1, 1, 1]);
  // The first is always told; the index is that of the chain behind the one that is awaited.
  assertEquals(interrupts(EVENT_INDEX, await2), [1, 0, 1]);
});

Deno.test("Virtqueue.take() tells the driver which chain is awaited", () => {
  const { driver, send } = make();
  driver.start(EVENT_INDEX, 2);
  const awaited = () => driver.view.getUint16(driver.queue(TRANSMIT) + 4096 + 4 + 8 * SIZE, true);
  send({ address: TEXT, length: 1 });
  send({ address: TEXT, length: 1 });
  assertEquals(awaited(), 2);
});

Deno.test("Virtqueue stands where its page was when it was given, its used ring as it is aligned", () => {
  const { driver, take } = make();
  driver.write(PAGE_SIZE, 512);
  assertEquals(driver.read(PAGE), driver.queue(TRANSMIT) / 512);
  driver.write(ALIGN, 4);
  driver.describe(driver.queue(TRANSMIT), [{ address: TEXT, length: 5 }]);
  driver.offer(TRANSMIT);
  const ring = driver.queue(TRANSMIT) + 16 * SIZE + 4 + 2 * SIZE;
  assertEquals([take(), driver.view.getUint16(ring + 2, true)], ["hello", 1]);
  // The lowest bit of a page's size says it.
  driver.write(PAGE_SIZE, 12288);
  assertEquals(driver.read(PAGE), driver.queue(TRANSMIT) / 4096);
});
