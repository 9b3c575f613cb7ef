/** Boots of several CPUs are compared CPU by CPU; how their turns lie does not count. */
import { assert, assertEquals, assertMatch } from "@std/assert";
import { diff } from "../../replay/queries/diff.ts";
import { sceneOf } from "../../replay/queries/diff_scene.ts";
import type { Trace } from "../../trace/mod.ts";
import { program } from "../drivers/program.ts";
import { record } from "../replay/recordings.ts";

/** Two CPUs that hand a number over and back, by flags that they poll. */
function boot({ delay = "", value = 7 }): Trace {
  const guest = program(`
    start: ldr x0, =0xc4000003 ; mov x1, #1 ; ldr x2, =second ; mov x3, #0 ; hvc #0
      ldr x9, =box ; mov x10, #0
    more: add x10, x10, #1 ; ${delay} str x10, [x9, #8] ; stlr x10, [x9]
    back: ldr x11, =answer ; ldar x12, [x11] ; cmp x12, x10 ; b.ne back
      cmp x10, #200 ; b.lo more
      ldr w0, =0x84000008 ; hvc #0
    second: ldr x9, =box ; ldr x11, =answer ; mov x13, #0
    next: ldar x12, [x9] ; cmp x12, x13 ; b.eq next
      mov x13, x12 ; ldr x14, [x9, #8] ; add x14, x14, #${value} ; str x14, [x11, #8]
      cmp x13, #100 ; b.ne same ; mov x15, #${value} ; str x15, [x11, #16]
    same: stlr x13, [x11] ; b next
      .balign 8
    box: .quad 0
      .quad 0
    answer: .quad 0
      .quad 0
      .quad 0
  `).plan();
  return record(guest, { machine: { cpus: 2 }, limit: 12_000_000 });
}

/** Where CPUs took turns. */
function turnsOf(trace: Trace): number[] {
  return [...trace.events({ kinds: new Set(["turn"]) })].map(({ position }) => position);
}

Deno.test("diff() finds nothing where only the turns lie otherwise", () => {
  const [a, b] = [boot({}), boot({ delay: "nop ; nop ; nop ;" })];
  assertEquals([a.footer?.reason, b.footer?.reason], ["poweroff", "poweroff"]);
  assert(turnsOf(a).some((position, n) => position !== turnsOf(b)[n]));
  assertEquals(diff(a, b).first, null);
  assertEquals(diff(a, boot({})).first, null);
});

Deno.test("diff() names the CPU that did something else", () => {
  const a = boot({});
  const b = boot({ delay: "nop ; nop ; nop ;", value: 9 });
  const { first, relation } = diff(a, b);
  assertEquals(first?.a?.kind, "store");
  assertEquals([first!.a!, first!.b!].map(({ position }, n) => [a, b][n].turns.cpuAt(position)), [
    1,
    1,
  ]);
  assertMatch(sceneOf(relation, "a", first!.a!).place, /^#\d+ {2}cpu1 {2}0x/);
});
