/**
 * From a file to a machine ready to run: what goes where in RAM, and the registers at `#0`.
 *
 * The boot protocol is QEMU's for the `virt` board: an ELF executable starts at its entry point,
 * everything else is booted like a Linux kernel.
 */
import { bootElf } from "./boot_elf.ts";
import { bootFirmware } from "./boot_firmware.ts";
import { bootLinux } from "./boot_linux.ts";
import { type BootPlan, checkSegments, hex, type LoadOptions } from "./boot_plan.ts";
import { isElf } from "./elf.ts";
import { ImageError } from "./image_error.ts";

export { checkFlashImage, type FirmwareItems, firmwareItems } from "./boot_firmware.ts";
export { FLASH, flashImages } from "./boot_plan.ts";
export type { BootPlan, BootSegment, LoadOptions, RawFile } from "./boot_plan.ts";

/** Most RAM that a machine can have: 3 GiB, up to the 4 GiB border. */
const MEMORY_LIMIT = 3 * 2 ** 30;
/** The reference rounds RAM up to this. */
const MEMORY_UNIT = 8192;

/**
 * Plans the boot of an image: ELF executable, Linux `Image` (also gzip'd), or flat binary.
 *
 * Bytes of the plan may alias `file` and `options.initrd`.
 *
 * @param file the whole file
 * @param options `memory` in bytes is required; a multiple of 8 KiB up to 3 GiB
 * @throws ImageError with one line when the image cannot be booted
 */
export function loadImage(file: Uint8Array, options: LoadOptions): BootPlan {
  checkMemory(options.memory);
  return withLoads(isElf(file) ? bootElf(file, options) : bootLinux(file, options), options);
}

/**
 * Plans the boot of firmware in flash. What it boots is not looked at here: see
 * {@linkcode firmwareItems}.
 *
 * @throws ImageError with one line when it cannot be booted
 */
export function loadFirmware(firmware: Uint8Array, options: LoadOptions): BootPlan {
  checkMemory(options.memory);
  return withLoads(bootFirmware(firmware, options), options);
}

/** A plan with the files that are put beside what boots, as the reference's `-device loader`. */
function withLoads(plan: BootPlan, { loads = [], memory }: LoadOptions): BootPlan {
  if (loads.length === 0) return plan;
  const more = loads.map(({ name, address, bytes }) => {
    return { name, address, bytes, zeroTo: address + bytes.length };
  });
  return { ...plan, segments: checkSegments([...plan.segments, ...more], memory) };
}

function checkMemory(memory: number): void {
  if (memory > 0 && memory <= MEMORY_LIMIT && memory % MEMORY_UNIT === 0) return;
  throw new ImageError(
    `Memory size is ${hex(memory)} bytes, expected a multiple of 8 KiB up to 3 GiB`,
  );
}
