/**
 * How a machine reports the instructions it executes.
 *
 * The stream is pairs of u32, drained often from a ring:
 * - `[start, end)` with `start >= 16`: addresses of decoded records, 16 bytes per instruction: a run
 *   of `(end - start) / 16` instructions of one page, ended by a block-ending instruction, the page's
 *   end, or a cut (exception, end of the window);
 * - `[0, context]`: the runs that follow are in this context;
 * - `[1, n]`: n exception entries that retired nothing happened here.
 */

/** What the flow encoder asks about records. */
export interface FlowSource {
  /** Address of the first possible record. */
  readonly arenaBase: number;
  /** Bytes that records can occupy. */
  readonly arenaSize: number;
  /** A context's translation regime (0..3, the exception level), page address and page's records. */
  context(id: number): FlowContext;
  /** Current instruction bytes of the records in `[start, end)`, 4 per record. */
  code(start: number, end: number): Uint8Array;
  /** Block kind of the record's instruction, see `BLOCK_KIND`. */
  kindOf(record: number): number;
}

/** Where the records of a page are executed from: `pc = page + (record - recordBase) / 4`. */
export interface FlowContext {
  regime: number;
  page: bigint;
  recordBase: number;
}

/** Receives the stream. */
export interface FlowObserver {
  /** Pairs as above. The array is only valid during the call. */
  flow(entries: Uint32Array): void;
  /** The records in `[start, end)` will change; all earlier runs were delivered before. */
  codeChanged(start: number, end: number): void;
}

/** An encoder of the stream. `encodeFlow` in TypeScript is the definition, WebAssembly the fast one. */
export interface FlowEncoder extends FlowObserver {
  /** Steps (instructions and exception entries) since the window began. */
  readonly steps: number;
  /** About how many bytes {@linkcode take} would give. */
  readonly pendingBytes: number;
  /** Starts window `window`: resets the predictor, and the block table if it grew too large. */
  startWindow(window: number): void;
  /** What was encoded since the last take, as the fields of a `flow` item; `last` ends the window. */
  take(last: boolean): FlowFields;
  /** Ids of the blocks executed since the window began, each once. */
  executedBlocks(): Iterable<number>;
  /** The blocks by id. */
  readonly table: BlockLookup;
}

/** Read access to a block table. */
export interface BlockLookup {
  readonly count: number;
  pc(id: number): bigint;
  steps(id: number): number;
  regime(id: number): number;
}

/** The fields of a `flow` item; byte strings are columns. */
export interface FlowFields {
  cpu: number;
  /** Window in which the block table started. */
  table: number;
  blocks: number;
  runs: Uint8Array;
  misses: Uint8Array;
  exceptions: Uint8Array;
  regimes: Uint8Array;
  kinds: Uint8Array;
  pcs: Uint8Array;
  steps: Uint8Array;
  code: Uint8Array;
}
