/**
 * What works in the reference and may hang on hardware: see `HazardName`.
 *
 * The detector stands between the machine and its observer. Most of what it needs it reads off the
 * events that pass; it never changes the machine. A hazard is reported once per instruction, so
 * that a loop does not fill the trace. What has a cost that grows with the run has a budget, in
 * steps of its own work, so that the answer is the same in every run.
 */

import type { DescriptorBus } from "../../mmu/bus.ts";
import type { Translation } from "../../mmu/translate.ts";
import type { GuestMemory } from "../memory/memory.ts";
import type { EventBase, HazardName, MachineEvent, Observer } from "../observer.ts";
import { ContextHazards } from "./context_hazards.ts";
import { TableHazards } from "./table_hazards.ts";

/** The machine as the detector sees it. */
export interface HazardSubject {
  readonly memory: GuestMemory;
  /** Reads descriptors. */
  readonly bus: DescriptorBus;
  /** How a CPU translates at this moment. */
  translationOf(cpu: number): Translation;
  /** The EL a CPU is at. */
  levelOf(cpu: number): number;
  /** From here on {@linkcode HazardDetector.wants} a barrier. */
  barrierWanted(name: "DSB" | "ISB"): void;
}

/** Reports a hazard of the instruction in hand. */
export type Report = (hazard: HazardName, address: bigint, at: EventBase) => void;

/** Distinct instructions that are remembered as reported. */
const MAX_REPORTED = 10_000;

/** See the top of this file. */
export class HazardDetector implements Observer {
  readonly #observer: Observer;
  readonly #reported = new Set<string>();
  readonly #contexts: ContextHazards;
  readonly #tables: TableHazards;

  /** @param observer gets every event, and the hazards that were found */
  constructor(subject: HazardSubject, observer: Observer) {
    this.#observer = observer;
    const report: Report = (hazard, address, at) => this.report(hazard, address, at);
    this.#contexts = new ContextHazards(subject, report);
    this.#tables = new TableHazards(subject, report);
  }

  wants(kind: MachineEvent["kind"], name?: string): boolean {
    return (this.#observer.wants?.(kind, name) ?? true) ||
      this.#contexts.wants(kind, name) || this.#tables.wants(kind, name);
  }

  event(event: MachineEvent): void {
    this.#observer.event(event);
    this.#contexts.event(event);
    this.#tables.event(event);
  }

  /** Reports what somebody else found, once per instruction. */
  report(hazard: HazardName, address: bigint, { position, cpu, pc }: EventBase): void {
    const key = `${hazard} ${pc}`;
    if (this.#reported.has(key)) return;
    if (this.#reported.size < MAX_REPORTED) this.#reported.add(key);
    this.#observer.event({ kind: "hazard", position, cpu, pc, hazard, address });
  }

  /** An image was placed in memory, and its first instruction is next. */
  booted(): void {
    this.#tables.booted();
  }

  /** A register of the translation regime in use is about to be written. */
  regimeWritten(cpu: number): void {
    this.#contexts.regimeWritten(cpu);
  }

  /** A write to a register has ended a trap of FP and SIMD instructions. */
  fpEnabled(cpu: number): void {
    this.#contexts.fpEnabled(cpu);
  }

  /** The first FP or SIMD instruction after {@linkcode fpEnabled} is about to be executed. */
  fpUsed(at: EventBase): void {
    this.#contexts.fpUsed(at);
  }
}
