/** What the register windows of a GICv3 have in common. */

/** Who makes the access in hand; the board changes it before a CPU executes. */
export interface Requester {
  /** Index of the CPU. */
  cpu: number;
  /** A Secure access. */
  secure: boolean;
}

/** GICD_IIDR, GICR_IIDR, GITS_IIDR: Arm, r0p0. */
export const IIDR = 0x43b;

/** PIDR4..7, PIDR0..3, CIDR0..3; PIDR0 is the window's. */
const IDENTIFICATION = [0x44, 0, 0, 0, 0, 0xb4, 0x3b, 0, 0x0d, 0xf0, 0x05, 0xb1];
const PIDR0 = 4;

/** The identification register at an offset from the first. */
export function identification(offset: number, partNumber: number): number {
  const index = offset >> 2;
  return index === PIDR0 ? partNumber : IDENTIFICATION[index] ?? 0;
}

/** Spreads 16 bits over the even bits of 32. */
export function spread(half: number): number {
  let word = half & 0xffff;
  word = (word | (word << 8)) & 0x00ff_00ff;
  word = (word | (word << 4)) & 0x0f0f_0f0f;
  word = (word | (word << 2)) & 0x3333_3333;
  return (word | (word << 1)) & 0x5555_5555;
}

/** The odd bits of 32 as 16. */
export function oddBits(word: number): number {
  let half = (word >>> 1) & 0x5555_5555;
  half = (half | (half >>> 1)) & 0x3333_3333;
  half = (half | (half >>> 2)) & 0x0f0f_0f0f;
  half = (half | (half >>> 4)) & 0x00ff_00ff;
  return (half | (half >>> 8)) & 0xffff;
}
