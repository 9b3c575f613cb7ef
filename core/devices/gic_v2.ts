/**
 * GICv2 (Arm IHI 0048B): the board's interrupt controller. The security and virtualization
 * extensions are there where the processor has EL3 and EL2, as on the reference.
 */

import type { Device, InterruptLine } from "./device.ts";
import { type CpuLines, GicCore, PRIVATE_INTERRUPTS } from "./gic_v2_core.ts";
import { GicV2CpuInterface } from "./gic_v2_cpu_interface.ts";
import { GicV2Distributor } from "./gic_v2_distributor.ts";
import { GicV2Virtual } from "./gic_v2_virtual.ts";
import type { Requester } from "./gic_v3_registers.ts";

/** How the controller is wired. */
export interface GicV2Options {
  /** Physical address of the GICD window. */
  readonly distributorBase: number;
  /** Physical address of the GICC window. */
  readonly cpuInterfaceBase: number;
  /** Physical addresses of the GICH and GICV windows; there are none if left out. */
  readonly virtualBases?: { readonly hypervisor: number; readonly virtual: number };
  /** Outputs, one record per CPU (at most 8). */
  readonly lines: readonly CpuLines[];
  /** Who makes the access in hand. */
  readonly requester: Requester;
  /** Group 0 is Secure: there are two security states. */
  readonly security?: boolean;
}

export type { CpuLines };

/** The interrupt controller: windows over one {@linkcode GicCore}. */
export class GicV2 {
  /** The GICD window. */
  readonly distributor: Device;
  /** The GICC window of the CPU that accesses it. */
  readonly cpuInterface: Device;
  /** The GICH and GICV windows, if there are. */
  readonly virtual: readonly Device[];
  readonly #core: GicCore;

  /** Makes a controller as after reset: everything off, SGIs enabled. */
  constructor(options: GicV2Options) {
    const { distributorBase, cpuInterfaceBase, virtualBases, lines, requester } = options;
    this.#core = new GicCore(lines, options.security ?? false);
    this.distributor = new GicV2Distributor(this.#core, distributorBase, requester);
    this.cpuInterface = new GicV2CpuInterface(this.#core, cpuInterfaceBase, requester);
    if (virtualBases) {
      const { hypervisorInterface, virtualCpuInterface } = new GicV2Virtual(
        this.#core,
        lines,
        requester,
        virtualBases,
      );
      this.virtual = [hypervisorInterface, virtualCpuInterface];
    } else {
      this.virtual = [];
    }
  }

  /** Sets what firmware sets for a kernel in Non-secure state that is booted without. */
  giveToNonSecure(): void {
    this.#core.giveToNonSecure();
  }

  /** The wire of a shared interrupt; `number` counts from 0 and becomes interrupt 32 + number. */
  sharedLine(number: number): InterruptLine {
    const interrupt = PRIVATE_INTERRUPTS + number;
    return { set: (level) => this.#core.setLevel(interrupt, 0, level) };
  }

  /** The wire of a private interrupt of one CPU; `interrupt` is 16 to 31. */
  privateLine(cpu: number, interrupt: number): InterruptLine {
    return { set: (level) => this.#core.setLevel(interrupt, cpu, level) };
  }
}
