/** Guests that boot again: the reference, the recording and its re-execution agree. */
import { assertEquals } from "@std/assert";
import { Debugger } from "../../replay/debugger.ts";
import { verify } from "../../replay/queries/verify.ts";
import { lastWriters } from "../../replay/queries/writers.ts";
import { Session } from "../../replay/session.ts";
import { Watchpoint } from "../../replay/stop_points.ts";
import { Timeline } from "../../replay/timeline.ts";
import { PhysicalBytes } from "../../replay/watched_bytes.ts";
import { hasQemu, runQemu } from "../drivers/qemu.ts";
import { program } from "./assembly.ts";
import { bootMachine, consoleText, momentOf, momentsOf, record } from "./recordings.ts";

/**
 * Prints how often it has booted, whether its own data is as loaded, and what the MMU, a device and
 * registers are at; then changes all of them and resets, twice.
 */
const RESETS = program(`
  mov x19, x9
  movz x0, #0x4100, lsl #16; movz x1, #0x900, lsl #16
  ldr w2, [x0]; add w2, w2, #1; str w2, [x0]
  add w3, w2, #0x30; str w3, [x1]
  adr x4, =own; ldr w5, [x4]; add w5, w5, #0x30; str w5, [x1]
  mov w5, #0x7; str w5, [x4]
  mrs x6, sctlr_el1; and x6, x6, #0x1; add w6, w6, #0x30; str w6, [x1]
  ldr w7, [x1, #0x24]; add w7, w7, #0x30; str w7, [x1]; mov w7, #0x9; str w7, [x1, #0x24]
  mrs x6, vbar_el1; cmp x6, #0; cset w6, ne; add w6, w6, #0x30; str w6, [x1]
  cmp x19, #0; cset w6, ne; add w6, w6, #0x30; str w6, [x1]
  adr x10, =table; msr vbar_el1, x10
  movz x11, #0x701; movk x11, #0x4000, lsl #16; str x11, [x10, #8]
  movz x12, #0x701; str x12, [x10]
  mov x13, #0xff; msr mair_el1, x13
  movz x13, #0x19; movk x13, #0x80, lsl #16; msr tcr_el1, x13
  msr ttbr0_el1, x10; isb
  mrs x13, sctlr_el1; orr x13, x13, #0x1; msr sctlr_el1, x13; isb
  mov x9, #0x5
  cmp w2, #0x3; b.eq =off
  bl =reset
reset:
  movz w0, #0x9; movk w0, #0x8400, lsl #16
ask:
  hvc #0x0
off:
  movz w0, #0x8; movk w0, #0x8400, lsl #16; hvc #0x0
own:
  .word 1
.align 4096
table:
  .word 0
.align 4096
  .word 0
`);
const OPTIONS = { reboots: 5 };

Deno.test({
  name: "a guest that resets meets what it meets on the reference",
  ignore: !hasQemu(),
  async fn() {
    // The last -action wins: unlike -no-reboot, the guest boots again.
    const extra = ["-action", "reboot=reset"];
    const { text } = await runQemu(RESETS.image, { memory: "64M", extra, timeoutMs: 10_000 });
    const trace = record(RESETS.image, { machine: OPTIONS });
    assertEquals(trace.footer?.reason, "poweroff");
    assertEquals(consoleText(trace.events()), text);
  },
});

for (const windowSteps of [1 << 20, 50, 7]) {
  Deno.test(`resets are re-executed, both ways, in windows of ${windowSteps}`, () => {
    const trace = record(RESETS.image, { windowSteps, machine: OPTIONS });
    assertEquals(verify(trace).difference, null);
    const resets = [...trace.events({ kinds: new Set(["reset"]) })];
    const ask = BigInt(RESETS.labels.get("ask")!);
    assertEquals(resets.map(({ pc }) => pc), [ask, ask]);
    const positions = Array.from({ length: trace.end + 1 }, (_, i) => i);
    const pages = trace.pageAddresses(trace.windows.length - 1);
    const expected = momentsOf(bootMachine(RESETS.image, OPTIONS), positions, pages);
    const session = new Session(trace);
    for (const position of positions) {
      session.seek(position);
      assertEquals(momentOf(session.machine, pages), expected[position]);
    }
    for (const position of positions.reverse()) {
      session.seek(position);
      assertEquals(momentOf(session.machine, pages), expected[position]);
    }
  });
}

Deno.test("a trace ends with the reset that is one too many, and verifies", () => {
  for (const reboots of [0, 1]) {
    const trace = record(RESETS.image, { windowSteps: 60, machine: { reboots } });
    assertEquals(trace.footer?.reason, "reset");
    assertEquals(trace.footer?.events.reset, reboots + 1);
    assertEquals(verify(trace).difference, null);
  }
});

Deno.test("the loader writes again at a reset", () => {
  const trace = record(RESETS.image, { machine: OPTIONS });
  const session = new Session(trace);
  const own = RESETS.labels.get("own")!;
  const [first, second] = [...trace.events({ kinds: new Set(["reset"]) })].map((e) => e.position);
  const writer = (before: number) => lastWriters(session, { address: own, length: 4 }, before)[0];
  assertEquals(writer(first).by, "store");
  assertEquals([writer(first + 1).by, writer(first + 1).position], ["loader", first]);
  const places = { session, timeline: new Timeline(trace) };
  const point = new Watchpoint("", "change", new PhysicalBytes({ address: own, length: 4 }));
  const hit = point.find(places, { direction: "backward", from: trace.end, limit: second - 1 });
  assertEquals(hit?.access?.by, "instruction");
  const reset = point.find(places, { direction: "backward", from: hit!.position, limit: 0 });
  assertEquals([reset?.position, reset?.access?.by], [second, "loader"]);
});

Deno.test("nothing returns across a reset", () => {
  const trace = record(RESETS.image, { machine: OPTIONS });
  const debug = new Debugger(new Session(trace));
  const [first] = [...trace.events({ kinds: new Set(["reset"]) })].map((e) => e.position);
  debug.goto(first);
  assertEquals(debug.timeline.functionCall(first) !== undefined, true);
  assertEquals(debug.timeline.functionCall(first + 5), undefined);
  debug.goto(first);
  assertEquals(debug.step().position, first + 1);
  assertEquals(debug.session.pc, trace.image.pc);
  assertEquals(debug.reverseStep().position, first);
});

Deno.test("a guest that resets in the same state each time is no loop", () => {
  const image = program("movz w0, #0x9; movk w0, #0x8400, lsl #16; hvc #0x0").image;
  const trace = record(image, { machine: { reboots: 1000 } });
  assertEquals(trace.footer?.reason, "reset");
  assertEquals(trace.footer?.events.reset, 1001);
});
