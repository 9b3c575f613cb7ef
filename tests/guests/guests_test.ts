/** The short form of `deno task guests`: every guest that is not slow, each at one level. */
import { assertEquals } from "@std/assert";
import { hasQemu } from "../drivers/qemu.ts";
import { GUESTS } from "./catalogue.ts";
import { parseExceptionLog } from "./exception_log.ts";
import { judgeGuest, pipeline, prepareGuest } from "./run_guest.ts";
import { hasToolchain } from "./toolchain.ts";

/** Guests that are built and run on the reference at a time. */
const READY = 4;

const missing = [
  ...hasToolchain() ? [] : ["aarch64-linux-gnu-gcc"],
  ...hasQemu() ? [] : ["qemu-system-aarch64"],
];
if (missing.length > 0) console.log(`skipped: guests, which need ${missing.join(" and ")}`);

Deno.test({
  name: "Machine.run() gives guests the reference's console, exceptions and end",
  ignore: missing.length > 0,
  async fn() {
    const problems: string[] = [];
    // Neighbours in the table differ in level, so that every level has a part of the guests.
    const runs = GUESTS.filter(({ slow }) => !slow).map((guest, i) => ({
      guest,
      level: guest.levels[i % guest.levels.length],
    }));
    await pipeline(
      runs,
      READY,
      ({ guest, level }) => prepareGuest(guest, level),
      (prepared, { guest, level }) => {
        const found = prepared instanceof Error
          ? [prepared.message]
          : judgeGuest(prepared).problems;
        problems.push(...found.map((problem) => `${guest.name} ${level}: ${problem}`));
      },
    );
    assertEquals(problems, []);
  },
});

Deno.test("parseExceptionLog() gives a line per exception and leaves out PSCI calls", () => {
  const log = `Taking exception 2 [SVC] on CPU 0
...from EL0 to EL1
...with ESR 0x15/0x56000000
...with ELR 0x400404
...to EL1 PC 0xffff000040200c00 PSTATE 0x3c5
Exception return from AArch64 EL1 to AArch64 EL0 PC 0x400404
Taking exception 4 [Data Abort] on CPU 0
...from EL1 to EL1
...with ESR 0x25/0x96000010
...with FAR 0x50000000
...with ELR 0x40201e00
...to EL1 PC 0x40200a00 PSTATE 0x3c5
Taking exception 5 [IRQ] on CPU 0
...from EL1 to EL1
...with ESR 0x25/0x96000010
...with ELR 0x40201e04
...to EL1 PC 0x40200a80 PSTATE 0x3c5
Taking exception 11 [Hypervisor Call] on CPU 0
...handled as PSCI call
Taking exception 1 [Undefined Instruction] on CPU 0
...from EL1 to`;
  assertEquals(parseExceptionLog(log), [
    "sync esr 56000000 el0 elr 400404 vector ffff000040200c00",
    "sync esr 96000010 far 50000000 el1 elr 40201e00 vector 40200a00",
    "irq el1 elr 40201e04 vector 40200a80",
  ]);
});
