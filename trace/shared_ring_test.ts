import { assertEquals, assertThrows } from "@std/assert";
import { FIRST_TYPE, makeRing, RingReader, RingWriter } from "./shared_ring.ts";

const WORDS = 1 << 16;

Deno.test("RingReader gives the messages of RingWriter in order, across the ring's end", () => {
  const ring = makeRing(64, 2);
  const readers = [new RingReader(ring, 0), new RingReader(ring, 1)];
  const writer = new RingWriter(ring, () => {
    throw new Error("full");
  });
  for (let i = 0; i < 100; i++) {
    const payload = Array.from({ length: i % 23 }, (_, n) => i + n);
    writer.send(FIRST_TYPE + i % 3, payload);
    for (const reader of readers) {
      assertEquals(reader.poll(), true);
      assertEquals([reader.type, ...reader.words], [FIRST_TYPE + i % 3, ...payload]);
      reader.release();
      assertEquals(reader.poll(), false);
    }
  }
});

Deno.test("RingWriter waits for the slowest reader", () => {
  const ring = makeRing(16, 2);
  const [fast, slow] = [new RingReader(ring, 0), new RingReader(ring, 1)];
  const waits: boolean[] = [];
  const writer = new RingWriter(ring, (hasRoom) => {
    fast.poll();
    fast.release();
    waits.push(hasRoom());
    slow.poll();
    slow.release();
    waits.push(hasRoom());
    if (!hasRoom()) throw new Error("full");
  });
  writer.send(FIRST_TYPE, [1, 2, 3, 4, 5, 6, 7, 8]);
  writer.send(FIRST_TYPE, [9, 10, 11, 12, 13]);
  assertEquals(waits, [false, true]);
  slow.poll();
  assertEquals([...slow.words], [9, 10, 11, 12, 13]);
  slow.release();
  assertThrows(() => writer.send(FIRST_TYPE, new Uint32Array(15)), Error, "full");
});

Deno.test("sendBytes() passes more bytes than the ring holds", () => {
  const ring = makeRing(WORDS, 1);
  const reader = new RingReader(ring, 0);
  // A reader that is asked only when the ring is full.
  const writer = new RingWriter(ring, (hasRoom) => {
    assertEquals(reader.poll(), false);
    assertEquals(hasRoom(), true);
  });
  const bytes = Uint8Array.from({ length: 9 * WORDS + 5 }, (_, i) => i * 7);
  for (let i = 0; i < 3; i++) {
    writer.sendBytes(FIRST_TYPE, [2 ** 40 + i, -1], bytes.subarray(i));
    assertEquals(reader.poll(), true);
    assertEquals([...reader.numbers()], [2 ** 40 + i, -1]);
    assertEquals(reader.bytes(), bytes.slice(i));
    reader.release();
  }
});
