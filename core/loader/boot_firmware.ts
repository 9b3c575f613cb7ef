/**
 * Booting firmware as the reference does: the image is the contents of the first flash bank, where
 * execution starts, and the device tree is at the start of RAM. What the firmware boots comes from
 * fw_cfg.
 */
import {
  type BootPlan,
  checkSegments,
  FLASH,
  hex,
  type LoadOptions,
  makeBootTree,
} from "./boot_plan.ts";
import { RAM_BASE } from "./device_tree.ts";
import { gunzip, isGzip } from "./gzip.ts";
import { isElf } from "./elf.ts";
import { ImageError } from "./image_error.ts";

/** What firmware boots, as fw_cfg offers it. */
export interface FirmwareItems {
  /** The image, unpacked. */
  readonly kernel?: Uint8Array;
  /** Initial ramdisk. */
  readonly initrd?: Uint8Array;
  /** Command line with a zero behind it. */
  readonly cmdline?: Uint8Array;
}

/** Plans the boot of firmware. */
export function bootFirmware(firmware: Uint8Array, options: LoadOptions): BootPlan {
  checkFlashImage("Firmware", firmware);
  // With EL3 the guest starts there, and nothing is above it.
  const tree = makeBootTree({ ...options, noFirmware: options.secure });
  const zeroTo = Math.min(RAM_BASE + tree.totalSize, RAM_BASE + options.memory);
  const segments = [{ name: "device tree", address: RAM_BASE, bytes: tree.bytes, zeroTo }];
  return {
    kind: "firmware",
    segments: checkSegments(segments, options.memory),
    flash: [{ name: "firmware", address: 0, bytes: firmware, zeroTo: firmware.length }],
    pc: 0n,
    x: [0n, 0n, 0n, 0n, 0n],
    deviceTree: RAM_BASE,
    symbols: [],
    lines: [],
    warnings: [],
    describe: `firmware of ${hex(firmware.length)} bytes in flash, device tree at ${hex(RAM_BASE)}`,
  };
}

/**
 * Checks what is to fill a flash bank.
 *
 * @param what names it in errors
 * @throws ImageError if it is too large or not the contents of a chip
 */
export function checkFlashImage(what: string, bytes: Uint8Array): void {
  if (bytes.length === 0) throw new ImageError(`${what} is empty, expected the contents of flash`);
  if (bytes.length > FLASH.bankBytes) {
    throw new ImageError(
      `${what} has ${hex(bytes.length)} bytes, expected at most ${
        hex(FLASH.bankBytes)
      }, a bank of flash`,
    );
  }
  if (isElf(bytes)) {
    throw new ImageError(
      `${what} is an ELF file, expected the contents of flash: boot it as IMAGE`,
    );
  }
}

/** What fw_cfg offers to firmware for `-kernel`, `-initrd` and `-append`. */
export function firmwareItems(
  image: Uint8Array | undefined,
  { initrd, append, memory }: LoadOptions,
): FirmwareItems {
  if (!image) return {};
  return {
    kernel: isGzip(image) ? gunzip(image, memory) : image,
    ...(initrd ? { initrd } : {}),
    cmdline: new TextEncoder().encode(`${append ?? ""}\0`),
  };
}
