/**
 * The instruction syndrome of a Data Abort taken to EL2 (Arm ARM D17.2.37, ISS bits 24:14): what a
 * hypervisor needs to make the access itself.
 *
 * It is there for loads and stores of one general-purpose register without writeback, and for
 * load-acquire and store-release; not for pairs, exclusives, SIMD and DC ZVA.
 */

const ISV = 1 << 24, SSE = 1 << 21, SF = 1 << 15, AR = 1 << 14;
const SAS_SHIFT = 22, SRT_SHIFT = 16;

/**
 * ISS bits 24:14 of an instruction.
 *
 * @returns 0 where the syndrome is not valid
 */
export function instructionSyndrome(word: number): number {
  if (isSingleRegister(word)) return single(word);
  if ((word & 0xbf00_0000) === 0x1800_0000 || (word >>> 24) === 0x98) return literal(word);
  // Load-acquire and store-release, also LDLAR and STLLR: o2 set, o1 clear.
  if ((word & 0x3fa0_0000) === 0x0880_0000) return ordered(word);
  return 0;
}

/** Loads and stores of a general-purpose register: unsigned offset, register, unscaled, unprivileged. */
function isSingleRegister(word: number): boolean {
  if ((word & 0x3f00_0000) === 0x3900_0000) return true;
  if ((word & 0x3f00_0000) !== 0x3800_0000) return false;
  const form = (word >>> 10) & 3;
  // Writeback forms are 1 and 3; with bit 21 set, form 2 is the register offset.
  return (word & (1 << 21)) !== 0 ? form === 2 : form === 0 || form === 2;
}

function single(word: number): number {
  const size = word >>> 30, operation = (word >>> 22) & 3;
  if (size === 3 && operation >= 2) return 0;
  const signed = operation >= 2;
  const sixtyFour = signed ? operation === 2 : size === 3;
  return encode(size, word, signed, sixtyFour, false);
}

function literal(word: number): number {
  const opc = word >>> 30;
  const signed = opc === 2;
  return encode(opc === 1 ? 3 : 2, word, signed, opc !== 0, false);
}

function ordered(word: number): number {
  const size = word >>> 30;
  return encode(size, word, false, size === 3, true);
}

function encode(size: number, word: number, signed: boolean, wide: boolean, ar: boolean): number {
  return ISV | (size << SAS_SHIFT) | (signed ? SSE : 0) | ((word & 31) << SRT_SHIFT) |
    (wide ? SF : 0) | (ar ? AR : 0);
}
