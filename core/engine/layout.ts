/**
 * Where everything stands in the engine's WebAssembly memory; the flow ring has one of its own.
 *
 * ```text
 * 0x000000  processor state (core/state.ts)
 * 0x002000  what the planted probe compares and runs
 * 0x002040  what reads of the counter are answered from
 * 0x010000  lookup caches of data accesses, one per exception level
 * 0x050000  lookup caches of instruction fetches, one per exception level
 * 0x070000  modelled TLB
 * 0x0a0000  tables of the helper functions
 * 0x0b0000  code table: for every page of guest memory its records and which lines are decoded
 *   …       lookup caches of the CPUs behind the first
 *   …       record arena: decoded instructions, one slot per page that holds code
 *   …       region table, if there is a translator: 8 bytes per record
 *   …       decoded words: a byte per word of each page that has records, 1 while its record is decoded
 *   …       guest memory
 *   …       store marks, if asked for: a byte per 8 bytes of guest memory, 1 once one of them was stored to
 *   …       results, if asked for: what instructions wrote to registers, in order
 * ```
 *
 * **Lookup entry of data accesses** (32 bytes, direct-mapped by virtual page): the tags are the
 * virtual page address, or {@linkcode NO_TAG}, which no access can produce.
 *
 * | offset | type | |
 * |---|---|---|
 * | 0 | u64 | tag for reads |
 * | 8 | u64 | tag for writes: set only after the first write of an epoch, and never for a page that holds code |
 * | 16 | u32 | address in this memory minus the low 32 bits of the virtual address |
 * | 20 | u32 | bit 0: an unaligned access within the page is an ordinary one; the rest: address of the page's decoded words |
 * | 24 | u64 | tag for writes to a page that holds code: allowed where the words written are not decoded |
 *
 * **Lookup entry of fetches** (32 bytes): u64 tag, u64 pcBase (virtual page − records/4), u32 records, u32 context,
 *   u32 GP (FEAT_BTI).
 *
 * **Region table entry** (of each record that is a way into translated code): u16 handler under it, u16 number of the way, u32 index in the table of functions plus 1.
 *
 * **Code table entry** (16 bytes per guest page): u32 address of the page's records or 0, u32 whether it holds code (`CodeCache`), u64 set of decoded 64-byte lines.
 */

/** Byte addresses and sizes. */
export const LAYOUT = {
  /** u32 handler under the probe, u32 address of a state slot, u64 the value that it must have, u32 its record or 0. */
  probe: 0x2000,
  /** See {@linkcode CLOCK}. */
  clock: 0x2040,
  /** u32: the kinds of barrier (`reported_barriers.ts`) that are reported, and so call TypeScript. */
  barriers: 0x2060,
  dataLookup: 0x10000,
  dataLookupEntries: 2048,
  dataLookupStride: 0x10000,
  fetchLookup: 0x50000,
  fetchLookupEntries: 1024,
  fetchLookupStride: 0x8000,
  tlb: 0x70000,
  tlbBytes: 0x30000,
  /** u32: where the next result goes, while results are recorded. */
  results: 0x2800,
  helperTables: 0xa0000,
  codeTable: 0xb0000,
} as const;

const SEGMENTS = 32;
const SEGMENT_BYTES = 1 << 19;

/**
 * The flow ring: a memory of its own, shared, because the recorder's threads read it where it stands.
 * Generated code writes entries of 8 bytes (`FlowObserver`) to one of its segments, and leaves where the
 * segment is full but for what may still come before it can.
 */
export const FLOW_RING = {
  /** Its number among the memories of generated modules. */
  memory: 1,
  segments: SEGMENTS,
  segmentBytes: SEGMENT_BYTES,
  /** Bytes of a segment from which on it is full. */
  limit: SEGMENT_BYTES - (1 << 16),
  bytes: SEGMENTS * SEGMENT_BYTES,
} as const;

/**
 * What generated code knows of time, from `LAYOUT.clock` on: a read of CNTPCT or CNTVCT is answered
 * without TypeScript where {@linkcode CLOCK.open} says so.
 */
export const CLOCK = {
  /** u64 ns that an instruction reads which begins when the slice's budget has just been used up. */
  base: 0,
  /** u64 ns that an instruction takes. */
  step: 8,
  /** u32: bit 0 CNTPCT, bit 1 CNTVCT. */
  open: 16,
  /** u32: reads so far. */
  reads: 20,
  /** Bytes. */
  end: 24,
} as const;

/** A tag that no virtual address can equal, because its low bits are set. */
export const NO_TAG = 0xffff_ffff_ffff_ffffn;

/** Bytes of one page's records: 1,024 of 16 bytes and a trailer. */
export const RECORD_PAGE_BYTES = 1025 * 16;
/** Room for the results that are not taken yet. */
export const RESULT_BYTES: number = 8 << 20;
/** No instruction writes more words of results than four vectors and a base register have. */
export const MOST_RESULT_STEPS: number = RESULT_BYTES / 128;
/** Distance of the slots in the arena. */
export const RECORD_SLOT_BYTES = RECORD_PAGE_BYTES + 48;

/** Decoded words of one page. */
export const DECODED_PAGE_BYTES = 1024;

/** Sizes and addresses that depend on the guest's memory. */
export interface MemoryLayout {
  readonly arena: number;
  readonly arenaSlots: number;
  /** Address of the region table; 0 if there is none. */
  readonly regions: number;
  /** Address of the decoded words of the arena's first slot. */
  readonly decodedWords: number;
  /** Address of the first guest page. */
  readonly guest: number;
  /** Bytes of guest memory. */
  readonly guestBytes: number;
  /** Address of the store marks; 0 if there are none. */
  readonly storeMarks: number;
  /** Address of the results, `RESULT_BYTES` of them; 0 if they are not recorded. */
  readonly results: number;
  /** How far the lookup caches of each CPU stand behind those of the first. */
  readonly lookups: readonly number[];
  /** Size of the whole memory in 64 KiB pages. */
  readonly wasmPages: number;
}

/** Lays out a memory with `guestBytes` of guest memory (a multiple of 4 KiB), and what else is asked for. */
export function layOut(
  { guestBytes, storeMarks = false, results = false, cpus = 1, translate = false }: {
    guestBytes: number;
    storeMarks?: boolean;
    results?: boolean;
    cpus?: number;
    translate?: boolean;
  },
): MemoryLayout {
  const guestPages = guestBytes / 4096;
  const align = (n: number) => Math.ceil(n / 65536) * 65536;
  const behind = align(LAYOUT.codeTable + guestPages * 16);
  const lookupBytes = LAYOUT.tlb - LAYOUT.dataLookup;
  const lookups = Array.from(
    { length: cpus },
    (_, cpu) => cpu === 0 ? 0 : behind + (cpu - 1) * lookupBytes - LAYOUT.dataLookup,
  );
  const arena = behind + (cpus - 1) * lookupBytes;
  const arenaSlots = Math.min(guestPages, 4096);
  const regions = align(arena + arenaSlots * RECORD_SLOT_BYTES);
  const decodedWords = align(regions + (translate ? arenaSlots * RECORD_SLOT_BYTES / 2 : 0));
  // Room behind the last for what a wide look at its end reads.
  const guest = align(decodedWords + arenaSlots * DECODED_PAGE_BYTES + 16);
  const end = guest + guestBytes;
  const behindMarks = end + (storeMarks ? guestBytes / 8 : 0);
  const wasmPages = Math.ceil((behindMarks + (results ? RESULT_BYTES : 0)) / 65536);
  if (wasmPages > 65536) throw new RangeError(`guest memory of ${guestBytes} bytes does not fit`);
  return {
    arena,
    arenaSlots,
    regions: translate ? regions : 0,
    decodedWords,
    guest,
    guestBytes,
    storeMarks: storeMarks ? end : 0,
    results: results ? behindMarks : 0,
    lookups,
    wasmPages,
  };
}
