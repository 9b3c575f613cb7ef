/**
 * Going back in time, beside QEMU's: `deno task bench:reverse [--short] [--guest NAME,…] [--no-qemu] [--json]`.
 *
 * The same questions about the same image: here on a trace with its index, cold (a fresh process with
 * the opening of the trace) and warm (in one process; 50th and 99th percentile), and on QEMU's
 * record and replay through gdb (medians). Guests: `kernel` (the built-in one), those of
 * `build_guest.ts`, and boots of `deno task guests --images`, as `linux`. Nothing is asked for longer than `--seconds` (default 60; short: 10).
 */
import { parseArgs } from "@std/cli/parse-args";
import { type Bounds, type Measured, measureGuest, percentile } from "./reverse_measure.ts";
import { qemuVersions } from "./reverse_qemu.ts";

async function main(): Promise<void> {
  const options = parseArgs(Deno.args, {
    string: ["guest", "seconds"],
    boolean: ["short", "json", "no-qemu"],
  });
  const { short } = options;
  const bounds: Bounds = {
    runs: short ? 11 : 51,
    coldRuns: short ? 1 : 5,
    qemuRuns: short ? 1 : 3,
    seconds: Number(options.seconds ?? (short ? 10 : 60)),
    qemu: !options["no-qemu"],
  };
  const guests = String(options.guest ?? (short ? "kernel" : "kernel,heap")).split(",");
  const machine = `${navigator.hardwareConcurrency} cores, Deno ${Deno.version.deno}; ${
    bounds.qemu ? await qemuVersions().catch((error) => `no QEMU or gdb: ${error.message}`) : ""
  }`;
  if (!options.json) console.log(machine);
  for (const guest of guests) {
    const folder = await Deno.makeTempDir();
    try {
      const result = await measureGuest(guest, folder, bounds);
      if (options.json) console.log(JSON.stringify({ machine, guest, ...result }));
      else report(guest, result);
    } finally {
      await Deno.remove(folder, { recursive: true });
    }
  }
}

function report(guest: string, result: Measured): void {
  const { steps, indexMs, indexBytes, openMs, callsMs, writesMs, rows } = result;
  console.log(`\n${guest}: ${(steps / 1e6).toFixed(1)} M steps`);
  console.log(
    `  index made in ${indexMs.toFixed(0)} ms, ${indexBytes} bytes; opened in ${
      openMs.toFixed(1)
    } ms`,
  );
  const page = [0.5, 0.99].map((part) => percentile(writesMs, part).toFixed(0));
  console.log(
    `  tree of calls in ${callsMs.toFixed(0)} ms; all writes to a page in ${page.join(" / ")} ms`,
  );
  const cell = (value: number | null) => (value === null ? "" : value.toFixed(1)).padStart(9);
  const width = Math.max(...rows.map(({ question }) => question.length));
  console.log(`  ${"ms".padEnd(width)}     cold      p50      p99     QEMU  QEMU / p50`);
  for (const { question, cold, p50, p99, qemu, ratio } of rows) {
    const theirs = typeof qemu === "string" ? `  ${qemu}` : cell(qemu);
    const times = ratio === null ? "" : `${ratio.toFixed(0).padStart(12)}`;
    console.log(
      `  ${question.padEnd(width)}${cell(cold)}${cell(p50)}${cell(p99)}${theirs}${times}`,
    );
  }
}

await main();
