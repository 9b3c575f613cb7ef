/**
 * Recognises fault storms: a guest that does nothing but take exceptions.
 *
 * Either `limit` synchronous exceptions are entered with no exception return between, or the same
 * instruction faults on the same page `limit` times in a row and never retires. Calls (SVC, HVC,
 * SMC), BRK and interrupts never count; demand paging never looks like this, because each fault
 * is on another page or its instruction retires.
 */
export class StormDetector {
  #nested = 0;
  #repeated = 0;
  #key = "";
  #first = -1;
  #nestedFirst = -1;
  #returned: { retired: number; elr: bigint } | undefined;

  /** @param limit exceptions that make a storm */
  constructor(readonly limit: number) {}

  /** Position of the first fault of the storm, once {@linkcode fault} has given true. */
  get firstFault(): number {
    return this.#nested >= this.limit ? this.#nestedFirst : this.#first;
  }

  /**
   * A synchronous exception that counts was entered.
   *
   * @param fault its position, class, address and return address
   * @param retired instructions retired so far
   * @returns whether this is a storm
   */
  fault(
    fault: { position: number; ec: number; far: bigint | undefined; elr: bigint },
    retired: number,
  ): boolean {
    if (this.#nested++ === 0) this.#nestedFirst = fault.position;
    const key = `${fault.elr} ${fault.ec} ${(fault.far ?? 0n) >> 12n}`;
    const stuck = this.#returned?.retired === retired && this.#returned.elr === fault.elr;
    if (key === this.#key && stuck) this.#repeated++;
    else {
      this.#key = key;
      this.#repeated = 1;
      this.#first = fault.position;
    }
    return this.#nested >= this.limit || this.#repeated >= this.limit;
  }

  /** An exception return was executed; `retired` includes it. */
  exceptionReturn(elr: bigint, retired: number): void {
    this.#nested = 0;
    this.#returned = { retired, elr };
  }
}
