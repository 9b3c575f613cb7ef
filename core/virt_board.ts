import {
  Board,
  type Clock,
  GenericTimer,
  type InterruptLine,
  Pl011,
  TIMER_INTERRUPT,
} from "./devices/mod.ts";
import { GicV2 } from "./devices/gic_v2.ts";
import type { CpuState } from "./state.ts";

/**
 * The devices of QEMU's `virt` board, where they stand and how they are wired (hw/arm/virt.c).
 */

/** Physical address of RAM. */
export const RAM_BASE = 0x4000_0000;

const GIC_DISTRIBUTOR = 0x0800_0000;
const GIC_CPU_INTERFACE = 0x0801_0000;
const UART = 0x0900_0000;
const UART_INTERRUPT = 1;

/** Bits of ISR_EL1 and of `pendingInterrupts`. */
const IRQ = 0x80, FIQ = 0x40;

/** What the board is connected to. */
export interface VirtBoardOptions {
  readonly state: CpuState;
  readonly clock: Clock;
  /** Receives each byte that the first UART sends. */
  readonly console: (byte: number) => void;
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
    const line = (bit: number): InterruptLine => ({
      set: (level) => {
        const before = this.pendingInterrupts;
        this.pendingInterrupts = level ? before | bit : before & ~bit;
        if (this.pendingInterrupts !== before) options.interruptsChanged();
      },
    });
    const gic = new GicV2({
      distributorBase: GIC_DISTRIBUTOR,
      cpuInterfaceBase: GIC_CPU_INTERFACE,
      lines: [{ irq: line(IRQ), fiq: line(FIQ) }],
      currentCpu: () => 0,
    });
    this.timer = new GenericTimer(options.state, options.clock, {
      virtual: gic.privateLine(0, TIMER_INTERRUPT.virtual),
      physical: gic.privateLine(0, TIMER_INTERRUPT.physical),
    });
    this.uart = new Pl011({
      base: UART,
      line: gic.sharedLine(UART_INTERRUPT),
      output: options.console,
    });
    this.bus.add(gic.distributor);
    this.bus.add(gic.cpuInterface);
    this.bus.add(this.uart);
  }
}
