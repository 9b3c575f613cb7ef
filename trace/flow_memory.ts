/**
 * Memory layout of the flow encoder's WebAssembly module. Its input is in a memory of its own.
 */

const INPUT_PAIRS = 1 << 15;
/** What one input can produce: runs of at most 16 blocks each, five bytes per block and column. */
const OUTPUT_BYTES = 1 << 22;
/** Byte 0 is the record of no block: all zero, so that it is at no place. */
const COUNTERS = 64;
const INDIRECT = COUNTERS + (1 << 16);
const STACK = INDIRECT + (1 << 18);

/** Where things lie in the module's memory. */
export const FLOW_MEMORY = {
  counters: COUNTERS,
  indirect: INDIRECT,
  stack: STACK,
  state: STACK + 256,
  inputPairs: INPUT_PAIRS,
  runs: 1 << 20,
  misses: (1 << 20) + OUTPUT_BYTES,
  exceptions: (1 << 20) + 2 * OUTPUT_BYTES,
  /** Two words per record: list of the blocks that start there, and the block executed last there. */
  blockAt: (1 << 20) + 3 * OUTPUT_BYTES,
} as const;

/**
 * Offsets of the state that lives from call to call, in bytes. Outputs are their lengths. During a
 * call `hits` and `sinceException` are the number of blocks at the last miss and at the last
 * exception, so that a block counts once.
 */
export const STATE = {
  context: 0,
  previous: 4,
  caller: 8,
  history: 12,
  top: 16,
  interrupted: 20,
  hits: 24,
  blocks: 28,
  sinceException: 32,
  pendingExceptions: 36,
  steps: 40,
  generation: 44,
  runs: 48,
  misses: 52,
  exceptions: 56,
  /** Set when an exception entry comes. */
  disturbed: 60,
} as const;

/** Offsets of what `flow_module_repeat.ts` keeps, behind the state. */
export const REPEAT = {
  period: 128,
  end: 132,
  settled: 136,
  interval: 140,
  last: 144,
  history: 148,
  top: 152,
  caller: 156,
  previous: 160,
  context: 164,
  blocks: 168,
  steps: 172,
  hits: 176,
  runs: 180,
  misses: 184,
  /** Where the input begins, and where the encoder is to go on. */
  begin: 188,
  resume: 192,
} as const;

/** The input's number among the module's memories. */
export const INPUT_MEMORY = 1;

/**
 * A block record: what its fields are and where. `start`, `end` and `context` say where the block
 * was executed last; `start` is 0 where that is no longer known to hold the block. Fields that the
 * common case needs are in pairs, because every load is checked against the memory's size.
 */
export const BLOCK = {
  start: 0,
  end: 4,
  /** Kind, {@linkcode BLOCK_FLAG}, and the hash of the id from bit 16. */
  kindAndHash: 8,
  context: 12,
  first: 16,
  second: 20,
  afterReturn: 24,
  generation: 28,
  id: 32,
} as const;
/** What follows from a block's kind: that it ends with an indirect branch, that it changes the return stack. */
export const BLOCK_FLAG = { indirect: 1 << 8, stack: 1 << 9 } as const;
/** Bytes of a block record: a cache line. */
export const BLOCK_RECORD_BYTES = 64;
