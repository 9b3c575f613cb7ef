/** `catch` beside the list of events, in both directions. */
import { assert, assertEquals, assertThrows } from "@std/assert";
import { parseCatchpoint } from "../../commands/replay_points.ts";
import { UserError } from "../../commands/user_error.ts";
import type { MachineEvent } from "../../core/observer.ts";
import { buildKernel } from "../../kernel/build.ts";
import { Debugger } from "../../replay/debugger.ts";
import { Session } from "../../replay/session.ts";
import { exceptionClass } from "../../replay/syndrome.ts";
import { record } from "./recordings.ts";

const TRACE = record(buildKernel({ bug: "pxn" }).elf, { windowSteps: 20_000 });
const EVENTS = [...TRACE.events()];

const KINDS: Readonly<Record<string, (event: MachineEvent) => boolean>> = {
  "exception": (e) => e.kind === "exception",
  "exception sync": (e) => e.kind === "exception" && e.type === "sync",
  "exception irq": (e) => e.kind === "exception" && e.type === "irq",
  "exception fault": (e) => e.kind === "exception" && exceptionClass(e.esr) !== 0x15,
  "exception 0x21": (e) => e.kind === "exception" && exceptionClass(e.esr) === 0x21,
  "eret": (e) => e.kind === "eret",
  "tlb": (e) => e.kind === "tlb-fill",
  "tlb execute": (e) => e.kind === "tlb-fill" && e.access === "execute",
  "tlb write": (e) => e.kind === "tlb-fill" && e.access === "write",
  "mmio": (e) => e.kind === "mmio",
  "mmio read": (e) => e.kind === "mmio" && !e.write,
  "mmio write": (e) => e.kind === "mmio" && e.write,
  "mmio 0x9000018": (e) => e.kind === "mmio" && e.address === 0x900_0018,
  "sysreg": (e) => e.kind === "sysreg",
  "sysreg sctlr_el1": (e) => e.kind === "sysreg" && e.register === "SCTLR_EL1",
  "hazard": (e) => e.kind === "hazard",
};

/** Where a debugger with one catchpoint stops from one end of the trace to the other. */
function stops(text: string, direction: "continue" | "reverseContinue", most: number): number[] {
  const debug = new Debugger(new Session(TRACE));
  debug.goto(direction === "continue" ? 0 : TRACE.end);
  debug.add(parseCatchpoint(text));
  const found: number[] = [];
  while (found.length < most) {
    const stop = debug[direction]();
    if (stop.reason !== "stop-point") break;
    assert(stop.hit?.event);
    found.push(stop.position);
  }
  return found;
}

for (const [text, matches] of Object.entries(KINDS)) {
  Deno.test(`catch ${text} stops before each such event, both ways, and at the n-th only`, () => {
    const all = EVENTS.filter(matches).map(({ position }) => position);
    const some = [...new Set(all)].filter((position) => position > 0);
    assertEquals(stops(text, "continue", 30), some.slice(0, 30));
    assertEquals(stops(text, "reverseContinue", 30), some.slice(-30).reverse());
    for (const n of [1, 2, all.length].filter((n) => n >= 1 && n <= all.length)) {
      const only = all[n - 1] > 0 ? [all[n - 1]] : [];
      assertEquals(stops(`${text} ${n}`, "continue", 3), only, `${n}`);
      assertEquals(stops(`${text} ${n}`, "reverseContinue", 3), only, `${n}`);
    }
    assertEquals(stops(`${text} ${all.length + 1}`, "continue", 3), []);
  });
}

Deno.test("parseCatchpoint() refuses what no event can match", () => {
  for (const text of ["", "sysreg VBR_EL1", "tlb 0x40", "eret 0", "exception sync irq", "mmio x"]) {
    assertThrows(() => parseCatchpoint(text), UserError, `Cannot catch "${text}"`);
  }
});
