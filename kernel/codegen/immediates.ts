const ALL_ONES = (1n << 64n) - 1n;

/** Whether ADD, SUB and CMP can hold `value`: 12 bits, or 12 bits moved up by 12. */
export function isArithmeticImmediate(value: bigint): boolean {
  return value < 4096n || ((value & 4095n) === 0n && value < (1n << 24n));
}

/**
 * Whether AND, ORR, EOR and TST can hold `value`: a run of ones, rotated, repeated in elements of 2,
 * 4, … 64 bits (Arm ARM, DecodeBitMasks()).
 */
export function isLogicalImmediate(value: bigint): boolean {
  if (value === 0n || value === ALL_ONES) return false;
  let size = 64n;
  while (size > 2n) {
    const half = size / 2n;
    const mask = (1n << half) - 1n;
    if ((value & mask) !== ((value >> half) & mask)) break;
    size = half;
  }
  const mask = (1n << size) - 1n;
  const element = value & mask;
  // A rotated run of ones changes between zero and one exactly twice around the element.
  const rotated = ((element >> 1n) | (element << (size - 1n))) & mask;
  return countOnes(element ^ rotated) === 2;
}

/** The instructions that put `value` into `register`, shortest first choice. */
export function moveConstant(register: string, value: bigint): string[] {
  const parts = [0n, 16n, 32n, 48n].map((shift) => (value >> shift) & 0xffffn);
  const used = parts.filter((part) => part !== 0n).length;
  if (used > 1 && isLogicalImmediate(value)) return [`orr ${register}, xzr, ${hex(value)}`];
  const ones = parts.filter((part) => part !== 0xffffn).length;
  if (ones <= 1 && used > 1) {
    const index = Math.max(0, parts.findIndex((part) => part !== 0xffffn));
    return [`movn ${register}, ${hex(parts[index] ^ 0xffffn)}${shiftOf(index)}`];
  }
  const moves: string[] = [];
  parts.forEach((part, index) => {
    if (part === 0n && (used > 0 || index > 0)) return;
    const mnemonic = moves.length === 0 ? "movz" : "movk";
    moves.push(`${mnemonic} ${register}, ${hex(part)}${shiftOf(index)}`);
  });
  return moves;
}

/** `value` as an immediate operand. */
export function hex(value: bigint | number): string {
  return `#0x${value.toString(16)}`;
}

function shiftOf(index: number): string {
  return index === 0 ? "" : `, lsl #${16 * index}`;
}

function countOnes(value: bigint): number {
  return value.toString(2).replaceAll("0", "").length;
}
