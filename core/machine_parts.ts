import { Cpu } from "./cpu.ts";
import {
  type Clock,
  encodeAnswer,
  FILE_INPUT,
  Semihosting,
  type SemihostingOptions,
  type VirtioMemory,
} from "./devices/mod.ts";
import { Engine } from "./engine/engine.ts";
import { BARRIER } from "./engine/reported_barriers.ts";
import { ExceptionUnit } from "./exceptions/exception_unit.ts";
import { HazardDetector } from "./hazards/hazard_detector.ts";
import { rowsWith } from "./isa/table.ts";
import type { Machine } from "./machine.ts";
import { DEFAULT_RTC, type MachineOptions } from "./machine_options.ts";
import { type AccessHost, descriptorBus, MemoryAccess } from "./memory/memory_access.ts";
import { GuestMemory } from "./memory/memory.ts";
import type { Observer } from "./observer.ts";
import { secureBytes } from "./memory/physical_spaces.ts";
import { highestLevel } from "./privilege.ts";
import { PerformanceMonitors } from "./system/system_pmu.ts";
import { Processor } from "./processor.ts";
import { RomWindow } from "./memory/rom_window.ts";
import { StormDetector } from "./storm_detector.ts";
import { RAM_BASE } from "./board_map.ts";
import { VirtBoard, type VirtBoardOptions } from "./virt_board.ts";
import { watchpointException } from "./exceptions/watchpoints.ts";

/**
 * Makes the parts of a machine from its options and connects them: engine, RAM, board, CPUs.
 */

const DEFAULT_STORM = 1000;

/** The engine; what it asks goes to the CPU in turn. */
export function makeEngine(
  options: MachineOptions,
  machine: Pick<Machine, "model" | "levels" | "cpu" | "processor" | "time" | "engine" | "observer">,
): Engine {
  const { model, levels } = machine;
  const { memoryBytes, flow = false, storeMarks = false, results = false, translate, cpus = 1 } =
    options;
  const rows = rowsWith(model.features);
  const guestBytes = memoryBytes + secureBytes(levels.el3) + RomWindow.bytes;
  // See `Processor.lookupBank`.
  const banks = model.features.has("FEAT_PAN") ? 4 : highestLevel(levels) + 1;
  const landings = model.features.has("FEAT_BTI");
  const made = {
    rows,
    guestBytes,
    levels: banks,
    flow,
    storeMarks,
    results,
    cpus,
    translate,
    landings,
  };
  return new Engine(made, {
    fetch: () => machine.cpu.access.fetch(),
    access: (kind) => machine.cpu.access.access(kind),
    callOut: (what, argument) => machine.cpu.callOuts.call(what, argument),
    staleCode: () => {
      const { processor } = machine.cpu;
      processor.hazard("code-without-maintenance", processor.pc);
    },
    beginSlice: (retired) => {
      const { processor } = machine;
      machine.time.beginSlice(retired, openCounters(processor));
      const { barriers } = machine.engine;
      // Without an observer, they become wanted by `barrierWanted`.
      if (machine.observer || barriers.kinds) barriers.kinds = wantedBarriers(processor);
    },
  });
}

/**
 * The counters that generated code may read by itself, because nothing traps that and they have no
 * offset: bit 0 CNTPCT, bit 1 CNTVCT.
 */
function openCounters({ state: { el }, levels }: Processor): number {
  if (el === 0) return 0;
  if (!levels.el2) return 3;
  return el === 1 ? 0 : 1;
}

/** Barriers that the observer would do anything with: bits of {@linkcode BARRIER}. */
function wantedBarriers({ observer }: Processor): number {
  if (!observer.wants) return BARRIER.DSB | BARRIER.DMB | BARRIER.ISB;
  return (observer.wants("barrier", "DSB") ? BARRIER.DSB : 0) |
    (observer.wants("barrier", "DMB") ? BARRIER.DMB : 0) |
    (observer.wants("barrier", "ISB") ? BARRIER.ISB : 0);
}

/** RAM in an engine's memory, the Secure part included. */
export function makeMemory(
  engine: Engine,
  { memoryBytes, secure = false }: MachineOptions,
): GuestMemory {
  const size = memoryBytes + secureBytes(secure);
  return new GuestMemory({ base: RAM_BASE, size, bytes: engine.guest.subarray(0, size) }, {
    onRestart: () => engine.lookups.forEach((lookup) => lookup.flushWrites()),
    onWatch: () => engine.lookups.forEach((lookup) => lookup.flush()),
    onWrite: (offset, length) => engine.willWrite(offset, length),
  });
}

/** The board with its devices. */
export function makeBoard(
  options: MachineOptions,
  parts: { engine: Engine; memory: GuestMemory; clock: Clock },
  host: Required<Pick<VirtBoardOptions, "console" | "powerLine" | "interruptsChanged">>,
): VirtBoard {
  const { engine, memory, clock } = parts;
  const { memoryBytes, rtc = DEFAULT_RTC, gic, its, highmem, media, virtio } = options;
  const { virtualization, secure } = options;
  return new VirtBoard({
    states: engine.states,
    clock,
    memory: directAccess(memory),
    memoryBytes,
    rtc,
    gic,
    its,
    highmem,
    virtualization,
    secure,
    media,
    virtio,
    ...host,
  });
}

/** RAM as devices that access it by themselves see it. */
function directAccess(memory: GuestMemory): VirtioMemory {
  return {
    contains: (address, length) => memory.contains(address, length),
    read(address, length) {
      if (!memory.contains(address, length)) return undefined;
      const bytes = memory.read(address, length);
      memory.announce({ by: "dma", write: false, address, bytes });
      return bytes;
    },
    write(address, bytes) {
      if (!memory.contains(address, bytes.length)) return false;
      memory.announce({ by: "dma", write: true, address, bytes });
      memory.write(address, bytes);
      return true;
    },
  };
}

/** What CPUs are connected to. */
export interface CpuParts {
  readonly machine: Machine;
  readonly options: MachineOptions;
  readonly observer: Observer;
  readonly hazards: HazardDetector | null;
  /** A device was accessed. */
  readonly mmio: AccessHost["mmio"];
}

/** One CPU. */
export function makeCpu(index: number, parts: CpuParts): Cpu {
  const { machine, options } = parts;
  const processor = makeProcessor(index, parts);
  connectMonitors(processor, machine);
  const storm = new StormDetector(options.storm ?? DEFAULT_STORM);
  const exceptions = new ExceptionUnit(machine, storm, machine.loop);
  const access = makeAccess(processor, parts);
  return new Cpu({ index, processor, access, exceptions, total: () => machine.retired });
}

/** The performance monitors look at time without the guest's asking. */
function connectMonitors(processor: Processor, { board, time }: Machine): void {
  const { state, levels, model } = processor;
  const context = {
    state,
    levels,
    model,
    clock: { nanoseconds: () => time.nanoseconds },
    get retired() {
      return processor.retired;
    },
  };
  board.connectMonitors((line) => new PerformanceMonitors(context, line));
}

function makeProcessor(cpu: number, parts: CpuParts): Processor {
  const { machine, options: { cpus = 1, strict = false }, observer, hazards } = parts;
  const { engine, memory, board, levels, model, spaces } = machine;
  return new Processor({
    cpu,
    cpuCount: cpus,
    retired: () => machine.cpus[cpu].retired,
    all: () => machine.cpus.map(({ processor }) => processor),
    engine,
    memory,
    clock: machine.time.clock,
    board,
    observer,
    hazards,
    position: () => machine.position,
    pc: () => machine.pc,
    strict,
    levels,
    model,
    spaces,
  });
}

function makeAccess(processor: Processor, parts: CpuParts): MemoryAccess {
  const { machine: { engine, memory, board, spaces, rom }, mmio } = parts;
  return new MemoryAccess({
    engine,
    memory,
    board: board.bus,
    rom,
    spaces,
    requester: board.requester,
    translation: processor.translation,
    strict: processor.strict,
    alignmentChecked: () => processor.alignmentChecked,
    bigEndian: () => processor.bigEndian,
    littleEndian: (el) => processor.littleEndian(el),
    unprivilegedEl: () => processor.unprivilegedEl,
    lookupBank: (el) => processor.lookupBank(el),
    watching: () => processor.watching,
    watchpoint: (access) => watchpointException(processor, access),
    hazard: (name, address) => processor.hazard(name, address),
    mmio,
  });
}

/** Hands events to the observer that a machine has at the moment. */
export function observerOf(machine: Pick<Machine, "observer">): Observer {
  return {
    event: (event) => machine.observer?.event(event),
    wants: (kind, name) => {
      const { observer } = machine;
      return observer !== null && (observer.wants?.(kind, name) ?? true);
    },
  };
}

/** Who looks for what works in the reference only, and hands on every event to `observer`. */
export function makeHazards(machine: Machine, observer: Observer): HazardDetector {
  const { memory, board, spaces } = machine;
  return new HazardDetector({
    memory,
    bus: descriptorBus(memory, board.bus, spaces),
    translationOf: (cpu) => machine.cpus[cpu].processor.translation,
    levelOf: (cpu) => machine.cpus[cpu].processor.state.el,
    barrierWanted: (name) => {
      machine.engine.barriers.kinds |= BARRIER[name];
    },
  }, observer);
}

/** Semihosting for the CPU in turn; `print` gets each byte of its console. */
export function makeSemihosting(
  machine: Machine,
  options: Pick<MachineOptions, "semihostingFiles" | "semihostingKeys" | "rtc"> & {
    semihosting: SemihostingOptions;
  },
  print: (byte: number) => void,
): Semihosting {
  const { clock } = machine.time;
  const { rtc = DEFAULT_RTC, semihostingFiles: files } = options;
  return new Semihosting(options.semihosting, {
    read: (address, length) => machine.access.readVirtual(address, length),
    write: (address, bytes) => machine.access.writeVirtual(address, bytes),
    print,
    typed: (most) => machine.outside.typed(most, options.semihostingKeys),
    nanoseconds: () => clock.nanoseconds(),
    seconds: () => rtc + Math.floor(clock.nanoseconds() / 1e9),
    ask: (request) => {
      const answer = files?.ask(request, machine.position);
      if (!answer) return undefined;
      // What files hold is nothing that a loop can be proved with.
      machine.time.noteRead();
      machine.inputObserver?.(FILE_INPUT, encodeAnswer(answer));
      return answer;
    },
    exit: (code) => {
      machine.exitCode = code;
      machine.end("poweroff");
    },
  });
}
