/**
 * Physical LPIs of a GICv3 (Arm IHI 0069, 5.1): configuration and pending tables in guest memory.
 *
 * A redistributor keeps nothing of them but the best one that is pending; INV, INVALL and enabling
 * LPIs look for it anew.
 */

import type { DmaMemory } from "./fw_cfg.ts";
import type { GicV3Core } from "./gic_v3_core.ts";
import { BASE, FIRST_LPI, type GicV3Cpu, GROUP, ID_BITS, IDLE_PRIORITY } from "./gic_v3_state.ts";

const CONFIGURATION_ADDRESS = 0xf_ffff_ffff_f000n;
const PENDING_ADDRESS = 0xf_ffff_ffff_0000n;
const CONFIGURATION_ID_BITS = 0x1fn;
/** A byte of the configuration table. */
const ENABLED = 1, PRIORITY = 0xfc;

/** See the top of this file. */
export class GicV3Lpis {
  constructor(readonly core: GicV3Core, readonly memory: DmaMemory) {}

  /** Sets or clears the pending state of an LPI, if it is one that the CPU's tables have. */
  trigger(cpu: GicV3Cpu, interrupt: number, pending: boolean): void {
    if (!cpu.lpisEnabled || interrupt < FIRST_LPI || interrupt >= numbersOf(cpu)) return;
    this.setPending(cpu, interrupt, pending);
  }

  /** Sets or clears the pending bit of an LPI. */
  setPending(cpu: GicV3Cpu, interrupt: number, pending: boolean): void {
    if (!this.#changeBit(cpu, interrupt, pending)) return;
    if (pending) {
      this.#consider(cpu, interrupt);
      this.core.updatePrivate(cpu);
    } else if (interrupt === cpu.bestLpi.interrupt) {
      this.refresh(cpu);
    }
  }

  /** Looks for the best LPI anew. */
  refresh(cpu: GicV3Cpu): void {
    if (cpu.lpisEnabled) {
      cpu.bestLpi.priority = IDLE_PRIORITY;
      for (const { first, bits } of this.#pendingBytes(cpu)) {
        for (let n = 0; n < 8; n++) if (bits & (1 << n)) this.#consider(cpu, first + n);
      }
    }
    this.core.updatePrivate(cpu);
  }

  /** MOVI: takes the pending state along. */
  move(from: GicV3Cpu, to: GicV3Cpu, interrupt: number): void {
    if (!from.lpisEnabled || !to.lpisEnabled) return;
    if (interrupt >> 3 >= Math.min(numbersOf(from), numbersOf(to))) return;
    if (!this.#changeBit(from, interrupt, false)) return;
    if (interrupt === from.bestLpi.interrupt) this.refresh(from);
    this.setPending(to, interrupt, true);
  }

  /** MOVALL: takes the pending state of every LPI along. */
  moveAll(from: GicV3Cpu, to: GicV3Cpu): void {
    if (!from.lpisEnabled || !to.lpisEnabled) return;
    const numbers = Math.min(numbersOf(from), numbersOf(to));
    for (const { first, bits } of this.#pendingBytes(from)) {
      if (first >= numbers) break;
      const [target] = this.memory.read(pendingByte(to, first), 1) ?? [0];
      this.memory.write(pendingByte(from, first), Uint8Array.of(0));
      this.memory.write(pendingByte(to, first), Uint8Array.of(target | bits));
    }
    this.refresh(from);
    this.refresh(to);
  }

  /** Bytes of the pending table that are not 0. */
  #pendingBytes(cpu: GicV3Cpu): { first: number; bits: number }[] {
    const length = (numbersOf(cpu) - FIRST_LPI) / 8;
    if (length <= 0) return [];
    const bytes = this.memory.read(pendingByte(cpu, FIRST_LPI), length) ?? new Uint8Array(0);
    const found: { first: number; bits: number }[] = [];
    bytes.forEach((bits, i) => {
      if (bits !== 0) found.push({ first: FIRST_LPI + 8 * i, bits });
    });
    return found;
  }

  /** Takes an LPI as the best if it is enabled and not less urgent than the one known. */
  #consider(cpu: GicV3Cpu, interrupt: number): void {
    const table = Number(cpu.bases[BASE.properties] & CONFIGURATION_ADDRESS);
    const [entry] = this.memory.read(table + interrupt - FIRST_LPI, 1) ?? [0];
    if (!(entry & ENABLED)) return;
    const value = entry & PRIORITY;
    const priority = this.core.distributor.securityDisabled ? value : (value >> 1) | 0x80;
    const { bestLpi } = cpu;
    if (
      priority > bestLpi.priority ||
      (priority === bestLpi.priority && interrupt > bestLpi.interrupt)
    ) return;
    Object.assign(bestLpi, { interrupt, priority, group: GROUP.nonSecureOne });
  }

  /** Gives whether the pending bit had the other value. */
  #changeBit(cpu: GicV3Cpu, interrupt: number, pending: boolean): boolean {
    const address = pendingByte(cpu, interrupt);
    const [bits] = this.memory.read(address, 1) ?? [0];
    const bit = 1 << (interrupt & 7);
    if (((bits & bit) !== 0) === pending) return false;
    this.memory.write(address, Uint8Array.of(bits ^ bit));
    return true;
  }
}

/** Interrupt numbers below this are in the CPU's tables. */
function numbersOf(cpu: GicV3Cpu): number {
  return 2 ** (Math.min(Number(cpu.bases[BASE.properties] & CONFIGURATION_ID_BITS), ID_BITS) + 1);
}

/** Address of the byte that has the pending bit of an LPI. */
function pendingByte(cpu: GicV3Cpu, interrupt: number): number {
  return Number(cpu.bases[BASE.pending] & PENDING_ADDRESS) + (interrupt >> 3);
}
