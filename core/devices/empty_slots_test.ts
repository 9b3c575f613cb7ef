import { assertEquals } from "@std/assert";
import { Board } from "./bus.ts";
import { GicV2m } from "./gic_v2m.ts";
import { PciConfiguration, PciWindow } from "./pci_host.ts";
import { TestLine } from "./test_line.ts";
import { VirtioMmio } from "./virtio_mmio.ts";

const NO_MEMORY = { contains: () => false, read: () => undefined, write: () => false };

Deno.test("VirtioMmio has 32 transports without a device", () => {
  const board = new Board();
  board.add(new VirtioMmio({ base: 0xa00_0000, memory: NO_MEMORY }));
  const slot = (n: number) =>
    [0, 4, 8, 12, 0x100].map((o) => board.read(0xa00_0000 + 512 * n + o, 4));
  assertEquals(slot(0), [0x74726976, 1, 0, 0x554d4551, 0]);
  assertEquals(slot(31), slot(0));
  assertEquals(board.read(0xa00_4000, 4), -1);
});

Deno.test("PciWindow reads as ones", () => {
  const board = new Board();
  board.add(new PciWindow({ name: "pci-mmio", base: 0x1000_0000, size: 0x1000 }));
  assertEquals([1, 2, 4].map((size) => board.read(0x1000_0000, size)), [0xff, 0xffff, 0xffff_ffff]);
  assertEquals(board.write(0x1000_0000, 1, 4), true);
});

Deno.test("PciConfiguration has a root bridge and nothing else", () => {
  const board = new Board(), base = 0x40_1000_0000;
  board.add(new PciConfiguration({ base, size: 0x1000_0000 }));
  const read = (offset: number) => board.read(base + offset, 4);
  assertEquals([0, 4, 8, 0x10, 0x2c, 0x100, 0x8000].map(read), [
    0x0008_1b36,
    0,
    0x0600_0000,
    0,
    0x1100_1af4,
    0xffff_ffff,
    0xffff_ffff,
  ]);
  for (const offset of [4, 0xc, 0x10, 0x3c]) board.write(base + offset, 0xffff_ffff, 4);
  assertEquals([4, 0xc, 0x10, 0x3c].map(read), [0x507, 0xff, 0, 0xff]);
  assertEquals(board.read(base + 0x2e, 2), 0x1100);
});

Deno.test("GicV2m turns a message into an edge", () => {
  const edges: number[] = [];
  const line = (interrupt: number) => {
    const wire = new TestLine();
    return { set: (level: boolean) => (wire.set(level), level && edges.push(interrupt)) };
  };
  const frame = new GicV2m({ base: 0x802_0000, line });
  assertEquals([8, 0xfcc, 0x40].map((offset) => frame.read(offset, 4)), [0x50_0040, 0x510_0000, 0]);
  assertEquals(frame.read(8, 2), 0);
  for (const value of [79, 80, 143, 144]) frame.write(0x40, value, 4);
  assertEquals(edges, [80, 143]);
});
