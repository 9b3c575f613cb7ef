/**
 * Speed beside QEMU, in one run: `deno task bench [--runs N] [--only NAME]`.
 *
 * Every mode of every guest runs `--runs` times, all modes in turn, and the medians are compared:
 * machines are shared and noisy, so only ratios from one run mean anything. Our time excludes the
 * start of the process; QEMU's excludes the time that a guest takes which powers off at once.
 */
import { parseArgs } from "@std/cli/parse-args";
import { QEMU_PROGRAM, qemuArguments } from "../tests/drivers/qemu.ts";
import { buildGuest, GUESTS } from "./build_guest.ts";

interface Measurement {
  milliseconds: number;
  instructions?: number;
  bytes?: number;
  startup?: number;
}

type Mode = (image: string, folder: string) => Promise<Measurement>;

const OURS = new URL("run_ours.ts", import.meta.url).pathname;
const PLAIN = [
  "-M",
  "virt,gic-version=2",
  "-cpu",
  "cortex-a57",
  "-m",
  "128M",
  "-nographic",
  "-no-reboot",
];

const MODES: Readonly<Record<string, Mode>> = {
  "run": (image) => ours(image, "run", ""),
  "record": (image, folder) => ours(image, "record", `${folder}/bench.unboot`),
  "QEMU": (image) => qemu([...PLAIN, "-kernel", image]),
  "QEMU icount": (image) => qemu(qemuArguments(image)),
  "QEMU rr=record": (image, folder) =>
    qemu([...PLAIN, "-icount", `shift=0,rr=record,rrfile=${folder}/rr.bin`, "-kernel", image]),
};

/** A guest that powers off with its first instructions: `mov w0, #0x84000008; hvc #0`. */
const EMPTY_GUEST = new Uint32Array([0x52b08000, 0x11002000, 0xd4000002, 0x14000000]);

async function ours(image: string, mode: string, trace: string): Promise<Measurement> {
  const { stdout, success, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", OURS, image, mode, trace],
    stdout: "piped",
    stderr: "piped",
  }).output();
  if (!success) throw new Error(new TextDecoder().decode(stderr));
  return JSON.parse(new TextDecoder().decode(stdout));
}

async function qemu(args: string[]): Promise<Measurement> {
  const start = performance.now();
  await new Deno.Command(QEMU_PROGRAM, { args, stdin: "null", stdout: "null", stderr: "null" })
    .output();
  return { milliseconds: performance.now() - start };
}

/** Bytes per instruction of QEMU's log with all registers (-d in_asm,exec,cpu). */
const QEMU_LOG_BYTES = 804;

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[values.length >> 1];
}

/** Runs every mode `runs` times in turn. */
async function measure(
  image: string,
  folder: string,
  runs: number,
): Promise<Map<string, Measurement[]>> {
  const results = new Map(Object.keys(MODES).map((name): [string, Measurement[]] => [name, []]));
  for (let run = 0; run < runs; run++) {
    for (const [name, mode] of Object.entries(MODES)) {
      results.get(name)!.push(await mode(image, folder));
    }
  }
  return results;
}

function report(
  guest: string,
  results: Map<string, Measurement[]>,
  empty: Map<string, Measurement[]>,
): void {
  const instructions = results.get("run")![0].instructions!;
  const time = (name: string) => {
    const all = median(results.get(name)!.map((m) => m.milliseconds));
    return name.startsWith("QEMU")
      ? all - median(empty.get(name)!.map((m) => m.milliseconds))
      : all;
  };
  const recording = time("record");
  console.log(`\n${guest}: ${(instructions / 1e6).toFixed(1)} M instructions`);
  for (const name of results.keys()) {
    const ms = time(name);
    const mips = (instructions / ms / 1000).toFixed(0).padStart(6);
    const ratio = (ms / recording).toFixed(2).padStart(6);
    console.log(
      `  ${name.padEnd(16)}${
        ms.toFixed(0).padStart(7)
      } ms ${mips} MIPS   time / our recording ${ratio}`,
    );
  }
  const { bytes = 0 } = results.get("record")![0];
  const startup = median(results.get("record")!.map((m) => m.startup!));
  console.log(
    `  trace ${bytes} bytes, ${(bytes * 8 / instructions).toFixed(4)} bit per instruction, ${
      (QEMU_LOG_BYTES * instructions / bytes).toFixed(0)
    } times smaller than QEMU's log; start-up ${startup.toFixed(0)} ms`,
  );
}

async function main(): Promise<void> {
  const options = parseArgs(Deno.args, { string: ["runs", "only"] });
  const runs = Number(options.runs ?? 5);
  const guests = GUESTS.filter((name) => !options.only || name === options.only);
  const folder = await Deno.makeTempDir();
  try {
    const emptyImage = `${folder}/empty.bin`;
    await Deno.writeFile(emptyImage, new Uint8Array(EMPTY_GUEST.buffer));
    const empty = await measure(emptyImage, folder, runs);
    console.log(`medians of ${runs}, all modes in turn`);
    for (const guest of guests) {
      report(guest, await measure(await buildGuest(guest, folder), folder, runs), empty);
    }
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

await main();
