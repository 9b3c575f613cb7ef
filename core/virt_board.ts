import {
  Board,
  type Clock,
  type DmaMemory,
  Flash,
  FwCfg,
  GenericTimer,
  GicV2,
  GicV2m,
  type InterruptLine,
  PciConfiguration,
  PciWindow,
  Pl011,
  Pl031,
  Pl061,
  TIMER_INTERRUPT,
  VirtioMmio,
} from "./devices/mod.ts";
import type { CpuState } from "./state.ts";

/**
 * The devices of QEMU's `virt` board, where they stand and how they are wired (hw/arm/virt.c).
 */

/** Physical address of RAM. */
export const RAM_BASE = 0x4000_0000;

/** Where the devices stand. */
const BASE = {
  flash: [0, 0x0400_0000],
  gicDistributor: 0x0800_0000,
  gicCpuInterface: 0x0801_0000,
  gicV2m: 0x0802_0000,
  uart: 0x0900_0000,
  rtc: 0x0901_0000,
  fwCfg: 0x0902_0000,
  gpio: 0x0903_0000,
  virtio: 0x0a00_0000,
} as const;
const FLASH_BANK_BYTES = 0x0400_0000;
/** Windows of the PCI Express host bridge: name, base, bytes. */
const PCI_WINDOWS = [
  ["pci-memory", 0x1000_0000, 0x2eff_0000],
  ["pci-io", 0x3eff_0000, 0x1_0000],
  ["pci-high-memory", 0x80_0000_0000, 0x80_0000_0000],
] as const;
const PCI_CONFIGURATION = { base: 0x40_1000_0000, size: 0x1000_0000 };

/** Shared interrupts; interrupt number minus 32. */
const SPI = { uart: 1, rtc: 2, gpio: 7 } as const;
const FIRST_SPI = 32;

/** Bits of ISR_EL1 and of `pendingInterrupts`. */
const IRQ = 0x80, FIQ = 0x40;

/** What the board is connected to. */
export interface VirtBoardOptions {
  readonly state: CpuState;
  readonly clock: Clock;
  /** Receives each byte that the first UART sends. */
  readonly console: (byte: number) => void;
  /** Guest memory for devices that access it by themselves. */
  readonly memory: DmaMemory;
  /** Seconds since 1970 at virtual time 0. */
  readonly rtc: number;
  /** The set of interrupts that wait for the CPU has changed. */
  readonly interruptsChanged: () => void;
}

/** See the top of this file. */
export class VirtBoard {
  readonly bus = new Board();
  readonly timer: GenericTimer;
  readonly uart: Pl011;
  /** Interrupts that wait for the CPU, masked or not, as ISR_EL1 has them: bit 7 IRQ, bit 6 FIQ. */
  pendingInterrupts = 0;

  constructor(options: VirtBoardOptions) {
    const output = (bit: number): InterruptLine => ({
      set: (level) => {
        const before = this.pendingInterrupts;
        this.pendingInterrupts = level ? before | bit : before & ~bit;
        if (this.pendingInterrupts !== before) options.interruptsChanged();
      },
    });
    const gic = new GicV2({
      distributorBase: BASE.gicDistributor,
      cpuInterfaceBase: BASE.gicCpuInterface,
      lines: [{ irq: output(IRQ), fiq: output(FIQ) }],
      currentCpu: () => 0,
    });
    this.timer = new GenericTimer(options.state, options.clock, {
      virtual: gic.privateLine(0, TIMER_INTERRUPT.virtual),
      physical: gic.privateLine(0, TIMER_INTERRUPT.physical),
    });
    const { clock } = options;
    const line = (spi: number) => gic.sharedLine(spi);
    this.uart = new Pl011({ base: BASE.uart, line: line(SPI.uart), output: options.console });
    const devices = [
      ...BASE.flash.map((base, n) =>
        new Flash({ name: `flash${n}`, base, size: FLASH_BANK_BYTES })
      ),
      gic.distributor,
      gic.cpuInterface,
      new GicV2m({ base: BASE.gicV2m, line: (interrupt) => line(interrupt - FIRST_SPI) }),
      this.uart,
      new Pl031({ base: BASE.rtc, clock, line: line(SPI.rtc), start: options.rtc }),
      new FwCfg({ base: BASE.fwCfg, cpuCount: 1, memory: options.memory }),
      new Pl061({ base: BASE.gpio, line: line(SPI.gpio) }),
      new VirtioMmio({ base: BASE.virtio }),
      ...PCI_WINDOWS.map(([name, base, size]) => new PciWindow({ name, base, size })),
      new PciConfiguration(PCI_CONFIGURATION),
    ];
    for (const device of devices) this.bus.add(device);
  }

  /** Whether a physical address is one of the first UART's registers. */
  isUart(address: number): boolean {
    return address >= this.uart.base && address < this.uart.base + this.uart.size;
  }

  /** Whether nothing on the board will happen by itself. */
  get idle(): boolean {
    return this.timer.idle && this.bus.nextEvent() === Infinity;
  }

  /** Virtual time in ns of the next thing that happens by itself, or Infinity. */
  nextEvent(): number {
    return Math.min(this.timer.nextEvent(), this.bus.nextEvent());
  }

  /** Lets happen what is due. */
  update(): void {
    this.timer.update();
    this.bus.update();
  }
}
