/**
 * Memory layout of the flow encoder's WebAssembly module.
 */

const INPUT_PAIRS = 4096;
const OUTPUT_BYTES = 1 << 19;

/**
 * Where things lie in the module's memory. The outputs hold whatever one input can produce: 4,096
 * runs of at most 16 blocks each, five bytes per block and column.
 */
export const FLOW_MEMORY = {
  counters: 0,
  indirect: 1 << 16,
  stack: (1 << 16) + (1 << 18),
  state: (1 << 16) + (1 << 18) + 256,
  input: (1 << 16) + (1 << 18) + 512,
  inputPairs: INPUT_PAIRS,
  runs: 1 << 19,
  misses: (1 << 19) + OUTPUT_BYTES,
  exceptions: (1 << 19) + 2 * OUTPUT_BYTES,
  blockAt: (1 << 19) + 3 * OUTPUT_BYTES,
} as const;

/** Offsets of the state that lives from call to call, in bytes. Outputs are their lengths. */
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
} as const;

/**
 * A block record: what its fields are and where. `start`, `end` and `context` say where the block
 * was executed last; `start` is 0 where that is no longer known to hold the block.
 */
export const BLOCK = {
  id: 0,
  kind: 4,
  first: 8,
  second: 12,
  afterReturn: 16,
  generation: 20,
  hash: 24,
  start: 28,
  end: 32,
  context: 36,
} as const;
/** Bytes of a block record. */
export const BLOCK_RECORD_BYTES = 48;
