import { assertEquals } from "@std/assert";
import { ALL_FEATURES } from "../bare_cpu.ts";
import { fuzz } from "./fuzz.ts";
import { missingProgram } from "./reference_cpu.ts";

const missing = missingProgram();

for (const [cpu, features] of [["cortex-a57", new Set<string>()], ["max", ALL_FEATURES]] as const) {
  Deno.test({
    name: `random instructions do here what they do on qemu-aarch64 -cpu ${cpu}`,
    ignore: missing !== undefined,
    async fn() {
      const options = { cpu, features, only: new RegExp(""), seed: 20261122, maxDifferences: 5 };
      const report = await fuzz({ ...options, count: 10_000 });
      assertEquals(report.differences.map(({ text }) => text), []);
      assertEquals(report.retired > 8 * (report.faults + report.undefined), true);
    },
  });
}
