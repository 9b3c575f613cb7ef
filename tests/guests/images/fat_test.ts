import { assertEquals, assertThrows } from "@std/assert";
import { makeFatDisk } from "./fat.ts";

const MIB = 2 ** 20;

Deno.test("makeFatDisk() puts files into folders, cluster behind cluster", () => {
  const text = new TextEncoder().encode("x".repeat(5000));
  const disk = makeFatDisk(32 * MIB, [{ path: "efi/boot/a.efi", bytes: text }]);
  const view = new DataView(disk.buffer);
  assertEquals(view.getUint16(510, true), 0xaa55);
  const [reserved, tableSectors] = [view.getUint16(14, true), view.getUint16(22, true)];
  const root = (reserved + tableSectors) * 512;
  const data = root + view.getUint16(17, true) * 32;
  const name = (at: number) => new TextDecoder().decode(disk.subarray(at, at + 11));
  const cluster = (at: number) => view.getUint16(at + 26, true);
  const place = (at: number) => data + (cluster(at) - 2) * 4096;
  const boot = place(root) + 2 * 32;
  const file = place(boot) + 2 * 32;
  assertEquals([name(root), name(boot), name(file)], [
    "EFI        ",
    "BOOT       ",
    "A       EFI",
  ]);
  assertEquals(name(place(boot) + 32), "..         ");
  assertEquals(cluster(place(boot) + 32), cluster(root));
  assertEquals(view.getUint32(file + 28, true), 5000);
  assertEquals(disk.slice(place(file), place(file) + 5000), text);
  const next = (n: number) => view.getUint16(reserved * 512 + 2 * n, true);
  assertEquals([next(cluster(file)), next(cluster(file) + 1)], [cluster(file) + 1, 0xffff]);
});

Deno.test("makeFatDisk() refuses what FAT16 cannot hold", () => {
  const file = { path: "A", bytes: new Uint8Array(40 * MIB) };
  assertThrows(() => makeFatDisk(32 * MIB, [file]), Error, "The disk is full");
  assertThrows(() => makeFatDisk(MIB, []), Error, "Cannot make a FAT16 disk");
  const long = { path: "a-long-name.text", bytes: new Uint8Array(1) };
  assertThrows(() => makeFatDisk(32 * MIB, [long]), Error, "no name of 8 and 3 characters");
});
