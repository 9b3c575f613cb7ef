import type { BootSegment } from "./loader/boot_plan.ts";
import type { GuestMemory } from "./memory/memory.ts";

/**
 * Places an image in memory.
 *
 * @param isClear all memory is zero; what need not be written then is not touched
 */
export function placeImage(
  segments: readonly BootSegment[],
  memory: GuestMemory,
  isClear: boolean,
): void {
  for (const segment of segments) {
    const { address, bytes, zeroTo } = segment;
    const end = address + bytes.length;
    memory.write(address, bytes);
    const overlaps = segments.some((s) => s !== segment && s.address < zeroTo && end < s.zeroTo);
    if (!isClear || overlaps) memory.write(end, new Uint8Array(zeroTo - end));
  }
}
