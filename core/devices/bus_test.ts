import { assertEquals, assertThrows } from "@std/assert";
import { Board, NO_ANSWER } from "./bus.ts";
import type { Device, DeviceState } from "./device.ts";

/** Bytes of memory that note every access. */
class Probe implements Device {
  readonly bytes = new DataView(new ArrayBuffer(0x1000));
  readonly log: string[] = [];

  constructor(readonly name: string, readonly base: number, readonly size = 0x1000) {}

  read(offset: number, size: number): number {
    this.log.push(`r${size}@${offset}`);
    return this.bytes.getUint32(offset, true);
  }
  write(offset: number, value: number, size: number): void {
    this.log.push(`w${size}@${offset}=${value.toString(16)}`);
  }
  save(): DeviceState {
    return { name: this.name };
  }
  restore(): void {}
}

function make() {
  const board = new Board();
  const device = new Probe("probe", 0x900_0000);
  device.bytes.setUint32(0x10, 0x44332211, true);
  device.bytes.setUint32(0x14, 0x88776655, true);
  device.bytes.setUint32(0x12, 0x66554433, true);
  device.bytes.setUint32(0x18, 0xccbbaa99, true);
  board.add(device);
  return { board, device };
}

Deno.test("Board.find() knows which page is whose", () => {
  const { board, device } = make();
  const high = new Probe("high", 0x40_1000_0000, 0x1000_0000);
  board.add(high);
  assertEquals(
    [0x8ff_ffff, 0x900_0000, 0x900_0fff, 0x900_1000, 0x40_1fff_ffff, 0x40_2000_0000].map((at) =>
      board.find(at)
    ),
    [undefined, device, device, undefined, high, undefined],
  );
});

Deno.test("Board.add() refuses windows that overlap or are not made of pages", () => {
  const { board } = make();
  assertThrows(() => board.add(new Probe("other", 0x900_0000)), Error, "probe is there");
  assertThrows(() => board.add(new Probe("odd", 0x800_0010)), Error, "Cannot map odd");
  assertThrows(() => board.add(new Probe("ram", 0x3fff_f000, 0x2000)), Error, "Cannot map ram");
});

Deno.test("Board.read() cuts to the size and fails where nothing is", () => {
  const { board } = make();
  assertEquals(
    [1, 2, 4].map((size) => board.read(0x900_0010, size)),
    [0x11, 0x2211, 0x44332211],
  );
  assertEquals([board.read(0x900_1000, 4), board.write(0x900_1000, 0, 4)], [NO_ANSWER, false]);
});

Deno.test("Board.read() makes an unaligned load of two aligned ones, a store of bytes", () => {
  const { board, device } = make();
  assertEquals(board.read(0x900_0011, 2), 0x3322);
  assertEquals(board.read(0x900_0013, 4) >>> 0, 0x77665544);
  assertEquals(device.log, ["r2@16", "r2@18", "r4@16", "r4@20"]);
  device.log.length = 0;
  board.write(0x900_0011, 0xabcd, 2);
  assertEquals(device.log, ["w1@17=cd", "w1@18=ab"]);
  assertEquals(board.read(0x900_0ffd, 4), NO_ANSWER);
});

Deno.test("Board.readLong() and writeLong() split, low word first", () => {
  const { board, device } = make();
  const into = new Uint32Array(2);
  assertEquals([board.readLong(0x900_0010, into), ...into], [true, 0x44332211, 0x88776655]);
  assertEquals(board.writeLong(0x900_0010, 0x1111, 0xffff_ffff), true);
  assertEquals(device.log, ["r4@16", "r4@20", "w4@16=1111", "w4@20=ffffffff"]);
  assertEquals(board.readLong(0x900_0014, into), true);
  assertEquals([...into], [0x88776655, 0xccbbaa99]);
  assertEquals([board.readLong(0x900_1000, into), board.writeLong(0, 0, 0)], [false, false]);
});

Deno.test("Board.save() has every device by name, restore() wants them all", () => {
  const { board } = make();
  assertEquals(board.save(), { probe: { name: "probe" } });
  assertThrows(() => board.restore({}), Error, "No state of device probe");
});
