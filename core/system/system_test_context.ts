/** A {@linkcode SystemContext} for tests: one CPU at EL1 after reset, recording what it is told. */

import { cpuModel } from "../cpu_models.ts";
import { GenericTimer } from "../devices/generic_timer.ts";
import type { MachineEvent, Observer } from "../observer.ts";
import { type ExceptionLevels, ONLY_EL1 } from "../privilege.ts";
import { CpuState, SLOT } from "../state.ts";
import { resetSystemRegisters } from "./sysregs.ts";
import type { AddressTranslation, SystemContext, TlbInvalidation } from "./system_context.ts";
import { selectStackPointer } from "./system_stack.ts";

/** EL1h, all interrupts masked. */
const RESET_PSTATE = 0x3c5n;

/** See the top of this file. */
export class TestContext implements SystemContext {
  readonly state = new CpuState(new ArrayBuffer(SLOT.end));
  readonly events: MachineEvent[] = [];
  readonly invalidations: TlbInvalidation[] = [];
  readonly translations: AddressTranslation[] = [];
  /** Arguments of `regimeChanged`. */
  readonly regimeChanges: boolean[] = [];
  trapChanges = 0;
  /** Virtual time in ns. */
  now = 0;
  cpu = 0;
  cpuCount = 1;
  position = 100;
  retired = 0;
  pc = 0x4040_0000n;
  word = 0;
  pendingInterrupts = 0;
  virtualInterrupts = 0;
  levels: ExceptionLevels = ONLY_EL1;
  model = cpuModel("cortex-a57");
  strict = false;
  /** Levels of the timers' lines. */
  readonly lines = { virtual: false, physical: false };
  readonly clock = { nanoseconds: () => this.now };
  readonly timer = new GenericTimer(this.state, this.clock, {
    virtual: { set: (level) => this.lines.virtual = level },
    physical: { set: (level) => this.lines.physical = level },
    hypervisor: { set: () => {} },
    secure: { set: () => {} },
  });
  readonly observer: Observer = { event: (event) => this.events.push(event) };

  constructor() {
    resetSystemRegisters(this.state, this.model);
    this.state.setPstateBits(RESET_PSTATE);
  }

  /** Goes to EL0. */
  dropToEl0(): void {
    selectStackPointer(this.state, 0, 0);
  }

  regimeChanged(dropStale: boolean): void {
    this.regimeChanges.push(dropStale);
  }
  privilegedRegimeChanged(): void {}
  rightsChanged(): void {}
  trapsChanged(): void {
    this.trapChanges++;
  }
  invalidateTlb(invalidation: TlbInvalidation): void {
    this.invalidations.push(invalidation);
  }
  maintainCache(): void {}
  translateAddress(request: AddressTranslation): bigint {
    this.translations.push(request);
    return 0xa00n;
  }
}
