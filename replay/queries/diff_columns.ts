/** Effects as columns: they are made by the million, and one thread hands them to another. */
import type { Effect, EffectKind } from "./diff_effects.ts";

const KINDS: readonly EffectKind[] = [
  ...[
    "store",
    "sysreg",
    "maintenance",
    "mmio",
    "console",
    "exception",
    "return",
    "branch",
  ] as const,
];
const STORE = KINDS.indexOf("store");

/** Effects in the form that can be handed over. */
export interface PackedEffects {
  /** Names that occur. */
  readonly names: readonly string[];
  /** Of each: index of the kind, and number of the name. */
  readonly kinds: Uint8Array<ArrayBuffer>;
  readonly name: Uint32Array<ArrayBuffer>;
  /** Four numbers of each: position, address, size, length. */
  readonly numbers: Float64Array<ArrayBuffer>;
  /** Three of each: pc, value, old. */
  readonly words: BigUint64Array<ArrayBuffer>;
}

/** The last effect that was added. */
export interface LastEffect {
  readonly kind: EffectKind;
  readonly position: number;
}

/** A store to memory. */
export interface StoreEffect {
  readonly position: number;
  readonly pc: bigint;
  readonly address: number;
  readonly size: number;
  readonly value: bigint;
}

/** A list of effects that grows at its end. */
export class EffectColumns {
  #count = 0;
  #kinds = new Uint8Array(1024);
  #name = new Uint32Array(1024);
  #numbers = new Float64Array(4 * 1024);
  #words = new BigUint64Array(3 * 1024);
  #names = new Map([["", 0]]);

  /** Effects in it. */
  get count(): number {
    return this.#count;
  }

  /** Kind and position of the last one; undefined if there is none. */
  get last(): LastEffect | undefined {
    const i = this.#count - 1;
    return i < 0 ? undefined : { kind: KINDS[this.#kinds[i]], position: this.#numbers[4 * i] };
  }

  /** Adds any effect. */
  add({ kind, name, length, old, ...store }: Effect): void {
    this.addStore(store);
    const i = this.#count - 1;
    this.#kinds[i] = KINDS.indexOf(kind);
    this.#name[i] = this.#numberOf(name);
    this.#numbers[4 * i + 3] = length;
    this.#words[3 * i + 2] = old;
  }

  /** Adds a store. */
  addStore({ position, pc, address, size, value }: StoreEffect): void {
    const i = this.#count++;
    if (i === this.#kinds.length) this.#grow();
    this.#kinds[i] = STORE;
    this.#name[i] = 0;
    this.#numbers[4 * i] = position;
    this.#numbers[4 * i + 1] = address;
    this.#numbers[4 * i + 2] = this.#numbers[4 * i + 3] = size;
    this.#words[3 * i] = pc;
    this.#words[3 * i + 1] = value;
    this.#words[3 * i + 2] = 0n;
  }

  /** Whether a store goes on with the run that the last effect is; then it is part of it. */
  extend(address: number, size: number, value: bigint): boolean {
    const i = this.#count - 1;
    if (i < 0 || this.#kinds[i] !== STORE) return false;
    const numbers = this.#numbers;
    if (numbers[4 * i + 1] + numbers[4 * i + 3] !== address) return false;
    if (this.#words[3 * i + 1] !== value) return false;
    if (numbers[4 * i + 2] !== size && value !== 0n) return false;
    numbers[4 * i + 3] += size;
    return true;
  }

  /** Takes the last effect away. */
  pop(): void {
    this.#count--;
  }

  /** Gives all effects, and keeps the last ones if they are wanted. */
  take(kept: number): PackedEffects {
    const count = this.#count;
    const first = count - kept;
    const packed = {
      names: [...this.#names.keys()],
      kinds: this.#kinds.slice(0, count),
      name: this.#name.slice(0, count),
      numbers: this.#numbers.slice(0, 4 * count),
      words: this.#words.slice(0, 3 * count),
    };
    this.#kinds.copyWithin(0, first, count);
    this.#name.copyWithin(0, first, count);
    this.#numbers.copyWithin(0, 4 * first, 4 * count);
    this.#words.copyWithin(0, 3 * first, 3 * count);
    this.#count = kept;
    this.#names = new Map([["", 0]]);
    for (let i = 0; i < kept; i++) this.#name[i] = this.#numberOf(packed.names[this.#name[i]]);
    return packed;
  }

  #numberOf(name: string): number {
    let number = this.#names.get(name);
    if (number === undefined) this.#names.set(name, number = this.#names.size);
    return number;
  }

  #grow(): void {
    const grown = <T extends { set(from: T): void }>(to: T, from: T): T => {
      to.set(from);
      return to;
    };
    const size = 2 * this.#kinds.length;
    this.#kinds = grown(new Uint8Array(size), this.#kinds);
    this.#name = grown(new Uint32Array(size), this.#name);
    this.#numbers = grown(new Float64Array(4 * size), this.#numbers);
    this.#words = grown(new BigUint64Array(3 * size), this.#words);
  }
}

/** The memory that columns are in. */
export function buffersOf({ kinds, name, numbers, words }: PackedEffects): ArrayBuffer[] {
  return [kinds.buffer, name.buffer, numbers.buffer, words.buffer];
}

/** Makes an effect of columns. */
export function effectAt(
  { kinds, name, names, numbers, words }: PackedEffects,
  i: number,
): Effect {
  return {
    kind: KINDS[kinds[i]],
    position: numbers[4 * i],
    pc: words[3 * i],
    name: names[name[i]],
    address: numbers[4 * i + 1],
    size: numbers[4 * i + 2],
    length: numbers[4 * i + 3],
    value: words[3 * i + 1],
    old: words[3 * i + 2],
  };
}

/** The position of an effect. */
export function positionAt({ columns: { numbers }, at }: ColumnPlace): number {
  return numbers[4 * at];
}

/** Where the 8 bytes are that an effect stores; -1 if it is another one. */
export function wordStoredAt({ columns: { kinds, numbers }, at }: ColumnPlace): number {
  return kinds[at] === STORE && numbers[4 * at + 2] === 8 ? numbers[4 * at + 1] : -1;
}

/** An effect in columns. */
export interface ColumnPlace {
  readonly columns: PackedEffects;
  /** The halves of `columns.words`: whole ones are objects as soon as they are looked at. */
  readonly halves: Uint32Array;
  readonly at: number;
}

/** Whether two effects are the same but for when and where they were executed. */
export function areAlike(
  { columns: a, halves: x, at: i }: ColumnPlace,
  { columns: b, halves: y, at: j }: ColumnPlace,
): boolean {
  if (a.kinds[i] !== b.kinds[j]) return false;
  if (x[6 * i + 2] !== y[6 * j + 2] || x[6 * i + 3] !== y[6 * j + 3]) return false;
  for (let n = 1; n < 4; n++) if (a.numbers[4 * i + n] !== b.numbers[4 * j + n]) return false;
  return a.names[a.name[i]] === b.names[b.name[j]];
}
