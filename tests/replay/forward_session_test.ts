/** A session that goes forward has the same memory as one that looks pages up. */
import { assert, assertEquals } from "@std/assert";
import { buildKernel } from "../../kernel/mod.ts";
import { Session } from "../../replay/session.ts";
import { openTrace } from "../../trace/mod.ts";
import { recordBytes } from "./recordings.ts";

Deno.test("Session.loadKeyframe() ahead makes the changes of the windows between, whatever was written", () => {
  const trace = openTrace(recordBytes(buildKernel().elf, { windowSteps: 1 << 13 }));
  const last = trace.windows.length - 1;
  assert(last > 10);
  // So that content leaves the cache while it is wanted.
  trace.keepPages(1);
  const session = new Session(trace, { forward: true, watched: true });
  const { memory } = session.machine;
  for (const window of [1, 4, 4, 9, 2, last - 1, last]) {
    session.loadKeyframe(window);
    for (const address of trace.pageAddresses(last)) {
      assertEquals(memory.read(address, 4096), trace.page(address, window), `${address}`);
    }
    // What is executed from there writes pages that differ then.
    session.seek(Math.min(trace.end, session.position + 10_000));
  }
});
