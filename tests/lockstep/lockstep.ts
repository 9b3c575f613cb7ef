/**
 * Holds our machine against what the reference's log says it executed.
 *
 * The log says where blocks begin, not how long they are. A block goes straight ahead and ends at
 * the latest with the first turn, so from one entry to the next our machine is stepped until it
 * stands at the next entry's address with the same registers: on the way, or after the turn. Only
 * exception entries may come in between, because neither an interrupt nor a fetch that fails begins
 * a block. What agrees nowhere is a difference.
 */
import type { Machine } from "../../core/machine.ts";
import type { ExceptionEvent } from "../../core/observer.ts";
import { SLOT, STEPPED, STEPPED_EXCLUSIVE } from "../../core/state.ts";
import { type LogEntry, WORD } from "./qemu_log.ts";

/** A register with two values. */
export interface RegisterDifference {
  readonly name: string;
  readonly ours: bigint;
  readonly reference: bigint;
}

/** An instruction that our machine executed or tried to. */
export interface ExecutedInstruction {
  readonly position: number;
  readonly pc: bigint;
  /** Its word; undefined where it could not be told. */
  readonly word: number | undefined;
}

/** Where the two part. */
export interface Difference {
  /** Steps of ours before the moment at which they differ. */
  readonly position: number;
  /** Where ours is then, and the reference. */
  readonly pc: bigint;
  readonly referencePc: bigint | null;
  /** Empty where they are at different places. */
  readonly registers: readonly RegisterDifference[];
  /** What ours executed before, the last one last. */
  readonly last: readonly ExecutedInstruction[];
  /** The position up to which they agreed. */
  readonly agreed: number;
  /** The exception that ours took last. */
  readonly exception: ExceptionEvent | null;
}

/** How many instructions of a translated block QEMU allows. */
const LONGEST_BLOCK = 512;
/** Instructions that are remembered for the report. */
const REMEMBERED = 1024;
const STATE_V = SLOT.v / 4, STATE_SP = SLOT.sp / 4;
/** Notes of ours beside PSTATE.SS. */
const PSTATE_NOTES = STEPPED | STEPPED_EXCLUSIVE;

/** See the top of this file. */
export class Lockstep {
  /** Entries that were compared. */
  entries = 0;
  /** The position at which the two agreed last. */
  agreed: number;
  readonly #machine: Machine;
  readonly #everyInstruction: boolean;
  readonly #pcs: bigint[] = new Array(REMEMBERED).fill(0n);
  readonly #words = new Int32Array(REMEMBERED);
  readonly #before = new Int32Array(WORD.end);
  readonly #first: number;
  #pcBefore: bigint | undefined;
  #exception: ExceptionEvent | null = null;

  /**
   * @param machine stands where the log begins
   * @param everyInstruction whether each instruction is a block of its own in the log
   */
  constructor(machine: Machine, everyInstruction: boolean) {
    this.#machine = machine;
    this.#everyInstruction = everyInstruction;
    this.agreed = this.#first = machine.position;
    const { observer } = machine;
    machine.observer = {
      event: (event) => {
        if (event.kind === "exception") this.#exception = event;
        observer?.event(event);
      },
    };
  }

  /** Follows the reference to `entry`. Gives the difference if that cannot be done. */
  follow(entry: LogEntry): Difference | null {
    const difference = this.#isAgain(entry) ? null : this.#advance(entry);
    this.#pcBefore = entry.pc;
    this.#before.set(entry.words);
    if (difference) return difference;
    this.entries++;
    this.agreed = this.#machine.position;
    return null;
  }

  /**
   * The reference has ended: ours must end within the block that was begun. Where it does nothing
   * more that is logged, ours must end or come to nothing but exception entries.
   */
  finish(end: "exit" | "quiet"): Difference | null {
    const machine = this.#machine;
    let { retired } = machine;
    for (let n = 0; n < LONGEST_BLOCK && !machine.ended; n++) this.#step();
    for (let n = 0; n < LONGEST_BLOCK && !machine.ended && end === "quiet"; n++) {
      if (n === 0) retired = machine.retired;
      this.#step();
    }
    const idles = end === "quiet" && machine.retired === retired;
    if (!machine.ended && !idles) return this.#difference(null, []);
    this.agreed = machine.position;
    return null;
  }

  /** Whether the reference gave up the block before and does its start again. */
  #isAgain(entry: LogEntry): boolean {
    if (this.#pcBefore !== entry.pc || this.#machine.pc !== entry.pc) return false;
    return entry.isRetry && (!entry.hasRegisters || this.#sameAsBefore(entry));
  }

  #sameAsBefore({ words }: LogEntry): boolean {
    for (let i = 0; i < WORD.fpcr; i++) if (words[i] !== this.#before[i]) return false;
    return true;
  }

  #advance(entry: LogEntry): Difference | null {
    const machine = this.#machine;
    if (this.#pcBefore === undefined) return this.#compare(entry);
    let difference: Difference | null = null;
    let turned = false;
    for (let n = 0; n <= LONGEST_BLOCK; n++) {
      const { pc, retired } = machine;
      const stop = turned ? this.#difference(entry, []) : null;
      if (machine.ended) return difference ?? this.#difference(entry, []);
      this.#step();
      // Only an exception entry goes on from where no block was begun.
      if (turned && machine.retired !== retired) return difference ?? stop;
      if (machine.pc === entry.pc) {
        const found = this.#compare(entry);
        if (!found) return null;
        difference ??= found;
      }
      turned = this.#everyInstruction || machine.retired === retired || machine.pc !== pc + 4n;
    }
    return difference ?? this.#difference(entry, []);
  }

  #step(): void {
    const machine = this.#machine;
    const { position, pc } = machine;
    const slot = position % REMEMBERED;
    this.#pcs[slot] = pc;
    // Where it is still to be fetched, the engine stands elsewhere.
    this.#words[slot] = machine.engine.pc === pc ? machine.engine.word : 0;
    machine.run(position + 1);
  }

  #compare(entry: LogEntry): Difference | null {
    const { pc, engine } = this.#machine;
    if (pc !== entry.pc) return this.#difference(entry, []);
    if (!entry.hasRegisters || isSame(engine.state.words, this.#pstate(), entry)) return null;
    return this.#difference(entry, this.#registers(entry));
  }

  #pstate(): number {
    return Number(this.#machine.engine.state.pstate & 0xffff_ffffn) & ~PSTATE_NOTES;
  }

  #registers({ words, hasVectors }: LogEntry): RegisterDifference[] {
    const { state } = this.#machine.engine;
    const found: RegisterDifference[] = [];
    const check = (name: string, ours: bigint, reference: bigint) => {
      if (ours !== reference) found.push({ name, ours, reference });
    };
    for (let n = 0; n < 31; n++) check(`x${n}`, state.x(n), wide(words, WORD.x + 2 * n, 2));
    check("sp", state.sp, wide(words, WORD.sp, 2));
    check("pstate", BigInt(this.#pstate() >>> 0), wide(words, WORD.pstate, 1));
    if (!hasVectors) return found;
    check("fpcr", state.get64(SLOT.fpcr), wide(words, WORD.fpcr, 1));
    check("fpsr", state.get64(SLOT.fpsr), wide(words, WORD.fpsr, 1));
    for (let n = 0; n < 32; n++) {
      check(`v${n}`, wide(state.words, STATE_V + 4 * n, 4), wide(words, WORD.v + 4 * n, 4));
    }
    return found;
  }

  #difference(
    entry: LogEntry | null,
    registers: readonly RegisterDifference[],
  ): Difference {
    const { position, pc } = this.#machine;
    const last: ExecutedInstruction[] = [];
    for (let at = Math.max(this.#first, position - 8); at < position; at++) {
      const slot = at % REMEMBERED;
      last.push({ position: at, pc: this.#pcs[slot], word: this.#words[slot] || undefined });
    }
    return {
      ...{ position, pc, registers, last },
      referencePc: entry?.pc ?? null,
      agreed: this.agreed,
      exception: this.#exception,
    };
  }
}

/** Whether the processor's words are those of the log. */
function isSame(state: Int32Array, pstate: number, { words, hasVectors }: LogEntry): boolean {
  for (let i = 0; i < WORD.sp; i++) if (state[i] !== words[i]) return false;
  if (state[STATE_SP] !== words[WORD.sp] || state[STATE_SP + 1] !== words[WORD.sp + 1]) {
    return false;
  }
  if (pstate !== words[WORD.pstate]) return false;
  if (!hasVectors) return true;
  if (state[SLOT.fpcr / 4] !== words[WORD.fpcr] || state[SLOT.fpsr / 4] !== words[WORD.fpsr]) {
    return false;
  }
  for (let i = 0; i < 128; i++) if (state[STATE_V + i] !== words[WORD.v + i]) return false;
  return true;
}

/** `count` words, lowest first, as one number. */
function wide(words: Int32Array, first: number, count: number): bigint {
  let value = 0n;
  for (let i = count - 1; i >= 0; i--) value = value << 32n | BigInt(words[first + i] >>> 0);
  return value;
}
