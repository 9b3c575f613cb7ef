/**
 * GICv3 (Arm IHI 0069): the board's other interrupt controller, without GICv4 and message-based
 * SPIs, as the reference's.
 */

import type { Device, InterruptLine } from "./device.ts";
import type { DmaMemory } from "./fw_cfg.ts";
import { type CpuSecurity, GicV3Core, type GicV3Lines } from "./gic_v3_core.ts";
import { GicV3CpuInterface } from "./gic_v3_cpu_interface.ts";
import { GicV3DistributorWindow } from "./gic_v3_distributor.ts";
import { GicV3RedistributorWindow } from "./gic_v3_redistributor.ts";
import type { Requester } from "./gic_v3_registers.ts";
import { PRIVATE_INTERRUPTS } from "./gic_v3_state.ts";
import { Its } from "./its.ts";

export type { CpuSecurity, GicV3CpuInterface, GicV3Lines, Requester };

/** How the controller is wired. */
export interface GicV3Options {
  /** Physical address of the GICD window. */
  readonly distributorBase: number;
  /** Physical address of the redistributors: two frames of 64 KB for each CPU. */
  readonly redistributorBase: number;
  /** Physical address of the ITS; no LPIs if left out, and LPIs without an ITS if null. */
  readonly itsBase?: number | null;
  /** Outputs, one record for each CPU. */
  readonly lines: readonly GicV3Lines[];
  /** Affinity of each CPU: Aff3:Aff2:Aff1:Aff0 in 32 bits. */
  readonly affinities: readonly number[];
  /** Who makes the access in hand. */
  readonly requester: Requester;
  /** There are two security states. */
  readonly security?: boolean;
  /** Where a CPU executes; left out where there is no Secure state. */
  readonly securityOf?: (cpu: number) => CpuSecurity;
  /** Memory for the tables of ITS and LPIs. */
  readonly memory: DmaMemory;
}

/** The interrupt controller: its windows, and an interface for each CPU. */
export class GicV3 {
  /** The GICD, GICR and GITS windows. */
  readonly devices: readonly Device[];
  /** System registers, by CPU. */
  readonly interfaces: readonly GicV3CpuInterface[];
  readonly its: Its | undefined;
  readonly #core: GicV3Core;

  /** Makes a controller as after reset: everything off, every CPU asleep. */
  constructor(options: GicV3Options) {
    const { requester, itsBase, security = false } = options;
    const core = new GicV3Core({ ...options, security });
    this.#core = core;
    const hasLpis = itsBase !== undefined;
    this.its = typeof itsBase === "number" ? new Its(itsBase, core, options.memory) : undefined;
    this.devices = [
      new GicV3DistributorWindow(options.distributorBase, core, requester, hasLpis),
      new GicV3RedistributorWindow(options.redistributorBase, core, requester, hasLpis),
      ...(this.its ? [this.its] : []),
    ];
    this.interfaces = core.cpus.map((cpu) => new GicV3CpuInterface(core, cpu));
  }

  /** Sets what firmware sets for a kernel in Non-secure state that is booted without. */
  giveToNonSecure(): void {
    this.#core.giveToNonSecure();
  }

  /** The wire of a shared interrupt; `number` counts from 0 and becomes interrupt 32 + number. */
  sharedLine(number: number): InterruptLine {
    const interrupt = PRIVATE_INTERRUPTS + number;
    return { set: (level) => this.#core.setShared(interrupt, level) };
  }

  /** The wire of a private interrupt of one CPU; `interrupt` is 16 to 31. */
  privateLine(cpu: number, interrupt: number): InterruptLine {
    const own = this.#core.cpus[cpu];
    return { set: (level) => this.#core.setPrivate(own, interrupt, level) };
  }
}
