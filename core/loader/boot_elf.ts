/**
 * Booting an ELF executable as the reference does: segments at their physical addresses, PC at the
 * entry point, all registers zero, a device tree below the image if there is room.
 */
import {
  type BootPlan,
  type BootSegment,
  checkSegments,
  FLASH,
  hex,
  type LoadOptions,
  makeBootTree,
  range,
} from "./boot_plan.ts";
import { RAM_BASE } from "./device_tree.ts";
import { debugLines } from "./debug_sections.ts";
import { type ElfFile, type ElfSegment, parseElf } from "./elf.ts";
import { ImageError } from "./image_error.ts";

/** Plans the boot of an ELF executable. */
export function bootElf(file: Uint8Array, options: LoadOptions): BootPlan {
  const elf = parseElf(file);
  if (elf.segments.length === 0) {
    throw new ImageError("ELF header: no loadable segment (PT_LOAD), expected at least one");
  }
  const warnings: string[] = [];
  const { segments, flash } = placeSegments(elf, options.memory, warnings);
  const pc = physicalEntry(elf);
  checkEntry(pc, [...segments, ...flash], options.memory, warnings);
  const count = segments.length + flash.length;
  const deviceTree = placeDeviceTree(elf, { segments, flash }, options, warnings);
  if (options.initrd !== undefined) {
    warnings.push("initrd is ignored: an ELF image is not booted by the Linux protocol");
  }
  const tree = deviceTree === null ? "no device tree" : `device tree at ${hex(deviceTree)}`;
  return {
    kind: "elf",
    ...(elf.bigEndian ? { bigEndian: true } : {}),
    segments: checkSegments(segments, options.memory),
    ...(flash.length > 0 ? { flash } : {}),
    pc,
    x: [0n, 0n, 0n, 0n, 0n],
    deviceTree,
    symbols: optional("symbols", () => elf.symbols(), warnings),
    lines: optional("line table", () => debugLines(elf), warnings),
    warnings,
    describe: `ELF executable, ${count} segment${count === 1 ? "" : "s"}, entry ${
      hex(pc)
    }, ${tree}`,
  };
}

/**
 * Segments with memory, at their physical addresses.
 *
 * Linkers put notes and headers at addresses of their own if the linker script does not name them.
 * The reference boots such files: what lies nowhere is dropped, what lies in flash is put there.
 * What is dropped here must leave other code for the entry point.
 */
function placeSegments(
  elf: ElfFile,
  memory: number,
  warnings: string[],
): { segments: BootSegment[]; flash: BootSegment[] } {
  const segments: BootSegment[] = [];
  const flash: BootSegment[] = [];
  const entryIsLoaded = elf.segments.some((segment) =>
    holdsEntry(elf, segment) &&
    (isInFlash(segment, segment.memorySize) || !isOutsideRam(segment, segment.memorySize, memory))
  );
  for (const segment of elf.segments) {
    // Empty segments exist in real files and may have any address.
    if (segment.memorySize === 0n) continue;
    const size = loadedSize(segment, elf.segments);
    if (isInFlash(segment, size)) {
      const address = Number(segment.physicalAddress);
      const zeroTo = address + Number(size);
      warnings.push(`segment ${segment.index} at ${range(address, zeroTo)} is in flash`);
      flash.push({ name: `segment ${segment.index}`, address, bytes: segment.bytes, zeroTo });
      continue;
    }
    if (entryIsLoaded && isOutsideRam(segment, size, memory)) {
      const start = segment.physicalAddress;
      warnings.push(
        `segment ${segment.index} at ${range(start, start + size)} is left out: outside RAM`,
      );
      continue;
    }
    checkInsideRam(elf, segment, size, memory);
    const address = Number(segment.physicalAddress);
    const zeroTo = address + Number(size);
    segments.push({ name: `segment ${segment.index}`, address, bytes: segment.bytes, zeroTo });
  }
  return { segments, flash };
}

/** Whether a segment lies in flash; there is nothing else that an image can be in below RAM. */
function isInFlash({ physicalAddress }: ElfSegment, size: bigint): boolean {
  return physicalAddress + size <= BigInt(FLASH.banks * FLASH.bankBytes);
}

/**
 * Bytes that a segment takes in RAM. Files for boards whose start-up code copies data from ROM
 * count the run-time size in `p_memsz`; the reference recognises them by the zeroed part running
 * into another segment, and then leaves that part out.
 */
function loadedSize(segment: ElfSegment, all: readonly ElfSegment[]): bigint {
  const fileSize = BigInt(segment.bytes.length);
  const zeroStart = segment.physicalAddress + fileSize;
  const zeroEnd = segment.physicalAddress + segment.memorySize;
  const collides = zeroStart < zeroEnd &&
    all.some((other) =>
      other !== segment && other.physicalAddress < zeroEnd &&
      zeroStart < other.physicalAddress + other.memorySize
    );
  return collides ? fileSize : segment.memorySize;
}

/** Whether no byte of a segment is in RAM. */
function isOutsideRam(segment: ElfSegment, size: bigint, memory: number): boolean {
  const start = segment.physicalAddress;
  return start + size <= BigInt(RAM_BASE) || start >= BigInt(RAM_BASE + memory);
}

function holdsEntry({ entry }: ElfFile, { virtualAddress, bytes }: ElfSegment): boolean {
  return entry >= virtualAddress && entry < virtualAddress + BigInt(bytes.length);
}

/** Compared as BigInt: the addresses of the file may have all 64 bits. */
function checkInsideRam(elf: ElfFile, segment: ElfSegment, size: bigint, memory: number): void {
  const start = segment.physicalAddress;
  const ramEnd = RAM_BASE + memory;
  if (start >= BigInt(RAM_BASE) && start + size <= BigInt(ramEnd)) return;
  const hint = elf.type === "dynamic" && start < BigInt(RAM_BASE)
    ? "; it is position-independent (ET_DYN): link it at an address in RAM"
    : "";
  throw new ImageError(
    `Cannot load segment ${segment.index} at ${
      range(start, start + size)
    }: outside RAM, which is ` +
      `${range(RAM_BASE, ramEnd)}${hint}`,
  );
}

/** The entry point is virtual; in an executable segment loaded elsewhere it moves along. */
function physicalEntry(elf: ElfFile): bigint {
  let entry = elf.entry;
  for (const segment of elf.segments) {
    const { virtualAddress, physicalAddress, executable } = segment;
    if (virtualAddress === physicalAddress || !executable) continue;
    if (!holdsEntry(elf, segment)) continue;
    entry = elf.entry - virtualAddress + physicalAddress;
  }
  return BigInt.asUintN(64, entry);
}

function checkEntry(
  pc: bigint,
  segments: readonly BootSegment[],
  memory: number,
  warnings: string[],
): void {
  const inFlash = pc < BigInt(FLASH.banks * FLASH.bankBytes);
  if (!inFlash && (pc < BigInt(RAM_BASE) || pc >= BigInt(RAM_BASE + memory))) {
    warnings.push(`entry point ${hex(pc)} is outside RAM: the first fetch will fault`);
  } else if (!segments.some(({ address, zeroTo }) => pc >= address && pc < zeroTo)) {
    warnings.push(`entry point ${hex(pc)} is in no loaded segment`);
  }
  if ((pc & 3n) !== 0n) warnings.push(`entry point ${hex(pc)} is not a multiple of 4`);
}

/**
 * Puts the device tree at the start of RAM if it fits below the lowest segment, or all of the image
 * is below RAM. For an image that begins at or below the start of RAM and ends behind it, the tree
 * is left at address 0, in flash, as the reference leaves it there.
 */
function placeDeviceTree(
  elf: ElfFile,
  { segments, flash }: { segments: BootSegment[]; flash: BootSegment[] },
  options: LoadOptions,
  warnings: string[],
): number | null {
  // With EL3 the guest starts there, and nothing is above it.
  const tree = makeBootTree({ ...options, noFirmware: options.secure });
  // Empty segments count here: the reference takes the addresses before it drops them.
  const low = elf.segments.reduce((low, { physicalAddress: at }) => at < low ? at : low, 1n << 64n);
  const high = elf.segments.reduce((high, { physicalAddress, memorySize }) => {
    const end = physicalAddress + memorySize;
    return end > high ? end : high;
  }, 0n);
  const name = "device tree";
  const isAcross = low <= BigInt(RAM_BASE) && high >= BigInt(RAM_BASE);
  if (isAcross && flash.every(({ address }) => address >= tree.totalSize)) {
    flash.push({ name, address: 0, bytes: tree.bytes, zeroTo: tree.totalSize });
    warnings.push("the device tree is at 0x0, in flash: there is no room at the start of RAM");
    return 0;
  }
  const zeroTo = RAM_BASE + tree.totalSize;
  if (isAcross || (low > BigInt(RAM_BASE) && low < BigInt(zeroTo))) {
    warnings.push(
      `no device tree for the guest: ${hex(tree.totalSize)} bytes do not fit below the lowest ` +
        `segment at ${hex(low)}`,
    );
    return null;
  }
  segments.push({ name, address: RAM_BASE, bytes: tree.bytes, zeroTo });
  return RAM_BASE;
}

/** Debug information is a help, not a condition: damage becomes a warning. */
function optional<T>(what: string, read: () => T[], warnings: string[]): T[] {
  try {
    return read();
  } catch (error) {
    if (!(error instanceof ImageError)) throw error;
    warnings.push(`${what} left out: ${error.message}`);
    return [];
  }
}
