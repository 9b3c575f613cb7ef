/** A disk behind a virtio transport (virtio 1.2, 5.2), as the reference configures one. */

import type { Medium } from "../medium.ts";
import { BlockOverlay } from "./block_overlay.ts";
import type { DeviceState } from "./device.ts";
import { gather, lengthOf, scatter } from "./virtio_buffers.ts";
import type { VirtioDevice, VirtioPort } from "./virtio_device.ts";
import type { Chain, VirtioMemory } from "./virtqueue.ts";

const SECTOR = 512;
/** Segments, geometry, block size, SCSI, flush, topology, write cache, discard, zeroes; rings. */
const FEATURES = 0x3100_6ed4;
/** Bits of features: the driver flushes, and says whether writes are cached. */
const FLUSHES = 9, CONFIGURES_CACHE = 11;
const QUEUE_SIZE = 256;
const MOST_SECTORS = 0x3f_ffff;
/** Offset of the byte that says whether writes are cached, which has no effect here. */
const WRITE_CACHE = 32;

/** Types of requests; those of two bits have the direction in them. */
const READ = 0, SCSI = 2, FLUSH = 4, GET_ID = 8, DISCARD = 10, WRITE_ZEROES = 12;
/** Bits of a type: the direction, and one that a driver may set. */
const OUT = 1, BARRIER = 0x8000_0000;
/** Flag of the ranges of WRITE_ZEROES: the sectors need not be kept. */
const UNMAP = 1;
/** Longest request, in bytes. */
const MOST_BYTES = 0x7fff_fe00;
const HEADER_BYTES = 16;
const RANGE_BYTES = 16;
/** Bytes that are moved at a time. */
const PIECE = 1 << 20;

/** Answers. */
const OK = 0, ERROR = 1, UNSUPPORTED = 2;

/** The status of a request, and whether it is told only when those are answered that need no disk. */
interface Answer {
  readonly status: number;
  readonly isLate: boolean;
}

const DONE: Answer = { status: OK, isLate: true };

/** See the top of this file. */
export class VirtioBlk implements VirtioDevice {
  readonly id = 2;
  readonly features = FEATURES;
  readonly queues = [QUEUE_SIZE];
  readonly configuration: Uint8Array;
  readonly #disk: BlockOverlay;
  readonly #memory: VirtioMemory;
  #port: VirtioPort | undefined;
  /** The byte that says whether writes are cached, as it was last read or written. */
  #staged = 0;

  /** Makes a disk of whole sectors. */
  constructor(medium: Medium, memory: VirtioMemory) {
    this.#disk = new BlockOverlay(medium);
    this.#memory = memory;
    this.configuration = makeConfiguration(medium.size / SECTOR);
  }

  configurationRead(): void {
    this.#staged = this.configuration[WRITE_CACHE];
  }

  /** As on the reference a write anywhere stores the whole space, as it was when it was last read. */
  configure(offset: number, value: number, size: number): void {
    const at = WRITE_CACHE - offset;
    if (at >= 0 && at < size) this.#staged = (value >>> (8 * at)) & 0xff;
    this.configuration[WRITE_CACHE] = this.#staged === 0 ? 0 : 1;
  }

  reset(): void {
    this.configuration[WRITE_CACHE] = 1;
  }

  attach(port: VirtioPort): void {
    this.#port = port;
  }

  /** A driver that cannot say whether writes are cached has them cached if it knows how to flush. */
  driverChanged(ready: boolean): void {
    const { features } = this.#port!;
    const has = (feature: number) => (features >>> feature) & 1;
    if (ready && !has(CONFIGURES_CACHE)) this.configuration[WRITE_CACHE] = has(FLUSHES);
  }

  /** As on the reference what reaches the disk is done behind what is answered at once. */
  notified(queue: number): void {
    const port = this.#port!;
    const done: (() => void)[] = [];
    port.takeAll(queue, (chain) => {
      const answer = this.#request(chain);
      if (!answer) return false;
      const finish = () => {
        const room = lengthOf(chain.in);
        scatter(this.#memory, chain.in, room - 1, Uint8Array.of(answer.status));
        port.give(queue, chain, room);
        port.interrupt(queue);
      };
      if (answer.isLate) done.push(finish);
      else finish();
      return true;
    });
    for (const finish of done) finish();
  }

  save(): DeviceState {
    return {
      cache: this.configuration[WRITE_CACHE],
      staged: this.#staged,
      disk: this.#disk.save(),
    };
  }

  restore(state: DeviceState): void {
    const saved = state as { cache: number; staged: number; disk: DeviceState };
    this.configuration[WRITE_CACHE] = saved.cache;
    this.#staged = saved.staged;
    this.#disk.restore(saved.disk);
  }

  /** Does what a chain asks for. Gives undefined if it is no request. */
  #request(chain: Chain): Answer | undefined {
    const header = gather(this.#memory, chain.out, 0, HEADER_BYTES);
    if (header.length < HEADER_BYTES || chain.in.length === 0) return undefined;
    const view = new DataView(header.buffer);
    const type = view.getUint32(0, true) & ~BARRIER;
    switch (type & ~OUT) {
      case READ:
        return this.#transfer(chain, (type & OUT) !== 0, sectorAt(view, 8));
      case SCSI:
        return atOnce(this.#refuseCommand(chain));
      case FLUSH:
        return DONE;
      case GET_ID:
        // It has no serial number: an empty text.
        if (lengthOf(chain.in) > 1) scatter(this.#memory, chain.in, 0, Uint8Array.of(0));
        return atOnce(OK);
      case DISCARD:
      case WRITE_ZEROES:
        if (type & OUT) return this.#range(chain, (type & ~OUT) === WRITE_ZEROES);
        return atOnce(UNSUPPORTED);
      default:
        return atOnce(UNSUPPORTED);
    }
  }

  #transfer(chain: Chain, isWrite: boolean, offset: number): Answer {
    const length = isWrite ? lengthOf(chain.out) - HEADER_BYTES : lengthOf(chain.in) - 1;
    if (!this.#holds(offset, length)) return atOnce(ERROR);
    const memory = this.#memory;
    for (let done = 0; done < length; done += PIECE) {
      const count = Math.min(PIECE, length - done);
      if (isWrite) {
        this.#disk.write(offset + done, gather(memory, chain.out, HEADER_BYTES + done, count));
      } else scatter(memory, chain.in, done, this.#disk.read(offset + done, count));
    }
    return DONE;
  }

  /** Commands of SCSI are offered, as legacy devices do, and not understood. */
  #refuseCommand(chain: Chain): number {
    if (chain.out.length < 2 || chain.in.length < 3) return ERROR;
    scatter(this.#memory, chain.in.slice(-2), 0, Uint8Array.of(255, 0, 0, 0));
    return UNSUPPORTED;
  }

  /** DISCARD keeps what is there, as the reference does unless it is told otherwise. */
  #range(chain: Chain, isZeroes: boolean): Answer | undefined {
    if (lengthOf(chain.out) - HEADER_BYTES > RANGE_BYTES) return atOnce(UNSUPPORTED);
    const bytes = gather(this.#memory, chain.out, HEADER_BYTES);
    if (bytes.length < RANGE_BYTES) return undefined;
    const view = new DataView(bytes.buffer);
    const offset = sectorAt(view, 0);
    const sectors = view.getUint32(8, true), flags = view.getUint32(12, true);
    if (sectors > MOST_SECTORS || !this.#holds(offset, sectors * SECTOR)) return atOnce(ERROR);
    if (flags & ~UNMAP || !isZeroes && flags) return atOnce(UNSUPPORTED);
    const length = isZeroes ? sectors * SECTOR : 0;
    for (let done = 0; done < length; done += PIECE) {
      this.#disk.write(offset + done, new Uint8Array(Math.min(PIECE, length - done)));
    }
    return DONE;
  }

  /** Whether whole sectors, all on the disk, are asked for. */
  #holds(offset: number, length: number): boolean {
    return length % SECTOR === 0 && length <= MOST_BYTES && offset + length <= this.#disk.size;
  }
}

function atOnce(status: number): Answer {
  return { status, isLate: false };
}

/** The number of a sector, as an offset in bytes. */
function sectorAt(view: DataView, at: number): number {
  return (view.getUint32(at, true) + view.getUint32(at + 4, true) * 2 ** 32) * SECTOR;
}

/** Configuration space (5.2.4) of a disk with so many sectors. */
function makeConfiguration(sectors: number): Uint8Array {
  const view = new DataView(new ArrayBuffer(56));
  const word = (offset: number, value: number) => view.setUint32(offset, value, true);
  word(0, sectors % 2 ** 32);
  word(4, Math.floor(sectors / 2 ** 32));
  word(12, QUEUE_SIZE - 2);
  // The geometry that the reference guesses for a disk without partitions.
  const HEADS = 16, PER_TRACK = 63;
  const cylinders = Math.min(16_383, Math.max(2, Math.floor(sectors / (HEADS * PER_TRACK))));
  view.setUint16(16, cylinders, true);
  view.setUint8(18, HEADS);
  view.setUint8(19, PER_TRACK);
  word(20, SECTOR);
  view.setUint8(WRITE_CACHE, 1);
  view.setUint16(34, 1, true);
  word(36, MOST_SECTORS);
  word(40, 1);
  word(44, 1);
  word(48, MOST_SECTORS);
  word(52, 1);
  return new Uint8Array(view.buffer);
}
