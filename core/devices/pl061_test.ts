import { assertEquals } from "@std/assert";
import { Pl061 } from "./pl061.ts";
import { TestLine } from "./test_line.ts";

const DATA = 0x3fc, DIR = 0x400, IS = 0x404, IEV = 0x40c, IE = 0x410;
const RIS = 0x414, MIS = 0x418, IC = 0x41c;

function make() {
  const line = new TestLine();
  const clock = { now: 0, nanoseconds: () => clock.now };
  const gpio = new Pl061({ base: 0x903_0000, clock, line });
  const read = (offset: number) => gpio.read(offset, 4);
  const write = (offset: number, value: number) => gpio.write(offset, value, 4);
  return { gpio, clock, line, read, write };
}

Deno.test("Pl061 answers a sequence as the reference", () => {
  const { read, write } = make();
  const seen: number[] = [];
  write(DATA, 0xff);
  seen.push(read(DATA));
  write(DIR, 0x0f);
  write(DATA, 0xff);
  seen.push(read(DATA), read(0x0c));
  write(DIR, 0);
  seen.push(read(DATA), read(RIS));
  write(IS, 0xff);
  seen.push(read(RIS));
  write(IEV, 0xff);
  seen.push(read(RIS), read(MIS));
  write(IE, 1);
  seen.push(read(MIS));
  write(IC, 0xff);
  seen.push(read(RIS));
  write(IS, 0);
  write(IC, 0xff);
  seen.push(read(RIS));
  assertEquals(seen, [0, 0xf, 3, 0xf, 0, 0xf0, 0xff, 0, 1, 0xf, 0]);
});

Deno.test("Pl061 raises an interrupt on the edge of an input", () => {
  const { gpio, line, read, write } = make();
  write(IEV, 8);
  write(IE, 8);
  gpio.setInput(3, true);
  assertEquals([read(DATA), line.level], [8, true]);
  write(IC, 8);
  gpio.setInput(3, false);
  assertEquals([read(DATA), line.level], [0, false]);
});

Deno.test("Pl061.press() holds a line high for a tenth of a second", () => {
  const { gpio, clock, read } = make();
  clock.now = 5_400_000;
  assertEquals(gpio.nextEvent(), Infinity);
  gpio.press(3);
  assertEquals([read(DATA), gpio.nextEvent()], [8, 105_000_000]);
  const copy = make();
  copy.gpio.restore(gpio.save());
  for (const each of [{ gpio, clock, read }, copy]) {
    each.clock.now = 104_999_999;
    each.gpio.update();
    assertEquals(each.read(DATA), 8);
    each.clock.now++;
    each.gpio.update();
    assertEquals([each.read(DATA), each.gpio.nextEvent()], [0, Infinity]);
  }
  assertEquals(copy.gpio.save(), gpio.save());
});

Deno.test("Pl061.restore() brings back what save() gave", () => {
  const { gpio, write } = make();
  write(DIR, 0xff);
  write(DATA, 0x5a);
  const copy = make();
  copy.gpio.restore(gpio.save());
  assertEquals([copy.gpio.save(), copy.read(DATA)], [gpio.save(), 0x5a]);
});
