import type { Cpu } from "./cpu.ts";

/**
 * How the CPUs of a machine take turns.
 *
 * One CPU runs at a time. Its turn ends with the first run of instructions (see `interpreter.ts`)
 * that ends {@linkcode TURN_STEPS} steps or more after the turn began; sooner with WFI, with WFE
 * where no event was registered, with YIELD, and where it is switched off. The next turn is that
 * of the next CPU by number that is on and does not wait. What reaches a CPU meanwhile
 * (interrupts, SEV) it sees at its next turn. All of this is architectural: it follows from the
 * guest and the options alone, never from where the machine was stopped or saved.
 */

/** Steps of a turn; a change of CPU takes about 2 µs, as long as 600 of them. */
export const TURN_STEPS = 16_384;

/** Most CPUs of a machine: what a GICv2 has interfaces for. */
export const MAX_CPUS = 8;

/** Where a turn stands, as keyframes hold it. A type, so that it is a CBOR map to the recorder. */
export type SavedTurn = {
  /** The CPU whose turn it is. */
  cpu: number;
  /** Steps that the turn still has; none or fewer where it lasts to the end of the run in hand. */
  left: number;
  /** Some instructions of a run were executed, and the run has not ended. */
  inRun: boolean;
  /** Its first step, and the event that tells of it, is still to come. */
  fresh: boolean;
};

/** See the top of this file. */
export class Turns {
  /** The CPU whose turn it is. */
  current: Cpu;
  /** Position from which the turn may end. */
  end: number = TURN_STEPS;
  /** See {@linkcode SavedTurn}. */
  inRun = false;
  /** See {@linkcode SavedTurn}. */
  fresh = false;

  /** @param cpus all CPUs; the first begins */
  constructor(readonly cpus: readonly Cpu[]) {
    this.current = cpus[0];
  }

  /** Whether there is more than one CPU. */
  get several(): boolean {
    return this.cpus.length > 1;
  }

  /** Whether the turn is over at a position. */
  isOver(position: number): boolean {
    return this.several && position >= this.end && !this.inRun;
  }

  /** Steps that the turn still has. */
  left(position: number): number {
    return this.several ? this.end - position : Infinity;
  }

  /** The CPU in turn ends it here. */
  giveWay(position: number): void {
    this.end = position;
    this.inRun = false;
  }

  /** The CPU that comes next: one that is on and does not wait, the present one last. */
  next(): Cpu | undefined {
    const { cpus } = this;
    const { index } = this.current;
    for (let n = 1; n <= cpus.length; n++) {
      const cpu = cpus[(index + n) % cpus.length];
      if (cpu.on && (!cpu.waiting || cpu.isInterrupted)) return cpu;
    }
    return undefined;
  }

  /** Whether a CPU other than the present one could go on. */
  get othersRun(): boolean {
    return this.cpus.some((cpu) =>
      cpu !== this.current && cpu.on && (!cpu.waiting || cpu.isInterrupted)
    );
  }

  /** A turn begins at a position. */
  begin(cpu: Cpu, position: number): void {
    this.fresh ||= cpu !== this.current;
    this.current = cpu;
    cpu.waiting = false;
    this.end = position + TURN_STEPS;
    this.inRun = false;
  }

  /** For keyframes. */
  save(position: number): SavedTurn {
    const { current, end, inRun, fresh } = this;
    return { cpu: current.index, left: end - position, inRun, fresh };
  }

  /** Takes up a turn; whose it is is the machine's to restore. */
  restore({ left, inRun, fresh }: SavedTurn, position: number): void {
    this.fresh = fresh;
    this.end = position + left;
    this.inRun = inRun;
  }
}
