/** Runs one image on the reference and on our machine and says where they differ. */
import { DirectoryFiles } from "../../commands/semihosting_files.ts";
import { type BootPlan, loadImage } from "../../core/loader/mod.ts";
import { type InputEntry, ScriptInput } from "../../commands/input_script.ts";
import type { CpuName } from "../../core/cpu_models.ts";
import type { FlowObserver } from "../../core/engine/flow_ring.ts";
import { type EndReason, Machine, type MachineOptions } from "../../core/machine.ts";
import { semihostingOptions } from "../../core/machine_options.ts";
import { mediumOf } from "../../core/medium.ts";
import type { ExceptionEvent, MachineEvent } from "../../core/observer.ts";
import { type QemuOptions, runQemu } from "../drivers/qemu.ts";
import { parseExceptionLog } from "./exception_log.ts";

/** What running a guest left behind. */
export interface GuestRun {
  readonly console: Uint8Array;
  /** Exceptions in order, one line each; at most {@linkcode MOST_EXCEPTIONS}. */
  readonly exceptions: readonly string[];
  /** Why it ended: null if it had to be stopped. */
  readonly end: EndReason | null;
}

/** How to run a guest. */
export interface RunOptions {
  /** RAM in MiB, 128 if left out. */
  readonly memory?: number | undefined;
  readonly append?: string | undefined;
  readonly initrd?: Uint8Array | undefined;
  /** Version of the interrupt controller, 2 if left out. */
  readonly gic?: 2 | 3;
  /** A GICv3 has its ITS; some of the board is above 4 GiB. Both are so if left out. */
  readonly its?: boolean;
  readonly highmem?: boolean;
  /** The processor; a Cortex-A57 if left out. */
  readonly cpu?: CpuName;
  /** How many processors; 1 if left out. */
  readonly cpus?: number;
  /** The processor has EL2; has EL3. */
  readonly virtualization?: boolean;
  readonly secure?: boolean;
  /** The board has a virtio console and a virtio source of random numbers. */
  readonly virtio?: boolean;
  /** What is typed on the console, as soon as the guest takes it. */
  readonly input?: string | undefined;
  /** Semihosting, with the files of a directory that has an empty folder. */
  readonly semihosting?: boolean;
  /** Bytes of a disk that holds a pattern. */
  readonly disk?: number;
  /** The reference has no ACPI tables, which our machine never has. */
  readonly withoutAcpi?: boolean;
  /** Behind this text the guest waits, each time, for the power key to be pressed. */
  readonly pressAfter?: string;
  /** Steps that our machine is given. */
  readonly steps: number;
  /** Whether the reference never ends: it is stopped once its console is quiet. */
  readonly hangs: boolean;
  /** Which exceptions are compared. */
  readonly exceptions: "all" | "synchronous" | "none";
}

/** Exception classes whose FAR the reference logs: aborts and PC alignment. */
const WITH_FAR = new Set([0x20, 0x21, 0x22, 0x24, 0x25]);
const MOST_EXCEPTIONS = 20_000;
/** Bytes of the reference's exception log that are read. */
const MOST_LOG = 8 << 20;
/** Silence after which a guest that hangs is taken to have hung. */
const QUIET_MS = 400;
const TIMEOUT_MS = 20_000;
/** A guest that prints for ever is stopped after this time. */
const HANG_MS = 3_000;
/** Steps between two attempts to type. */
const STEPS_PER_BYTE = 1_000;
const MOST_PRESSES = 100;
/** Bytes of an endless console that are compared. */
const MOST_CONSOLE = 64 << 10;

/** For the reference: serial port and virtio console are one terminal, which types at the console. */
export const VIRTIO_ARGUMENTS = [
  ...["-chardev", "stdio,mux=on,signal=off,id=terminal", "-monitor", "none"],
  ...["-serial", "chardev:terminal", "-device", "virtio-serial-device"],
  ...["-device", "virtconsole,chardev=terminal", "-device", "virtio-rng-device"],
];

/** Boots an image on the reference machine. */
export async function runOnReference(image: Uint8Array, options: RunOptions): Promise<GuestRun> {
  const log = Deno.makeTempFileSync({ prefix: "unboot-log-" });
  const disk = options.disk ? Deno.makeTempFileSync({ prefix: "unboot-disk-" }) : undefined;
  if (disk) Deno.writeFileSync(disk, pattern(options.disk!));
  const cwd = options.semihosting ? makeDirectory() : undefined;
  const wantsLog = options.exceptions !== "none";
  const extra = wantsLog ? ["-d", "int", "-D", log] : [];
  try {
    const { hangs } = options;
    const { console, end, code, errors } = await runQemu(image, {
      ...bootOptions(options),
      extra: [
        ...[...extra, "-nic", "none", ...options.virtio ? VIRTIO_ARGUMENTS : []],
        ...disk ? diskArguments(disk) : [],
        ...cwd ? ["-semihosting"] : [],
      ],
      ...cwd ? { cwd } : {},
      ...(options.pressAfter ? { pressAfter: options.pressAfter } : {}),
      ...(options.input ? { input: new TextEncoder().encode(options.input) } : {}),
      timeoutMs: hangs ? HANG_MS : TIMEOUT_MS,
      ...(hangs ? { quietMs: QUIET_MS } : {}),
    });
    if (end === "exit" && code !== 0) throw new Error(`The reference failed: ${errors}`);
    const exceptions = parseExceptionLog(readStart(log, MOST_LOG)).filter((line) =>
      options.exceptions === "all" || !line.startsWith("irq") && !line.startsWith("fiq")
    );
    return {
      console,
      exceptions: exceptions.slice(0, MOST_EXCEPTIONS),
      end: end === "exit" ? "poweroff" : null,
    };
  } finally {
    Deno.removeSync(log);
    if (disk) Deno.removeSync(disk);
    if (cwd) Deno.removeSync(cwd, { recursive: true });
  }
}

/** A directory with an empty folder. */
function makeDirectory(): string {
  const directory = Deno.makeTempDirSync({ prefix: "unboot-files-" });
  Deno.mkdirSync(`${directory}/folder`);
  return directory;
}

function diskArguments(path: string): string[] {
  return [
    ...["-drive", `if=none,file=${path},format=raw,cache=unsafe,id=disk`],
    ...["-device", "virtio-blk-device,drive=disk"],
  ];
}

/** What a disk holds at first: each sector its number and letters. */
function pattern(length: number): Uint8Array {
  return Uint8Array.from(
    { length },
    (_, i) => i % 512 === 0 ? i >> 9 : 65 + (i * 7 + (i >> 9)) % 26,
  );
}

/** Runs a machine to its end or bound, typing what it takes of the input. */
function runWithInput(machine: Machine, options: RunOptions): EndReason | null {
  const { steps, input = "", virtio, pressAfter } = options;
  if (pressAfter) machine.input = new ScriptInput(pressing(pressAfter));
  // Until the guest opens its virtio console input goes to the UART, which has room for one byte.
  const bytes = new TextEncoder().encode(virtio ? `-${input}` : input);
  let typed = 0;
  machine.inputOpen = bytes.length > 0;
  while (typed < bytes.length && machine.position < steps) {
    while (typed < bytes.length && machine.receive(bytes[typed])) typed++;
    if (machine.run(machine.position + STEPS_PER_BYTE) !== null) break;
  }
  machine.inputOpen = false;
  return machine.run(steps);
}

/** A script that presses the power key each time that the guest prints a text. */
function pressing(text: string): InputEntry[] {
  const entry = { after: new TextEncoder().encode(text), bytes: new Uint8Array(), press: "power" };
  return Array.from({ length: MOST_PRESSES }, () => entry as InputEntry);
}

/** Counts what the flow says was executed. */
class StepCounter implements FlowObserver {
  retired = 0;
  entries = 0;

  flow(pairs: Uint32Array): void {
    for (let i = 0; i < pairs.length; i += 2) {
      const [first, second] = [pairs[i], pairs[i + 1]];
      if (first >= 16) this.retired += (second - first) / 16;
      else if (first === 1) this.entries += second;
    }
  }

  codeChanged(): void {}
}

function semihostingOf({ segments }: BootPlan, memory: number, directory: string): Pick<
  MachineOptions,
  "semihosting" | "semihostingFiles"
> {
  const ranges = segments.map(({ address, zeroTo }) => ({ address, length: zeroTo - address }));
  return {
    semihosting: semihostingOptions({ name: "guest", append: undefined, ranges, memory }),
    semihostingFiles: new DirectoryFiles(directory),
  };
}

/**
 * Boots an image on our machine.
 *
 * @throws {Error} if the machine's flow is not what it counted
 */
export function runOnMachine(image: Uint8Array, options: RunOptions): GuestRun & {
  machine: Machine;
} {
  const memoryBytes = (options.memory ?? 128) * 2 ** 20;
  const { append, initrd, gic, cpu, cpus = 1, virtualization, secure } = options;
  const console: number[] = [];
  const exceptions: string[] = [];
  const { its, highmem } = options;
  const levels = {
    its,
    highmem,
    ...(virtualization ? { virtualization } : {}),
    ...(secure ? { secure } : {}),
  };
  const plan = loadImage(image, { memory: memoryBytes, append, initrd, gic, cpus, ...levels });
  const directory = options.semihosting ? makeDirectory() : undefined;
  const machine = new Machine({
    ...directory ? semihostingOf(plan, memoryBytes, directory) : {},
    memoryBytes,
    cpus,
    flow: true,
    ...(gic ? { gic } : {}),
    ...(cpu ? { cpu } : {}),
    ...(options.virtio ? { virtio: { console: true, rng: 0n } } : {}),
    ...(options.disk ? { media: { disk0: mediumOf(pattern(options.disk)) } } : {}),
    ...levels,
  });
  const steps = new StepCounter();
  machine.flowObserver = steps;
  machine.observer = { event: (event) => note(event) };
  function note(event: MachineEvent): void {
    if (event.kind === "console") {
      console.push(event.byte);
      if (console.length >= MOST_CONSOLE && options.hangs) machine.end("interrupted");
    }
    if (event.kind !== "exception" || exceptions.length === MOST_EXCEPTIONS) return;
    if (options.exceptions === "all" || event.type === "sync") exceptions.push(format(event));
  }
  machine.boot(plan);
  const end = runWithInput(machine, options);
  machine.cutFlow();
  if (directory) Deno.removeSync(directory, { recursive: true });
  if (steps.retired !== machine.retired || steps.entries !== machine.entries) {
    throw new Error(
      `The flow has ${steps.retired} instructions and ${steps.entries} entries, ` +
        `the machine ${machine.retired} and ${machine.entries}`,
    );
  }
  return { console: new Uint8Array(console), exceptions, end, machine };
}

/**
 * Compares what the two left behind.
 *
 * @returns one line per kind of difference; none if the runs agree
 */
export function differences(reference: GuestRun, ours: GuestRun, options: RunOptions): string[] {
  const found: string[] = [];
  const isWhole = !options.hangs;
  const consoles = firstDifference([...reference.console], [...ours.console], isWhole);
  if (consoles >= 0) {
    found.push(
      `console differs at byte ${consoles}:\n  reference: ${
        around(reference.console, consoles)
      }\n` +
        `  ours:      ${around(ours.console, consoles)}`,
    );
  }
  if (options.exceptions === "none") return found;
  const exceptions = firstDifference(reference.exceptions, ours.exceptions, isWhole);
  if (exceptions >= 0) {
    found.push(
      `exception ${exceptions} differs:\n  reference: ${reference.exceptions[exceptions]}\n` +
        `  ours:      ${ours.exceptions[exceptions]}`,
    );
  }
  return found;
}

/** Index of the first difference, or -1. Where lists need not be whole, only their common length counts. */
function firstDifference<T>(a: readonly T[], b: readonly T[], isWhole: boolean): number {
  const length = isWhole ? Math.max(a.length, b.length) : Math.min(a.length, b.length);
  for (let i = 0; i < length; i++) if (a[i] !== b[i]) return i;
  return -1;
}

function around(bytes: Uint8Array, at: number): string {
  return JSON.stringify(new TextDecoder().decode(bytes.subarray(Math.max(0, at - 80), at + 80)));
}

function bootOptions(options: RunOptions): QemuOptions {
  const { memory, append, initrd, gic, cpu, cpus, virtualization, secure } = options;
  const properties = [
    ...(virtualization ? ["virtualization=on"] : []),
    ...(options.its === false ? ["its=off"] : []),
    ...(options.highmem === false ? ["highmem=off"] : []),
    ...(secure ? ["secure=on"] : []),
    ...(options.withoutAcpi ? ["acpi=off"] : []),
  ];
  return {
    ...(properties.length > 0 ? { machine: properties.join(",") } : {}),
    ...(gic === undefined ? {} : { gic }),
    ...(cpu === undefined ? {} : { cpu }),
    ...(cpus === undefined ? {} : { cpus }),
    ...(memory === undefined ? {} : { memory: `${memory}M` }),
    ...(append === undefined ? {} : { append }),
    ...(initrd === undefined ? {} : { initrd }),
    // While a disk works, the guest's time must not run ahead of the host's.
    ...(options.disk ? { realTime: true } : {}),
  };
}

/** An exception of ours as a line of `parseExceptionLog()`. */
function format({ type, fromEl, esr, far, elr, vector }: ExceptionEvent): string {
  const where = `el${fromEl} elr ${elr.toString(16)} vector ${vector.toString(16)}`;
  if (type !== "sync") return `${type} ${where}`;
  const ec = Number(esr >> 26n);
  return `sync esr ${esr.toString(16)}${
    WITH_FAR.has(ec) ? ` far ${far.toString(16)}` : ""
  } ${where}`;
}

function readStart(path: string, bytes: number): string {
  using file = Deno.openSync(path);
  const { size } = file.statSync();
  const buffer = new Uint8Array(Math.min(size, bytes));
  let at = 0;
  for (let n; at < buffer.length && (n = file.readSync(buffer.subarray(at))) !== null;) at += n;
  return new TextDecoder().decode(buffer);
}
