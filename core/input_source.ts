/**
 * What a person does to the guest: bytes typed at its first UART, and presses of its power key.
 *
 * The machine asks before every step. It puts a byte into the UART as soon as it is due and the
 * UART has room, and presses the key as soon as that is due. What it took, and where input ended
 * the wait of a WFI, is noted by `Machine.inputObserver`, so that a trace has all that a
 * re-execution needs.
 */

/** What {@linkcode InputSource.take} gives in place of a byte where the power key is pressed. */
export const POWER_KEY = 0x100;

export interface InputSource {
  /** Whether bytes may still come whatever the guest does: then nothing is proved to go on for ever. */
  readonly open: boolean;
  /** Whether a press of the power key is next: it waits for no room in the UART. */
  readonly pressesPower: boolean;
  /** Position from which the next byte is due, or Infinity if positions do not decide. */
  nextPosition(): number;
  /** Virtual time in ns from which the next byte is due; Infinity if it waits for something else. */
  nextTime(): number;
  /** Takes what is due: a byte or {@linkcode POWER_KEY}. */
  take(): number;
  /** Sees a byte that the guest sends. Gives whether that can make a byte due. */
  sent(byte: number): boolean;
  /**
   * The CPU waits for an interrupt, and what is next can be taken: when does input end the wait?
   *
   * @returns virtual time in ns, or `to` if no input comes before
   */
  waitUntil(wait: Wait): number;
  /** The machine was put into the state at a position: the inputs behind it are the next. */
  seek(position: number): void;
}

/** The wait of a WFI. */
export interface Wait {
  /** Steps so far, the WFI included. */
  readonly position: number;
  /** Virtual time in ns. */
  readonly from: number;
  /** Virtual time in ns of the next event that may end it, or Infinity. */
  readonly to: number;
}

/** Names of inputs in traces. */
export const INPUT = {
  /** Bytes typed at the UART just before the step that follows the position. */
  console: "console",
  /** The power key was pressed just before the step that follows the position; no bytes. */
  power: "power",
  /** Input ended the wait of the WFI that is the last step before the position: u64, ns. */
  time: "time",
} as const;
