/**
 * The contract between the board and a device.
 *
 * A device is a window of physical addresses with registers behind it. It has no clock, no random
 * source and no host I/O of its own: what it needs is injected when it is made, so that the same
 * accesses always give the same answers. Its whole state can be saved and restored.
 */

/** A memory-mapped device. Register values have at most 32 bits unless `size` is 8. */
export interface Device {
  /** Short name as in the device tree, for example `pl011`. */
  readonly name: string;
  /** Physical address of the first byte. */
  readonly base: number;
  /** Bytes of address space, a multiple of 4096. */
  readonly size: number;
  /** It reads like memory, and instructions can be fetched from it. */
  readonly executable?: boolean;
  /** Reads give what memory holds at present, and change nothing: they are not noted. */
  readonly readsContents?: boolean;
  /**
   * Reads `size` bytes (1, 2, 4 or 8) at `offset` from the base.
   *
   * @returns the value, of which the bus takes the low `size` bytes as an unsigned number; 8 bytes come as two reads of 4 unless there is `readLong`
   */
  read(offset: number, size: number): number;
  /** Writes the low `size` bytes (1, 2 or 4) of `value`. An 8-byte write arrives as two of 4 unless there is `writeLong`. */
  write(offset: number, value: number, size: number): void;
  /**
   * Reads 8 bytes at once as `[low, high]`, where that is more than two reads of 4.
   */
  readLong?(offset: number, into: Uint32Array): void;
  /** Writes 8 bytes at once. */
  writeLong?(offset: number, low: number, high: number): void;
  /**
   * Whether an access is one that the device answers; one it does not is an external abort. If left
   * out: every naturally aligned access.
   *
   * @param size 1, 2, 4 or 8
   */
  accepts?(offset: number, size: number, isWrite: boolean): boolean;
  /** For devices that do something by themselves: virtual time in ns of the next such event, or Infinity. */
  nextEvent?(): number;
  /** Does what is due at the present virtual time. */
  update?(): void;
  /** The complete state as plain CBOR-able data, equal for equal states. */
  save(): DeviceState;
  /** The state after a reset, for devices that a reset does not bring back to the first state. */
  stateAfterReset?(): DeviceState;
  /** Restores what {@linkcode save} returned. */
  restore(state: DeviceState): void;
}

/** Saved device state: numbers, strings, byte strings and arrays or records of them. */
export type DeviceState =
  | number
  | string
  | boolean
  | Uint8Array
  | DeviceState[]
  | { [field: string]: DeviceState };

/** An interrupt wire from a device to the interrupt controller. */
export interface InterruptLine {
  /** Sets the level of the wire. Setting the level it already has does nothing. */
  set(level: boolean): void;
}

/** Virtual time, injected. */
export interface Clock {
  /** Nanoseconds of virtual time since reset. Reading it makes the access time-dependent. */
  nanoseconds(): number;
  /** The same before the instruction in hand, where that can be told apart. */
  before?(): number;
}
