/**
 * Speed beside QEMU, in one run: `deno task bench [--runs N] [--only NAME,…] [--images] [--json]`.
 *
 * Workloads are programs under `bench/guest/`, and with `--images` the boots of Linux, U-Boot and
 * EDK2. Every mode of a workload runs `--runs` times, all modes in turn, and medians are compared:
 * machines are shared and noisy, so only ratios from one run mean anything. For programs our time
 * excludes the start of the process, QEMU's the time of a guest that powers off at once; boots are
 * whole commands on both sides.
 */
import { parseArgs } from "@std/cli/parse-args";
import { QEMU_PROGRAM } from "../tests/drivers/qemu.ts";
import { GUESTS } from "./build_guest.ts";
import {
  compiledWorkload,
  emptyWorkload,
  imageWorkloads,
  type Measurement,
  type Mode,
  MODES,
  type Workload,
} from "./workloads.ts";

/** Bytes per instruction of QEMU's log with all registers (-d in_asm,exec,cpu). */
const QEMU_LOG_BYTES = 804;

type Results = Partial<Record<Mode, readonly Measurement[]>>;

/** One line of the table; times in milliseconds. */
interface Row {
  readonly workload: string;
  readonly instructions: number;
  readonly times: Partial<Record<Mode, number>>;
  /** Time of QEMU `rr=record` by time of our recording. */
  readonly ratio: number | null;
  /** What recording adds to running. */
  readonly cost: number | null;
  readonly bitsPerInstruction: number;
  readonly timesSmallerThanLog: number;
  readonly startup: number | null;
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[values.length >> 1];
}

/** Runs every mode `runs` times in turn. */
async function measure({ modes }: Workload, runs: number): Promise<Results> {
  const results: Partial<Record<Mode, Measurement[]>> = {};
  for (let run = 0; run < runs; run++) {
    for (const mode of MODES) {
      const measured = await modes[mode]?.();
      if (measured) (results[mode] ??= []).push(measured);
    }
  }
  return results;
}

/** @param empty what to take off the times of QEMU's modes */
function rowOf(workload: string, results: Results, empty: Results): Row {
  const times: Partial<Record<Mode, number>> = {};
  for (const mode of MODES) {
    const all = results[mode];
    if (!all) continue;
    const off = mode === "run" || mode === "record" ? undefined : empty[mode];
    times[mode] = median(all.map((m) => m.milliseconds)) -
      (off ? median(off.map((m) => m.milliseconds)) : 0);
  }
  const [{ instructions = 0, bytes = 0, startup }] = results.record!;
  const { run, record, rr } = times;
  return {
    workload,
    instructions,
    times,
    ratio: rr === undefined ? null : rr / record!,
    cost: run === undefined ? null : record! / run - 1,
    bitsPerInstruction: bytes * 8 / instructions,
    timesSmallerThanLog: QEMU_LOG_BYTES * instructions / bytes,
    startup: startup === undefined ? null : median(results.record!.map((m) => m.startup!)),
  };
}

const HEAD = [
  "workload",
  "M instr.",
  "run MIPS",
  "record MIPS",
  "cost",
  "QEMU",
  "icount",
  "rr=record",
  "rr / ours",
  "bits/instr.",
  "log / trace",
  "start-up",
];

/** QEMU's columns are in MIPS, too, by our count of instructions. */
function cells(row: Row): string[] {
  const { instructions, times, ratio, cost } = row;
  const mips = (mode: Mode) =>
    times[mode] === undefined ? "–" : (instructions / times[mode] / 1000).toFixed(0);
  return [
    row.workload,
    (instructions / 1e6).toFixed(1),
    mips("run"),
    mips("record"),
    cost === null ? "–" : `${(100 * cost).toFixed(0)} %`,
    mips("qemu"),
    mips("icount"),
    mips("rr"),
    ratio === null ? "–" : ratio.toFixed(2),
    row.bitsPerInstruction.toFixed(4),
    row.timesSmallerThanLog.toFixed(0),
    row.startup === null ? "–" : `${row.startup.toFixed(0)} ms`,
  ];
}

function printTable(rows: readonly (readonly string[])[]): void {
  const widths = rows[0].map((_, i) => Math.max(...rows.map((row) => row[i].length)));
  for (const row of rows) {
    console.log(
      row.map((cell, i) => i ? cell.padStart(widths[i]) : cell.padEnd(widths[i])).join("  "),
    );
  }
}

async function versions(): Promise<string> {
  const { stdout } = await new Deno.Command(QEMU_PROGRAM, { args: ["--version"] }).output();
  const [qemu] = new TextDecoder().decode(stdout).split("\n");
  return `${navigator.hardwareConcurrency} cores, Deno ${Deno.version.deno}, ${qemu}`;
}

async function main(): Promise<void> {
  const options = parseArgs(Deno.args, { string: ["runs", "only"], boolean: ["images", "json"] });
  const runs = Number(options.runs ?? 5);
  const only = options.only === undefined ? undefined : String(options.only).split(",");
  const isWanted = (name: string) => !only || only.includes(name);
  const folder = await Deno.makeTempDir();
  try {
    const heading = `${await versions()}; medians of ${runs}, all modes in turn`;
    if (!options.json) console.log(heading);
    const empty = await measure(await emptyWorkload(folder), runs);
    const rows: Row[] = [];
    for (const name of GUESTS.filter(isWanted)) {
      rows.push(rowOf(name, await measure(await compiledWorkload(name, folder), runs), empty));
    }
    for (const workload of options.images ? imageWorkloads(folder) : []) {
      if (!isWanted(workload.name)) continue;
      rows.push(rowOf(workload.name, await measure(workload, runs), {}));
    }
    if (options.json) console.log(JSON.stringify({ heading, rows }));
    else printTable([HEAD, ...rows.map(cells)]);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

await main();
