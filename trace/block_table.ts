import { type BlockLookup } from "./flow_source.ts";

/** What a table holds: an element per block, and the blocks' code one behind the other. */
export interface AllBlocks {
  readonly regimes: Uint8Array;
  readonly kinds: Uint8Array;
  readonly steps: Uint8Array;
  readonly pcs: BigUint64Array;
  readonly code: Uint8Array;
}

/**
 * The blocks of a trace by id, and the id of a block by identity.
 *
 * A block is identified by (regime, PC, code bytes); ids count from 0 in order of first execution.
 * Storage is a few typed arrays and one pool of code bytes: about 60 bytes per block, no objects,
 * because a Linux boot has 63,000 of them and self-modifying programs make many more.
 */
export class BlockTable implements BlockLookup {
  #count = 0;
  #regimes = new Uint8Array(256);
  #kinds = new Uint8Array(256);
  #steps = new Uint8Array(256);
  #pcs = new BigUint64Array(256);
  #offsets = new Uint32Array(256);
  #code = new Uint8Array(4096);
  #codeLength = 0;
  /** Open addressing: id + 1, or 0. A power of two, at most half full. */
  #slots = new Int32Array(512);

  /** Blocks in the table. */
  get count(): number {
    return this.#count;
  }

  /** Instructions of all blocks. */
  get totalSteps(): number {
    return this.#codeLength / 4;
  }

  /** Exception level whose regime the block runs in. */
  regime(id: number): number {
    return this.#regimes[id];
  }

  /** How the block ends, see `BLOCK_KIND`. */
  kind(id: number): number {
    return this.#kinds[id];
  }

  /** Instructions in the block. */
  steps(id: number): number {
    return this.#steps[id];
  }

  /** Copies the kinds and steps of the first `count` blocks. */
  copyFacts(count: number, kinds: Uint8Array, steps: Uint8Array): void {
    kinds.set(this.#kinds.subarray(0, count));
    steps.set(this.#steps.subarray(0, count));
  }

  /** Address of the first instruction. */
  pc(id: number): bigint {
    return this.#pcs[id];
  }

  /** Instruction words, little-endian. The view is valid until the next {@linkcode add}. */
  code(id: number): Uint8Array {
    return this.#code.subarray(this.#offsets[id], this.#offsets[id] + 4 * this.#steps[id]);
  }

  /** The n-th instruction word of a block. */
  word(id: number, n: number): number {
    const at = this.#offsets[id] + 4 * n;
    const c = this.#code;
    return (c[at] | (c[at + 1] << 8) | (c[at + 2] << 16) | (c[at + 3] << 24)) >>> 0;
  }

  /** The id of a block, or -1. */
  find(regime: number, pc: bigint, code: Uint8Array): number {
    return this.#slots[this.#probe(regime, pc, code)] - 1;
  }

  /** Adds a block that is not in the table yet and returns its id. */
  add(regime: number, pc: bigint, kind: number, code: Uint8Array): number {
    if (this.#count === this.#kinds.length) this.#grow();
    while (this.#codeLength + code.length > this.#code.length) {
      this.#code = widen(this.#code, new Uint8Array(2 * this.#code.length));
    }
    const id = this.#count++;
    this.#regimes[id] = regime;
    this.#kinds[id] = kind;
    this.#steps[id] = code.length / 4;
    this.#pcs[id] = pc;
    this.#offsets[id] = this.#codeLength;
    this.#code.set(code, this.#codeLength);
    this.#codeLength += code.length;
    this.#slots[this.#probe(regime, pc, code)] = id + 1;
    return id;
  }

  /**
   * All blocks, to be given to {@linkcode addAll}.
   *
   * @internal
   */
  all(): AllBlocks {
    const n = this.#count;
    return {
      regimes: this.#regimes.slice(0, n),
      kinds: this.#kinds.slice(0, n),
      steps: this.#steps.slice(0, n),
      pcs: this.#pcs.slice(0, n),
      code: this.#code.slice(0, this.#codeLength),
    };
  }

  /**
   * Adds the blocks of another table to this one, which is empty.
   *
   * @internal
   */
  addAll({ regimes, kinds, steps, pcs, code }: AllBlocks): void {
    for (let id = 0, at = 0; id < kinds.length; at += 4 * steps[id++]) {
      this.add(regimes[id], pcs[id], kinds[id], code.subarray(at, at + 4 * steps[id]));
    }
  }

  /** Forgets all blocks. */
  clear(): void {
    this.#count = 0;
    this.#codeLength = 0;
    this.#slots.fill(0);
  }

  /** Slot that holds the block, or the free slot where it belongs. */
  #probe(regime: number, pc: bigint, code: Uint8Array): number {
    const mask = this.#slots.length - 1;
    let slot = hash(regime, pc, code) & mask;
    for (;;) {
      const id = this.#slots[slot] - 1;
      if (id < 0 || (this.#pcs[id] === pc && this.#same(id, regime, code))) return slot;
      slot = (slot + 1) & mask;
    }
  }

  #same(id: number, regime: number, code: Uint8Array): boolean {
    if (this.#regimes[id] !== regime || this.#steps[id] * 4 !== code.length) return false;
    const offset = this.#offsets[id];
    for (let i = 0; i < code.length; i++) if (this.#code[offset + i] !== code[i]) return false;
    return true;
  }

  #grow(): void {
    const size = 2 * this.#kinds.length;
    this.#regimes = widen(this.#regimes, new Uint8Array(size));
    this.#kinds = widen(this.#kinds, new Uint8Array(size));
    this.#steps = widen(this.#steps, new Uint8Array(size));
    this.#offsets = widen(this.#offsets, new Uint32Array(size));
    const pcs = new BigUint64Array(size);
    pcs.set(this.#pcs);
    this.#pcs = pcs;
    this.#slots = new Int32Array(2 * size);
    for (let id = 0; id < this.#count; id++) {
      const slot = this.#probe(this.#regimes[id], this.#pcs[id], this.code(id));
      this.#slots[slot] = id + 1;
    }
  }
}

function widen<T extends Uint8Array | Uint32Array>(from: T, to: T): T {
  to.set(from);
  return to;
}

function hash(regime: number, pc: bigint, code: Uint8Array): number {
  const low = Number(BigInt.asUintN(32, pc));
  let h = Math.imul(low ^ Number(BigInt.asUintN(32, pc >> 32n)), 0x9e3779b1) ^ regime;
  for (let i = 0; i < code.length; i++) h = Math.imul(h ^ code[i], 0x01000193);
  return h ^ (h >>> 15);
}
