import { INPUT, type InputSource, POWER_KEY } from "./input_source.ts";
import {
  encodeKeys,
  KEYS_INPUT,
  type SemihostingKeys,
  type TypedKeys,
} from "./semihosting_keys.ts";
import type { VirtBoard } from "./virt_board.ts";
import type { VirtualTime } from "./virtual_time.ts";

/**
 * What reaches a guest from outside its processors: alarms of the board and what is typed, when
 * the next of them comes, and how time jumps to it while all CPUs wait.
 */

/** What they need of the machine. */
export interface ExternalHost {
  readonly board: VirtBoard;
  readonly time: VirtualTime;
  /** Steps so far. */
  readonly position: number;
  /** What is typed at the first UART. */
  readonly input: InputSource | null;
  /** Whether input may still come other than from `input`. */
  readonly inputOpen: boolean;
  /** Told of everything that reached the guest from outside, at the present position. */
  readonly inputObserver: ((source: string, bytes: Uint8Array) => void) | null;
}

/** See the top of this file. */
export class ExternalEvents {
  /** All CPUs wait, and neither the board nor input will ever end that: found by {@linkcode timeJumps}. */
  outlasted = false;
  /** Nothing on the board will happen by itself: found by {@linkcode update}. */
  #idle = false;

  constructor(readonly host: ExternalHost) {}

  /** Gives the first UART a byte of input before the next step. Gives false if it has no room. */
  receive(byte: number): boolean {
    const { board, time } = this.host;
    if (!board.canReceive) return false;
    time.noteRead();
    board.receive(byte);
    return true;
  }

  /** Presses the power key before the next step. */
  #press(): void {
    this.host.time.noteRead();
    this.host.board.pressPower();
  }

  /** Hands over input that is due, as far as the UART has room. */
  type(input: InputSource): void {
    const { time } = this.host;
    while (
      this.#canTake(input) &&
      (input.nextPosition() <= this.host.position || input.nextTime() <= time.nanoseconds)
    ) {
      const taken = input.take();
      if (taken === POWER_KEY) {
        this.#press();
        this.host.inputObserver?.(INPUT.power, new Uint8Array());
      } else {
        this.receive(taken);
        this.host.inputObserver?.(INPUT.console, Uint8Array.of(taken));
      }
    }
  }

  /** Whether what is next can be handed over when it is due. */
  #canTake(input: InputSource): boolean {
    return input.pressesPower || this.host.board.canReceive;
  }

  /**
   * Bytes for a guest that asks semihosting for what is typed: those that wait in the first UART
   * and those that are due; if there is none, time passes. None if nobody types.
   *
   * @param recorded what was told when it was recorded, if it was
   */
  typed(most: number, recorded?: SemihostingKeys): Uint8Array {
    const { board, time, position, inputObserver } = this.host;
    time.noteRead();
    const received: number[] = [];
    for (let byte; received.length < most && (byte = board.uart.takeReceived()) !== undefined;) {
      received.push(byte);
    }
    const left = most - received.length;
    const keys = recorded ? recorded.at(position) : this.#keys(left, left < most);
    if (!keys) return Uint8Array.from(received);
    time.skipTo(keys.until);
    if (!recorded) inputObserver?.(KEYS_INPUT, encodeKeys(keys));
    return Uint8Array.of(...received, ...keys.bytes);
  }

  /** Waits for what is typed, unless it has to be there `now`. A press of the power key is seen once the guest goes on. */
  #keys(most: number, now: boolean): TypedKeys | undefined {
    const { input, position, time: { nanoseconds: from } } = this.host;
    if (!input || most === 0 || input.pressesPower) return undefined;
    const isDue = input.nextTime() <= from;
    if (now && !isDue) return undefined;
    const until = isDue ? from : input.waitUntil({ position, from, to: Infinity });
    if (until === Infinity) return undefined;
    const bytes: number[] = [];
    while (bytes.length < most && input.nextTime() <= until && !input.pressesPower) {
      bytes.push(input.take());
    }
    return { until, bytes: Uint8Array.from(bytes) };
  }

  /** Lets happen on the board what is due. */
  update(): void {
    const { board, time } = this.host;
    this.#idle = board.idle;
    if (!this.#idle) time.quietly(() => board.update());
  }

  /** Lets time jump to the next event of the board; gives false if input or nothing comes before. */
  timeJumps(): boolean {
    const { board, time, inputOpen } = this.host;
    const next = time.quietly(() => board.nextEvent());
    this.outlasted = false;
    if (this.#inputEndsWait(next)) return false;
    if (next === Infinity) {
      this.outlasted = !inputOpen;
      return false;
    }
    time.skipTo(next);
    time.quietly(() => board.update());
    return true;
  }

  /** Whether input comes before virtual time `next`, to which it then skips. */
  #inputEndsWait(next: number): boolean {
    const { input, time, position, board, inputObserver } = this.host;
    if (!input || !this.#canTake(input)) return false;
    const from = time.nanoseconds;
    const end = input.waitUntil({ position, from, to: next });
    if (!(end < next)) return false;
    time.skipTo(end);
    time.quietly(() => board.update());
    inputObserver?.(INPUT.time, new Uint8Array(BigUint64Array.of(BigInt(end)).buffer));
    return true;
  }

  /**
   * Position at which a timer fires or input comes, if only instructions retire until then. To be asked behind
   * {@linkcode update}, with nothing in between that changes the board.
   */
  get nextPosition(): number {
    const { input, position, time } = this.host;
    const timer = this.#timerPosition();
    if (!input) return timer;
    const at = input.nextTime();
    const typed = at > time.nanoseconds && at < Infinity
      ? position + time.instructionsUntil(at)
      : Infinity;
    const noted = input.nextPosition();
    return Math.min(timer, typed, noted > position ? noted : Infinity);
  }

  /** Position at which the next timer fires if only instructions retire until then. */
  #timerPosition(): number {
    const { board, time, position } = this.host;
    if (this.#idle) return Infinity;
    const next = time.quietly(() => board.nextEvent());
    const counted = position + Math.max(1, board.instructionsLeft());
    if (next === Infinity) return counted;
    return Math.min(counted, position + time.instructionsUntil(next));
  }
}
