import { assertEquals } from "@std/assert";
import { Pl031 } from "./pl031.ts";
import { TestLine } from "./test_line.ts";

const DR = 0, MR = 4, LR = 8, CR = 0xc, IMSC = 0x10, RIS = 0x14, MIS = 0x18, ICR = 0x1c;
/** 2000-01-01T00:00:00Z. */
const START = 946_684_800;

function make() {
  const time = { now: 0 };
  const line = new TestLine();
  const clock = { nanoseconds: () => time.now };
  const rtc = new Pl031({ base: 0x901_0000, clock, line, start: START });
  const read = (offset: number) => rtc.read(offset, 4);
  const write = (offset: number, value: number) => rtc.write(offset, value, 4);
  return { rtc, time, line, read, write };
}

Deno.test("Pl031 has the reference's registers after reset", () => {
  const { read } = make();
  assertEquals([DR, MR, LR, CR, IMSC, RIS, MIS].map(read), [0x386d4380, 0, 0, 1, 0, 0, 0]);
  const identification = [0xfe0, 0xfe4, 0xfe8, 0xfec, 0xff0, 0xff4, 0xff8, 0xffc].map(read);
  assertEquals(identification, [0x31, 0x10, 0x14, 0, 0x0d, 0xf0, 0x05, 0xb1]);
});

Deno.test("Pl031 follows virtual time from what is loaded", () => {
  const { time, read, write } = make();
  time.now = 2_999_999_999;
  assertEquals(read(DR), START + 2);
  write(LR, 100);
  assertEquals([read(DR), read(LR)], [100, 100]);
  time.now = 4e9;
  assertEquals(read(DR), 102);
});

Deno.test("Pl031 raises its alarm at once on a match, and is acknowledged by bit 0", () => {
  const { line, read, write } = make();
  write(LR, 100);
  write(MR, 100);
  assertEquals([read(RIS), read(MIS), line.level], [1, 0, false]);
  write(IMSC, 0xff);
  assertEquals([read(IMSC), read(MIS), line.level], [1, 1, true]);
  write(ICR, 2);
  write(ICR, 0);
  assertEquals(read(RIS), 1);
  write(ICR, 1);
  assertEquals([read(RIS), line.level], [0, false]);
});

Deno.test("Pl031.nextEvent() is when the alarm goes off", () => {
  const { rtc, time, line, write } = make();
  write(IMSC, 1);
  assertEquals(rtc.nextEvent(), Infinity);
  time.now = 500_000_000;
  write(MR, START + 3);
  assertEquals(rtc.nextEvent(), 3_500_000_000);
  time.now = 3_499_999_999;
  rtc.update();
  assertEquals(line.level, false);
  time.now = 3_500_000_000;
  rtc.update();
  assertEquals([line.level, rtc.nextEvent()], [true, Infinity]);
});

Deno.test("Pl031.restore() brings back what save() gave", () => {
  const { rtc, write } = make();
  write(LR, 1);
  write(MR, 5);
  const copy = make();
  copy.rtc.restore(rtc.save());
  assertEquals([copy.rtc.save(), copy.rtc.nextEvent()], [rtc.save(), rtc.nextEvent()]);
});
