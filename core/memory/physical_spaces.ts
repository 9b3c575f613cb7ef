/**
 * The physical address spaces of the board with `secure=on`: Secure accesses find RAM, flash and
 * devices that Non-secure ones do not (hw/arm/virt.c).
 *
 * Secure RAM stands in guest memory behind RAM, so that it is as fast, and in traces and state
 * hashes like RAM: its bytes have the addresses behind the end of RAM there.
 */

/** What only Secure accesses find: first byte, bytes. */
const SECURE_WINDOWS: readonly (readonly [number, number])[] = [
  [0, 0x0400_0000],
  [0x0904_0000, 0x1000],
  [0x090b_0000, 0x1000],
];

/** Secure RAM: physical address of its first byte, and bytes. */
export const SECURE_RAM = { base: 0x0e00_0000, bytes: 0x0100_0000 } as const;

/** An address where nothing answers, in a page of its own. */
const NOWHERE = 2 ** 47;
const PAGE = 4096;

/** Bytes of guest memory behind RAM. */
export function secureBytes(secure: boolean): number {
  return secure ? SECURE_RAM.bytes : 0;
}

/** Which byte of guest memory or of the board an access to a physical address reaches. */
export class PhysicalSpaces {
  /**
   * @param ramEnd first physical address behind RAM
   * @param split whether there are two spaces
   */
  constructor(readonly ramEnd: number, readonly split: boolean) {}

  /** The address at which guest memory or the board has what the access reaches. */
  place(address: number, secure: boolean): number {
    return this.split ? this.#place(address, secure) : address;
  }

  /** The physical address of an address in guest memory. */
  physical(place: number): number {
    return this.split && place >= this.ramEnd && place < this.ramEnd + SECURE_RAM.bytes
      ? place - this.ramEnd + SECURE_RAM.base
      : place;
  }

  #place(address: number, secure: boolean): number {
    if (address >= SECURE_RAM.base && address < SECURE_RAM.base + SECURE_RAM.bytes) {
      return secure ? address - SECURE_RAM.base + this.ramEnd : nowhere(address);
    }
    if (address >= this.ramEnd && address < this.ramEnd + SECURE_RAM.bytes) return nowhere(address);
    if (secure) return address;
    const hidden = SECURE_WINDOWS.some(([base, bytes]) =>
      address >= base && address < base + bytes
    );
    return hidden ? nowhere(address) : address;
  }
}

function nowhere(address: number): number {
  return NOWHERE + address % PAGE;
}
