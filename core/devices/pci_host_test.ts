import { assertEquals } from "@std/assert";
import { Board } from "./bus.ts";
import { PciConfiguration, PciWindow } from "./pci_host.ts";

const ECAM = 0x40_1000_0000;

function make() {
  const board = new Board();
  board.add(new PciWindow({ name: "pci-io", base: 0x3eff_0000, size: 0x1_0000 }));
  const configuration = new PciConfiguration({ base: ECAM, size: 0x1000_0000 });
  board.add(configuration);
  const read = (offset: number, size = 4) => board.read(ECAM + offset, size);
  const write = (offset: number, value: number, size = 4) =>
    board.write(ECAM + offset, value, size);
  return { board, configuration, read, write };
}

// Every value below was read from the reference after the same accesses.

Deno.test("PciConfiguration holds the root bridge and nothing else", () => {
  const { read } = make();
  assertEquals([read(0), read(2, 2), read(8), read(0xb, 1), read(0x2c)], [
    0x0008_1b36,
    8,
    0x0600_0000,
    6,
    0x1100_1af4,
  ]);
  for (const absent of [0x100, 0xffc, 0x1000, 0x8000, 0xf_8000, 0x10_0000, 0xfff_fffc]) {
    assertEquals(read(absent), 0xffff_ffff, absent.toString(16));
  }
  assertEquals([read(0x8000, 2), read(0x8000, 1)], [0xffff, 0xff]);
});

Deno.test("PciConfiguration keeps what a driver may write, and all of what is behind the header", () => {
  const { read, write } = make();
  for (const offset of [0, 4, 8, 0xc, 0x10, 0x2c, 0x34, 0x3c, 0x40, 0xfc, 0x100]) {
    write(offset, 0xffff_ffff);
  }
  assertEquals([read(4), read(0xc), read(0x10), read(0x34), read(0x3c)], [
    0x507,
    0xff,
    0,
    0,
    0xff,
  ]);
  assertEquals([read(0), read(0x40), read(0xfc), read(0x100)], [
    0x0008_1b36,
    0xffff_ffff,
    0xffff_ffff,
    0xffff_ffff,
  ]);
  write(0x42, 0x1234, 2);
  write(0x41, 0x56, 1);
  assertEquals(read(0x40), 0x1234_56ff);
});

Deno.test("PciConfiguration.restore() brings back what save() gave", () => {
  const { configuration, write } = make();
  write(4, 6);
  write(0x80, 0x8765_4321);
  const copy = make();
  copy.configuration.restore(configuration.save());
  assertEquals([copy.read(4), copy.read(0x80)], [6, 0x8765_4321]);
  assertEquals(copy.configuration.save(), configuration.save());
});

Deno.test("PciWindow reads as ones and takes every write", () => {
  const { board } = make();
  assertEquals([board.read(0x3eff_0000, 4), board.read(0x3eff_fffe, 2)], [0xffff_ffff, 0xffff]);
  assertEquals([board.write(0x3eff_0000, 5, 4), board.read(0x3eff_0000, 1)], [true, 0xff]);
});
