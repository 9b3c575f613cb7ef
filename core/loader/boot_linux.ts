/**
 * Booting anything that is not an ELF executable as the reference does: by the arm64 Linux
 * protocol (Linux `Documentation/arch/arm64/booting.rst`), entered through six instructions at the
 * start of RAM.
 */
import {
  type BootPlan,
  type BootSegment,
  checkSegments,
  hex,
  type LoadOptions,
  makeBootTree,
} from "./boot_plan.ts";
import { RAM_BASE } from "./device_tree.ts";
import { gunzip, isGzip } from "./gzip.ts";
import { isElf } from "./elf.ts";
import { ImageError } from "./image_error.ts";
import { type LinuxImageHeader, parseLinuxHeader } from "./linux_image.ts";
import { isUImage, readUImage } from "./uimage.ts";

const KIB = 1024;
const MIB = 1024 * 1024;
/** Where an image without valid header fields goes, from the start of RAM. */
const DEFAULT_OFFSET = 0x8_0000;
/** Room at the start of RAM that no image may use. */
const STUB_SPACE = 4 * KIB;
const PAGE = 4 * KIB;

/** `ldr x0, 1f; mov x1, xzr; mov x2, xzr; mov x3, xzr; ldr x4, 2f; br x4`, then 1: and 2:. */
const STUB = [0x580000c0, 0xaa1f03e1, 0xaa1f03e2, 0xaa1f03e3, 0x58000084, 0xd61f0080];

/** A kernel, and where it goes. */
interface Kernel {
  readonly kind: "linux" | "flat";
  readonly bytes: Uint8Array;
  /** Physical address of its first byte. */
  readonly address: number;
  /** Bytes of RAM that it takes. */
  readonly size: number;
  /** Physical address of its first instruction. */
  readonly entry: number;
  /** One word or two for people. */
  readonly name: string;
}

/** Plans the boot of a Linux `Image`, packed or not, of a flat binary, or of a U-Boot image. */
export function bootLinux(file: Uint8Array, options: LoadOptions): BootPlan {
  const warnings: string[] = [];
  if (!isUImage(file)) {
    return planBoot(readKernel(file, options.memory, warnings), options, warnings);
  }
  const { isLinux, ...image } = readUImage(file, RAM_BASE, options.memory);
  const kernel = {
    kind: "linux",
    size: image.bytes.length,
    name: "U-Boot image",
    ...image,
  } as const;
  return isLinux ? planBoot(kernel, options, warnings) : planBare(kernel, options, warnings);
}

/** A U-Boot image of another system: it is entered as it is, without a device tree. */
function planBare(kernel: Kernel, options: LoadOptions, warnings: string[]): BootPlan {
  const { bytes, address, entry } = kernel;
  return {
    kind: "flat",
    bare: true,
    segments: checkSegments([segment("kernel", address, bytes)], options.memory),
    pc: BigInt(entry),
    x: [0n, 0n, 0n, 0n, 0n],
    deviceTree: null,
    symbols: [],
    lines: [],
    warnings,
    describe: `U-Boot image at ${hex(address)}, entry ${hex(entry)}, no device tree`,
  };
}

/** A Linux `Image` or flat binary, unpacked. */
function readKernel(file: Uint8Array, memory: number, warnings: string[]): Kernel {
  const packed = isGzip(file);
  const bytes = packed ? gunzip(file, memory) : file;
  checkFormat(bytes, packed, warnings);
  const header = parseLinuxHeader(bytes);
  const { offset, size } = placeKernel(bytes, header, memory);
  const address = RAM_BASE + offset;
  const name = `${packed ? "gzip'd " : ""}${header === null ? "flat binary" : "Linux Image"}`;
  return { kind: header === null ? "flat" : "linux", bytes, address, size, entry: address, name };
}

function planBoot(kernel: Kernel, options: LoadOptions, warnings: string[]): BootPlan {
  const { memory } = options;
  const { entry } = kernel;
  const initrd = placeInitrd(kernel.address + kernel.size, options);
  const deviceTree = Math.ceil(initrd.end / (2 * MIB)) * 2 * MIB;
  const ramEnd = RAM_BASE + memory;
  if (deviceTree >= ramEnd) {
    throw new ImageError(
      `Cannot place the device tree at ${hex(deviceTree)}, behind kernel and initrd: RAM ends at ${
        hex(ramEnd)
      }`,
    );
  }
  const segments: BootSegment[] = [
    segment("boot stub", RAM_BASE, makeStub(deviceTree, entry)),
    segment("kernel", kernel.address, kernel.bytes),
  ];
  if (options.initrd !== undefined) segments.push(segment("initrd", initrd.start, options.initrd));
  const given = options.initrd === undefined || initrd.start === initrd.end ? undefined : initrd;
  const tree = makeBootTree(options, given);
  // The tree's room may reach past the end of RAM, its bytes may not.
  const zeroTo = Math.max(
    deviceTree + tree.bytes.length,
    Math.min(deviceTree + tree.totalSize, ramEnd),
  );
  segments.push({ name: "device tree", address: deviceTree, bytes: tree.bytes, zeroTo });
  return {
    kind: kernel.kind,
    segments: checkSegments(segments, memory),
    pc: BigInt(RAM_BASE),
    x: [0n, 0n, 0n, 0n, 0n],
    deviceTree,
    symbols: [],
    lines: [],
    warnings,
    describe: describe(kernel, initrd, deviceTree),
  };
}

/** Offset from the start of RAM, and bytes of RAM that the kernel takes. */
function placeKernel(
  kernel: Uint8Array,
  header: LinuxImageHeader | null,
  memory: number,
): { offset: number; size: number } {
  let offset = BigInt(DEFAULT_OFFSET);
  let size = BigInt(kernel.length);
  // Kernels before 3.17 leave the image size 0, and their text offset has no known byte order.
  if (header !== null && header.imageSize !== 0n) {
    offset = header.textOffset;
    size = header.imageSize;
    // The offset counts from any 2 MiB boundary, and the start of RAM is taken by the stub.
    if (offset < STUB_SPACE) offset += BigInt(2 * MIB);
  }
  const needed = size > BigInt(kernel.length) ? size : BigInt(kernel.length);
  if (offset + needed > BigInt(memory)) {
    throw new ImageError(
      `Cannot load the kernel: ${hex(needed)} bytes at offset ${hex(offset)} do not fit into ${
        hex(memory)
      } bytes of RAM`,
    );
  }
  return { offset: Number(offset), size: Number(size) };
}

/**
 * The initial ramdisk goes to the middle of RAM, at most 128 MiB from its start, behind the kernel.
 * Without one, `end` equals `start`.
 */
function placeInitrd(
  kernelEnd: number,
  { memory, initrd }: LoadOptions,
): { start: number; end: number } {
  const wanted = RAM_BASE + Math.min(Math.floor(memory / 2), 128 * MIB);
  const start = Math.ceil(Math.max(wanted, kernelEnd) / PAGE) * PAGE;
  const end = start + (initrd?.length ?? 0);
  if (initrd !== undefined && (start >= RAM_BASE + memory || end > RAM_BASE + memory)) {
    throw new ImageError(
      `Cannot load the initrd: ${hex(initrd.length)} bytes at ${
        hex(start)
      } reach past the end of ` +
        `RAM at ${hex(RAM_BASE + memory)}`,
    );
  }
  return { start, end };
}

function makeStub(deviceTree: number, entry: number): Uint8Array {
  const stub = new DataView(new ArrayBuffer(STUB.length * 4 + 16));
  STUB.forEach((word, index) => stub.setUint32(index * 4, word, true));
  stub.setBigUint64(STUB.length * 4, BigInt(deviceTree), true);
  stub.setBigUint64(STUB.length * 4 + 8, BigInt(entry), true);
  return new Uint8Array(stub.buffer);
}

function segment(name: string, address: number, bytes: Uint8Array): BootSegment {
  return { name, address, bytes, zeroTo: address + bytes.length };
}

function describe(
  { name, address }: Kernel,
  initrd: { start: number; end: number },
  deviceTree: number,
): string {
  const parts = [`${name} at ${hex(address)}`];
  if (initrd.end > initrd.start) parts.push(`initrd at ${hex(initrd.start)}`);
  parts.push(`device tree at ${hex(deviceTree)}`);
  return parts.join(", ");
}

/** Formats that are neither kernel nor flat binary, by their first bytes. */
const FORMATS: { magic: number[]; at?: number; name: string; fatal: boolean }[] = [
  { magic: [0x7a, 0x69, 0x6d, 0x67], at: 4, name: "an EFI zboot image", fatal: true },
  { magic: [0xfd, 0x37, 0x7a, 0x58, 0x5a, 0], name: "xz data", fatal: false },
  { magic: [0x28, 0xb5, 0x2f, 0xfd], name: "zstd data", fatal: false },
  { magic: [0x04, 0x22, 0x4d, 0x18], name: "lz4 data", fatal: false },
  { magic: [0x02, 0x21, 0x4c, 0x18], name: "lz4 data", fatal: false },
  { magic: [0x42, 0x5a, 0x68], name: "bzip2 data", fatal: false },
];

/** Refuses what cannot run, warns of what is hardly meant to be run as a flat binary. */
function checkFormat(kernel: Uint8Array, packed: boolean, warnings: string[]): void {
  if (kernel.length === 0) throw new ImageError("Image is empty, expected a kernel");
  if (packed && isElf(kernel)) {
    throw new ImageError(
      "Image is a gzip'd ELF file, which no boot loader unpacks: gunzip it first",
    );
  }
  const format = FORMATS.find(({ magic, at = 0 }) =>
    magic.every((byte, index) => kernel[at + index] === byte)
  );
  if (format?.fatal) {
    throw new ImageError(`Image is ${format.name}, expected ELF, Linux Image or a flat binary`);
  }
  if (format !== undefined) warnings.push(`image looks like ${format.name}: run as a flat binary`);
}
