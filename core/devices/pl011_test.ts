import { assertEquals } from "@std/assert";
import { Pl011 } from "./pl011.ts";
import { TestLine } from "./test_line.ts";

const DR = 0, FR = 0x18, LCR_H = 0x2c, CR = 0x30, IMSC = 0x38, RIS = 0x3c, MIS = 0x40, ICR = 0x44;

function make() {
  const sent: number[] = [];
  const line = new TestLine();
  const uart = new Pl011({ base: 0x900_0000, line, output: (byte) => sent.push(byte) });
  const read = (offset: number) => uart.read(offset, 4);
  const write = (offset: number, value: number) => uart.write(offset, value, 4);
  /** FR and RIS. */
  const status = () => [read(FR), read(RIS)];
  return { uart, line, sent, read, write, status };
}

Deno.test("Pl011 has the reference's registers after reset", () => {
  const { read } = make();
  const values: [number, number][] = [];
  for (let offset = 0; offset < 0x1000; offset += 4) {
    if (read(offset)) values.push([offset, read(offset)]);
  }
  assertEquals(values, [
    [FR, 0x90],
    [CR, 0x300],
    [0x34, 0x12],
    [0xfe0, 0x11],
    [0xfe4, 0x10],
    [0xfe8, 0x14],
    [0xff0, 0x0d],
    [0xff4, 0xf0],
    [0xff8, 0x05],
    [0xffc, 0xb1],
  ]);
});

Deno.test("Pl011 keeps all bits of its control registers", () => {
  const { read, write } = make();
  for (const offset of [0x20, 0x24, 0x28, LCR_H, CR, 0x34, IMSC, 0x48]) {
    write(offset, 0xffff_ffff);
    assertEquals([offset, read(offset)], [offset, 0xffff_ffff]);
  }
  for (const offset of [4, FR, RIS, MIS, ICR, 0x1c]) {
    const before = read(offset);
    if (offset !== ICR) write(offset, 0xffff_ffff);
    assertEquals(read(offset), before);
  }
});

Deno.test("Pl011 sends at once, even while it is disabled, and raises TX", () => {
  const { line, sent, write, status } = make();
  write(CR, 0);
  write(DR, 0x141);
  assertEquals([sent, status(), line.level], [[0x41], [0x90, 0x20], false]);
  write(IMSC, 0x20);
  assertEquals(line.level, true);
  write(ICR, 0x20);
  assertEquals([status(), line.level], [[0x90, 0], false]);
});

// The sequences below were typed into the reference and the same values read there.

Deno.test("Pl011 receives one byte at a time with FIFOs off", () => {
  const { uart, read, status, write } = make();
  write(DR, 0);
  for (const byte of [0x41, 0x42]) {
    uart.receive(byte);
    assertEquals([status(), uart.canReceive], [[0xc0, 0x30], false]);
    assertEquals([read(DR), status()], [byte, [0x90, 0x20]]);
    assertEquals([read(DR), status()], [0, [0x90, 0x20]]);
  }
});

Deno.test("Pl011 forgets received bytes, but not the flags, when FIFOs are turned on", () => {
  const { uart, read, write, status } = make();
  write(DR, 0);
  uart.receive(0x41);
  assertEquals(read(DR), 0x41);
  uart.receive(0x42);
  assertEquals(status(), [0xc0, 0x30]);
  write(LCR_H, 0x10);
  assertEquals(status(), [0xc0, 0x30]);
  assertEquals([read(DR), status()], [0x41, [0x90, 0x20]]);
});

Deno.test("Pl011 takes sixteen bytes with FIFOs on", () => {
  const { uart, line, read, write, status } = make();
  write(LCR_H, 0x10);
  write(IMSC, 0x10);
  for (let byte = 0; byte < 20; byte++) uart.receive(byte);
  assertEquals([status(), line.level], [[0xc0, 0x10], true]);
  assertEquals([read(DR), status()], [0, [0x80, 0x10]]);
  for (let byte = 1; byte < 16; byte++) assertEquals(read(DR), byte);
  assertEquals([status(), line.level], [[0x90, 0], false]);
});

Deno.test("Pl011 acknowledges RX by ICR although bytes wait", () => {
  const { uart, write, status } = make();
  uart.receive(0x41);
  write(ICR, 0x10);
  assertEquals(status(), [0xc0, 0]);
});

Deno.test("Pl011.restore() brings back what save() gave", () => {
  const { uart, write } = make();
  write(LCR_H, 0x10);
  write(IMSC, 0x10);
  uart.receive(0x41);
  const copy = make();
  copy.uart.restore(uart.save());
  assertEquals(copy.uart.save(), uart.save());
  assertEquals([copy.line.level, copy.read(DR)], [true, 0x41]);
});
