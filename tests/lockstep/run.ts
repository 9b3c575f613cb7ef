/** Compares a boot on our machine with the reference, from one position to another. */
import { type BootValues, prepareGuest } from "../../commands/boot_options.ts";
import { Machine } from "../../core/machine.ts";
import type { BootPlan } from "../../core/loader/mod.ts";
import { buildKernel } from "../../kernel/build.ts";
import { freePort, type QemuOptions } from "../drivers/qemu.ts";
import { type Difference, Lockstep } from "./lockstep.ts";
import { type ReachedPlace, reachOnReference, reachPlace } from "./reach.ts";
import { type LogOptions, ReferenceLog } from "./reference_log.ts";

/** A boot, and how it is compared. */
export interface LockstepOptions extends LogOptions {
  /** Path of the image; the built-in kernel if left out. */
  readonly image: string | undefined;
  readonly values: BootValues;
  /** Where comparing begins; what is before is only executed. */
  readonly from: number;
  /** Where it ends. */
  readonly to: number;
  /** Changes our machine once it has booted: for tests of the comparison. */
  readonly tamper?: (machine: Machine) => void;
  /** Told now and then how far it is. */
  readonly progress?: (position: number) => void;
}

/** What came of it. */
export interface LockstepResult {
  readonly difference: Difference | null;
  /** The first position that was compared, and the last one at which the two agreed. */
  readonly from: number;
  readonly to: number;
  /** Entries of the log that were compared. */
  readonly entries: number;
  /** Wall-clock time of the comparison alone. */
  readonly seconds: number;
  /** Why it ended, if the two came to an end. */
  readonly end: string | null;
  readonly plan: BootPlan;
  /** What the reference complained about. */
  readonly noise: readonly string[];
}

/** Entries between two looks at the clock. */
const PROGRESS_ENTRIES = 1 << 17;

/** A machine that has booted and will neither prove loops nor count faults. */
export async function bootMachine(
  { image, values, tamper }: LockstepOptions,
): Promise<{ machine: Machine; plan: BootPlan }> {
  const guest = await prepareGuest(image, { ...values, storm: Number.MAX_SAFE_INTEGER });
  const machine = new Machine({ ...guest.machine, media: guest.media, flow: false, endless: true });
  machine.boot(guest.plan);
  clearFlagsLikeTheReference(machine);
  tamper?.(machine);
  return { machine, plan: guest.plan };
}

/**
 * The one thing known in which the reference is wrong everywhere: it clears NZCV when it takes an
 * exception (`pstate_write()` in its `arm_cpu_do_interrupt_aarch64()`), where the architecture
 * keeps them (Arm ARM, AArch64.TakeException). Handlers and the SPSR of exceptions in them would
 * differ, so here ours clears them, too.
 */
function clearFlagsLikeTheReference(machine: Machine): void {
  machine.observer = {
    event: ({ kind }) => {
      if (kind === "exception") machine.engine.state.nzcv = 0n;
    },
  };
}

/** Compares until `to`, the end of the guest, or the first difference. */
export async function runLockstep(given: LockstepOptions): Promise<LockstepResult> {
  // Without registers nothing would tell how often a short loop was gone through.
  const options = given.compare === "flow" ? { ...given, every: "instruction" as const } : given;
  const place = options.from > 0 ? await reachPlace(options, options.from) : null;
  const { machine, plan } = await bootMachine(options);
  if (place) machine.run(place.position);
  return await withImage(options, async (path) => {
    const log = await startReference(path, options, plan, place);
    try {
      return await compare(machine, plan, log, options);
    } finally {
      await log.stop();
    }
  });
}

/** Calls with the path of the image that is booted, if there is one. */
export async function withImage<T>(
  { image, values }: LockstepOptions,
  use: (path: string | undefined) => Promise<T>,
): Promise<T> {
  if (image !== undefined || values.firmware !== undefined) return await use(image);
  const path = Deno.makeTempFileSync({ prefix: "unboot-lockstep-" });
  try {
    Deno.writeFileSync(path, buildKernel(values.bug === undefined ? {} : { bug: values.bug }).elf);
    return await use(path);
  } finally {
    Deno.removeSync(path);
  }
}

async function startReference(
  path: string | undefined,
  options: LockstepOptions,
  plan: BootPlan,
  place: ReachedPlace | null,
): Promise<ReferenceLog> {
  const port = freePort();
  const log = new ReferenceLog(path, qemuOptions(options.values), port);
  try {
    const reference = await reachOnReference(port, plan, place);
    log.atStop = () => reference.close();
    await reference.startLog(options);
    return log;
  } catch (error) {
    await log.stop();
    throw new Error(`The reference did not start: ${log.noise.join("; ") || error}`);
  }
}

async function compare(
  machine: Machine,
  plan: BootPlan,
  log: ReferenceLog,
  { every, to, progress }: LockstepOptions,
): Promise<LockstepResult> {
  const from = machine.position;
  const lockstep = new Lockstep(machine, every === "instruction");
  const started = performance.now();
  let difference: Difference | null = null;
  await log.read((entry) => {
    difference = lockstep.follow(entry);
    if (lockstep.entries % PROGRESS_ENTRIES === 0) progress?.(machine.position);
    return difference === null && machine.position < to;
  });
  if (log.end && lockstep.entries === 0) {
    throw new Error(`The reference executed nothing: ${log.noise.join("; ") || "no message"}`);
  }
  if (log.end && !difference) difference = lockstep.finish(log.end);
  const end = machine.ended ?? (log.end && `the reference: ${log.end}`);
  const seconds = (performance.now() - started) / 1000;
  const { agreed, entries } = lockstep;
  return { difference, from, to: agreed, entries, seconds, end, plan, noise: log.noise };
}

/** The reference for the options of `record`. */
export function qemuOptions(values: BootValues): QemuOptions {
  const board = values.machine;
  const properties = [
    ...(board?.virtualization ?? values.virtualization ? ["virtualization=on"] : []),
    ...(board?.secure ?? values.secure ? ["secure=on"] : []),
    // Firmware would hand ACPI tables to the kernel, which this board has not got.
    ...(values.firmware === undefined ? [] : ["acpi=off"]),
  ];
  const extra = ["-nic", "none"];
  if (values.firmware !== undefined) extra.push("-bios", values.firmware);
  values.disk.forEach((path, n) => {
    extra.push("-drive", `if=none,file=${path},format=raw,id=d${n},snapshot=on`);
    extra.push("-device", `virtio-blk-device,drive=d${n}`);
  });
  return {
    cpu: values.cpu,
    memory: `${values.memory / 2 ** 20}M`,
    gic: board?.gic ?? values.gic,
    extra,
    ...(properties.length > 0 ? { machine: properties.join(",") } : {}),
    ...(values.initrd === undefined ? {} : { initrd: values.initrd }),
    ...(values.append === undefined ? {} : { append: values.append }),
    ...(values.dtb === undefined ? {} : { dtb: values.dtb }),
  };
}
