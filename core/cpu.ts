import { CallOuts } from "./system/call_outs.ts";
import type { ExceptionUnit } from "./exceptions/exception_unit.ts";
import type { MemoryAccess } from "./memory/memory_access.ts";
import type { Processor } from "./processor.ts";

/** One of the machine's CPUs. Its registers are `processor.state`. */
export class Cpu {
  /** Switched on: the first is at reset, the others by PSCI. */
  on = false;
  /** WFI was executed, and it has had no turn since. */
  waiting = false;
  /** Instructions that it retired before its turn in hand, or in all while it has none. */
  #retired = 0;
  /** Instructions that all CPUs had retired when its turn began. */
  #since: number | undefined;

  /** From 0. */
  readonly index: number;
  readonly processor: Processor;
  readonly access: MemoryAccess;
  readonly exceptions: ExceptionUnit;
  readonly callOuts: CallOuts;
  readonly #total: () => number;

  /** @param parts.total instructions that all CPUs have retired */
  constructor(parts: {
    index: number;
    processor: Processor;
    access: MemoryAccess;
    exceptions: ExceptionUnit;
    total: () => number;
  }) {
    this.index = parts.index;
    this.processor = parts.processor;
    this.access = parts.access;
    this.exceptions = parts.exceptions;
    this.callOuts = new CallOuts(parts.processor, parts.access);
    this.#total = parts.total;
  }

  /** Whether an interrupt waits for it, masked or not. */
  get isInterrupted(): boolean {
    const { pendingInterrupts, virtualInterrupts } = this.processor;
    return (pendingInterrupts | virtualInterrupts) !== 0;
  }

  /** Instructions that this CPU has retired. */
  get retired(): number {
    return this.#retired + (this.#since === undefined ? 0 : this.#total() - this.#since);
  }

  /** Sets the count and whether its turn is in hand, when a saved state is restored. */
  restoreRetired(count: number, inTurn: boolean): void {
    this.#retired = count;
    this.#since = inTurn ? this.#total() : undefined;
  }

  /** Its turn begins. */
  begin(): void {
    this.#since = this.#total();
  }

  /** Its turn ends. */
  end(): void {
    this.#retired = this.retired;
    this.#since = undefined;
  }
}
