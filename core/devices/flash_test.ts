import { assertEquals } from "@std/assert";
import { Board } from "./bus.ts";
import { type Medium, mediumOf } from "../medium.ts";
import { Flash } from "./flash.ts";

function make(medium?: Medium) {
  const board = new Board();
  const flash = new Flash({ name: "flash0", base: 0, size: 0x400_0000, medium });
  board.add(flash);
  const write = (address: number, ...values: number[]) =>
    values.forEach((value) => board.write(address, value, 4));
  const read = (...addresses: number[]) => addresses.map((address) => board.read(address, 4));
  return { board, flash, write, read };
}

// Every value below was read from the reference after the same accesses.

Deno.test("Flash shows its status in both chips", () => {
  const { board, write, read } = make();
  assertEquals(read(0), [0]);
  write(0, 0x0070_0070);
  assertEquals([...read(0), board.read(0, 1), board.read(1, 1), board.read(2, 2)], [
    0x0080_0080,
    0x80,
    0x80,
    0x80,
  ]);
});

Deno.test("Flash answers the CFI query", () => {
  const { board, write, read } = make();
  write(0x154, 0x0098_0098);
  assertEquals(read(0x40, 0x44, 0x48, 0x9c, 0xfc, 0x100), [
    0x51_0051,
    0x52_0052,
    0x59_0059,
    0x19_0019,
    0x01_0001,
    0,
  ]);
  assertEquals([board.read(0x41, 1), board.read(0x42, 2)], [0x51, 0x51]);
  write(0, 0xff, 0x90);
  assertEquals(read(0, 4, 8), [0x89_0089, 0x18_0018, 0]);
});

Deno.test("Flash erases a sector and programs bytes, halves and words", () => {
  const { board, write, read } = make();
  write(0, 0x20);
  assertEquals(read(0), [0x80_0080]);
  write(0, 0xd0);
  assertEquals(read(0), [0x80_0080]);
  write(0, 0xff);
  assertEquals(read(0, 0x3_fffc, 0x4_0000), [0xffff_ffff, 0xffff_ffff, 0]);
  write(0x10, 0x40, 0x1234_5678);
  assertEquals(read(0x10), [0x80_0080]);
  write(0, 0xff);
  assertEquals(read(0x10), [0x1234_5678]);
  write(0, 0x10);
  board.write(0x20, 0x5a, 1);
  write(0, 0xff, 0x10);
  board.write(0x26, 0xa55a, 2);
  write(0, 0xff);
  assertEquals(read(0x20, 0x24), [0xffff_ff5a, 0xa55a_ffff]);
});

Deno.test("Flash programs a buffer when it is confirmed, and only then", () => {
  const { write, read } = make();
  write(0x40, 0xe8);
  assertEquals(read(0x40), [0x80_0080]);
  write(0x40, 3);
  for (let i = 0; i < 4; i++) write(0x40 + 4 * i, 0x1000 + i);
  write(0x40, 0xd0);
  assertEquals(read(0x40), [0x80_0080]);
  write(0, 0xff);
  assertEquals(read(0x40, 0x44, 0x48, 0x4c, 0x50), [0x1000, 0x1001, 0x1002, 0x1003, 0]);
  write(0x80, 0xe8, 1, 1);
  write(0x84, 2);
  write(0x80, 0xff);
  assertEquals(read(0x80, 0x84), [0, 0]);
});

Deno.test("Flash erases before it is confirmed, and leaves a query only to read, as the reference", () => {
  const { write, read } = make();
  write(0, 0x20, 0x11);
  assertEquals(read(0), [0xffff_ffff]);
  write(0, 0x98, 0x70, 0xd0);
  assertEquals(read(0x40), [0x51_0051]);
  write(0, 0xff);
  assertEquals(read(0), [0xffff_ffff]);
});

Deno.test("Flash drops a buffered program that leaves its block, until the status is cleared", () => {
  const { write, read } = make();
  write(0x40, 0xe8, 0, 0x1234, 0xd0);
  assertEquals(read(0x40), [0x80_0080]);
  write(0x40, 0x50, 0xe8, 1, 0x5678);
  write(0x1040, 0x9abc);
  assertEquals(read(0x40), [0x90_0090]);
  write(0x40, 0xd0);
  assertEquals(read(0x40, 0x1040), [0x1234, 0]);
  write(0x40, 0xe8, 0, 0x5678, 0xd0);
  assertEquals(read(0x40), [0x1234]);
  write(0x40, 0x50, 0xe8, 0, 0x5678, 0xd0, 0xff);
  assertEquals(read(0x40), [0x5678]);
});

Deno.test("Flash takes the block of a buffered program from where its count was written", () => {
  const { write, read } = make();
  write(0x1fc0, 0xe8);
  write(0xfc0, 1);
  write(0x40, 0x1111);
  write(0x44, 0x2222);
  write(0x3_0000, 0xd0, 0xff);
  assertEquals(read(0x40, 0x44), [0x1111, 0x2222]);
});

Deno.test("Flash goes back to reading after a command it does not know", () => {
  const { write, read } = make();
  write(0, 0x60, 0xd0);
  assertEquals(read(0), [0x80_0080]);
  for (const sequence of [[0x60, 0x12], [0x28], [0x50], [0xaa], [0], [0xf0]]) {
    write(0, 0xff, ...sequence);
    assertEquals(read(0), [0]);
  }
  write(0, 0x70);
  assertEquals(read(0), [0]);
});

Deno.test("Flash.restore() brings back what save() gave", () => {
  const medium = mediumOf(Uint8Array.of(1, 2, 3, 4));
  const { flash, write, read } = make(medium);
  assertEquals(flash.save(), make().flash.save());
  write(4, 0x40, 0x0807_0605, 0xff);
  write(0x4_0000, 0x20, 0xd0, 0xff);
  const copy = make(medium);
  copy.flash.restore(flash.save());
  const everywhere = [0, 4, 0x4_0000, 0x7_fffc, 0x8_0000];
  assertEquals(read(...everywhere), [0x0403_0201, 0x0807_0605, 0xffff_ffff, 0xffff_ffff, 0]);
  assertEquals(copy.read(...everywhere), read(...everywhere));
  assertEquals(copy.flash.save(), flash.save());
  copy.write(0x4_0000, 0x40, 0, 0xff);
  assertEquals([copy.read(0x4_0000), read(0x4_0000)], [[0], [0xffff_ffff]]);
});
