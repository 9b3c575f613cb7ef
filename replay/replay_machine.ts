/**
 * Makes the machine that a trace was recorded on, and puts states of the trace into it.
 *
 * A trace is untrusted: what its header asks for is bounded before it is allocated, and a state
 * that does not fit the machine ends in one {@linkcode ReplayError}.
 */
import { CPU_NAMES, type CpuName, DEFAULT_CPU, isCpuName } from "../core/cpu_models.ts";
import type { BootSegment } from "../core/loader/boot_plan.ts";
import {
  type BootedImage,
  Machine,
  MACHINE_VERSION,
  type MachineOptions,
} from "../core/machine.ts";
import { semihostingOptions } from "../core/machine_options.ts";
import type { MachineState } from "../core/machine_state.ts";
import { PAGE_BYTES } from "../core/memory/memory.ts";
import { secureBytes } from "../core/memory/physical_spaces.ts";
import { MAX_CPUS } from "../core/turns.ts";
import { RAM_BASE } from "../core/board_map.ts";
import { virtioDevices } from "../core/virt_board.ts";
import type { Keyframe, LoadedRange, Trace } from "../trace/mod.ts";
import { RecordedFiles } from "./recorded_files.ts";
import { RecordedKeys } from "./recorded_keys.ts";
import { recordedMedia } from "./recorded_media.ts";
import { ReplayError } from "./replay_error.ts";

const MEMORY_UNIT = 65536;
const MOST_MEMORY = 3 * 2 ** 30;

/** How a replaying machine may differ from the recorded one without doing anything else. */
export interface ReplayMachineOptions {
  /** Whether executed runs are kept for a flow observer. */
  readonly flow?: boolean;
  /** Whether it looks for hazards. */
  readonly hazards?: boolean;
  /** Whether what instructions write to registers is kept. */
  readonly results?: boolean;
  /** Whether every store is watched: then neither marks of stores nor translated code are of use. */
  readonly watched?: boolean;
}

/** Whether this program's machine does what the recording program's did, by their versions. */
export function isSameMachineVersion(trace: Trace): boolean {
  return trace.header.machineVersion === MACHINE_VERSION;
}

/** The one line for a trace of another machine version that this machine does not reproduce. */
export function otherVersion(trace: Trace): string {
  const { machineVersion, recorder } = trace.header;
  return `Cannot re-execute the trace: it was recorded with machine version ${machineVersion} ` +
    `by ${recorder}, this program has version ${MACHINE_VERSION}; use the release that recorded it`;
}

/**
 * A machine as the trace's header describes it, with empty memory. It ends neither for a loop nor
 * for a storm, because the trace says where it ended.
 *
 * @throws ReplayError if there is no such machine
 */
export function makeReplayMachine(trace: Trace, options: ReplayMachineOptions): Machine {
  const { flow = false, hazards = false, results = false, watched = false } = options;
  const { options: recorded } = trace.header;
  const { memory, cpus } = trace.header;
  const { base, size } = memory;
  const secured = secureBytes(recorded.secure === true);
  const least = MEMORY_UNIT + secured, most = MOST_MEMORY + secured;
  if (base !== RAM_BASE || size < least || size > most || size % MEMORY_UNIT !== 0) {
    throw new ReplayError(
      `Cannot re-execute the trace: expected RAM of 64 KiB to 3 GiB at 0x${
        RAM_BASE.toString(16)
      }, ` +
        `found ${size} bytes at 0x${base.toString(16)}`,
    );
  }
  if (cpus < 1 || cpus > MAX_CPUS) {
    throw new ReplayError(
      `Cannot re-execute the trace: expected 1 to ${MAX_CPUS} CPUs, found ${cpus}`,
    );
  }
  const number = (name: string) => {
    const value = recorded[name];
    return typeof value === "number" && Number.isSafeInteger(value) && value >= 0 ? value : null;
  };
  const ns = number("ns-per-instruction");
  const rtc = number("rtc");
  const reboots = number("reboots");
  const machineOptions: MachineOptions = {
    memoryBytes: size - secured,
    cpus,
    flow,
    hazards,
    results,
    // Costs nothing that can be measured, and finds writers: queries/writers_stretches.ts.
    storeMarks: !watched,
    ...(watched ? { translate: null } : {}),
    strict: recorded.strict === true,
    storm: Infinity,
    endless: true,
    media: recordedMedia(trace.inputs()),
    virtio: virtioDevices(
      recorded["virtio-console"] === true,
      recorded.rng === true,
      seedOf(trace),
    ),
    ...(recorded.semihosting === true || recorded["semihosting-dir"] !== undefined
      ? {
        semihosting: semihostingOptions({
          name: trace.header.image.name,
          append: typeof recorded.append === "string" ? recorded.append : undefined,
          ranges: trace.loaded ?? [],
          memory: size,
        }),
        semihostingKeys: new RecordedKeys(trace.inputs()),
      }
      : {}),
    ...(typeof recorded["semihosting-dir"] === "string"
      ? { semihostingFiles: new RecordedFiles(trace.inputs()) }
      : {}),
    ...(ns === null ? {} : { nsPerInstruction: ns }),
    ...(rtc === null ? {} : { rtc }),
    ...(reboots === null ? {} : { reboots }),
    ...(recorded.gic === 3 ? { gic: 3 } : {}),
    its: recorded["no-its"] !== true,
    highmem: recorded["no-highmem"] !== true,
    cpu: cpuOf(trace),
    virtualization: recorded.virtualization === true,
    secure: recorded.secure === true,
  };
  const machine = new Machine(machineOptions);
  machine.bootsAgain = bootedImage(trace, machine);
  return machine;
}

/** At `#0` it is set by the loader alone. */
const SCTLR_EE = 1n << 25n;

/** What random numbers follow from. */
function seedOf({ header: { options: { seed } } }: Trace): bigint | undefined {
  return typeof seed === "string" && /^0x[0-9a-f]{1,16}$/.test(seed) ? BigInt(seed) : undefined;
}

/** The processor that the trace was recorded on. */
function cpuOf({ header: { options: { cpu = DEFAULT_CPU } } }: Trace): CpuName {
  if (isCpuName(cpu)) return cpu;
  throw new ReplayError(
    `Cannot re-execute the trace: expected a processor of ${CPU_NAMES.join(", ")}, found ${cpu}`,
  );
}

/** What a reset boots again, from the state at `#0`; null if the trace does not tell. */
function bootedImage(trace: Trace, { memory }: Machine): (() => BootedImage) | null {
  const { loaded } = trace;
  if (!loaded) return null;
  for (const { address, length } of loaded) {
    if (memory.contains(address, length)) continue;
    throw new ReplayError(
      `Cannot re-execute the trace: expected it to load to RAM, found ${length} bytes at ` +
        `0x${address.toString(16)}`,
    );
  }
  return () => {
    const { cpus: [cpu] } = machineStateOf(trace.keyframe(0));
    const segments = loaded.map((range) => loadedSegment(trace, range));
    return { segments, pc: cpu.pc, x: cpu.x, bigEndian: (cpu.system.SCTLR_EL1 & SCTLR_EE) !== 0n };
  };
}

function loadedSegment(trace: Trace, { address, length }: LoadedRange): BootSegment {
  const end = address + length;
  const bytes = new Uint8Array(length);
  const held = new Set(trace.pageAddresses(0));
  for (let page = address - address % PAGE_BYTES; page < end; page += PAGE_BYTES) {
    if (!held.has(page)) continue;
    const first = Math.max(page, address);
    const last = Math.min(page + PAGE_BYTES, end);
    bytes.set(trace.page(page, 0).subarray(first - page, last - page), first - address);
  }
  return { name: "loaded memory", address, bytes, zeroTo: end };
}

/** A keyframe as the state of a machine. */
export function machineStateOf(keyframe: Keyframe): MachineState {
  return { ...keyframe.state, tlb: keyframe.tlb } as unknown as MachineState;
}

/**
 * Puts a state into a machine whose memory already is that of the state.
 *
 * @param what names the state in errors
 * @throws ReplayError if the state is not one of this machine
 */
export function restoreState(machine: Machine, state: MachineState, what: string): void {
  try {
    machine.restore(state);
  } catch (error) {
    if (!(error instanceof Error)) throw error;
    throw new ReplayError(`Cannot restore ${what}: ${error.message}`);
  }
}
