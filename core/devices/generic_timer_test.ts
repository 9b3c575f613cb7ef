import { assertEquals } from "@std/assert";
import { TestContext } from "../system/system_test_context.ts";
import { slotOf } from "../system/sysregs.ts";

const CTL = slotOf("CNTV_CTL_EL0"), CVAL = slotOf("CNTV_CVAL_EL0");

Deno.test("GenericTimer.counter() ticks every 16 ns", () => {
  const context = new TestContext();
  for (const [now, ticks] of [[0, 0n], [15, 0n], [16, 1n], [1e9, 62_500_000n]] as const) {
    context.now = now;
    assertEquals(context.timer.counter(), ticks);
  }
});

Deno.test("GenericTimer.control() shows ISTATUS only of a timer that is on", () => {
  const { state, timer } = new TestContext();
  assertEquals(timer.control("virtual"), 0n);
  state.set64(CTL, 2n);
  assertEquals(timer.control("virtual"), 2n);
  state.set64(CTL, 3n);
  assertEquals(timer.control("virtual"), 7n);
  state.set64(CVAL, 100n);
  assertEquals(timer.control("virtual"), 3n);
});

Deno.test("GenericTimer.setValue() is signed and relative to now", () => {
  const context = new TestContext();
  context.now = 1600;
  context.timer.setValue("virtual", 0xffff_ffffn);
  assertEquals(context.state.get64(CVAL), 99n);
  assertEquals(context.timer.value("virtual"), 0xffff_ffffn);
  context.timer.setValue("virtual", 50n);
  context.now = 1760;
  assertEquals(context.timer.value("virtual"), 40n);
});

Deno.test("GenericTimer.nextEvent() is when the line goes high", () => {
  const context = new TestContext();
  const { state, timer, lines } = context;
  assertEquals([timer.nextEvent(), timer.idle], [Infinity, true]);
  state.set64(CTL, 1n);
  state.set64(CVAL, 1000n);
  assertEquals([timer.nextEvent(), timer.idle], [16_000, false]);
  context.now = 15_999;
  timer.update();
  assertEquals(lines.virtual, false);
  context.now = 16_000;
  timer.update();
  assertEquals([lines.virtual, timer.nextEvent()], [true, Infinity]);
  state.set64(CTL, 3n);
  timer.update();
  assertEquals(lines.virtual, false);
});

Deno.test("GenericTimer.nextEvent() of a compare value that is never reached is Infinity", () => {
  const { state, timer } = new TestContext();
  state.set64(CTL, 1n);
  state.set64(CVAL, 0xffff_ffff_ffff_ffffn);
  assertEquals(timer.nextEvent(), Infinity);
});
