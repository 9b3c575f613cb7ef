/** Boots an image on our machine, through the command line, and on the reference. */
import { parseInputScript, ScriptInput } from "../../../commands/input_script.ts";
import { POWER_KEY } from "../../../core/input_source.ts";
import { PowerKey, QEMU_PROGRAM, qemuArguments } from "../../drivers/qemu.ts";
import { VIRTIO_ARGUMENTS } from "../compare.ts";
import type { ImageCase } from "./catalogue.ts";
import { CACHE } from "./fetch_images.ts";

/** Wall-clock bound of a boot, in milliseconds. */
const TIMEOUT_MS = 180_000;
/** Steps that are more than any of the boots needs. */
const MOST_STEPS = "10000M";
const CLI = new URL("../../../cli.ts", import.meta.url).pathname;

/** A boot on the reference. */
export interface ReferenceBoot {
  readonly console: string;
  readonly seconds: number;
}

/** A boot that was recorded. */
export interface RecordedBoot {
  readonly console: string;
  readonly trace: string;
  readonly reason: string;
  readonly instructions: number;
  /** Wall-clock time of the recording. */
  readonly seconds: number;
  /** Bytes in the trace by kind of item. */
  readonly sizes: Readonly<Record<string, { bytes: number }>>;
}

/** Records an image. */
export async function recordImage(boot: ImageCase): Promise<RecordedBoot> {
  const base = `${CACHE}/${boot.name}`;
  const trace = `${base}.unboot`, consoleFile = `${base}.console`;
  const args = ["record", ...boot.image ? [boot.image] : [], "-o", trace, "--json"];
  args.push("--console", consoleFile, "--memory", boot.memory, "--max-instructions", MOST_STEPS);
  const file = (name: string, path: string | undefined) => path && args.push(`--${name}`, path);
  file("firmware", boot.firmware);
  file("initrd", boot.initrd);
  file("append", boot.append);
  file("disk", boot.disk?.());
  file("dtb", boot.dtb);
  file("cpu", boot.cpu);
  for (const { path, address } of boot.loads ?? []) args.push("--load", `${path}@${address}`);
  if (boot.gic) args.push("--gic", String(boot.gic));
  if (boot.cpus) args.push("--cpus", String(boot.cpus));
  if (boot.virtualization) args.push("--virtualization");
  if (boot.secure) args.push("--secure");
  if (boot.virtio) args.push("--virtio-console", "--rng");
  if (boot.input !== undefined) {
    Deno.writeTextFileSync(`${base}.input`, boot.input);
    file("input", `${base}.input`);
  }
  const started = performance.now();
  const recording = JSON.parse(await runCli(args));
  const seconds = (performance.now() - started) / 1000;
  const { sizes } = JSON.parse(await runCli(["info", trace, "--json"]));
  const console = new TextDecoder().decode(Deno.readFileSync(consoleFile));
  const { reason, instructions } = recording;
  return { console, trace, reason, instructions, seconds, sizes };
}

/** Whether a trace executes again as it was recorded; else what differs. */
export async function verifyTrace(trace: string): Promise<string | null> {
  const { ok, first_difference } = JSON.parse(await runCli(["verify", trace, "--json"]));
  return ok ? null : `verify: ${JSON.stringify(first_difference)}`;
}

async function runCli(args: string[]): Promise<string> {
  const command = new Deno.Command(Deno.execPath(), {
    args: ["run", "-P", CLI, ...args],
    stdout: "piped",
    stderr: "piped",
  });
  const { stdout, stderr } = await command.output();
  const text = new TextDecoder().decode(stdout);
  if (text === "") throw new Error(new TextDecoder().decode(stderr).trim().split("\n").at(-1));
  return text;
}

/**
 * Boots an image on the reference and types what the script says.
 *
 * @param icount what `-icount` says in place of the usual; null for none
 */
export async function bootReference(
  boot: ImageCase,
  icount?: string | null,
): Promise<ReferenceBoot> {
  const started = performance.now();
  const script = new ScriptInput(parseInputScript(boot.input ?? "", boot.name));
  const key = boot.presses ? new PowerKey() : undefined;
  const args = [...referenceArguments(boot), ...key?.arguments ?? []];
  const child = new Deno.Command(QEMU_PROGRAM, {
    args: icount === undefined ? args : withIcount(args, icount),
    stdin: "piped",
    stdout: "piped",
    stderr: "null",
  }).spawn();
  const timer = setTimeout(() => child.kill("SIGKILL"), TIMEOUT_MS);
  const typist = child.stdin.getWriter();
  const decoder = new TextDecoder();
  let console = "";
  for await (const chunk of child.stdout) {
    console += decoder.decode(chunk, { stream: true });
    const typed: number[] = [];
    for (const byte of chunk) {
      script.sent(byte);
      // Its clock is not ours to look at: what waits for a time is typed at once.
      while (script.nextTime() < Infinity) {
        const taken = script.take();
        if (taken === POWER_KEY) await key?.press();
        else typed.push(taken);
      }
    }
    if (typed.length > 0) await typist.write(Uint8Array.from(typed));
  }
  clearTimeout(timer);
  await typist.close().catch(() => {});
  await child.status;
  return { console, seconds: (performance.now() - started) / 1000 };
}

function withIcount(args: readonly string[], icount: string | null): string[] {
  const at = args.indexOf("-icount");
  return args.toSpliced(at, 2, ...(icount === null ? [] : ["-icount", icount]));
}

/** The reference's processors without what ours has not got, where the kernel speaks of it. */
const REFERENCE_CPU: Readonly<Record<string, string>> = { max: "max,sve=off,sme=off" };

/** What QEMU is started with to boot an image. */
export function referenceArguments(boot: ImageCase): string[] {
  const extra = ["-nic", "none"];
  if (boot.firmware) extra.push("-bios", boot.firmware);
  if (boot.disk) {
    extra.push("-drive", `if=none,file=${boot.disk()},format=raw,id=d`);
    extra.push("-device", "virtio-blk-device,drive=d");
  }
  for (const { path, address } of boot.loads ?? []) {
    extra.push("-device", `loader,file=${path},addr=0x${address.toString(16)},force-raw=on`);
  }
  const { memory, initrd, append, dtb } = boot;
  if (boot.virtio) extra.push(...VIRTIO_ARGUMENTS);
  // Firmware would hand ACPI tables to the kernel, which this board has not got.
  const machine = [
    ...boot.firmware ? ["acpi=off"] : [],
    ...boot.virtualization ? ["virtualization=on"] : [],
    ...boot.secure ? ["secure=on"] : [],
  ];
  const args = qemuArguments(boot.image, {
    memory,
    extra,
    ...(machine.length > 0 ? { machine: machine.join(",") } : {}),
    ...(boot.cpu ? { cpu: REFERENCE_CPU[boot.cpu] ?? boot.cpu } : {}),
    ...(boot.gic ? { gic: boot.gic } : {}),
    ...(boot.cpus ? { cpus: boot.cpus } : {}),
    ...(dtb ? { dtb } : {}),
    ...(initrd ? { initrd } : {}),
    ...(append ? { append } : {}),
  });
  // While a device works, virtual time must not run ahead of the host's.
  return boot.disk || boot.virtio
    ? args.map((arg) => arg === "shift=0,sleep=off" ? "shift=0" : arg)
    : args;
}
