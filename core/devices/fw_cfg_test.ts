import { assertEquals } from "@std/assert";
import { Board } from "./bus.ts";
import { FwCfg } from "./fw_cfg.ts";

const BASE = 0x902_0000, SELECTOR = BASE + 8, DMA = BASE + 0x10;

function make() {
  const board = new Board();
  const ram = new Uint8Array(256);
  const memory = {
    read: (at: number, length: number) =>
      at + length > 256 ? undefined : ram.slice(at, at + length),
    write(at: number, bytes: Uint8Array) {
      if (at + bytes.length > 256) return false;
      ram.set(bytes, at);
      return true;
    },
  };
  board.add(new FwCfg({ base: BASE, cpuCount: 1, memory }));
  /** Selects a key and reads bytes. */
  const item = (key: number, length: number) => {
    board.write(SELECTOR, key << 8, 2);
    return Array.from({ length }, () => board.read(BASE, 1));
  };
  /** Executes a DMA structure at 0; returns its control word afterwards. */
  const dma = (control: number, length: number, address: number) => {
    const view = new DataView(ram.buffer);
    [control, length, 0, address].forEach((word, i) => view.setUint32(4 * i, word));
    board.writeLong(DMA, 0, 0);
    return view.getUint32(0);
  };
  return { board, ram, item, dma };
}

Deno.test("FwCfg gives the items that every machine has", () => {
  const { board, item } = make();
  assertEquals(item(0, 6), [0x51, 0x45, 0x4d, 0x55, 0, 0]);
  assertEquals(item(1, 4), [3, 0, 0, 0]);
  assertEquals(item(5, 2), [1, 0]);
  item(0, 0);
  const into = new Uint32Array(2);
  board.readLong(BASE, into);
  assertEquals([...into], [0x554d_4551, 0]);
});

Deno.test("FwCfg lists its files", () => {
  const { item } = make();
  const text = String.fromCharCode(...item(0x19, 4 + 3 * 64));
  assertEquals(text.slice(0, 25), "\0\0\0\x03\0\0\0\0\0\x20\0\0bios-geometry");
  assertEquals(text.slice(68, 85), "\0\0\0\0\0\x21\0\0bootorder");
  assertEquals(text.slice(132, 158), "\0\0\0\x04\0\x22\0\0etc/boot-fail-wait");
  assertEquals(item(0x22, 5), [0xff, 0xff, 0xff, 0xff, 0]);
});

Deno.test("FwCfg copies items to memory by DMA", () => {
  const { board, ram, dma } = make();
  assertEquals([board.read(DMA, 4), board.read(DMA + 4, 4)], [0x554d_4551, 0x4746_4320]);
  ram.fill(0x55, 16);
  assertEquals(dma(0x0000_000a, 8, 32), 0);
  assertEquals([...ram.slice(32, 41)], [0x51, 0x45, 0x4d, 0x55, 0, 0, 0, 0, 0x55]);
  assertEquals(dma(0x0005_000a, 2, 48), 0);
  assertEquals([...ram.slice(48, 51)], [1, 0, 0x55]);
  assertEquals(dma(2, 8, 252), 1);
  assertEquals(dma(0x10, 8, 32), 1);
});

Deno.test("FwCfg.write() of a transfer that makes no sense does as the reference does", () => {
  const { board, ram, dma } = make();
  // Bytes that cannot be written are passed over; there is nothing wrong with none.
  assertEquals([dma(0x0000_0018, 2, 32), dma(2, 2, 48), dma(0x10, 0, 32)], [1, 0, 0]);
  assertEquals([...ram.slice(48, 50)], [0x4d, 0x55]);
  // Without an operation the item is selected all the same.
  assertEquals([dma(0x0005_0008, 7, 32), board.read(BASE, 1)], [0, 1]);
  // Bit 14 of a key is left alone; bit 15 leads to items that there are not.
  assertEquals([dma(0x4000_000a, 4, 64), dma(0x8000_000a, 4, 68)], [0, 0]);
  assertEquals([...ram.slice(64, 72)], [0x51, 0x45, 0x4d, 0x55, 0, 0, 0, 0]);
});

Deno.test("FwCfg answers only the accesses that the reference answers", () => {
  const { board } = make();
  const reads = [[1, 1], [4, 4], [8, 1], [8, 2], [8, 4], [0x18, 4]];
  assertEquals(reads.map(([offset, size]) => board.read(BASE + offset, size)), [
    ...Array(6).fill(-1),
  ]);
  const writes = [[8, 4], [8, 1], [0x10, 1], [0x10, 2], [0x18, 4], [10, 2], [4, 4]];
  assertEquals(writes.map(([offset, size]) => board.write(BASE + offset, 0, size)), [
    ...Array(7).fill(false),
  ]);
  assertEquals(board.write(BASE, 5, 4), true);
  assertEquals(board.read(BASE + 0x16, 2), 0x4746);
});
