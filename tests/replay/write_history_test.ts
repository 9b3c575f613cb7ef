/** Every write to a range, beside the writes found one by one from the end. */
import { assert, assertEquals } from "@std/assert";
import { writeHistory } from "../../replay/queries/write_history.ts";
import { type MemoryWrite, writesBefore } from "../../replay/queries/writers.ts";
import { Session } from "../../replay/session.ts";
import { bytesAccess, openTrace } from "../../trace/mod.ts";
import { BUSY } from "./assembly.ts";
import { recordBytes } from "./recordings.ts";

Deno.test("writeHistory() gives every write in order, whatever the threads", async () => {
  const bytes = recordBytes(BUSY.image, { limit: 60_000, windowSteps: 1024 });
  const path = await Deno.makeTempFile({ suffix: ".unboot" });
  try {
    await Deno.writeFile(path, bytes);
    const trace = openTrace(bytesAccess(bytes));
    for (
      const range of [{ address: 0x4020_0800, length: 4096 }, { address: 0x400f_fff0, length: 16 }]
    ) {
      const before = [...writesBefore(new Session(trace), range, trace.end)];
      // The last one given is what was there at `#0`.
      const expected = before.slice(0, -1).reverse();
      assert(expected.length >= 8);
      const all: MemoryWrite[] = [];
      const whole = { from: 0, to: trace.end, workers: 2 };
      await writeHistory(path, new Session(trace), range, whole, (write) => all.push(write) > 0);
      assertEquals(all, expected);
      const [first, last] = [expected[1].position, expected.at(-1)!.position];
      const found: number[] = [];
      const options = { from: first, to: last, workers: 2 };
      await writeHistory(
        path,
        new Session(trace),
        range,
        options,
        ({ position }) => found.push(position) < 5,
      );
      assertEquals(
        found,
        expected.map(({ position }) => position).filter((at) => at >= first && at < last)
          .slice(0, 5),
      );
    }
  } finally {
    await Deno.remove(path);
  }
});
