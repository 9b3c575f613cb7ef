/**
 * The nodes of a call tree: columns, and one map from (parent, function) to the child. Nothing is
 * allocated for a call that was made before. Node 0 is the boot as a whole.
 */

/** Nodes at the most; beyond, what a function calls counts as its own. */
const MOST_NODES = 1 << 19;
/** Functions at the most, so that a map's key is a safe integer. */
const FUNCTION_SPACE = 1 << 21;

/** What a node stands for, besides a function. */
export type CallKind = "boot" | "function" | "exception" | "thread";

/** One node, for reading. */
export interface CallNode {
  /** Its place among all nodes. */
  readonly id: number;
  /** -1 for the boot. */
  readonly parent: number;
  /** What it stands for. */
  readonly kind: CallKind;
  /** The function's first instruction, the vector, or where the thread was first seen. */
  readonly address: bigint;
  /** What to call an exception; empty for others. */
  readonly text: string;
  /** How often it was entered this way. */
  readonly calls: number;
  /** Position of the first time. */
  readonly first: number;
  /** Steps in it and not in what it called. */
  readonly self: number;
  /** Steps in it and in what it called. */
  readonly steps: number;
}

/** See the top of this file. */
export class CallNodes {
  #parents = new Int32Array(1024);
  #functions = new Int32Array(1024);
  #calls = new Float64Array(1024);
  #firsts = new Float64Array(1024);
  /** The child that was entered last; 0 if there is none. */
  #latest = new Int32Array(1024);
  #selfs = new Float64Array(1024);
  #count = 0;
  readonly #children = new Map<number, number>();
  readonly #addresses: bigint[] = [];
  readonly #texts: string[] = [];
  readonly #kinds: CallKind[] = [];
  readonly #byAddress = new Map<bigint, number>();
  readonly #byText = new Map<string, number>();

  constructor() {
    this.child(-1, this.#functionOf("boot", 0n, ""), 0);
    this.#calls[0] = 1;
  }

  /** How many nodes there are. */
  get count(): number {
    return this.#count;
  }

  /** Number of the function that begins at an address. */
  functionAt(address: bigint): number {
    let known = this.#byAddress.get(address);
    if (known === undefined) {
      this.#byAddress.set(address, known = this.#functionOf("function", address, ""));
    }
    return known;
  }

  /** Number of what is no function: an exception of some class, a thread. */
  special(kind: CallKind, address: bigint, text: string): number {
    const key = `${kind} ${address} ${text}`;
    let known = this.#byText.get(key);
    if (known === undefined) this.#byText.set(key, known = this.#functionOf(kind, address, text));
    return known;
  }

  /** Address that a function's number stands for. */
  addressOf(number: number): bigint {
    return this.#addresses[number];
  }

  /** The node for a function below a node; made if there is none. */
  child(parent: number, number: number, position: number): number {
    // What it called last it mostly calls again.
    const latest = parent < 0 ? 0 : this.#latest[parent];
    if (latest > 0 && this.#functions[latest] === number) return latest;
    const node = this.#find(parent, number, position);
    if (parent >= 0) this.#latest[parent] = node;
    return node;
  }

  #find(parent: number, number: number, position: number): number {
    const key = (parent + 1) * FUNCTION_SPACE + number;
    const known = this.#children.get(key);
    if (known !== undefined) return known;
    if (this.#count === MOST_NODES) return Math.max(0, parent);
    if (this.#count === this.#parents.length) this.#grow();
    const node = this.#count++;
    this.#parents[node] = parent;
    this.#functions[node] = number;
    this.#firsts[node] = position;
    this.#children.set(key, node);
    return node;
  }

  /** The function that a node stands for. */
  functionOf(node: number): number {
    return this.#functions[node];
  }

  /** The node that called this one. */
  parentOf(node: number): number {
    return this.#parents[node];
  }

  /** A call of a node's function. */
  called(node: number): void {
    this.#calls[node]++;
  }

  /** Steps in a node's function. */
  spent(node: number, steps: number): void {
    this.#selfs[node] += steps;
  }

  /** All nodes; children stand behind their parents. */
  all(): CallNode[] {
    const steps = this.#selfs.slice(0, this.#count);
    for (let node = this.#count - 1; node > 0; node--) steps[this.#parents[node]] += steps[node];
    return Array.from(steps, (sum, id) => ({
      id,
      parent: this.#parents[id],
      kind: this.#kinds[this.#functions[id]],
      address: this.#addresses[this.#functions[id]],
      text: this.#texts[this.#functions[id]],
      calls: this.#calls[id],
      first: this.#firsts[id],
      self: this.#selfs[id],
      steps: sum,
    }));
  }

  #functionOf(kind: CallKind, address: bigint, text: string): number {
    const number = Math.min(this.#addresses.length, FUNCTION_SPACE - 1);
    this.#addresses[number] = address;
    this.#texts[number] = text;
    this.#kinds[number] = kind;
    return number;
  }

  #grow(): void {
    this.#parents = widen(this.#parents, Int32Array);
    this.#functions = widen(this.#functions, Int32Array);
    this.#latest = widen(this.#latest, Int32Array);
    this.#calls = widen(this.#calls, Float64Array);
    this.#firsts = widen(this.#firsts, Float64Array);
    this.#selfs = widen(this.#selfs, Float64Array);
  }
}

/** A copy with room for twice as many. */
function widen<T extends Int32Array | Float64Array>(array: T, type: new (length: number) => T): T {
  const wider = new type(2 * array.length);
  wider.set(array);
  return wider;
}
