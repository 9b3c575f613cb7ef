/** A disk behind a virtio transport (virtio 1.2, 5.2), as the reference configures one. */

import type { Medium } from "../medium.ts";
import { BlockOverlay } from "./block_overlay.ts";
import type { DeviceState } from "./device.ts";
import type { DmaMemory } from "./fw_cfg.ts";
import { gather, lengthOf, scatter } from "./virtio_buffers.ts";
import type { VirtioDevice } from "./virtio_mmio.ts";
import { BrokenQueue, type Chain } from "./virtqueue.ts";

const SECTOR = 512;
/** Segments, geometry, block size, SCSI, flush, topology, write cache, discard, zeroes; rings. */
const FEATURES = 0x3100_6ed4;
const QUEUE_SIZE = 256;
const MOST_SECTORS = 0x3f_ffff;
/** Offset of the byte that says whether writes are cached, which has no effect here. */
const WRITE_CACHE = 32;

/** Types of requests. */
const READ = 0, WRITE = 1, FLUSH = 4, GET_ID = 8, DISCARD = 11, WRITE_ZEROES = 13;
/** A driver may set this bit in a type. */
const BARRIER = 0x8000_0000;
const HEADER_BYTES = 16;
const RANGE_BYTES = 16;
const ID_BYTES = 20;

/** Answers. */
const OK = 0, ERROR = 1, UNSUPPORTED = 2;

/** See the top of this file. */
export class VirtioBlk implements VirtioDevice {
  readonly id = 2;
  readonly features = FEATURES;
  readonly queues = [QUEUE_SIZE];
  readonly configuration: Uint8Array;
  readonly #disk: BlockOverlay;
  readonly #memory: DmaMemory;

  /** Makes a disk of whole sectors. */
  constructor(medium: Medium, memory: DmaMemory) {
    this.#disk = new BlockOverlay(medium);
    this.#memory = memory;
    this.configuration = makeConfiguration(medium.size / SECTOR);
  }

  configure(offset: number, value: number): void {
    if (offset === WRITE_CACHE) this.configuration[WRITE_CACHE] = value & 1;
  }

  reset(): void {
    this.configuration[WRITE_CACHE] = 1;
  }

  process(_queue: number, chain: Chain): number {
    const out = gather(this.#memory, chain.out);
    const room = lengthOf(chain.in);
    if (out.length < HEADER_BYTES || room < 1) throw new BrokenQueue("a request that is too short");
    const view = new DataView(out.buffer, out.byteOffset, out.length);
    const type = view.getUint32(0, true) & ~BARRIER;
    const offset = (view.getUint32(8, true) + view.getUint32(12, true) * 2 ** 32) * SECTOR;
    const { status, bytes } = this.#perform(type, offset, out.subarray(HEADER_BYTES), room - 1);
    if (bytes) scatter(this.#memory, chain.in, 0, bytes);
    scatter(this.#memory, chain.in, room - 1, Uint8Array.of(status));
    return bytes ? bytes.length + 1 : 1;
  }

  save(): DeviceState {
    return { cache: this.configuration[WRITE_CACHE], disk: this.#disk.save() };
  }

  restore(state: DeviceState): void {
    const saved = state as { cache: number; disk: DeviceState };
    this.configuration[WRITE_CACHE] = saved.cache;
    this.#disk.restore(saved.disk);
  }

  #perform(
    type: number,
    offset: number,
    data: Uint8Array,
    room: number,
  ): { status: number; bytes?: Uint8Array } {
    switch (type) {
      case READ:
        if (!this.#holds(offset, room)) return { status: ERROR };
        return { status: OK, bytes: this.#disk.read(offset, room) };
      case WRITE:
        if (!this.#holds(offset, data.length)) return { status: ERROR };
        this.#disk.write(offset, data);
        return { status: OK };
      case FLUSH:
        return { status: OK };
      case GET_ID:
        return { status: OK, bytes: new Uint8Array(Math.min(room, ID_BYTES)) };
      case DISCARD:
      case WRITE_ZEROES:
        return { status: this.#clear(data) };
      default:
        return { status: UNSUPPORTED };
    }
  }

  /** Whether whole sectors, all on the disk, are asked for. */
  #holds(offset: number, length: number): boolean {
    return length % SECTOR === 0 && offset + length <= this.#disk.size;
  }

  /** Discarded sectors read as zero. */
  #clear(data: Uint8Array): number {
    if (data.length < RANGE_BYTES) return ERROR;
    const view = new DataView(data.buffer, data.byteOffset, data.length);
    const offset = (view.getUint32(0, true) + view.getUint32(4, true) * 2 ** 32) * SECTOR;
    const sectors = view.getUint32(8, true);
    const length = sectors * SECTOR;
    if (sectors > MOST_SECTORS || !this.#holds(offset, length)) return ERROR;
    const piece = 1 << 20;
    for (let done = 0; done < length; done += piece) {
      this.#disk.write(offset + done, new Uint8Array(Math.min(piece, length - done)));
    }
    return OK;
  }
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
