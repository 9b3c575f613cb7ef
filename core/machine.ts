import {
  type Clock,
  type DeviceState,
  largestGap,
  psciCall,
  Semihosting,
  type SemihostingOptions,
} from "./devices/mod.ts";
import { Cpu } from "./cpu.ts";
import { type CpuModel, cpuModel, type CpuName, DEFAULT_CPU } from "./cpu_models.ts";
import {
  Engine,
  type FlowObserver,
  type FlowSource,
  type TranslateOptions,
} from "./engine/engine.ts";
import type { Media } from "./medium.ts";
import { EXIT } from "./engine/reasons.ts";
import { EC, esrOf } from "./exception.ts";
import { ExceptionUnit } from "./exception_unit.ts";
import { rowsWith } from "./isa/table.ts";
import { INPUT, type InputSource } from "./input_source.ts";
import type { BootPlan } from "./loader/boot.ts";
import { LoopDetector } from "./loop_detector.ts";
import { loopSubject } from "./loop_subject.ts";
import { type MachineState, restoreMachine, saveMachine } from "./machine_state.ts";
import {
  breakpointException,
  completeStep,
  type DebugException,
  isDebugOn,
  isStepping,
  mayStep,
  stepException,
} from "./debug_unit.ts";
import { acceptVirtualError, chooseInterrupt, VIRTUAL_ERROR } from "./interrupt_routing.ts";
import { HazardDetector } from "./hazards/hazard_detector.ts";
import { descriptorBus, MemoryAccess } from "./memory_access.ts";
import { GuestMemory } from "./memory.ts";
import type { MachineEvent, Observer } from "./observer.ts";
import { PhysicalSpaces, secureBytes } from "./physical_spaces.ts";
import { admitLowerLevel, type ExceptionLevels, highestLevel } from "./privilege.ts";
import { bootLevel, type PsciConduit, psciConduit } from "./privileged_calls.ts";
import { Processor } from "./processor.ts";
import { RomWindow } from "./rom_window.ts";
import { SLOT } from "./state.ts";
import { StormDetector } from "./storm_detector.ts";
import { resetSystemRegisters, slotOf } from "./sysregs.ts";
import { affinity } from "./system_special.ts";
import { MAX_CPUS, Turns } from "./turns.ts";
import { RAM_BASE, VirtBoard } from "./virt_board.ts";
import { VirtualTime } from "./virtual_time.ts";
import { watchpointException } from "./watchpoints.ts";

/**
 * The machine: its processors, their memory and devices, and the rules of when it stops.
 *
 * The processors take turns ({@linkcode Turns}); what is said of the processor is of the one in turn.
 *
 * Time is counted in steps. A step is one retired instruction, or one exception entry that retires
 * nothing; `position` is the number of steps so far. The engine runs until something needs a
 * decision; the decisions — exceptions, interrupts, power, ends — are made here.
 */

/** Why a guest stopped. */
export type EndReason =
  | "poweroff"
  | "reset"
  | "loop"
  | "halted"
  | "fault-storm"
  | "max-instructions"
  | "interrupted"
  | "disk-full"
  | "internal-error";

/**
 * Raised by any change of architectural results, TLB geometry or device behaviour: the same image
 * and options give the same steps, events and states on machines of one version.
 */
export const MACHINE_VERSION = 2;

/** How a machine is made. */
export interface MachineOptions {
  /** Bytes of RAM, a multiple of 64 KiB, at most 3 GiB. */
  readonly memoryBytes: number;
  /** How many processors there are, 1 to 8; 1 if left out. */
  readonly cpus?: number;
  /** Whether executed runs are kept for the flow observer; without them it is a little faster. */
  readonly flow?: boolean;
  /** Whether stores are marked, see `Engine.storeMarks`; without it is a little faster. */
  readonly storeMarks?: boolean;
  /** Translates hot code, see `Engine`; nothing the guest or a trace can see depends on it. */
  readonly translate?: TranslateOptions | undefined;
  /** Virtual nanoseconds that each retired instruction takes; 1 if left out. */
  readonly nsPerInstruction?: number;
  /** Make what the reference lets pass fail as the architecture permits. */
  readonly strict?: boolean;
  /** Whether hazards are looked for; if left out, they are. Nothing else depends on it. */
  readonly hazards?: boolean;
  /** What the real-time clock shows at `#0`, in seconds since 1970; 2000-01-01T00:00:00Z if left out. */
  readonly rtc?: number;
  /** Synchronous exceptions that make a fault storm; 1,000 if left out. */
  readonly storm?: number;
  /** SYSTEM_RESETs that boot again before one ends the run; 0 if left out. */
  readonly reboots?: number;
  /** The processor has EL2. */
  readonly virtualization?: boolean | undefined;
  /** The processor has EL3, and the board a Secure address space. */
  readonly secure?: boolean | undefined;
  /** Version of the interrupt controller; 2 if left out. */
  readonly gic?: 2 | 3;
  /** Goes on where a loop would be proved: for a re-execution, whose end is known. */
  readonly endless?: boolean;
  /** The processor; a Cortex-A57 if left out. */
  readonly cpu?: CpuName;
  /** Extensions beyond Armv8.0-A, for example `FEAT_FP16`, in place of the processor's own. */
  readonly features?: ReadonlySet<string>;
  /** Answers HLT #0xf000; if left out, that is UNDEFINED. */
  readonly semihosting?: SemihostingOptions;
  /** Contents of flash, disks and fw_cfg's files; none if left out. */
  readonly media?: Media;
}

/** What of a plan a boot needs. */
export type BootedImage = Pick<BootPlan, "segments" | "pc" | "x">;

/** Devices whose models have no reset on the reference: they go on as they were. */
const OUTLIVES_RESET: ReadonlySet<string> = new Set(["pl011", "pl031"]);
const DEFAULT_STORM = 1000;
/** 2000-01-01T00:00:00Z. */
const DEFAULT_RTC = 946_684_800;
/** ELx with its own stack pointer, all interrupts masked, Z set: as the reference leaves reset. */
const RESET_PSTATE = 0x4000_03c1n;
const PSTATE_IL = 0x10_0000;
const VMPIDR = slotOf("VMPIDR_EL2");

/** What semihosting tells a guest, from what was loaded for it. */
export function semihostingOptions({ name, append, ranges, memory }: {
  name: string;
  append: string | undefined;
  ranges: readonly { address: number; length: number }[];
  memory: number;
}): SemihostingOptions {
  return {
    commandLine: append ? `${name} ${append}` : name,
    heap: largestGap(ranges, RAM_BASE, RAM_BASE + memory),
  };
}

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
  /** The exception level that the guest started at. */
  #bootLevel: number;
  /** What the guest gave to semihosting's EXIT, once it has. */
  exitCode: bigint | null = null;
  readonly #hazards: HazardDetector | null;
  readonly #semihosting: Semihosting | null;
  readonly #options: MachineOptions;
  readonly #rom: RomWindow;
  readonly #turns: Turns;
  readonly #loop: LoopDetector;
  /** The CPU whose turn began where the loop detector's checkpoint was taken. */
  #loopCpu = 0;
  readonly #devicesAtReset: ReturnType<VirtBoard["bus"]["save"]>;
  #resets = 0;
  /** Record where the loop detector's checkpoint was taken, and the position from which it is watched. */
  #probe = 0;
  #probeFrom = 0;
  /** The next instruction is at SLOT.pc and has not been fetched yet. */
  #entering = true;
  /** It was tried, and the fault is to be taken. */
  #fetchFailed = false;
  /** All CPUs wait, and neither the board nor input will ever end that. */
  #outlasted = false;

  /** Makes a machine that is still to be given an image: {@linkcode boot}. */
  constructor(options: MachineOptions) {
    this.#options = options;
    const { cpus = 1 } = options;
    if (!(cpus >= 1 && cpus <= MAX_CPUS)) {
      throw new RangeError(`${cpus} CPUs: expected 1 to ${MAX_CPUS}`);
    }
    this.model = cpuModel(options.cpu ?? DEFAULT_CPU, options.features);
    this.levels = { el2: options.virtualization ?? false, el3: options.secure ?? false };
    this.#bootLevel = bootLevel(this.levels, false);
    this.engine = this.#makeEngine(options);
    const { engine } = this;
    const { memoryBytes } = options;
    const secured = secureBytes(this.levels.el3);
    this.spaces = new PhysicalSpaces(RAM_BASE + memoryBytes, this.levels.el3);
    const ram = engine.guest.subarray(0, memoryBytes + secured);
    this.memory = new GuestMemory(RAM_BASE, ram, {
      onRestart: () => engine.lookups.forEach((lookup) => lookup.flushWrites()),
      onWatch: () => engine.lookups.forEach((lookup) => lookup.flush()),
      onWrite: (offset, length) => engine.willWrite(offset, length),
    });
    this.time = new VirtualTime(options.nsPerInstruction ?? 1, () => this.retired);
    const { clock } = this.time;
    this.board = new VirtBoard({
      states: engine.states,
      clock,
      console: (byte) => this.#sent(byte),
      memory: {
        read: (address, length) => {
          if (!this.memory.contains(address, length)) return undefined;
          const bytes = this.memory.read(address, length);
          this.memory.announce({ by: "dma", write: false, address, bytes });
          return bytes;
        },
        write: (address, bytes) => {
          const inside = this.memory.contains(address, bytes.length);
          if (!inside) return false;
          this.memory.announce({ by: "dma", write: true, address, bytes });
          this.access.store(address, bytes);
          return true;
        },
      },
      memoryBytes,
      rtc: options.rtc ?? DEFAULT_RTC,
      powerLine: (what) => {
        this.end(what);
        engine.stopAfterAccess();
      },
      gic: options.gic,
      virtualization: options.virtualization,
      secure: options.secure,
      media: options.media,
      interruptsChanged: () => this.#interruptsChanged(),
    });
    this.#devicesAtReset = this.board.bus.save();
    this.#rom = new RomWindow(engine, this.board.bus, memoryBytes + secured);
    this.#loop = new LoopDetector(loopSubject(this), options.endless ?? false);
    this.#hazards = options.hazards ?? true ? this.#makeHazards() : null;
    this.#turns = new Turns(engine.states.map((_, cpu) => this.#makeCpu(cpu, clock)));
    this.#semihosting = options.semihosting ? this.#makeSemihosting(options.semihosting) : null;
  }

  /** All CPUs. */
  get cpus(): readonly Cpu[] {
    return this.#turns.cpus;
  }

  /** The CPU in turn. */
  get cpu(): Cpu {
    return this.#turns.current;
  }

  /** The CPU in turn as system instructions see it. */
  get processor(): Processor {
    return this.#turns.current.processor;
  }

  /** Its loads, stores and fetches that are not fast. */
  get access(): MemoryAccess {
    return this.#turns.current.access;
  }

  /** Whether a CPU other than the one in turn could go on. */
  get othersRun(): boolean {
    return this.#turns.othersRun;
  }

  get #exceptions(): ExceptionUnit {
    return this.#turns.current.exceptions;
  }

  /** Receives executed runs, if the machine was made with `flow`. */
  get flowObserver(): FlowObserver | null {
    return this.engine.flowObserver;
  }
  set flowObserver(observer: FlowObserver | null) {
    this.engine.flowObserver = observer;
  }

  /** What a flow observer may ask about records. */
  get flowSource(): FlowSource {
    return this.engine;
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
    const outside = this.#entering || this.access.fetching;
    return outside ? this.engine.state.pc : this.engine.pc;
  }

  /** Instructions retired so far. */
  get retired(): number {
    return this.engine.retired;
  }

  /** Places an image in memory and sets the registers for its first instruction, which is `#0`. */
  boot(plan: BootPlan | BootedImage): void {
    this.bootsAgain = () => plan;
    for (const { address, bytes, zeroTo } of plan.segments) {
      this.#place(address, bytes);
      this.#place(address + bytes.length, new Uint8Array(zeroTo - address - bytes.length));
    }
    if ("kind" in plan) {
      const linux = plan.kind === "linux" || plan.kind === "flat";
      this.#bootLevel = bootLevel(this.levels, linux);
    }
    if (this.levels.el3 && this.#bootLevel < 3) this.board.giveToNonSecure();
    this.cpu.end();
    this.#select(this.cpus[0]);
    this.cpu.begin();
    this.#turns.begin(this.cpu, this.position);
    this.#turns.fresh = false;
    // Without firmware that could start them, the others start where the first does.
    const together = this.conduit === "none";
    for (const cpu of this.cpus) {
      this.#resetCpu(cpu, { level: this.#bootLevel, pc: plan.pc, x: plan.x });
      cpu.on = cpu.index === 0 || together;
    }
    this.resume();
  }

  /** Registers as reset leaves them, and what is asked for. */
  #resetCpu(
    { processor }: Cpu,
    start: { level: number; pc: bigint; x: readonly bigint[] },
  ): void {
    const { state } = processor;
    resetSystemRegisters(state, this.model);
    state.setPstateBits(RESET_PSTATE | BigInt(start.level << 2));
    admitLowerLevel(state, this.levels, start.level);
    state.sp = 0n;
    for (let n = 0; n < 31; n++) state.setX(n, start.x[n] ?? 0n);
    for (let n = 0; n < 32; n++) state.v(n).fill(0);
    state.set64(SLOT.fpcr, 0n);
    state.set64(SLOT.fpsr, 0n);
    state.pc = start.pc;
    state.clearExclusive();
    state.set64(VMPIDR, affinity(processor.cpu));
    processor.event = false;
    processor.reloadRegime();
    processor.tlb.clear();
  }

  /**
   * Runs until `position` is `until` exactly, or until the guest ends.
   *
   * @returns why it ended, or null at `until`
   */
  run(until: number): EndReason | null {
    while (!this.ended && this.position < until) {
      if (this.#turns.fresh) this.#announce();
      if (this.input) this.#type(this.input);
      if (this.#interrupted()) {
        this.#endTurn();
        continue;
      }
      if (isDebugOn(this.processor)) this.#debugged();
      else {
        const { position } = this;
        const next = this.#probeFrom > position ? this.#probeFrom : this.#nextCheckpoint;
        this.#step(Math.max(1, Math.min(until, next, this.#nextOutside()) - position));
      }
      this.#endTurn();
    }
    return this.ended;
  }

  /** Where execution stops for a checkpoint; with several CPUs those are where turns begin. */
  get #nextCheckpoint(): number {
    return this.#turns.several ? Infinity : this.#loop.nextPosition;
  }

  /** Ends the run in hand here and delivers it: at the end of a window. */
  cutFlow(): void {
    this.engine.cut();
    this.engine.deliver();
  }

  /** Gives the first UART a byte of input before the next step. Gives false if it has no room. */
  receive(byte: number): boolean {
    const { uart } = this.board;
    if (!uart.canReceive) return false;
    this.time.reads++;
    uart.receive(byte);
    return true;
  }

  /** Hands over input that is due, as far as the UART has room. */
  #type(input: InputSource): void {
    while (
      this.board.uart.canReceive &&
      (input.nextPosition() <= this.position || input.nextTime() <= this.time.nanoseconds)
    ) {
      const byte = input.take();
      this.receive(byte);
      this.inputObserver?.(INPUT.console, Uint8Array.of(byte));
    }
  }

  /** The guest sent a byte, which input may have waited for. */
  #sent(byte: number): void {
    this.#emit({ kind: "console", ...this.processor.here(), byte });
    if (this.input?.sent(byte)) this.time.reads++;
  }

  /** Ends the machine from outside. */
  end(reason: EndReason): void {
    this.ended ??= reason;
  }

  /** Everything but memory, as plain data. */
  save(): MachineState {
    const { engine, board } = this;
    const saved = saveMachine({
      cpus: this.cpus,
      turns: this.#turns,
      levels: this.levels,
      model: this.model,
      bootLevel: this.#bootLevel,
      board: board.bus,
      pc: this.pc,
      fetchedFrom: this.#entering || engine.atPageEnd ? null : this.#fetchedFrom(),
      retired: this.retired,
      entries: this.entries,
      skippedNs: this.time.skipped,
      resets: this.#resets,
    });
    if (this.#semihosting) saved.devices.semihosting = { errno: Number(this.#semihosting.errno) };
    return saved;
  }

  /** Puts the machine in a saved state; memory is the caller's to restore before. */
  restore(saved: MachineState): void {
    const { engine, board } = this;
    engine.cut();
    engine.deliver();
    const inTurn = saved.turn?.cpu ?? 0;
    this.#select(this.cpus[inTurn]);
    restoreMachine({ cpus: this.cpus, board: board.bus }, saved);
    engine.retired = saved.time.retired;
    this.entries = saved.time.entries;
    this.time.skipped = saved.time.skippedNs;
    this.#resets = saved.resets ?? 0;
    const asked = saved.devices.semihosting as { errno: number } | undefined;
    if (this.#semihosting) this.#semihosting.errno = BigInt(asked?.errno ?? 0);
    this.#bootLevel = saved.bootLevel ?? bootLevel(this.levels, false);
    this.cpus.forEach((cpu, n) => {
      cpu.processor.reloadRegime();
      cpu.restoreRetired(saved.cpus[n].power?.retired ?? saved.time.retired, n === inTurn);
    });
    this.#rom.drop();
    this.resume();
    if (saved.turn) this.#turns.restore(saved.turn, this.position);
    const cpu = saved.cpus[inTurn];
    if (cpu.fetchedFrom !== null) {
      engine.enterAt(this.#hostPage(cpu.fetchedFrom));
      this.#entering = false;
    }
    this.ended = null;
    this.#loop.reset();
    this.input?.seek(this.position);
  }

  /** Physical address of the page that the next instruction was fetched from. */
  #fetchedFrom(): number {
    const { engine, memory } = this;
    const { host } = engine.records.locate(engine.state.get32(SLOT.record));
    return this.#rom.physicalPage(host) ?? host - engine.layout.guest + memory.base;
  }

  /** Engine address of a page that code was fetched from. */
  #hostPage(address: number): number {
    const { engine, memory } = this;
    if (memory.contains(address)) return address - memory.base + engine.layout.guest;
    const page = this.#rom.hostPage(address);
    if (page === undefined) throw new RangeError(`nothing executable at 0x${address.toString(16)}`);
    return page;
  }

  // ---- one stretch of execution ----

  /** One step with software step or breakpoints on. */
  #debugged(): void {
    const { processor, engine } = this;
    const take = (debug: DebugException) =>
      this.#exceptions.take({ type: "sync", elr: this.pc, ...debug });
    const stepping = isStepping(processor);
    if (stepping && !mayStep(processor)) return take(stepException(processor));
    const hit = breakpointException(processor, this.pc);
    if (hit) return take(hit);
    const { retired, pc } = this;
    this.#step(1);
    if (!stepping || this.retired === retired || !mayStep(processor)) return;
    const straight = !this.#entering && this.pc === pc + 4n;
    const last = engine.state.get32(SLOT.record) - 16;
    completeStep(processor, straight ? engine.wordAt(last) : undefined);
  }

  #step(limit: number): void {
    const { engine } = this;
    if (this.#entering) {
      if (this.#fetchFailed || !engine.enter()) {
        this.#fetchFailed = false;
        return this.#exceptions.takeFault();
      }
      this.#entering = false;
      // A machine that was saved at a page's end: execution would have stopped behind it.
      if (this.#turns.inRun) {
        this.#turns.inRun = false;
        if (this.#turns.isOver(this.position)) return;
      }
    }
    // Fetching it comes first: an Instruction Abort or a PC alignment fault has priority (D1.3.6).
    if (engine.state.get32(SLOT.ilss) & PSTATE_IL) {
      return this.#exceptions.take({ type: "sync", esr: esrOf(EC.illegalState, 0), elr: this.pc });
    }
    if (this.#loop.nextPosition <= this.position) this.#checkpoint();
    this.#plantProbe();
    const { retired } = engine;
    let reason = engine.run(limit, this.#turns.left(this.position));
    this.#takeProbe();
    if (reason === EXIT.probe) {
      if (this.#loop.visit()) return this.end("loop");
      reason = engine.run(1);
    }
    if (reason === EXIT.budget || reason === EXIT.stop) {
      this.#turns.inRun = engine.inRun;
      return;
    }
    this.#decide(reason);
    if (this.#entering) this.#turns.inRun = false;
    else if (engine.retired > retired) this.#turns.inRun = engine.inRun;
  }

  /** What the engine could not go on with. */
  #decide(reason: number): void {
    switch (reason) {
      case EXIT.leave:
        return this.#left();
      case EXIT.dataFault:
        return this.#exceptions.takeFault();
      case EXIT.fetchFault:
        // The branch has retired and may have been the last step; the fault is a step of its own.
        this.resume();
        this.#fetchFailed = true;
        return;
      case EXIT.exception:
        return this.#exceptions.requested();
      case EXIT.callOutException:
        return this.#exceptions.trapped();
      case EXIT.eret:
        return this.#exceptions.exceptionReturn();
      default:
        throw new Error(`the engine left for an unknown reason ${reason}`);
    }
  }

  /** A call-out asked to be seen: a new regime, or WFI. */
  #left(): void {
    const { processor, engine } = this;
    if (processor.waiting) {
      processor.waiting = false;
      return this.#wait();
    }
    if (processor.yielding) {
      processor.yielding = false;
      return this.#giveWay();
    }
    if (!processor.refetch) return;
    engine.cut();
    engine.state.pc = engine.pc;
    this.resume();
  }

  /** WFI: time jumps to the event that wakes the CPU, or the guest has halted. */
  #wait(): void {
    if (this.#turns.several) {
      this.cpu.waiting = true;
      return this.#giveWay();
    }
    while (!this.cpu.isInterrupted) {
      if (this.#timeJumps()) continue;
      return this.#outlasted ? this.end("halted") : undefined;
    }
  }

  /** Lets time jump to the next event of the board; gives false if input or nothing comes before. */
  #timeJumps(): boolean {
    const { board } = this;
    const next = this.time.quietly(() => board.nextEvent());
    this.#outlasted = false;
    if (this.#inputEndsWait(next)) return false;
    if (next === Infinity) {
      this.#outlasted = !this.inputOpen;
      return false;
    }
    this.time.skipTo(next);
    this.time.quietly(() => board.update());
    return true;
  }

  // ---- turns ----

  #giveWay(): void {
    this.engine.cut();
    this.#turns.giveWay(this.position);
  }

  /** Where a turn is over, the next one begins. */
  #endTurn(): void {
    const turns = this.#turns;
    if (this.ended || !turns.isOver(this.position)) return;
    if (!this.board.idle) this.time.quietly(() => this.board.update());
    let next = turns.next();
    while (!next) {
      if (this.#timeJumps()) next = turns.next();
      else if (this.#outlasted) return this.end("halted");
      // Input comes, or may come: the architecture lets a CPU that waits go on at any time.
      else next = turns.cpus.find(({ on }) => on)!;
    }
    const before = this.cpu;
    if (next !== before) {
      if (!this.#entering) this.engine.state.pc = this.engine.pc;
      before.access.pending = undefined;
      before.end();
      this.engine.switchTo(next.index);
      this.board.select(next.index);
      next.begin();
    }
    turns.begin(next, this.position);
    if (next !== before) this.resume();
    this.#seekLoop();
  }

  #announce(): void {
    this.#turns.fresh = false;
    this.#emit({ kind: "turn", ...this.processor.here() });
  }

  /** Makes a CPU the one that runs. */
  #select(cpu: Cpu): void {
    if (this.engine.cpu !== cpu.index) this.engine.switchTo(cpu.index);
    this.#turns.current = cpu;
    this.board.select(cpu.index);
  }

  /** Compares the whole machine where turns of one CPU begin. */
  #seekLoop(): void {
    const { index } = this.cpu;
    if (this.#loop.nextPosition <= this.position) {
      this.#loop.checkpoint();
      this.#loopCpu = index;
    } else if (this.#loop.probing && index === this.#loopCpu && this.#loop.visit()) {
      this.end("loop");
    }
  }

  /** Whether input comes before virtual time `next`, to which it then skips. */
  #inputEndsWait(next: number): boolean {
    const { input, time, position } = this;
    if (!input || !this.board.uart.canReceive) return false;
    const from = time.nanoseconds;
    const end = input.waitUntil({ position, from, to: next });
    if (!(end < next)) return false;
    time.skipTo(end);
    time.quietly(() => this.board.update());
    this.inputObserver?.(INPUT.time, new Uint8Array(BigUint64Array.of(BigInt(end)).buffer));
    return true;
  }

  /** Takes an interrupt that waits and is not masked. Gives true if it did. */
  #interrupted(): boolean {
    const { board, engine } = this;
    if (!board.idle) this.time.quietly(() => board.update());
    const chosen = chooseInterrupt(this.processor);
    if (!chosen) return false;
    const { type, target, virtualError } = chosen;
    if (virtualError) acceptVirtualError(engine.state);
    this.#exceptions.take({ type, esr: virtualError ? VIRTUAL_ERROR : 0n, elr: this.pc, target });
    return true;
  }

  /** Position at which a timer fires or input comes, if only instructions retire until then. */
  #nextOutside(): number {
    const { input, position, time } = this;
    const timer = this.#timerPosition();
    if (!input) return timer;
    const at = input.nextTime();
    const typed = at > time.nanoseconds && at < Infinity
      ? position + time.instructionsUntil(at)
      : Infinity;
    const noted = input.nextPosition();
    return Math.min(timer, typed, noted > position ? noted : Infinity);
  }

  /** Position at which the next timer fires if only instructions retire until then. */
  #timerPosition(): number {
    const { board } = this;
    if (board.idle) return Infinity;
    const next = this.time.quietly(() => board.nextEvent());
    if (next === Infinity) return Infinity;
    return this.position + this.time.instructionsUntil(next);
  }

  /** An interrupt line moved: if it was a device access that moved it, the engine stops behind it. */
  #interruptsChanged(): void {
    if (this.access.accessing) this.engine.stopAfterAccess();
  }

  /** A device was accessed. If it set an alarm, how far to run is to be worked out anew. */
  #deviceAccessed(access: { write: boolean; address: number; size: number; value: bigint }): void {
    this.#emit({ kind: "mmio", ...this.processor.here(), ...access });
    if (access.write && this.board.bus.nextEvent() !== Infinity) this.engine.stopAfterAccess();
    // It may have made room for input, or printed what input waits for.
    else if (this.input && this.board.isUart(access.address)) this.engine.stopAfterAccess();
  }

  /** HVC or SMC: PSCI, whatever the immediate, as on the reference. */
  firmwareCall(): void {
    const { engine } = this;
    const { state } = engine;
    // Eight CPUs are one cluster, so that an affinity is a number.
    const find = (affinity: bigint) => affinity < 8n ? this.cpus[Number(affinity)] : undefined;
    const action = psciCall({
      powerState: (affinity) => {
        const cpu = find(affinity);
        return cpu && (cpu.on ? "on" : "off");
      },
      turnOn: (affinity, entry, context) => this.#turnOn(find(affinity)!, entry, context),
    }, [0, 1, 2, 3].map((n) => state.x(n)));
    if (action.kind === "system-reset") return this.#reset();
    engine.retire();
    switch (action.kind) {
      case "return":
        state.setX(0, action.result);
        return;
      case "suspend":
        state.setX(0, 0n);
        return this.#wait();
      case "cpu-off":
        this.cpu.on = false;
        if (this.cpus.every(({ on }) => !on)) return this.end("halted");
        return this.#giveWay();
      case "system-off":
        return this.end("poweroff");
    }
  }

  /** PSCI CPU_ON: at the level below the firmware, as the reference starts it. */
  #turnOn(cpu: Cpu, entry: bigint, context: bigint): void {
    this.#resetCpu(cpu, { level: this.levels.el2 ? 2 : 1, pc: entry, x: [context] });
    cpu.on = true;
    cpu.waiting = false;
  }

  /** HLT #0xf000: gives false without semihosting. */
  semihostingCall(): boolean {
    if (!this.#semihosting) return false;
    const { engine } = this;
    const { state } = engine;
    engine.retire();
    state.setX(0, this.#semihosting.call(Number(state.x(0) & 0xffff_ffffn), state.x(1)));
    return true;
  }

  #makeSemihosting(options: SemihostingOptions): Semihosting {
    return new Semihosting(options, {
      read: (address, length) => this.access.readVirtual(address, length),
      write: (address, bytes) => this.access.writeVirtual(address, bytes),
      print: (byte) => this.#sent(byte),
      nanoseconds: () => this.time.clock.nanoseconds(),
      seconds: () => {
        const start = this.#options.rtc ?? DEFAULT_RTC;
        return start + Math.floor(this.time.clock.nanoseconds() / 1e9);
      },
      exit: (code) => {
        this.exitCode = code;
        this.end("poweroff");
      },
    });
  }

  /** PSCI SYSTEM_RESET. As on the reference, memory that no boot loads keeps its content. */
  #reset(): void {
    const { engine, memory, bootsAgain } = this;
    this.#emit({ kind: "reset", ...this.processor.here(), reason: "SYSTEM_RESET" });
    if (this.#resets >= (this.#options.reboots ?? 0) || !bootsAgain) {
      engine.retire();
      return this.end("reset");
    }
    const plan = bootsAgain();
    // Whoever watches shall find the loader at the instruction that asked for it.
    for (const { address, bytes, zeroTo } of memory.watch ? plan.segments : []) {
      memory.announce({ by: "loader", write: true, address, bytes });
      const zeros = new Uint8Array(zeroTo - address - bytes.length);
      memory.announce({ by: "loader", write: true, address: address + bytes.length, bytes: zeros });
    }
    engine.retire();
    this.#resets++;
    this.board.bus.restore(this.#devicesAfterReset());
    this.boot(plan);
    this.bootsAgain = bootsAgain;
    // What led here cannot come again: resets are counted.
    this.#loop.reset();
  }

  /** Devices as at `#0`, but for what the reference (7.2) lets a reset leave alone. */
  #devicesAfterReset(): ReturnType<VirtBoard["bus"]["save"]> {
    const now = this.board.bus.save();
    return Object.fromEntries(
      Object.entries(this.#devicesAtReset).map(([name, first]) => {
        if (OUTLIVES_RESET.has(name)) return [name, now[name]];
        const device = this.board.bus.devices.find((device) => device.name === name);
        const own = device?.stateAfterReset?.();
        if (own !== undefined) return [name, own];
        // The content of a flash chip is memory; only its mode is reset.
        if (!name.startsWith("flash")) return [name, first];
        const { sectors } = now[name] as { sectors: DeviceState };
        return [name, { ...first as { [field: string]: DeviceState }, sectors }];
      }),
    );
  }

  /** The next instruction is at SLOT.pc, to be fetched when execution goes on. */
  resume(): void {
    this.processor.refetch = false;
    this.#entering = true;
    this.#fetchFailed = false;
  }

  // ---- loops ----

  #checkpoint(): void {
    this.#loop.checkpoint();
    this.#probe = this.engine.state.get32(SLOT.record);
    this.#probeFrom = this.position + 1;
  }

  #plantProbe(): void {
    // With several CPUs turns begin where states are compared: there is no probe.
    if (this.#turns.several) return;
    if (this.#loop.probing && this.position >= this.#probeFrom) {
      const { slot, value } = this.#loop.difference;
      this.engine.records.plantProbe(this.#probe, slot, value);
    }
  }

  #takeProbe(): void {
    if (this.#probe) this.engine.records.unplant(this.#probe);
  }

  // ---- the rest ----

  #emit(event: MachineEvent): void {
    (this.#hazards ?? this.observer)?.event(event);
  }

  #place(address: number, bytes: Uint8Array): void {
    if (bytes.length > 0) this.access.store(address, bytes);
  }

  #makeEngine(options: MachineOptions): Engine {
    const { memoryBytes, flow = false, storeMarks = false, translate } = options;
    const rows = rowsWith(this.model.features);
    const guestBytes = memoryBytes + secureBytes(this.levels.el3) + RomWindow.bytes;
    // See `Processor.lookupBank`.
    const levels = this.model.features.has("FEAT_PAN") ? 4 : highestLevel(this.levels) + 1;
    const { cpus = 1 } = options;
    return new Engine({ rows, guestBytes, levels, flow, storeMarks, cpus, translate }, {
      fetch: () => this.access.fetch(),
      access: (kind) => this.access.access(kind),
      callOut: (what, argument) => this.processor.callOut(what, argument, this.access),
      staleCode: () => this.processor.hazard("code-without-maintenance", this.pc),
    });
  }

  #makeHazards(): HazardDetector {
    return new HazardDetector({
      memory: this.memory,
      bus: descriptorBus(this.memory, this.board.bus, this.spaces),
      translationOf: (cpu) => this.cpus[cpu].processor.translation,
      levelOf: (cpu) => this.cpus[cpu].processor.state.el,
    }, { event: (event) => this.observer?.event(event) });
  }

  #makeCpu(index: number, clock: Clock): Cpu {
    const processor = this.#makeProcessor(index, clock);
    const storm = new StormDetector(this.#options.storm ?? DEFAULT_STORM);
    const exceptions = new ExceptionUnit(this, storm, this.#loop);
    const access = this.#makeAccess(processor);
    return new Cpu(index, processor, access, exceptions, () => this.retired);
  }

  #makeProcessor(cpu: number, clock: Clock): Processor {
    return new Processor({
      cpu,
      cpuCount: this.#options.cpus ?? 1,
      retired: () => this.cpus[cpu].retired,
      all: () => this.cpus.map(({ processor }) => processor),
      engine: this.engine,
      memory: this.memory,
      clock,
      board: this.board,
      observer: this.#hazards ?? { event: (event) => this.#emit(event) },
      hazards: this.#hazards,
      position: () => this.position,
      pc: () => this.pc,
      strict: this.#options.strict ?? false,
      levels: this.levels,
      model: this.model,
      spaces: this.spaces,
    });
  }

  #makeAccess(processor: Processor): MemoryAccess {
    return new MemoryAccess({
      engine: this.engine,
      memory: this.memory,
      board: this.board.bus,
      rom: this.#rom,
      spaces: this.spaces,
      requester: this.board.requester,
      translation: processor.translation,
      strict: this.#options.strict ?? false,
      alignmentChecked: () => processor.alignmentChecked,
      unprivilegedEl: () => processor.unprivilegedEl,
      lookupBank: (el) => processor.lookupBank(el),
      watching: () => processor.watching,
      watchpoint: (access) => watchpointException(processor, access),
      hazard: (name, address) => processor.hazard(name, address),
      mmio: (access) => this.#deviceAccessed(access),
    });
  }
}
