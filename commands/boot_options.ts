/**
 * The options of `record` that say what is booted and on which machine, and what they mean.
 *
 * Options that the design has but this machine does not are listed, so that the refusal says "not
 * supported yet" and not "unknown".
 */
import { CPU_NAMES, cpuModel, DEFAULT_CPU } from "../core/cpu_models.ts";
import { type BootPlan, loadFirmware, loadImage, type LoadOptions } from "../core/loader/mod.ts";
import { type MachineOptions } from "../core/machine.ts";
import { semihostingOptions } from "../core/machine_options.ts";
import { MAX_CPUS } from "../core/turns.ts";
import { virtioDevices } from "../core/virt_board.ts";
import type { Media } from "../core/medium.ts";
import { KERNEL_BUGS, type KernelBug } from "../kernel/bugs.ts";
import type { ImageDescription, ImageFile } from "../trace/mod.ts";
import { cpu } from "./cpu_option.ts";
import { readFile } from "./files.ts";
import { openMedia } from "./guest_media.ts";
import { board } from "./machine_option.ts";
import { Expected, flag, option, optionOr, repeated, type Values } from "./options.ts";
import { DirectoryFiles } from "./semihosting_files.ts";
import { UsageError } from "./user_error.ts";
import { count, oneOf, positive, size, text, time, word64 } from "./values.ts";

/** Memory comes in units of a WebAssembly page. */
const MEMORY_UNIT = 65536;

/** See the top of this file. */
export const BOOT_OPTIONS = {
  bug: option(
    "BUG",
    oneOf(...KERNEL_BUGS),
    `a bug of the built-in kernel: ${KERNEL_BUGS.join(", ")}`,
  ),
  memory: optionOr("SIZE", size, "128M", "RAM, up to 3G"),
  cpu: optionOr("NAME", cpu, DEFAULT_CPU, `processor: ${CPU_NAMES.join(", ")}`),
  cpus: optionOr("N", cpuCount, "1", `number of CPUs, up to ${MAX_CPUS}`),
  machine: option("BOARD", board, "as QEMU's -M: virt,virtualization=on,secure=on,gic-version=3", {
    short: "M",
  }),
  virtualization: flag("a processor with EL2"),
  secure: flag("a processor with EL3, and a Secure address space"),
  gic: optionOr("2|3", gicVersion, "2", "version of the interrupt controller"),
  "no-its": flag("a GICv3 without its ITS"),
  "no-highmem": flag("nothing of the board above 4 GiB"),
  initrd: option("FILE", text, "initial ramdisk"),
  append: option("TEXT", text, "kernel command line"),
  dtb: option("FILE", text, "device tree to use instead of the generated one"),
  load: repeated("FILE@ADDR", rawFile, "also puts a file into RAM, as -device loader does"),
  seed: option("N", word64, "puts random seeds made from N into the device tree"),
  semihosting: flag(
    "answer HLT #0xf000: console, input, EXIT, clocks; the host's files are refused",
  ),
  "semihosting-dir": option("DIR", text, "the same, with the files in DIR"),
  strict: flag("fail as the architecture permits where the reference machine is laxer"),
  storm: optionOr("N", positive, "1000", "faults without progress that end the recording"),
  reboots: optionOr("N", count, "0", "resets that boot again before one ends the recording"),
  rtc: optionOr("TIME", time, "2000-01-01T00:00:00Z", "what the real-time clock starts at"),
  "ns-per-instruction": optionOr("N", positive, "1", "virtual time that an instruction takes"),
  firmware: option("FILE", text, "firmware for flash, which boots first; IMAGE is offered to it"),
  pflash: option(
    "FILE[,save]",
    text,
    "contents of the second flash bank, where firmware keeps variables; save writes them back",
  ),
  disk: repeated(
    "FILE",
    text,
    "a disk, a raw or qcow2 image; what the guest writes stays in the trace",
  ),
  "virtio-console": flag("a virtio console (hvc0); input goes there once the guest opens it"),
  rng: flag("a virtio source of random numbers, which follow from --seed"),
  input: option("FILE", text, "what is typed at the guest: a script, or - for standard input"),
} as const;

/** Values of {@linkcode BOOT_OPTIONS}. */
export type BootValues = Values<typeof BOOT_OPTIONS>;

/** A guest that is ready to be put into a machine. */
export interface Guest {
  readonly plan: BootPlan;
  readonly machine: MachineOptions;
  /** Contents of flash, disks and fw_cfg's files. */
  readonly media: Media;
  /** For the trace's header. */
  readonly description: ImageDescription;
  /** Options that the guest can notice, for the trace's header. */
  readonly options: Record<string, string | number | boolean>;
}

/**
 * Reads or builds everything that is booted.
 *
 * @param image path of the image; the built-in kernel if left out
 * @throws UserError, UsageError or ImageError with one line
 */
export async function prepareGuest(image: string | undefined, values: BootValues): Promise<Guest> {
  const { memory, bug } = values = withBoard(values);
  if (image !== undefined && bug !== undefined) {
    throw new UsageError("Option --bug is for the built-in kernel, not for an image");
  }
  if (memory % MEMORY_UNIT !== 0) {
    throw new UsageError(`Option --memory: expected a multiple of 64K, found ${memory} bytes`);
  }
  const load = loadOptions(values);
  const { name, bytes, plan } = await loadGuest(image, load, values);
  const boots = values.firmware === undefined ? null : { image: bytes, load };
  const { media, files: mediaFiles } = openMedia(values, plan, boots);
  const files = await Promise.all([
    ...(bytes ? [fileNote("image", name, bytes)] : []),
    ...(load.initrd ? [fileNote("initrd", baseName(values.initrd!), load.initrd)] : []),
    ...(load.dtb ? [fileNote("dtb", baseName(values.dtb!), load.dtb)] : []),
    ...(load.loads ?? []).map(({ name, bytes }) => fileNote("load", name, bytes)),
    ...(values.firmware === undefined
      ? []
      : [fileNote("firmware", baseName(values.firmware), plan.flash![0].bytes)]),
    ...mediaFiles,
  ]);
  const { kind, describe, pc, warnings } = plan;
  return {
    plan,
    machine: {
      memoryBytes: memory,
      flow: true,
      nsPerInstruction: values["ns-per-instruction"],
      strict: values.strict,
      storm: values.storm,
      reboots: values.reboots,
      rtc: values.rtc,
      ...semihostingOf(name, plan, values),
      virtio: virtioDevices(values["virtio-console"], values.rng, values.seed),
      gic: values.gic,
      its: !values["no-its"],
      highmem: !values["no-highmem"],
      cpu: values.cpu,
      cpus: values.cpus,
      virtualization: values.virtualization,
      secure: values.secure,
    },
    media,
    description: { name, kind, describe, pc, files, warnings },
    options: notedOptions(values),
  };
}

/** What `--machine` says, as if the options for it had been given. */
function withBoard({ machine, ...values }: BootValues): BootValues {
  return {
    ...values,
    machine: undefined,
    virtualization: machine?.virtualization ?? values.virtualization,
    secure: machine?.secure ?? values.secure,
    gic: machine?.gic ?? values.gic,
    "no-its": machine?.its === undefined ? values["no-its"] : !machine.its,
    "no-highmem": machine?.highmem === undefined ? values["no-highmem"] : !machine.highmem,
  };
}

/** Reads or builds the image and plans its boot. Firmware may come without an image. */
async function loadGuest(
  image: string | undefined,
  load: LoadOptions,
  { firmware, bug }: BootValues,
): Promise<{ name: string; bytes: Uint8Array | undefined; plan: BootPlan }> {
  if (firmware !== undefined) {
    if (bug !== undefined) throw new UsageError("Option --bug is for the built-in kernel");
    const plan = loadFirmware(readFile(firmware), load);
    const bytes = image === undefined ? undefined : readFile(image);
    return { name: baseName(image ?? firmware), bytes, plan };
  }
  const bytes = image === undefined ? await builtIn(bug) : readFile(image);
  const name = image === undefined ? builtInName(bug) : baseName(image);
  return { name, bytes, plan: loadImage(bytes, load) };
}

/** The ELF file of the built-in kernel; its assembler is loaded only for it. */
async function builtIn(bug: KernelBug | undefined): Promise<Uint8Array> {
  const { buildKernel } = await import("../kernel/build.ts");
  return buildKernel(bug === undefined ? {} : { bug }).elf;
}

function semihostingOf(
  name: string,
  { segments }: BootPlan,
  { append, memory, semihosting, "semihosting-dir": directory }: BootValues,
): Pick<MachineOptions, "semihosting" | "semihostingFiles"> {
  if (!semihosting && directory === undefined) return {};
  const ranges = segments.map(({ address, zeroTo }) => ({ address, length: zeroTo - address }));
  return {
    semihosting: semihostingOptions({ name, append, ranges, memory }),
    ...directory === undefined ? {} : { semihostingFiles: new DirectoryFiles(directory) },
  };
}

/** Name of the built-in kernel: `kernel` or `kernel-pxn`. */
export function builtInName(bug: KernelBug | undefined): string {
  return bug === undefined ? "kernel" : `kernel-${bug}`;
}

/** The last part of a path. */
export function baseName(path: string): string {
  return path.split(/[/\\]/).at(-1) || path;
}

function loadOptions(values: BootValues): LoadOptions {
  const { memory, append, initrd, dtb, load, seed, gic, cpu, cpus, virtualization, secure } =
    values;
  return {
    memory,
    gic,
    cpus,
    cpuCompatible: cpuModel(cpu).compatible,
    its: !values["no-its"],
    highmem: !values["no-highmem"],
    virtualization,
    secure,
    append,
    initrd: initrd === undefined ? undefined : readFile(initrd),
    dtb: dtb === undefined ? undefined : readFile(dtb),
    loads: load.map(({ path, address }) => {
      return { name: baseName(path), address, bytes: readFile(path) };
    }),
    seeds: seed === undefined ? undefined : seedsOf(seed),
  };
}

/** `/chosen`'s seeds: the outputs of SplitMix64 from `seed`. */
function seedsOf(seed: bigint): { kaslr: Uint8Array; rng: Uint8Array } {
  const words = new BigUint64Array(5);
  for (let i = 0; i < words.length; i++) {
    seed = BigInt.asUintN(64, seed + 0x9e37_79b9_7f4a_7c15n);
    let z = seed;
    z = BigInt.asUintN(64, (z ^ (z >> 30n)) * 0xbf58_476d_1ce4_e5b9n);
    z = BigInt.asUintN(64, (z ^ (z >> 27n)) * 0x94d0_49bb_1331_11ebn);
    words[i] = z ^ (z >> 31n);
  }
  const bytes = new Uint8Array(words.buffer);
  return { kaslr: bytes.slice(0, 8), rng: bytes.slice(8) };
}

async function fileNote(
  role: ImageFile["role"],
  name: string,
  bytes: Uint8Array,
): Promise<ImageFile> {
  const digest = await crypto.subtle.digest("SHA-256", bytes as Uint8Array<ArrayBuffer>);
  return { role, name, size: bytes.length, sha256: new Uint8Array(digest) };
}

/** What was given; what was left out has its default, which the machine version stands for. */
function notedOptions(values: BootValues): Record<string, string | number | boolean> {
  const noted: Record<string, string | number | boolean> = {};
  for (const [name, value] of Object.entries(values) as [keyof BootValues, unknown][]) {
    if (!Object.hasOwn(BOOT_OPTIONS, name) || value === undefined || value === false) continue;
    if (Array.isArray(value)) {
      if (value.length > 0) noted[name] = value.map(optionText).join(" ");
    } else {
      noted[name] = typeof value === "bigint"
        ? `0x${value.toString(16)}`
        : value as string | number;
    }
  }
  return noted;
}

/** A value of an option that may be given several times. */
function optionText(value: string | RawFileOption): string {
  return typeof value === "string" ? value : `${value.path}@0x${value.address.toString(16)}`;
}

/** A file and where in RAM it goes. */
interface RawFileOption {
  readonly path: string;
  readonly address: number;
}

function rawFile(value: string): RawFileOption {
  const [, path, address] = /^(.+)@(0x[0-9a-f]{1,9}|[0-9]{1,10})$/i.exec(value) ?? [];
  if (path === undefined) throw new Expected("a file, @ and its address: linux@0x50000000");
  return { path, address: Number(address) };
}

/** Version of the interrupt controller. */
function gicVersion(value: string): 2 | 3 {
  if (value === "2") return 2;
  if (value === "3") return 3;
  throw new Expected("2 or 3");
}

function cpuCount(value: string): number {
  const cpus = /^[1-9]$/.test(value) ? Number(value) : 0;
  if (cpus < 1 || cpus > MAX_CPUS) throw new Expected(`1 to ${MAX_CPUS}`);
  return cpus;
}
