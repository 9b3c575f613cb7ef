// A table: the numbers that generated code and TypeScript exchange.

/** Why the engine returned. */
export const EXIT = {
  /** The budget is used up or the flow ring is full; a run has just ended. */
  budget: 0,
  /** A planted stop was reached; the run goes on behind it. */
  stop: 1,
  /** The instruction at the record faulted while accessing memory and retired nothing. */
  dataFault: 2,
  /** The instruction at SLOT.pc cannot be fetched; the run has ended. */
  fetchFault: 3,
  /** The instruction retired and TypeScript asked to be entered anew. */
  leave: 4,
  /** The instruction asks for an exception and has not retired: cause in scratch, argument in scratch + 8. */
  exception: 5,
  /** An ERET, which has not retired. */
  eret: 6,
  /** A call-out wants an exception instead of the instruction; TypeScript knows which. */
  callOutException: 7,
  /** The probe's processor state was met again. */
  probe: 8,
  /** BR or BLR has come to a guarded page; the run has ended, and the next instruction is at the record. */
  landing: 9,
} as const;

/** Why a translated function returned. */
export const REGION = {
  /** A run ended; the next record is not of the region, or the budget is used up. */
  ended: 0,
  /** The instruction at the record is the interpreter's: its access missed its lookup entry. */
  retry: 1,
  /** The record is not translated, or what the probe waits for has come. */
  outside: 2,
} as const;

/** What a call from generated code into TypeScript answers. */
export const ANSWER = {
  /** Done: go on. */
  done: 0,
  /** Done; complete the instruction, then leave the engine. The same number as {@linkcode EXIT.leave}. */
  leave: 4,
  /** The instruction must not complete: an exception is pending. */
  exception: 2,
} as const;

/** `cause` of {@linkcode EXIT.exception}. */
export const CAUSE = {
  svc: 0,
  hvc: 1,
  smc: 2,
  brk: 3,
  hlt: 4,
  undefined: 5,
  spAlignment: 6,
  fpTrapped: 7,
} as const;

/** Bits of the access descriptor that a slow access hands over. */
export const ACCESS = {
  /** log2 of the bytes, bits 2:0. */
  sizeMask: 7,
  write: 8,
  unprivileged: 16,
  /** Misalignment is a fault whatever SCTLR.A says. */
  natural: 32,
  /** The same, of a load-acquire or store-release. */
  ordered: 64,
  /** A load that needs permission to write, too. */
  asWrite: 128,
  /** A load that is part of a store-exclusive. */
  comparison: 1 << 20,
  /** Two words, which are elements of their own to big-endian data. */
  words: 1 << 21,
  /** Byte offset into the scratch area, bits 15:8. */
  scratchShift: 8,
  /** log2 of the alignment of the whole access (for `natural` and `ordered`) or of its element, bits 19:16. */
  alignShift: 16,
} as const;
