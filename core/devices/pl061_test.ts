import { assertEquals } from "@std/assert";
import { Pl061 } from "./pl061.ts";
import { TestLine } from "./test_line.ts";

const DATA = 0x3fc, DIR = 0x400, IS = 0x404, IEV = 0x40c, IE = 0x410;
const RIS = 0x414, MIS = 0x418, IC = 0x41c;

function make() {
  const line = new TestLine();
  const gpio = new Pl061({ base: 0x903_0000, line });
  const read = (offset: number) => gpio.read(offset, 4);
  const write = (offset: number, value: number) => gpio.write(offset, value, 4);
  return { gpio, line, read, write };
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

Deno.test("Pl061.restore() brings back what save() gave", () => {
  const { gpio, write } = make();
  write(DIR, 0xff);
  write(DATA, 0x5a);
  const copy = make();
  copy.gpio.restore(gpio.save());
  assertEquals([copy.gpio.save(), copy.read(DATA)], [gpio.save(), 0x5a]);
});
