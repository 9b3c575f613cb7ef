import { assertEquals, assertThrows } from "@std/assert";
import { gzipSync } from "node:zlib";
import { code, makeElf, makeLinuxImage } from "../../tests/loader/make_elf.ts";
import { flashImages, loadFirmware, loadImage } from "./boot.ts";
import { DeviceTree } from "./flattened_tree.ts";
import { ImageError } from "./image_error.ts";

const MIB = 1024 * 1024;
const memory = 128 * MIB;
const LOOP = code([0x14000000], 64);

function elf(address: bigint, entry = address): Uint8Array<ArrayBuffer> {
  return makeElf(entry, [{ address, bytes: LOOP }]);
}

Deno.test("loadImage() boots an ELF file at its entry with the tree below it", () => {
  const plan = loadImage(elf(0x40400000n), { memory });
  assertEquals(plan.kind, "elf");
  assertEquals(plan.pc, 0x40400000n);
  assertEquals(plan.x, [0n, 0n, 0n, 0n, 0n]);
  assertEquals(plan.deviceTree, 0x40000000);
  assertEquals(plan.segments.map(({ name }) => name), ["device tree", "segment 0"]);
  assertEquals(plan.segments[0].zeroTo, 0x40100000);
  assertEquals(plan.warnings, []);
  assertEquals(
    plan.describe,
    "ELF executable, 1 segment, entry 0x40400000, device tree at 0x40000000",
  );
});

Deno.test("loadImage() puts more files beside the image", () => {
  const loads = [{ name: "dom0", address: 0x42000000, bytes: LOOP }];
  const plan = loadImage(elf(0x40400000n), { memory, loads });
  assertEquals(plan.segments.map(({ name }) => name), ["device tree", "segment 0", "dom0"]);
  assertEquals(plan.segments[2], { ...loads[0], zeroTo: 0x42000000 + LOOP.length });
  const firmware = loadFirmware(LOOP, { memory, loads });
  assertEquals(firmware.segments.map(({ name }) => name), ["device tree", "dom0"]);
});

Deno.test("loadImage() gives a low ELF file no tree, and says so", () => {
  const plan = loadImage(elf(0x40080000n), { memory });
  assertEquals(plan.deviceTree, null);
  assertEquals(plan.warnings, [
    "no device tree for the guest: 0x100000 bytes do not fit below the lowest segment at 0x40080000",
  ]);
});

Deno.test("loadImage() puts what is linked there into flash", () => {
  const data = { address: 0x40200000n, bytes: LOOP };
  const plan = loadImage(makeElf(0x1000n, [{ address: 0x1000n, bytes: LOOP }, data]), { memory });
  assertEquals(plan.warnings, [
    "segment 0 at [0x1000, 0x1040) is in flash",
    "no device tree for the guest: 0x100000 bytes do not fit below the lowest segment at 0x1000",
  ]);
  assertEquals(plan.segments.map(({ name }) => name), ["segment 1"]);
  const [first, second] = flashImages(plan);
  assertEquals(first?.subarray(0x1000, 0x1040), LOOP);
  assertEquals(second, undefined);
  const low = loadImage(elf(0x4001000n), { memory });
  assertEquals(low.deviceTree, 0x40000000);
  assertEquals(flashImages(low)[1]?.subarray(0x1000, 0x1040), LOOP);
});

Deno.test("loadFirmware() fills flash and puts the tree at the start of RAM", () => {
  const plan = loadFirmware(LOOP, { memory, append: "quiet" });
  assertEquals([plan.pc, plan.deviceTree, plan.warnings], [0n, 0x40000000, []]);
  assertEquals(plan.segments.map(({ name, zeroTo }) => [name, zeroTo]), [
    ["device tree", 0x40100000],
  ]);
  assertEquals(flashImages(plan)[0]?.subarray(0, LOOP.length), LOOP);
  assertThrows(() => loadFirmware(new Uint8Array(), { memory }), ImageError, "Firmware is empty");
  const large = new Uint8Array(0x4000001);
  assertThrows(() => loadFirmware(large, { memory }), ImageError, "expected at most 0x4000000");
  assertThrows(() => loadFirmware(elf(0n), { memory }), ImageError, "is an ELF file");
});

Deno.test("loadImage() leaves out what a linker put outside RAM beside a kernel inside", () => {
  const kernel = { address: 0x40400000n, bytes: LOOP };
  for (const address of [0x8000000n, 0x48000000n, 0xffff000000000000n]) {
    const note = { address, bytes: new Uint8Array(36) };
    const plan = loadImage(makeElf(0x40400000n, [note, kernel]), { memory });
    const text = `0x${address.toString(16)}, 0x${(address + 36n).toString(16)}`;
    assertEquals(plan.warnings[0], `segment 0 at [${text}) is left out: outside RAM`);
    assertEquals(plan.segments.filter(({ name }) => name.startsWith("segment")).length, 1);
    assertEquals(plan.pc, 0x40400000n);
  }
});

Deno.test("loadImage() warns of an entry point that cannot run", () => {
  const outside = loadImage(elf(0x40400000n, 0x9000000n), { memory });
  assertEquals(outside.warnings, [
    "entry point 0x9000000 is outside RAM: the first fetch will fault",
  ]);
  const empty = loadImage(elf(0x40400000n, 0n), { memory });
  assertEquals(empty.warnings, ["entry point 0x0 is in no loaded segment"]);
  const unloaded = loadImage(elf(0x40400000n, 0x40500002n), { memory });
  assertEquals(unloaded.warnings, [
    "entry point 0x40500002 is in no loaded segment",
    "entry point 0x40500002 is not a multiple of 4",
  ]);
});

Deno.test("loadImage() keeps booting when symbols are damaged", () => {
  const bytes = new Uint8Array(24).fill(255);
  const file = makeElf(0x40400000n, [{ address: 0x40400000n, bytes: LOOP }], [
    {
      name: ".symtab",
      type: 2,
      bytes: Uint8Array.of(...bytes, ...code([9, 0x10002, 0x40400000, 0, 0, 0])),
      link: 2,
    },
    { name: ".strtab", type: 3, bytes: new Uint8Array(1) },
  ]);
  const plan = loadImage(file, { memory });
  assertEquals(plan.symbols, []);
  assertEquals(plan.warnings, [
    "symbols left out: ELF symbol 1: name at byte 9 is past the end (1) of the string table",
  ]);
});

Deno.test("loadImage() enters a flat binary through the stub", () => {
  const plan = loadImage(LOOP, { memory, initrd: new Uint8Array(100) });
  assertEquals(plan.kind, "flat");
  assertEquals(plan.pc, 0x40000000n);
  assertEquals(
    plan.segments.map(({ name, address, zeroTo }) => [name, address, zeroTo]),
    [
      ["boot stub", 0x40000000, 0x40000028],
      ["kernel", 0x40080000, 0x40080040],
      ["initrd", 0x44000000, 0x44000064],
      ["device tree", 0x44200000, 0x44300000],
    ],
  );
  const chosen = DeviceTree.read(withSize(plan.segments[3].bytes)).root.child("chosen");
  assertEquals(chosen?.get("linux,initrd-start"), Uint8Array.of(0x44, 0, 0, 0));
  assertEquals(chosen?.get("linux,initrd-end"), Uint8Array.of(0x44, 0, 0, 100));
});

/** The blob with its claimed total size behind it. */
function withSize(blob: Uint8Array): Uint8Array {
  const whole = new Uint8Array(new DataView(blob.buffer).getUint32(4));
  whole.set(blob);
  return whole;
}

Deno.test("loadImage() takes a user's device tree and adds memory, command line and PSCI", () => {
  const own = new DeviceTree();
  own.root.set("#address-cells", [1]).set("#size-cells", [1]).set("model", "mine");
  own.root.add("memory").set("reg", [0, 1]);
  own.root.add("memories");
  const dtb = own.write();
  const plan = loadImage(LOOP, { memory, dtb, append: "quiet" });
  const { root } = DeviceTree.read(withSize(plan.segments[2].bytes));
  assertEquals(root.children.map(({ name }) => name), [
    "psci",
    "chosen",
    "memory@40000000",
    "memories",
  ]);
  assertEquals(root.children[2].get("reg"), Uint8Array.of(0x40, 0, 0, 0, 8, 0, 0, 0));
  assertEquals(root.child("chosen")?.get("bootargs"), new TextEncoder().encode("quiet\0"));
  assertEquals(plan.segments[2].zeroTo - plan.segments[2].address, (dtb.length + 10_000) * 2);
});

Deno.test("loadImage() warns of packed data that nobody unpacks", () => {
  const xz = Uint8Array.of(0xfd, 0x37, 0x7a, 0x58, 0x5a, 0, ...LOOP);
  assertEquals(loadImage(xz, { memory }).warnings, [
    "image looks like xz data: run as a flat binary",
  ]);
});

const BAD: [string, () => unknown, string][] = [
  ["no memory", () => loadImage(LOOP, { memory: 0 }), "Memory size is 0x0 bytes, expected"],
  ["4 GiB", () => loadImage(LOOP, { memory: 2 ** 32 }), "Memory size is 0x100000000 bytes"],
  ["an empty file", () => loadImage(new Uint8Array(0), { memory }), "Image is empty"],
  ["an ELF file without segments", () => loadImage(makeElf(0n, []), { memory }), "no loadable"],
  [
    "a segment below RAM",
    () => loadImage(elf(0x9000000n), { memory }),
    "Cannot load segment 0 at [0x9000000, 0x9000040): outside RAM, which is [0x40000000, 0x48000000)",
  ],
  [
    "a segment across the end of RAM",
    () => loadImage(elf(0x47ffffe0n), { memory }),
    "Cannot load segment 0 at [0x47ffffe0, 0x48000020): outside RAM",
  ],
  [
    "a segment at a virtual address",
    () => loadImage(elf(0xffff000040400000n), { memory }),
    "segment 0 at [0xffff000040400000, 0xffff000040400040): outside RAM",
  ],
  [
    "a position-independent file linked outside flash and RAM",
    () => {
      const file = elf(0x8000000n);
      file[16] = 3;
      return loadImage(file, { memory });
    },
    "it is position-independent (ET_DYN): link it at an address in RAM",
  ],
  [
    "a .bss of 2^60 bytes",
    () =>
      loadImage(makeElf(0n, [{ address: 0x40400000n, bytes: LOOP, memorySize: 1n << 60n }]), {
        memory,
      }),
    "outside RAM",
  ],
  [
    "overlapping segments",
    () =>
      loadImage(
        makeElf(0n, [{ address: 0x40400000n, bytes: LOOP }, { address: 0x40400020n, bytes: LOOP }]),
        { memory },
      ),
    "Cannot load segment 1 at [0x40400020, 0x40400060): overlaps segment 0 at",
  ],
  [
    "a flat binary larger than RAM",
    () => loadImage(new Uint8Array(MIB), { memory: MIB }),
    "Cannot load the kernel: 0x100000 bytes at offset 0x80000 do not fit into 0x100000 bytes",
  ],
  [
    "an Image that wants to be far up",
    () => loadImage(makeLinuxImage(99, { textOffset: 1n << 63n, imageSize: 1n }), { memory }),
    "at offset 0x8000000000000000 do not fit",
  ],
  [
    "an initrd larger than the rest",
    () => loadImage(LOOP, { memory, initrd: new Uint8Array(64 * MIB + 1) }),
    "Cannot load the initrd: 0x4000001 bytes at 0x44000000 reach past the end of RAM",
  ],
  [
    "a file that is to lie on the image",
    () =>
      loadImage(elf(0x40400000n), {
        memory,
        loads: [{ name: "dom0", address: 0x40400020, bytes: LOOP }],
      }),
    "Cannot load dom0 at [0x40400020, 0x40400060): overlaps segment 0 at",
  ],
  [
    "no room for the tree",
    () => loadImage(LOOP, { memory, initrd: new Uint8Array(63 * MIB) }),
    "Cannot place the device tree at 0x48000000",
  ],
  [
    "a gzip bomb",
    () => loadImage(gzipSync(new Uint8Array(2 * MIB)), { memory: MIB }),
    "gzip image: unpacks to more than 1048576 bytes",
  ],
  ["a gzip'd ELF file", () => loadImage(gzipSync(elf(0x40400000n)), { memory }), "gunzip it first"],
  ["a short uImage", () => loadImage(code([0x56190527, 0]), { memory }), "expected a header of 64"],
  ["a uImage of a ramdisk", () => loadImage(uImage({ type: 3 }), { memory }), "expected a kernel"],
  [
    "a uImage outside RAM",
    () => loadImage(uImage({ load: 0x8000 }), { memory }),
    "Cannot load kernel at [0x8000, 0x8040): outside RAM",
  ],
  ["a damaged tree", () => loadImage(LOOP, { memory, dtb: LOOP }), "Device tree: magic is"],
];

/** A U-Boot image of {@linkcode LOOP}: Linux, not packed, unless told otherwise. */
function uImage(
  { os = 5, type = 2, load = 0x4020_0000, entry = load, data = LOOP, packing = 0 }: {
    os?: number;
    type?: number;
    load?: number;
    entry?: number;
    data?: Uint8Array;
    packing?: number;
  },
): Uint8Array {
  const header = new DataView(new ArrayBuffer(64));
  [0x2705_1956, 0, 0, data.length, load, entry, 0].forEach((word, n) =>
    header.setUint32(4 * n, word)
  );
  [os, 22, type, packing].forEach((byte, n) => header.setUint8(28 + n, byte));
  return Uint8Array.of(...new Uint8Array(header.buffer), ...data);
}

Deno.test("loadImage() boots U-Boot images where they say", () => {
  const linux = loadImage(uImage({ entry: 0x4020_0008 }), { memory });
  assertEquals([linux.kind, linux.bare, linux.deviceTree], ["linux", undefined, 0x4400_0000]);
  assertEquals(linux.segments[1].address, 0x4020_0000);
  assertEquals(new DataView(linux.segments[0].bytes.buffer).getBigUint64(32, true), 0x4020_0008n);
  const packed = loadImage(uImage({ os: 17, packing: 1, data: gzipSync(LOOP) }), { memory });
  assertEquals([packed.bare, packed.pc, packed.deviceTree], [true, 0x4020_0000n, null]);
  assertEquals(packed.segments.map(({ bytes }) => bytes), [LOOP]);
  const anywhere = loadImage(uImage({ os: 17, type: 14, load: 0, entry: 8 }), { memory });
  assertEquals([anywhere.segments[0].address, anywhere.pc], [0x4200_0040, 0x4200_0048n]);
});

/** A big-endian ELF file of {@linkcode LOOP} at an address. */
function bigEndianElf(address: bigint): Uint8Array {
  const file = new DataView(new ArrayBuffer(120));
  [0x7f454c46, 0x0202_0100].forEach((word, n) => file.setUint32(4 * n, word));
  [2, 183].forEach((half, n) => file.setUint16(16 + 2 * n, half));
  file.setUint32(20, 1);
  [address, 64n].forEach((value, n) => file.setBigUint64(24 + 8 * n, value));
  [64, 56, 1, 64].forEach((half, n) => file.setUint16(52 + 2 * n, half));
  [1, 5].forEach((word, n) => file.setUint32(64 + 4 * n, word));
  const size = BigInt(LOOP.length);
  [120n, address, address, size, size, 8n].forEach((value, n) =>
    file.setBigUint64(72 + 8 * n, value)
  );
  return Uint8Array.of(...new Uint8Array(file.buffer), ...LOOP);
}

Deno.test("loadImage() boots big-endian ELF files with big-endian data", () => {
  const plan = loadImage(bigEndianElf(0x4020_0000n), { memory });
  assertEquals([plan.kind, plan.bigEndian, plan.pc], ["elf", true, 0x4020_0000n]);
  assertEquals(plan.segments.find(({ address }) => address === 0x4020_0000)?.bytes, LOOP);
  assertEquals(loadImage(elf(0x4020_0000n), { memory }).bigEndian, undefined);
});

for (const [name, load, message] of BAD) {
  Deno.test(`loadImage() refuses ${name} in one line`, () => {
    const error = assertThrows(load, ImageError, message);
    assertEquals(error.message.includes("\n"), false);
  });
}
