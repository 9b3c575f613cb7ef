/** Guests in C are re-executed exactly: interrupts, threads, modified code, tables changed on the way. */
import { assertEquals } from "@std/assert";
import { verify } from "../../replay/queries/verify.ts";
import { Session } from "../../replay/session.ts";
import { GUESTS } from "../guests/catalogue.ts";
import { buildGuest, hasToolchain } from "../guests/toolchain.ts";
import { bootMachine, momentOf, momentsOf, random, record } from "./recordings.ts";

const NAMES = [
  "exceptions",
  "selfmod",
  "tlb",
  "threads-mmu",
  "kernel-preempt",
  "timers",
  "fp_lazy",
  "faulting_handler",
  "missing_tlbi",
];
const LIMIT = 2_000_000;
const SEEKS = 8;

for (const name of NAMES) {
  Deno.test({
    name: `verify() and Session.seek() agree with the recording of ${name}`,
    ignore: !hasToolchain(),
    async fn() {
      const guest = GUESTS.find((guest) => guest.name === name)!;
      const image = await buildGuest({ ...guest, level: guest.levels[0] });
      const trace = record(image, { windowSteps: 50_021, limit: LIMIT });
      assertEquals(verify(trace).difference, null);
      const pages = trace.pageAddresses(trace.windows.length - 1).slice(0, 200);
      const next = random(trace.end);
      const positions = Array.from({ length: SEEKS }, () => next(trace.end)).sort((a, b) => a - b);
      const expected = momentsOf(bootMachine(image), positions, pages);
      const session = new Session(trace);
      for (let i = SEEKS - 1; i >= 0; i--) {
        session.seek(positions[i]);
        assertEquals(momentOf(session.machine, pages), expected[i]);
      }
    },
  });
}
