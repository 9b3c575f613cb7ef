import {
  BASE,
  CLUSTER,
  FIRST_SPI,
  FLASH_BANK_BYTES,
  MONITORS_INTERRUPT,
  PCI_CONFIGURATION,
  PCI_HIGH_MEMORY,
  PCI_LOW_CONFIGURATION,
  PCI_WINDOWS,
  POWER_KEY_LINE,
  POWER_LINES,
  SPI,
} from "./board_map.ts";
import {
  Board,
  type Clock,
  type CpuSecurity,
  type Device,
  Flash,
  FwCfg,
  GenericTimer,
  GicV2,
  GicV2m,
  GicV3,
  type GicV3CpuInterface,
  type InterruptLine,
  PciConfiguration,
  PciWindow,
  Pl011,
  Pl031,
  Pl061,
  type Requester,
  TIMER_INTERRUPT,
  VIRTIO_SLOTS,
  VirtioBlk,
  VirtioConsole,
  type VirtioDevice,
  type VirtioMemory,
  VirtioMmio,
  VirtioRng,
} from "./devices/mod.ts";
import type { Media, Medium } from "./medium.ts";
import type { CpuState } from "./state.ts";
import type { PerformanceMonitors } from "./system/system_pmu.ts";

/**
 * The devices of QEMU's `virt` board and how they are wired (hw/arm/virt.c); where they stand says
 * `board_map.ts`.
 */

/** Bits of ISR_EL1 and of `pendingInterrupts`. */
const IRQ = 0x80, FIQ = 0x40;

/** The part of an interrupt controller that devices are wired to. */
type InterruptController = Pick<GicV2 | GicV3, "sharedLine" | "privateLine" | "giveToNonSecure">;

/** Devices behind virtio transports, beside the disks. */
export interface VirtioDevices {
  /** A console, which takes the input that comes while the guest has it open. */
  readonly console?: boolean;
  /** A source of random numbers, and what they follow from: 64 bits. */
  readonly rng?: bigint;
}

/** The devices that are asked for. Without a seed, random numbers follow from 0. */
export function virtioDevices(console: boolean, rng: boolean, seed = 0n): VirtioDevices {
  return { console, ...rng ? { rng: seed } : {} };
}

/** What the board is connected to. */
export interface VirtBoardOptions {
  /** Registers of each CPU. */
  readonly states: readonly CpuState[];
  readonly clock: Clock;
  /** Receives each byte that the first UART sends. */
  readonly console: (byte: number) => void;
  /** Guest memory for devices that access it by themselves. */
  readonly memory: VirtioMemory;
  /** Seconds since 1970 at virtual time 0. */
  readonly rtc: number;
  /** Version of the interrupt controller; 2 if left out. */
  readonly gic?: 2 | 3 | undefined;
  /** A GICv3 has its ITS; it has if left out. */
  readonly its?: boolean | undefined;
  /** Some of the board is above 4 GiB; it is if left out. */
  readonly highmem?: boolean | undefined;
  /** The processor has EL2: the interrupt controller has its virtual part. */
  readonly virtualization?: boolean | undefined;
  /** The processor has EL3: the interrupt controller knows two security states. */
  readonly secure?: boolean | undefined;
  /** A line of the Secure GPIO controller asks for this. */
  readonly powerLine?: (what: "poweroff" | "reset") => void;
  /** Bytes of RAM, for firmware to read. */
  readonly memoryBytes?: number | undefined;
  /** Contents of flash, disks and fw_cfg. */
  readonly media?: Media | undefined;
  /** Devices behind transports that are not media. */
  readonly virtio?: VirtioDevices | undefined;
  /** The set of interrupts that wait for a CPU has changed. */
  readonly interruptsChanged: (cpu: number) => void;
}

/** See the top of this file. */
export class VirtBoard {
  readonly bus = new Board();
  /** By CPU. */
  readonly timers: readonly GenericTimer[];
  readonly uart: Pl011;
  /** Who makes the access in hand; whoever changes CPU or security state changes it. */
  readonly requester: Requester = { cpu: 0, secure: false };
  /** System registers of the interrupt controller by CPU; none with GICv2. */
  readonly gicInterfaces: readonly GicV3CpuInterface[];
  readonly #monitors: PerformanceMonitors[] = [];
  readonly #gic: InterruptController;
  readonly #gpio: Pl061;
  readonly #console: VirtioConsole | undefined;
  readonly #transports: VirtioMmio;
  readonly #security: CpuSecurity[];
  readonly #pending: number[];
  readonly #virtual: number[];

  constructor(options: VirtBoardOptions) {
    const { states, clock, media = {}, memory, memoryBytes } = options;
    const cpus = states.length;
    this.#pending = new Array(cpus).fill(0);
    this.#virtual = new Array(cpus).fill(0);
    this.#security = new Array(cpus).fill({ secure: false, el3: false });
    const { gic, windows, interfaces } = this.#makeController(options, cpus);
    this.gicInterfaces = interfaces;
    this.#gic = gic;
    this.timers = states.map((state, cpu) =>
      new GenericTimer(state, clock, {
        virtual: gic.privateLine(cpu, TIMER_INTERRUPT.virtual),
        physical: gic.privateLine(cpu, TIMER_INTERRUPT.physical),
        hypervisor: gic.privateLine(cpu, TIMER_INTERRUPT.hypervisor),
        secure: gic.privateLine(cpu, TIMER_INTERRUPT.secure),
      })
    );
    const line = (spi: number) => gic.sharedLine(spi);
    this.uart = new Pl011({ base: BASE.uart, line: line(SPI.uart), output: options.console });
    this.#console = options.virtio?.console
      ? new VirtioConsole(memory, options.console)
      : undefined;
    // As on the reference, the first device takes the last transport.
    const transports = this.#virtioDevices(options).map((device, n) => ({
      number: VIRTIO_SLOTS - 1 - n,
      device,
      line: line(SPI.virtio + VIRTIO_SLOTS - 1 - n),
    }));
    this.#transports = new VirtioMmio({ base: BASE.virtio, memory, slots: transports });
    this.#gpio = new Pl061({ base: BASE.gpio, clock, line: line(SPI.gpio) });
    const devices = [
      ...BASE.flash.map((base, n) =>
        new Flash({
          name: `flash${n}`,
          base,
          size: FLASH_BANK_BYTES,
          medium: media[n === 0 ? "flash0" : "flash1"],
        })
      ),
      ...windows,
      this.uart,
      new Pl031({ base: BASE.rtc, clock, line: line(SPI.rtc), start: options.rtc }),
      new FwCfg({ base: BASE.fwCfg, cpuCount: cpus, memoryBytes, memory, media }),
      this.#gpio,
      ...(options.secure ? this.#secureDevices(options, line) : []),
      this.#transports,
      ...pciDevices(options.highmem ?? true),
    ];
    for (const device of devices) this.bus.add(device);
  }

  /** What only Secure accesses find, beside RAM and flash. Nothing is connected to this UART. */
  #secureDevices(
    { clock, powerLine }: VirtBoardOptions,
    line: (spi: number) => InterruptLine,
  ): Device[] {
    const ignored = () => {};
    return [
      new Pl011({
        name: "pl011-secure",
        base: BASE.secureUart,
        line: line(SPI.secureUart),
        output: ignored,
      }),
      new Pl061({
        name: "pl061-secure",
        base: BASE.secureGpio,
        clock,
        line: line(SPI.secureGpio),
        output: (n) => {
          if (n < POWER_LINES.length) powerLine?.(POWER_LINES[n]);
        },
      }),
    ];
  }

  #virtioDevices({ media = {}, memory, virtio = {} }: VirtBoardOptions): VirtioDevice[] {
    return [
      ...disksOf(media).map((medium) => new VirtioBlk(medium, memory)),
      ...this.#console ? [this.#console] : [],
      ...virtio.rng === undefined ? [] : [new VirtioRng(virtio.rng, memory)],
    ].slice(0, VIRTIO_SLOTS);
  }

  /** Whether a physical address is a register of what takes input: the first UART, or a virtio console. */
  takesInput(address: number): boolean {
    const isIn = ({ base, size }: { base: number; size: number }) =>
      address >= base && address < base + size;
    return isIn(this.uart) || this.#console !== undefined && isIn(this.#transports);
  }

  /** Whether there is room for a byte of input. */
  get canReceive(): boolean {
    return this.#input.canReceive;
  }

  /** Takes a byte of input. */
  receive(byte: number): void {
    this.#input.receive(byte);
  }

  /** Presses the power key. */
  pressPower(): void {
    this.#gpio.press(POWER_KEY_LINE);
  }

  /** What input goes to. */
  get #input(): VirtioConsole | Pl011 {
    return this.#console?.isOpen ? this.#console : this.uart;
  }

  /**
   * Where a CPU executes has changed.
   *
   * @param secure whether its accesses are Secure
   * @param el3 whether it is at EL3
   */
  securityChanged(cpu: number, secure: boolean, el3: boolean): void {
    if (cpu === this.requester.cpu) this.requester.secure = secure;
    const before = this.#security[cpu];
    if (before.secure === secure && before.el3 === el3) return;
    this.#security[cpu] = { secure, el3 };
    this.gicInterfaces[cpu]?.securityChanged();
  }

  /** Another CPU executes from here on. */
  select(cpu: number): void {
    this.requester.cpu = cpu;
    this.requester.secure = this.#security[cpu].secure;
  }

  /** Leaves the interrupt controller as firmware does for a kernel in Non-secure state. */
  giveToNonSecure(): void {
    this.#gic.giveToNonSecure();
  }

  /** Interrupts that wait for a CPU, masked or not, as ISR_EL1 has them: bit 7 IRQ, bit 6 FIQ. */
  interruptsOf(cpu: number): number {
    return this.#pending[cpu];
  }

  /** Virtual interrupts that the interrupt controller has for a CPU: bit 7 IRQ, bit 6 FIQ. */
  virtualInterruptsOf(cpu: number): number {
    return this.#virtual[cpu];
  }

  /** Wires up the performance monitors of the next CPU. */
  connectMonitors(make: (line: InterruptLine) => PerformanceMonitors): void {
    const cpu = this.#monitors.length;
    this.#monitors.push(make(this.#gic.privateLine(cpu, MONITORS_INTERRUPT)));
  }

  /** A CPU is about to change its exception level, between two instructions. */
  levelWillChange(cpu: number): void {
    this.#monitors[cpu]?.levelWillChange();
  }

  /** Whether nothing on the board will happen by itself. */
  get idle(): boolean {
    const monitors = this.#monitors, { timers } = this;
    for (let n = 0; n < timers.length; n++) if (!timers[n].idle) return false;
    for (let n = 0; n < monitors.length; n++) if (!monitors[n].idle) return false;
    return this.bus.nextEvent() === Infinity;
  }

  /** Instructions until something happens that goes by their number, or Infinity. */
  instructionsLeft(): number {
    let least = Infinity;
    for (const monitors of this.#monitors) {
      if (!monitors.idle) least = Math.min(least, monitors.instructionsLeft());
    }
    return least;
  }

  /** Virtual time in ns of the next thing that happens by itself, or Infinity. */
  nextEvent(): number {
    let next = this.bus.nextEvent();
    for (const timer of this.timers) next = Math.min(next, timer.nextEvent());
    for (const monitors of this.#monitors) {
      if (!monitors.idle) next = Math.min(next, monitors.nextEvent());
    }
    return next;
  }

  /** Lets happen what is due. */
  update(): void {
    for (const timer of this.timers) timer.update();
    for (const monitors of this.#monitors) if (!monitors.idle) monitors.update();
    this.bus.update();
  }

  #makeController(options: VirtBoardOptions, cpus: number): {
    gic: InterruptController;
    windows: readonly Device[];
    interfaces: readonly GicV3CpuInterface[];
  } {
    const { requester } = this;
    const { gic, memory, interruptsChanged, virtualization, secure: security = false } = options;
    const output = (levels: number[], cpu: number, bit: number): InterruptLine => ({
      set: (level) => {
        const before = levels[cpu];
        levels[cpu] = level ? before | bit : before & ~bit;
        if (levels[cpu] !== before) interruptsChanged(cpu);
      },
    });
    const lines = this.#pending.map((_, cpu) => ({
      irq: output(this.#pending, cpu, IRQ),
      fiq: output(this.#pending, cpu, FIQ),
      virtualIrq: output(this.#virtual, cpu, IRQ),
      virtualFiq: output(this.#virtual, cpu, FIQ),
    }));
    if (gic === 3) {
      const controller = new GicV3({
        distributorBase: BASE.gicDistributor,
        redistributorBase: BASE.gicRedistributors,
        itsBase: options.its ?? true ? BASE.its : null,
        lines,
        affinities: Array.from({ length: cpus }, (_, cpu) => affinityOf(cpu, CLUSTER[3])),
        requester,
        security,
        securityOf: (cpu) => this.#security[cpu],
        memory,
      });
      return { gic: controller, windows: controller.devices, interfaces: controller.interfaces };
    }
    const controller = new GicV2({
      distributorBase: BASE.gicDistributor,
      cpuInterfaceBase: BASE.gicCpuInterface,
      ...(virtualization
        ? {
          virtualBases: {
            hypervisor: BASE.gicHypervisorInterface,
            virtual: BASE.gicVirtualCpuInterface,
          },
        }
        : {}),
      lines,
      requester,
      security,
    });
    const messages = new GicV2m({
      base: BASE.gicV2m,
      line: (interrupt) => controller.sharedLine(interrupt - FIRST_SPI),
    });
    const { distributor, cpuInterface, virtual } = controller;
    const windows = [distributor, cpuInterface, ...virtual, messages];
    return { gic: controller, windows, interfaces: [] };
  }
}

/** The windows of the PCI Express host bridge. */
function pciDevices(highmem: boolean): Device[] {
  const windows = highmem ? [...PCI_WINDOWS, PCI_HIGH_MEMORY] : PCI_WINDOWS;
  return [
    ...windows.map(([name, base, size]) => new PciWindow({ name, base, size })),
    new PciConfiguration(highmem ? PCI_CONFIGURATION : PCI_LOW_CONFIGURATION),
  ];
}

/** Aff1:Aff0 of a CPU. */
function affinityOf(cpu: number, cluster: number): number {
  return (Math.floor(cpu / cluster) << 8) | cpu % cluster;
}

/** The disks in order. */
function disksOf(media: Media): Medium[] {
  const disks: Medium[] = [];
  for (let n = 0; disks.length < VIRTIO_SLOTS; n++) {
    const medium = media[`disk${n}`];
    if (!medium) break;
    disks.push(medium);
  }
  return disks;
}
