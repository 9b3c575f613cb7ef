import { BoardFirmware } from "./board_firmware.ts";
import type { Cpu } from "./cpu.ts";
import { type CpuModel, cpuModel, DEFAULT_CPU } from "./cpu_models.ts";
import { resetCpu } from "./cpu_reset.ts";
import { isDebugOn } from "./exceptions/debug_unit.ts";
import type { Semihosting } from "./devices/mod.ts";
import type { Engine } from "./engine/engine.ts";
import type { FlowObserver, FlowSource } from "./engine/flow_ring.ts";
import type { ExceptionUnit } from "./exceptions/exception_unit.ts";
import { Execution } from "./execution.ts";
import { ExternalEvents } from "./external_events.ts";
import type { HazardDetector } from "./hazards/hazard_detector.ts";
import type { InputSource } from "./input_source.ts";
import type { BootPlan } from "./loader/boot.ts";
import { LoopDetector } from "./loop_detector.ts";
import { loopSubject } from "./loop_subject.ts";
import type { BootedImage, EndReason, MachineOptions } from "./machine_options.ts";
import {
  makeBoard,
  makeCpu,
  makeEngine,
  makeHazards,
  makeMemory,
  makeSemihosting,
  observerOf,
} from "./machine_parts.ts";
import { type MachineState, restoreMachine, saveMachine } from "./machine_state.ts";
import type { MemoryAccess } from "./memory/memory_access.ts";
import type { GuestMemory } from "./memory/memory.ts";
import type { MachineEvent, Observer } from "./observer.ts";
import type { DeviceAccess } from "./memory/physical_access.ts";
import { placeImage } from "./place_image.ts";
import { PhysicalSpaces } from "./memory/physical_spaces.ts";
import type { ExceptionLevels } from "./privilege.ts";
import { bootLevel, type PsciConduit, psciConduit } from "./exceptions/privileged_calls.ts";
import type { Processor } from "./processor.ts";
import { RomWindow } from "./memory/rom_window.ts";
import { TurnTaking } from "./turn_taking.ts";
import { MAX_CPUS, Turns } from "./turns.ts";
import { RAM_BASE } from "./board_map.ts";
import { type VirtBoard } from "./virt_board.ts";
import { VirtualTime } from "./virtual_time.ts";

export type { BootedImage, EndReason, MachineOptions } from "./machine_options.ts";

/**
 * The machine: its processors, their memory and devices, and the rules of when it stops.
 *
 * The processors take turns ({@linkcode Turns}); what is said of the processor is of the one in turn.
 *
 * Time is counted in steps. A step is one retired instruction, or one exception entry that retires
 * nothing; `position` is the number of steps so far. The engine runs until something needs a
 * decision; the decisions — exceptions, interrupts, power, ends — are made here.
 */

/**
 * Raised by any change of architectural results, TLB geometry or device behaviour: the same image
 * and options give the same steps, events and states on machines of one version.
 */
export const MACHINE_VERSION = 5;

/** See the top of this file. */
export class Machine {
  /** Runs instructions. */
  readonly engine: Engine;
  /** RAM. */
  readonly memory: GuestMemory;
  /** Devices and interrupts. */
  readonly board: VirtBoard;
  /** See {@linkcode MACHINE_VERSION}. */
  readonly machineVersion: number = MACHINE_VERSION;
  /** Receives architectural events. */
  observer: Observer | null = null;
  /** Why it stopped, once it has. */
  ended: EndReason | null = null;
  /** Position of the fault that the end is explained by: the first of a storm or loop; -1 if none. */
  firstFault: number = -1;
  /** Exception entries so far that retired nothing. */
  entries = 0;
  /** Virtual time. */
  readonly time: VirtualTime;
  /**
   * Whether input may still come from outside ({@linkcode receive}): then no loop is proved, and
   * WFI with nothing armed goes on instead of halting, as the architecture lets it.
   */
  inputOpen = false;
  /** What a reset boots; {@linkcode boot} sets it. */
  bootsAgain: (() => BootedImage) | null = null;
  /** What is typed at the first UART; see {@linkcode InputSource}. */
  input: InputSource | null = null;
  /** Told of everything that reached the guest from outside, at the present position. */
  inputObserver: ((source: string, bytes: Uint8Array) => void) | null = null;
  /** The exception levels above EL1. */
  readonly levels: ExceptionLevels;
  /** Which processor it is. */
  readonly model: CpuModel;
  /** What Secure and Non-secure accesses find. */
  readonly spaces: PhysicalSpaces;
  /** Answers HVC or SMC. */
  readonly firmware: BoardFirmware;
  /** What reaches the guest from outside its processors. */
  readonly outside: ExternalEvents;
  /** Pages of code outside RAM. */
  readonly rom: RomWindow;
  /** Whose turn it is. */
  readonly turns: Turns;
  /** Proves that the guest will go on for ever. */
  readonly loop: LoopDetector;
  /** The exception level that the guest started at. */
  #bootLevel: number;
  /** What the guest gave to semihosting's EXIT, once it has. */
  exitCode: bigint | null = null;
  readonly #hazards: HazardDetector | null;
  readonly #semihosting: Semihosting | null;
  /** SYSTEM_RESETs that boot again before one ends the run. */
  readonly reboots: number;
  readonly #execution: Execution;
  readonly #taking: TurnTaking;

  /** Makes a machine that is still to be given an image: {@linkcode boot}. */
  constructor(options: MachineOptions) {
    this.reboots = options.reboots ?? 0;
    const { cpus = 1, hazards = true, semihosting } = options;
    if (!(cpus >= 1 && cpus <= MAX_CPUS)) {
      throw new RangeError(`${cpus} CPUs: expected 1 to ${MAX_CPUS}`);
    }
    this.model = cpuModel(options.cpu ?? DEFAULT_CPU, options.features);
    this.levels = { el2: options.virtualization ?? false, el3: options.secure ?? false };
    this.#bootLevel = bootLevel(this.levels, false);
    const engine = this.engine = makeEngine(options, this);
    this.spaces = new PhysicalSpaces(RAM_BASE + options.memoryBytes, this.levels.el3);
    const memory = this.memory = makeMemory(engine, options);
    this.time = new VirtualTime(options.nsPerInstruction ?? 1, () => this.retired);
    this.time.share(engine.memory);
    this.board = makeBoard(options, { engine, memory, clock: this.time.clock }, {
      console: (byte) => this.#sent(byte),
      powerLine: (what) => {
        this.end(what);
        engine.stopAfterAccess();
      },
      interruptsChanged: () => this.#interruptsChanged(),
    });
    this.outside = new ExternalEvents(this);
    this.firmware = new BoardFirmware(this);
    this.rom = new RomWindow(engine, this.board.bus, memory.size);
    this.loop = new LoopDetector(loopSubject(this), options.endless ?? false);
    const observer = observerOf(this);
    this.#hazards = hazards ? makeHazards(this, observer) : null;
    const parts = {
      machine: this,
      options,
      observer: this.#hazards ?? observer,
      hazards: this.#hazards,
      mmio: (access: DeviceAccess) => this.#deviceAccessed(access),
    };
    this.turns = new Turns(engine.states.map((_, cpu) => makeCpu(cpu, parts)));
    this.#execution = new Execution(this);
    this.#taking = new TurnTaking(this);
    this.#semihosting = semihosting
      ? makeSemihosting(this, { ...options, semihosting }, (byte) => this.#sent(byte))
      : null;
  }

  /** All CPUs. */
  get cpus(): readonly Cpu[] {
    return this.turns.cpus;
  }

  /** The CPU in turn. */
  get cpu(): Cpu {
    return this.turns.current;
  }

  /** The CPU in turn as system instructions see it. */
  get processor(): Processor {
    return this.turns.current.processor;
  }

  /** Its loads, stores and fetches that are not fast. */
  get access(): MemoryAccess {
    return this.turns.current.access;
  }

  /** Its exceptions. */
  get exceptions(): ExceptionUnit {
    return this.turns.current.exceptions;
  }

  /** Receives executed runs, if the machine was made with `flow`. */
  get flowObserver(): FlowObserver | null {
    return this.engine.flow.observer;
  }
  set flowObserver(observer: FlowObserver | null) {
    this.engine.flow.observer = observer;
  }

  /** What a flow observer may ask about records. */
  get flowSource(): FlowSource {
    return this.engine.flow;
  }

  /** The instruction that calls the board's firmware. */
  get conduit(): PsciConduit {
    return psciConduit(this.levels, this.#bootLevel);
  }

  /** Steps so far. */
  get position(): number {
    return this.engine.retired + this.entries;
  }

  /** Address of the next instruction. */
  get pc(): bigint {
    return this.#execution.pc;
  }

  /** Instructions retired so far. */
  get retired(): number {
    return this.engine.retired;
  }

  /** Places an image in memory and sets the registers for its first instruction, which is `#0`. */
  boot(plan: BootPlan | BootedImage): void {
    placeImage(plan.segments, this.memory, this.bootsAgain === null);
    this.bootsAgain = () => plan;
    if ("kind" in plan) {
      const linux = !plan.bare && (plan.kind === "linux" || plan.kind === "flat");
      this.#bootLevel = bootLevel(this.levels, linux);
    }
    if (this.levels.el3 && this.#bootLevel < 3) this.board.giveToNonSecure();
    this.cpu.end();
    this.#taking.select(this.cpus[0]);
    this.cpu.begin();
    this.turns.begin(this.cpu, this.position);
    this.turns.fresh = false;
    // Without firmware that could start them, the others start where the first does.
    const together = this.conduit === "none";
    for (const cpu of this.cpus) {
      const { pc, x, bigEndian } = plan;
      resetCpu(cpu, { level: this.#bootLevel, pc, x, bigEndian });
      cpu.on = cpu.index === 0 || together;
    }
    this.#hazards?.booted();
    this.resume();
  }

  /**
   * Runs until `position` is `until` exactly, or until the guest ends.
   *
   * @returns why it ended, or null at `until`
   */
  run(until: number): EndReason | null {
    for (let position = this.position; !this.ended && position < until; position = this.position) {
      if (this.turns.fresh) this.#announce();
      if (this.input) this.outside.type(this.input);
      this.outside.update();
      if (this.#execution.interrupted()) {
        this.#taking.endTurn();
        continue;
      }
      if (isDebugOn(this.processor)) this.#execution.debugged();
      else {
        const next = Math.min(this.#execution.nextStop(position), this.outside.nextPosition);
        this.#execution.step(Math.max(1, Math.min(until, next) - position), position);
      }
      this.#taking.endTurn();
    }
    return this.ended;
  }

  /**
   * Ends a turn that is over here but for what a stop in this place has left to be done: to fetch
   * the next page. A machine that goes on does so by itself.
   */
  settle(): void {
    this.#taking.settle(() => this.#execution.step(1));
  }

  /** Ends the run in hand here and delivers it: at the end of a window. */
  cutFlow(): void {
    this.engine.cut();
    this.engine.flow.deliver();
  }

  /** Gives the first UART a byte of input before the next step. Gives false if it has no room. */
  receive(byte: number): boolean {
    return this.outside.receive(byte);
  }

  /** The guest sent a byte, which input may have waited for. */
  #sent(byte: number): void {
    this.#emit({ kind: "console", ...this.processor.here(), byte });
    if (this.input?.sent(byte)) this.time.noteRead();
  }

  /** Ends the machine from outside. */
  end(reason: EndReason): void {
    this.ended ??= reason;
  }

  /** Everything but memory, as plain data. */
  save(): MachineState {
    const { board } = this;
    const saved = saveMachine({
      cpus: this.cpus,
      turns: this.turns,
      levels: this.levels,
      model: this.model,
      bootLevel: this.#bootLevel,
      board: board.bus,
      pc: this.pc,
      fetchedFrom: this.#execution.fetchedFrom,
      retired: this.retired,
      entries: this.entries,
      skippedNs: this.time.skipped,
      resets: this.firmware.resets,
    });
    if (this.#semihosting) saved.devices.semihosting = this.#semihosting.save();
    return saved;
  }

  /** Puts the machine in a saved state; memory is the caller's to restore before. */
  restore(saved: MachineState): void {
    const { engine, board } = this;
    engine.cut();
    engine.flow.deliver();
    const inTurn = saved.turn?.cpu ?? 0;
    this.#taking.select(this.cpus[inTurn]);
    restoreMachine({ cpus: this.cpus, board: board.bus }, saved);
    engine.retired = saved.time.retired;
    this.entries = saved.time.entries;
    this.time.skipped = saved.time.skippedNs;
    this.firmware.resets = saved.resets ?? 0;
    this.#semihosting?.restore(saved.devices.semihosting);
    this.#bootLevel = saved.bootLevel ?? bootLevel(this.levels, false);
    this.cpus.forEach((cpu, n) => {
      cpu.processor.reloadRegime();
      cpu.restoreRetired(saved.cpus[n].power?.retired ?? saved.time.retired, n === inTurn);
    });
    this.rom.drop();
    this.resume();
    if (saved.turn) this.turns.restore(saved.turn, this.position);
    const cpu = saved.cpus[inTurn];
    if (cpu.fetchedFrom !== null) this.#execution.fetched(cpu.fetchedFrom);
    this.ended = null;
    this.loop.reset();
    this.input?.seek(this.position);
  }

  /** WFI: the CPU in turn waits for an interrupt. */
  wait(): void {
    this.#taking.wait();
  }

  /** The CPU in turn ends it here. */
  giveWay(): void {
    this.#taking.giveWay();
  }

  #announce(): void {
    this.turns.fresh = false;
    if (this.#hazards || this.observer) this.#emit({ kind: "turn", ...this.processor.here() });
  }

  /** An interrupt line moved: if it was a device access that moved it, the engine stops behind it. */
  #interruptsChanged(): void {
    if (this.access.accessing) this.engine.stopAfterAccess();
  }

  /** A device was accessed. If it set an alarm, how far to run is to be worked out anew. */
  #deviceAccessed(access: DeviceAccess): void {
    if (this.observer) this.observer.event({ kind: "mmio", ...this.processor.here(), ...access });
    if (access.write && this.board.bus.nextEvent() !== Infinity) this.engine.stopAfterAccess();
    // It may have made room for input, or printed what input waits for.
    else if (this.input && this.board.takesInput(access.address)) this.engine.stopAfterAccess();
  }

  /** HLT #0xf000: gives false without semihosting. */
  semihostingCall(): boolean {
    if (!this.#semihosting) return false;
    const { engine, engine: { state } } = this;
    engine.retire();
    state.setX(0, this.#semihosting.call(Number(state.x(0) & 0xffff_ffffn), state.x(1)));
    return true;
  }

  /** The next instruction is at SLOT.pc, to be fetched when execution goes on. */
  resume(): void {
    this.#execution.resume();
  }

  #emit(event: MachineEvent): void {
    (this.#hazards ?? this.observer)?.event(event);
  }
}
