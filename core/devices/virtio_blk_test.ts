import { assertEquals } from "@std/assert";
import { BLOCK_BYTES, type Medium } from "../medium.ts";
import { Board } from "./bus.ts";
import { TestLine } from "./test_line.ts";
import { VirtioBlk } from "./virtio_blk.ts";
import { VirtioMmio } from "./virtio_mmio.ts";

const BASE = 0xa00_0000, SLOT = BASE + 31 * 512;
const QUEUE = 0x1000, HEADER = 0x4000, DATA = 0x5000, STATUS = 0x7000;
/** Registers of a transport. */
const FEATURES = 0x10, GUEST_FEATURES = 0x20, PAGE_SIZE = 0x28, QUEUE_SIZE = 0x38, ALIGN = 0x3c;
const PAGE = 0x40, NOTIFY = 0x50, INTERRUPT = 0x60, ACKNOWLEDGE = 0x64, DEVICE_STATUS = 0x70;
const SIZE = 8;

/** A board with a disk of three blocks, of which block 1 is filled with ones. */
function make(written: Uint8Array[] = []) {
  const ram = new Uint8Array(0x8000);
  const view = new DataView(ram.buffer);
  const memory = {
    contains: (at: number, length: number) => at + length <= ram.length,
    read: (at: number, length: number) =>
      at + length <= ram.length ? ram.slice(at, at + length) : undefined,
    write: (at: number, bytes: Uint8Array) => {
      if (at + bytes.length > ram.length) return false;
      ram.set(bytes, at);
      return true;
    },
  };
  const medium: Medium = {
    size: 3 * BLOCK_BYTES,
    block: (number) => new Uint8Array(BLOCK_BYTES).fill(number === 1 ? 1 : 0),
    wrote: (version, content) => written[version] = content,
    written: (version) => written[version],
  };
  const line = new TestLine();
  const slots = [{ number: 31, device: new VirtioBlk(medium, memory), line }];
  const transports = new VirtioMmio({ base: BASE, memory, slots });
  const board = new Board();
  board.add(transports);
  const read = (offset: number, size = 4) => board.read(SLOT + offset, size);
  const write = (offset: number, value: number) => board.write(SLOT + offset, value, 4);
  return { ram, view, line, transports, read, write };
}

type Made = ReturnType<typeof make>;

/** What a driver does before its first request. */
function start({ write }: Made): void {
  write(PAGE_SIZE, 4096);
  write(DEVICE_STATUS, 0);
  write(GUEST_FEATURES, 0);
  write(QUEUE_SIZE, SIZE);
  write(ALIGN, 4096);
  write(PAGE, QUEUE / 4096);
  write(DEVICE_STATUS, 7);
}

/** Makes one request of `length` bytes available and gives its status. */
function request(made: Made, type: number, sector: number, length: number): number {
  const { view, write } = made;
  const descriptor = (n: number, at: number, size: number, flags: number) => {
    view.setUint32(QUEUE + 16 * n, at, true);
    view.setUint32(QUEUE + 16 * n + 8, size, true);
    view.setUint16(QUEUE + 16 * n + 12, flags, true);
    view.setUint16(QUEUE + 16 * n + 14, n + 1, true);
  };
  view.setUint32(HEADER, type, true);
  view.setUint32(HEADER + 8, sector, true);
  const WRITES = 2, NEXT = 1;
  descriptor(0, HEADER, 16, NEXT);
  descriptor(1, DATA, length, NEXT | (type === 0 ? WRITES : 0));
  descriptor(2, STATUS, 1, WRITES);
  const available = QUEUE + 16 * SIZE;
  const index = view.getUint16(available + 2, true);
  view.setUint16(available + 4 + 2 * (index % SIZE), 0, true);
  view.setUint16(available + 2, index + 1, true);
  view.setUint8(STATUS, 0xff);
  write(NOTIFY, 0);
  return view.getUint8(STATUS);
}

Deno.test("VirtioMmio shows a disk as the reference does", () => {
  const { read } = make();
  assertEquals([0, 4, 8, 12, FEATURES, 0x34, PAGE, DEVICE_STATUS].map((offset) => read(offset)), [
    0x7472_6976,
    1,
    2,
    0x554d_4551,
    0x3100_6ed4,
    1024,
    0,
    0,
  ]);
  assertEquals([0x100, 0x10c, 0x110, 0x114, 0x120, 0x124, 0x138].map((offset) => read(offset)), [
    24,
    254,
    0x3f10_0002,
    512,
    0x0001_0001,
    0x3f_ffff,
    0xffff_ffff,
  ]);
});

Deno.test("VirtioBlk reads and writes sectors, and interrupts until that is acknowledged", () => {
  const made = make();
  start(made);
  const { ram, view, line, read, write } = made;
  assertEquals(request(made, 0, 7, 1024), 0);
  assertEquals([ram[DATA], ram[DATA + 511], ram[DATA + 512], ram[DATA + 1023]], [0, 0, 1, 1]);
  const used = QUEUE + 4096;
  assertEquals([view.getUint16(used + 2, true), view.getUint32(used + 8, true)], [1, 1025]);
  assertEquals([read(INTERRUPT), line.level], [1, true]);
  write(ACKNOWLEDGE, 1);
  assertEquals([read(INTERRUPT), line.level], [0, false]);
  ram.fill(5, DATA, DATA + 512);
  assertEquals(request(made, 1, 8, 512), 0);
  assertEquals(request(made, 0, 8, 1024), 0);
  assertEquals([ram[DATA], ram[DATA + 511], ram[DATA + 512]], [5, 5, 1]);
  assertEquals([request(made, 0, 24, 512), request(made, 0, 0, 500), request(made, 99, 0, 16)], [
    1,
    1,
    2,
  ]);
});

Deno.test("VirtioMmio.restore() goes on from a state, with what was written as the trace has it", () => {
  const written: Uint8Array[] = [];
  const first = make(written);
  start(first);
  first.ram.fill(7, DATA, DATA + 512);
  request(first, 1, 16, 512);
  const second = make(written);
  second.ram.set(first.ram);
  second.transports.restore(first.transports.save());
  assertEquals(second.line.level, true);
  assertEquals(request(second, 0, 16, 512), 0);
  assertEquals(second.ram[DATA], 7);
  request(first, 0, 16, 512);
  assertEquals(second.transports.save(), first.transports.save());
});

Deno.test("VirtioBlk flushes, has no serial number, writes zeroes and keeps what is discarded", () => {
  const made = make();
  start(made);
  const { ram, view } = made;
  const FLUSH = 4, GET_ID = 8, DISCARD = 11, WRITE_ZEROES = 13;
  assertEquals([request(made, FLUSH, 0, 16), request(made, GET_ID, 0, 20)], [0, 0]);
  const range = (sector: number, sectors: number, flags: number) =>
    [sector, 0, sectors, flags].forEach((word, i) => view.setUint32(DATA + 4 * i, word, true));
  const asked = (type: number, sector: number, sectors: number, flags: number, length = 16) => {
    range(sector, sectors, flags);
    return request(made, type, 0, length);
  };
  const UNSUPPORTED = 2, ERROR = 1;
  assertEquals(asked(DISCARD, 8, 2, 0), 0);
  request(made, 0, 8, 512);
  assertEquals(ram[DATA], 1);
  assertEquals(asked(WRITE_ZEROES, 8, 2, 1), 0);
  request(made, 0, 9, 1024);
  assertEquals([ram[DATA], ram[DATA + 512]], [0, 1]);
  assertEquals([asked(DISCARD, 0, 1, 1), asked(WRITE_ZEROES, 0, 1, 2)], [UNSUPPORTED, UNSUPPORTED]);
  assertEquals([asked(WRITE_ZEROES, 23, 2, 0), asked(DISCARD, 0, 0x40_0000, 0)], [ERROR, ERROR]);
  assertEquals([asked(WRITE_ZEROES - 1, 0, 1, 0), asked(WRITE_ZEROES, 0, 1, 0, 32)], [
    UNSUPPORTED,
    UNSUPPORTED,
  ]);
  // A range that is too short breaks the device.
  assertEquals([asked(WRITE_ZEROES, 0, 1, 0, 8), asked(FLUSH, 0, 1, 0)], [0xff, 0xff]);
});

Deno.test("VirtioBlk says whether writes are cached as the driver knows and wants", () => {
  const made = make();
  const { read, write } = made;
  const CACHE = 0x120, FLUSHES = 1 << 9, CONFIGURES = 1 << 11;
  const cached = () => read(CACHE, 1);
  assertEquals(cached(), 1);
  start(made);
  assertEquals(cached(), 0);
  write(DEVICE_STATUS, 0);
  assertEquals(cached(), 1);
  write(GUEST_FEATURES, FLUSHES);
  write(DEVICE_STATUS, 7);
  assertEquals(cached(), 1);
  write(GUEST_FEATURES, CONFIGURES);
  write(CACHE, 0);
  assertEquals(cached(), 0);
  write(CACHE, 2);
  assertEquals(cached(), 1);
});

Deno.test("VirtioMmio has no shared memory", () => {
  const { read } = make();
  assertEquals([0xac, 0xb0, 0xb4, 0xb8].map((offset) => read(offset)), [
    0,
    0xffff_ffff,
    0xffff_ffff,
    0,
  ]);
});

Deno.test("VirtioMmio finds nothing in a queue outside of RAM", () => {
  const made = make();
  start(made);
  made.write(PAGE, 0x7_ffff);
  assertEquals(request(made, 0, 0, 512), 0xff);
  start(made);
  made.ram.fill(0, QUEUE, QUEUE + 8192);
  assertEquals(request(made, 0, 0, 512), 0);
});
