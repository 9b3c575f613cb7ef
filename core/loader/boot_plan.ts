/** What a loaded image asks of the machine, and what the user asks of the loader. */
import type { DeviceTreeOptions } from "./device_tree.ts";
import { describeBoot, DEVICE_TREE_SIZE, makeDeviceTree, RAM_BASE } from "./device_tree.ts";
import type { LineRow } from "./dwarf_line.ts";
import type { GuestSymbol } from "./elf.ts";
import { DeviceTree } from "./flattened_tree.ts";
import { ImageError } from "./image_error.ts";

/** Flash: two banks from address 0. */
export const FLASH = { bankBytes: 0x0400_0000, banks: 2 } as const;

/** How to boot an image. The fields of the device tree are passed on to it. */
export interface LoadOptions extends Omit<DeviceTreeOptions, "initrd" | "bootargs"> {
  /** Initial ramdisk. */
  initrd?: Uint8Array | undefined;
  /** Kernel command line. */
  append?: string | undefined;
  /** A device tree blob to use in place of the generated one. */
  dtb?: Uint8Array | undefined;
  /** More files to put into RAM, as they are. */
  loads?: readonly RawFile[] | undefined;
}

/** A file that is put into RAM beside what boots. */
export interface RawFile {
  /** Its name, for messages. */
  readonly name: string;
  /** Physical address of the first byte. */
  readonly address: number;
  /** Its content. */
  readonly bytes: Uint8Array;
}

/** Bytes placed in RAM before the first instruction. */
export interface BootSegment {
  /** What it is: `segment 0`, `kernel`, `boot stub`, `initrd`, `device tree`. */
  name: string;
  /** Physical address of the first byte. */
  address: number;
  /** Contents; memory behind them up to `zeroTo` is zero. */
  bytes: Uint8Array;
  /** First address behind the memory that belongs to it; from the end of `bytes` to there it is zero. */
  zeroTo: number;
}

/** The machine's state at `#0`. EL1h, PSTATE 0x3c5, other registers zero. */
export interface BootPlan {
  /** What the file is. */
  kind: "elf" | "linux" | "flat" | "firmware";
  /** It is entered as ELF files are, at the highest exception level, whatever its kind. */
  bare?: boolean;
  /** SCTLR_ELx.EE and E0E are set. */
  bigEndian?: boolean;
  /** Ascending, without overlaps, all inside RAM. */
  segments: BootSegment[];
  /** What flash holds; nothing if left out. It is the machine's medium, not part of its memory. */
  flash?: BootSegment[];
  /** Address of the first instruction. */
  pc: bigint;
  /** x0 to x4. */
  x: bigint[];
  /** Physical address of the device tree, or null if the guest gets none. */
  deviceTree: number | null;
  /** Symbols of the file, empty if it has none. */
  symbols: GuestSymbol[];
  /** Source lines by ascending address, empty if the file has none. */
  lines: LineRow[];
  /** One line each: what the user should know. */
  warnings: string[];
  /** One line for people: what was loaded where. */
  describe: string;
}

/** A device tree blob, cut behind its last used byte, and the room that it claims. */
export interface BootTree {
  bytes: Uint8Array;
  /** Header field `totalsize`, in bytes. */
  totalSize: number;
}

/** Returns the generated device tree, or the user's with the boot loader's additions. */
export function makeBootTree(
  options: LoadOptions,
  initrd?: { start: number; end: number },
): BootTree {
  const description: DeviceTreeOptions = { ...options, bootargs: options.append, initrd };
  if (options.dtb === undefined) {
    const bytes = makeDeviceTree(description).write();
    return claim(bytes, DEVICE_TREE_SIZE);
  }
  const tree = DeviceTree.read(options.dtb);
  describeBoot(tree, description);
  // The reference makes this much room for its edits of a tree it did not generate.
  return claim(tree.write(), (options.dtb.length + 10_000) * 2);
}

function claim(bytes: Uint8Array, totalSize: number): BootTree {
  const TOTAL_SIZE_FIELD = 4;
  new DataView(bytes.buffer).setUint32(TOTAL_SIZE_FIELD, totalSize);
  return { bytes, totalSize };
}

/**
 * Sorts segments and checks that they do not overlap and lie in RAM.
 *
 * @throws ImageError naming the segment
 */
export function checkSegments(segments: BootSegment[], memory: number): BootSegment[] {
  const sorted = segments.toSorted((a, b) => a.address - b.address);
  let last: BootSegment | undefined;
  for (const segment of sorted) {
    if (segment.address < RAM_BASE || segment.zeroTo > RAM_BASE + memory) {
      throw new ImageError(
        `Cannot load ${segment.name} at ${range(segment.address, segment.zeroTo)}: outside RAM, ` +
          `which is ${range(RAM_BASE, RAM_BASE + memory)}`,
      );
    }
    if (last !== undefined && segment.address < last.zeroTo) {
      throw new ImageError(
        `Cannot load ${segment.name} at ${range(segment.address, segment.zeroTo)}: overlaps ` +
          `${last.name} at ${range(last.address, last.zeroTo)}`,
      );
    }
    last = segment;
  }
  return sorted;
}

/** The contents of both flash banks; undefined for one that nothing is loaded to. */
export function flashImages({ flash = [] }: Pick<BootPlan, "flash">): (Uint8Array | undefined)[] {
  return Array.from({ length: FLASH.banks }, (_, bank) => {
    const base = bank * FLASH.bankBytes;
    const parts = flash.filter(({ address, zeroTo }) =>
      address < base + FLASH.bankBytes && zeroTo > base
    );
    if (parts.length === 0) return undefined;
    const image = new Uint8Array(FLASH.bankBytes);
    for (const { address, bytes } of parts) {
      const skip = Math.max(0, base - address);
      const part = bytes.subarray(skip, Math.max(skip, base + FLASH.bankBytes - address));
      image.set(part, address + skip - base);
    }
    return image;
  });
}

/** An address range as `[0x…, 0x…)`. */
export function range(start: number | bigint, end: number | bigint): string {
  return `[${hex(start)}, ${hex(end)})`;
}

/** A number as `0x…`. */
export function hex(value: number | bigint): string {
  return `0x${value.toString(16)}`;
}
