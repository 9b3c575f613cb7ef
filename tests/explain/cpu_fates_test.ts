/** `explain` says of each CPU what became of it. */
import { assertEquals, assertMatch } from "@std/assert";
import { fateLines } from "../../commands/cpu_fate_text.ts";
import { cpuFates } from "../../replay/queries/cpu_fates.ts";
import { Session } from "../../replay/session.ts";
import { Symbolizer } from "../../replay/symbolizer.ts";
import { program } from "../drivers/program.ts";
import { recordPlan } from "./record_guest.ts";

const TURN_ON = "ldr x0, =0xc4000003 ; mov x1, #1 ; mov x3, #0 ; hvc #0";

/** Lines about both CPUs of a guest. */
function fates(source: string, limit = 200_000): string[] {
  const trace = recordPlan(program(source).plan(), { cpus: 2 }, { limit });
  const symbols = new Symbolizer([], []);
  return cpuFates(new Session(trace)).flatMap((fate) => fateLines(fate, symbols));
}

Deno.test("cpuFates(): nobody switched the second CPU on", () => {
  assertEquals(fates("start: add x0, x0, #1 ; b start"), [
    "cpu0 goes round in a few instructions",
    "  began at #0, 0x40080000",
    "  last at #199999, 0x40080004, MMU off",
    "cpu1 was never switched on: nobody called PSCI CPU_ON for it",
  ]);
});

Deno.test("cpuFates(): PSCI refused to switch it on", () => {
  const lines = fates(`start: mov x2, #2 ; ${TURN_ON} \n rest: add x5, x5, #1 ; b rest`);
  assertEquals(lines.slice(3), [
    "cpu1 did not come up: PSCI CPU_ON at #4 answered INVALID_PARAMETERS",
    "  entry 0x2",
    "  The entry is not a multiple of 4",
  ]);
});

Deno.test("cpuFates(): it was sent to a virtual address, with its MMU off", () => {
  const lines = fates(`start: ldr x2, =0xffff000040080000 ; ${TURN_ON}
    rest: add x5, x5, #1 ; b rest`);
  assertMatch(lines[3], /^cpu1 is in the handler of a fault: instruction abort: .*address size/);
  assertMatch(lines[5], /0xffff000040080000, 0 instructions after it began, MMU off$/);
  assertEquals(
    lines[6],
    "  The address is a virtual one, and a CPU that comes up has its MMU off",
  );
});

Deno.test("cpuFates(): it waits at a spin table, by WFE or without, or for an interrupt", () => {
  const guest = (wait: string) => `
    start: ldr x2, =second ; ${TURN_ON}
    rest: add x5, x5, #1 ; b rest
    second: ldr x1, =table
    again: ${wait} ldr x0, [x1] ; cbz x0, again ; br x0
      .balign 8
    table: .quad 0
  `;
  assertMatch(fates(guest("wfe ;"))[3], /^cpu1 waits for an event \(WFE\)/);
  assertEquals(fates(guest("wfi ;"))[3], "cpu1 waits for an interrupt (WFI)");
  const spins = fates(guest(""));
  assertEquals(spins[3], "cpu1 goes round in a few instructions");
  assertMatch(spins.at(-1)!, /^ {2}reads 0x400800[0-9a-f]+: 0x0$/);
});

Deno.test("cpuFates(): the MMU is as it is in the end", () => {
  const lines = fates(`start: ldr x2, =second ; ${TURN_ON}
    rest: add x5, x5, #1 ; b rest
    second: ldr x0, =table ; msr ttbr0_el1, x0 ; ldr x0, =0x803519 ; msr tcr_el1, x0
      mov x0, #0xff ; msr mair_el1, x0 ; isb ; mov x0, #1 ; msr sctlr_el1, x0 ; isb
    again: wfe ; b again
      .balign 4096
    table: .quad 0
      .quad 0x40000701
  `);
  assertMatch(lines[2], /MMU off$/);
  assertMatch(lines[5], /^ {2}last at #\d+, 0x400800[0-9a-f]+, MMU on$/);
});

Deno.test("cpuFates(): it was switched off again", () => {
  const lines = fates(`start: ldr x2, =second ; ${TURN_ON}
    rest: add x5, x5, #1 ; b rest
    second: ldr w0, =0x84000002 ; hvc #0`);
  assertMatch(lines[3], /^cpu1 was switched off in the end \(#\d+\)$/);
});
