/**
 * The boot protocol against the reference: PC, x0 to x4, the stub, the kernel, initrd and device
 * tree, for every shape of image, before the first instruction.
 */
import { assertEquals, assertRejects, assertThrows } from "@std/assert";
import { gzipSync } from "node:zlib";
import {
  ImageError,
  loadImage,
  type LoadOptions,
  RAM_BASE,
  REFERENCE_DEVICES,
} from "../../core/loader/mod.ts";
import { hasQemu, type QemuOptions, startQemuGdb } from "../drivers/qemu.ts";
import { code, makeElf, makeLinuxImage } from "./make_elf.ts";
import { assertSameBytes } from "./same_bytes.ts";
import { zeroPadding } from "./tree_padding.ts";

const MIB = 1024 * 1024;
const LOOP = code([0x14000000], 4096);
const FLAT = new Uint8Array(70_001).map((_, index) => index * 31 + (index >> 8));
const INITRD = new Uint8Array(12_345).map((_, index) => index * 17 + 3);

interface Shape {
  name: string;
  image: Uint8Array;
  memory?: number;
  initrd?: Uint8Array;
  append?: string;
  cpus?: number;
}

function elf(entry: bigint, ...addresses: bigint[]): Uint8Array {
  return makeElf(entry, addresses.map((address) => ({ address, bytes: LOOP })));
}

const SHAPES: Shape[] = [
  { name: "ELF at the start of RAM", image: elf(0x40000000n, 0x40000000n) },
  { name: "ELF below 1 MiB of RAM", image: elf(0x40080010n, 0x40080000n) },
  { name: "ELF one page below 1 MiB", image: elf(0x400ff000n, 0x400ff000n) },
  { name: "ELF exactly at 1 MiB", image: elf(0x40100000n, 0x40100000n) },
  { name: "ELF high", image: elf(0x40400000n, 0x40400000n), append: "console=ttyAMA0 x" },
  {
    name: "ELF with initrd, which is ignored",
    image: elf(0x40400000n, 0x40400000n),
    initrd: INITRD,
  },
  { name: "ELF high and low", image: elf(0x44000000n, 0x44000000n, 0x40001000n) },
  { name: "ELF in flash", image: elf(0x1000n, 0x1000n) },
  { name: "ELF in the second bank of flash", image: elf(0x4001000n, 0x4001000n) },
  { name: "ELF in flash and RAM", image: elf(0x200000n, 0x200000n, 0x40200000n) },
  { name: "position-independent ELF linked in flash", image: dynamic(elf(0x1000n, 0x1000n)) },
  {
    name: "ELF linked at a virtual address",
    image: makeElf(0xffff000040400020n, [
      { address: 0x40400000n, virtualAddress: 0xffff000040400000n, bytes: LOOP },
    ]),
  },
  {
    name: "ELF whose entry is in a segment that is not executable",
    image: makeElf(0xffff000040400020n, [
      { address: 0x40400000n, virtualAddress: 0xffff000040400000n, bytes: LOOP, flags: 6 },
    ]),
  },
  {
    name: "ELF with .bss, and an empty segment at 0",
    image: makeElf(0x40400000n, [
      { address: 0n, bytes: new Uint8Array(0) },
      { address: 0x40400000n, bytes: FLAT, memorySize: 0x200000n },
    ]),
  },
  {
    name: "ELF whose .bss runs into the next segment",
    image: makeElf(0x40400000n, [
      { address: 0x40400000n, bytes: LOOP, memorySize: 0x2000n },
      { address: 0x40401000n, bytes: FLAT, virtualAddress: 0x50000000n },
    ]),
  },
  { name: "position-independent ELF linked in RAM", image: dynamic(elf(0x40400000n, 0x40400000n)) },
  { name: "flat", image: FLAT },
  { name: "flat of one word", image: code([0x14000000]) },
  { name: "flat, initrd, command line", image: FLAT, initrd: INITRD, append: "root=/dev/vda rw" },
  { name: "flat, 64 MiB, initrd", image: FLAT, initrd: INITRD, memory: 64 },
  { name: "flat, 512 MiB, initrd", image: FLAT, initrd: INITRD, memory: 512 },
  { name: "flat, 3 GiB, initrd", image: FLAT, initrd: INITRD, memory: 3072, append: "a" },
  { name: "flat, 5 MiB: the tree's room passes the end of RAM", image: FLAT, memory: 5 },
  {
    name: "flat, initrd ending on a 2 MiB border",
    image: FLAT,
    initrd: new Uint8Array(2 * MIB).fill(9),
  },
  { name: "flat, 4 CPUs", image: FLAT, cpus: 4 },
  { name: "Image", image: makeLinuxImage(9000, { textOffset: 0n, imageSize: 0x30000n }) },
  {
    name: "Image, text offset 0x80000, initrd",
    image: makeLinuxImage(9000, { textOffset: 0x80000n, imageSize: 0x30000n, flags: 3n }),
    initrd: INITRD,
  },
  {
    name: "Image of size 0: the text offset does not count",
    image: makeLinuxImage(9000, { textOffset: 0x300000n, imageSize: 0n }),
  },
  {
    name: "Image, text offset 0x1000 fits behind the stub",
    image: makeLinuxImage(9000, { textOffset: 0x1000n, imageSize: 0x30000n }),
  },
  {
    name: "Image larger than half of RAM pushes the initrd up",
    image: makeLinuxImage(9000, { textOffset: 0n, imageSize: 0x4a01234n }),
    initrd: INITRD,
  },
  {
    name: "gzip'd Image",
    image: gzipSync(makeLinuxImage(9000, { textOffset: 0n, imageSize: 0x30000n })),
    initrd: INITRD,
  },
  { name: "gzip'd flat", image: gzipSync(FLAT) },
  { name: "gzip with something behind it", image: Uint8Array.of(...gzipSync(LOOP), 1, 2, 3, 4) },
];

for (const shape of SHAPES) {
  Deno.test({
    name: `loadImage() boots like the reference: ${shape.name}`,
    ignore: !hasQemu(),
    fn: () => compare(shape),
  });
}

async function compare(shape: Shape): Promise<void> {
  const memory = (shape.memory ?? 128) * MIB;
  const options: LoadOptions & QemuOptions = { memory, devices: REFERENCE_DEVICES } as never;
  const plan = loadImage(shape.image, {
    ...options,
    initrd: shape.initrd,
    append: shape.append,
    cpus: shape.cpus,
  });
  const qemu = await startQemuGdb(shape.image, qemuOptions(shape));
  try {
    const { gdb } = qemu;
    const names = ["pc", "x0", "x1", "x2", "x3", "x4"];
    assertEquals(await gdb.readRegisters(names), [plan.pc, ...plan.x]);
    assertEquals((await gdb.readRegister("cpsr")) & 0x3ffn, 0x3c5n);
    for (const { name, address, bytes } of [...plan.segments, ...plan.flash ?? []]) {
      const found = await gdb.readMemory(address, bytes.length);
      assertSameBytes(name === "device tree" ? zeroPadding(found) : found, bytes, name);
    }
    if (plan.deviceTree === null) {
      const start = new DataView((await gdb.readMemory(RAM_BASE, 4)).buffer);
      assertEquals(start.getUint32(0) === 0xd00dfeed, false, "the reference has a tree");
    }
  } finally {
    await qemu.stop();
  }
}

function qemuOptions({ memory, initrd, append, cpus }: Shape): QemuOptions {
  const options: QemuOptions = { memory: `${memory ?? 128}M` };
  if (initrd !== undefined) options.initrd = initrd;
  if (append !== undefined) options.append = append;
  if (cpus !== undefined) options.cpus = cpus;
  return options;
}

function dynamic(image: Uint8Array): Uint8Array {
  image[16] = 3;
  return image;
}

const REFUSED: Shape[] = [
  { name: "overlapping segments", image: elf(0x40400000n, 0x40400000n, 0x40400800n) },
  { name: "no room for the tree", image: FLAT, memory: 4, initrd: new Uint8Array(2 * MIB) },
  { name: "initrd larger than the rest", image: FLAT, memory: 4, initrd: new Uint8Array(3 * MIB) },
  {
    name: "Image larger than RAM",
    image: makeLinuxImage(9000, { textOffset: 0n, imageSize: 0x8000001n }),
  },
];

for (const shape of REFUSED) {
  Deno.test({
    name: `loadImage() refuses what the reference refuses: ${shape.name}`,
    ignore: !hasQemu(),
    async fn() {
      const memory = (shape.memory ?? 128) * MIB;
      assertThrows(() => loadImage(shape.image, { memory, initrd: shape.initrd }), ImageError);
      await assertRejects(() => startQemuGdb(shape.image, qemuOptions(shape)), Error, "QEMU ended");
    },
  });
}
