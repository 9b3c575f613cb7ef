/** Watchpoints on virtual addresses, beside a scan of all steps. */
import { assert, assertEquals } from "@std/assert";
import { disassemble } from "../../core/isa/disassemble.ts";
import { translationOf } from "../../replay/guest_view.ts";
import { Session } from "../../replay/session.ts";
import { type WatchKind, Watchpoint } from "../../replay/stop_points.ts";
import { Timeline } from "../../replay/timeline.ts";
import { VirtualBytes } from "../../replay/watched_bytes.ts";
import { POWER_OFF, program } from "./assembly.ts";
import { random, record } from "./recordings.ts";

/** Maps 0x80000000 now here, now there, in two address spaces, and accesses it and what it maps. */
const REMAPS = program(`
  adr x0, =table; adr x1, =blocks
  movz x2, #0x701; movk x2, #0x4000, lsl #16; str x2, [x0, #8]
  orr x3, x1, #0x3; str x3, [x0, #0x10]
  movz x4, #0xf01; movk x4, #0x4020, lsl #16; movz x5, #0xf01; movk x5, #0x4040, lsl #16
  movz x15, #0x701; movk x15, #0x4060, lsl #16; str x4, [x1]; str x15, [x1, #8]
  mov x2, #0xff; msr mair_el1, x2
  movz x2, #0x19; movk x2, #0x80, lsl #16; msr tcr_el1, x2
  movz x14, #0x1, lsl #48; orr x6, x0, x14; msr ttbr0_el1, x6; isb
  mrs x3, sctlr_el1; orr x3, x3, #0x1; msr sctlr_el1, x3; isb
  movz x16, #0x8020, lsl #16
  mov x20, #0x28
loop:
  movz x7, #0x8000, lsl #16; and x8, x20, #0x7; add x7, x7, x8, lsl #3
  str x20, [x7]; ldrb w9, [x7, #3]
  movz x10, #0x4020, lsl #16; add x10, x10, x8, lsl #3
  str w20, [x10, #4]; ldr x11, [x10]; str w20, [x16, #8]
  and x12, x20, #0x3; cbnz x12, =no_remap
  str x5, [x1]; dsb sy; tlbi vmalle1; dsb sy; isb
  mov x13, x4; mov x4, x5; mov x5, x13
no_remap:
  and x12, x20, #0x7; cbnz x12, =no_switch
  eor x6, x6, x14; msr ttbr0_el1, x6; isb
no_switch:
  sub x20, x20, #0x1; cbnz x20, =loop
  ${POWER_OFF}
.align 4096
table:
  .word 0
.align 4096
blocks:
  .word 0
.align 4096
  .word 0
`);
const TRACE = record(REMAPS.image, { windowSteps: 100 });
const TWO_MB = 1 << 21;

interface Moment {
  readonly asid: number;
  readonly va: number;
  readonly size: number;
  readonly write: boolean;
  readonly pa: number | null;
  readonly global: boolean;
  /** Where 0x80000000 and 0x80200000 are. */
  readonly areas: readonly (number | null)[];
}

/** Every moment; those without an access have size 0. */
function moments(): Moment[] {
  const session = new Session(TRACE);
  const timeline = new Timeline(TRACE);
  return Array.from({ length: TRACE.end }, (_, position) => {
    session.seek(position);
    const { machine } = session;
    const { cpus: [{ x }] } = session.state();
    const word = timeline.instructionAt(position)?.word ?? 0;
    const [, name = "", register = "", base = "0", offset = "0"] =
      /^((?:ld|st)rb?) (\w+), \[x(\d+)(?:, #(\w+))?\]/.exec(disassemble(word, session.pc)) ?? [];
    const va = Number(x[Number(base)]) + Number(offset);
    const view = translationOf(machine, BigInt(va));
    const { regime } = machine.processor.translation;
    return {
      asid: regime.asid,
      va,
      size: name === "" ? 0 : name.endsWith("b") ? 1 : register.startsWith("w") ? 4 : 8,
      write: name.startsWith("st"),
      pa: view.pa,
      global: view.walk === null || (view.walk.leaf !== null && !view.walk.leaf.notGlobal),
      areas: [0, 1].map((n) => translationOf(machine, BigInt(0x8000_0000 + n * TWO_MB)).pa),
    };
  });
}

Deno.test("a virtual watchpoint keeps to its address space, and follows its address", () => {
  assertEquals(TRACE.footer?.reason, "poweroff");
  const all = moments();
  const next = random(5);
  let found = 0;
  for (let tries = 0; tries < 60; tries++) {
    const set = tries === 0 ? 0 : 40 + next(TRACE.end - 40);
    const area = next(4) === 0 ? 1 : 0;
    const va = 0x8000_0000 + area * TWO_MB + next(70);
    const length = 1 + next(20);
    const any = tries % 2 === 0;
    const kind = (["write", "read", "access"] satisfies WatchKind[])[tries % 3];
    const here = all[set].areas[area];
    const expected = all.flatMap((moment, position) => {
      const { write, size, global, asid, pa, areas } = moment;
      if (size === 0 || (kind === "write" && !write) || (kind === "read" && write)) return [];
      const own = global || asid === all[set].asid;
      const meets = (first: number, start: number) =>
        first < start + length && first + size > start;
      if (!any) return own && meets(moment.va, va) ? [position] : [];
      // The second area is global, the first is not.
      const base = area === 1 || asid === all[set].asid ? areas[area] ?? here : here;
      return base !== null && meets(pa ?? -1, base + va % TWO_MB) ? [position] : [];
    });
    found += expected.length;
    const session = new Session(TRACE);
    session.seek(set);
    const bytes = new VirtualBytes(session, { va: BigInt(va), length }, any);
    const point = new Watchpoint("", kind, bytes);
    const places = { session, timeline: new Timeline(TRACE) };
    const hits: number[] = [];
    for (let from = 0;;) {
      const hit = point.find(places, { direction: "forward", from, limit: TRACE.end });
      if (!hit) break;
      hits.push(hit.position - 1);
      from = hit.position;
    }
    assertEquals(
      hits,
      expected,
      `${any ? "any " : ""}${kind} ${va.toString(16)} ${length} #${set}`,
    );
    const last = point.find(places, { direction: "backward", from: TRACE.end, limit: 0 });
    assertEquals(last?.position, expected.at(-1));
  }
  assert(found > 200);
});
