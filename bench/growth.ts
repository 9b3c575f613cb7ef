/**
 * How everything grows with the length of a boot: `deno run -A bench/growth.ts [--sizes 10,100,1000,5000] [--json]`.
 *
 * The same guest (heap churn) works for 10 M to 5,000 M instructions. Only what goes through the
 * whole trace may grow with it: recording, making the index, the tree of calls.
 */
import { parseArgs } from "@std/cli/parse-args";
import { type Measured, measureGuest } from "./reverse_measure.ts";

/** Instructions of a round of the guest, about. */
const PER_ROUND = 373.5;
const BOUNDS = { runs: 31, coldRuns: 1, qemuRuns: 0, seconds: 60, qemu: false };

async function main(): Promise<void> {
  const options = parseArgs(Deno.args, { string: ["sizes"], boolean: ["json"] });
  const sizes = String(options.sizes ?? "10,100,1000,5000").split(",").map(Number);
  const results: Measured[] = [];
  for (const millions of sizes) {
    const folder = await Deno.makeTempDir();
    try {
      const rounds = Math.round(millions * 1e6 / PER_ROUND);
      results.push(await measureGuest("heap", folder, BOUNDS, rounds));
    } finally {
      await Deno.remove(folder, { recursive: true });
    }
  }
  if (options.json) console.log(JSON.stringify(results));
  else print(results);
}

function print(results: readonly Measured[]): void {
  const rows: [string, (measured: Measured) => string][] = [
    ["instructions, M", ({ steps }) => (steps / 1e6).toFixed(0)],
    ["recording, s", ({ recordMs }) => (recordMs / 1000).toFixed(1)],
    ["recording, MIPS", ({ steps, recordMs }) => (steps / recordMs / 1000).toFixed(0)],
    ["bits per instruction", (m) => (8 * m.traceBytes / m.steps).toFixed(4)],
    ["most memory, MB", ({ peak }) => (peak! / 1e6).toFixed(0)],
    ["index, s", ({ indexMs }) => (indexMs / 1000).toFixed(1)],
    ["tree of calls, s", ({ callsMs }) => (callsMs / 1000).toFixed(1)],
    ["opening, ms", ({ openMs }) => openMs.toFixed(1)],
    ...results[0].rows.map(({ question }, i): [string, (measured: Measured) => string] => [
      `${question}, p50 / p99 ms`,
      ({ rows }) => `${rows[i].p50.toFixed(1)} / ${rows[i].p99.toFixed(1)}`,
    ]),
  ];
  const table = rows.map(([name, cell]) => [name, ...results.map(cell)]);
  const widths = table[0].map((_, i) => Math.max(...table.map((row) => row[i].length)));
  for (const row of table) {
    console.log(
      row.map((text, i) => i ? text.padStart(widths[i]) : text.padEnd(widths[i])).join("  "),
    );
  }
}

await main();
