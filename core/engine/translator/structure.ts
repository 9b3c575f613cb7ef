import type { Block } from "./region.ts";

/**
 * The shape of a region's control flow, for WebAssembly's structured control: loops are real loops,
 * and a block that several others go on to ends a `block`. After N. Ramsey, "Beyond Relooper"
 * (2022): the code of what a block dominates is nested in the block's.
 *
 * The ways in from outside, and the headers of all loops, are reached from a dispatcher too. An edge
 * back to a block that does not dominate its source goes through the dispatcher.
 */
export interface Structure {
  /** The ways in: the dispatcher's targets in order. */
  readonly ways: readonly Block[];
  /** Position in reverse postorder. */
  readonly order: ReadonlyMap<Block, number>;
  /** Blocks by the block that immediately dominates them (`undefined`: the dispatcher), in order. */
  readonly dominated: ReadonlyMap<Block | undefined, readonly Block[]>;
  /** Blocks that several edges lead forward to, or that the dispatcher goes to. */
  readonly merges: ReadonlySet<Block>;
  /** Headers of loops. */
  readonly headers: ReadonlySet<Block>;
  /** How control passes from one block to another. */
  edge(from: Block, to: Block): "forward" | "back" | "dispatch";
}

/** Works out the structure; `returns` are blocks that indirect branches may go to. */
export function structureOf(seed: Block, returns: Iterable<Block>): Structure {
  const ways = new Set<Block>([seed, ...returns]);
  let order = orderOf(ways);
  for (let before = -1; before !== ways.size; order = orderOf(ways)) {
    before = ways.size;
    for (const block of order.keys()) {
      for (const to of successors(block)) {
        if (order.get(to)! <= order.get(block)!) ways.add(to);
      }
    }
  }
  const all = [...order.keys()];
  let dominators = dominatorsOf(all, order, ways, () => true);
  const retreats = (from: Block, to: Block) => order.get(to)! <= order.get(from)!;
  const first = dominators;
  const edge = (from: Block, to: Block) =>
    !retreats(from, to) ? "forward" : dominates(first, order, to, from) ? "back" : "dispatch";
  dominators = dominatorsOf(all, order, ways, (from, to) => edge(from, to) !== "dispatch");
  const dominated = new Map<Block | undefined, Block[]>();
  const merges = new Set<Block>(ways), headers = new Set<Block>();
  const forward = new Map<Block, number>();
  for (const block of all) {
    const parent = dominators.get(block);
    dominated.set(parent, [...dominated.get(parent) ?? [], block]);
    for (const to of successors(block)) {
      const kind = edge(block, to);
      if (kind === "back") headers.add(to);
      if (kind !== "forward") continue;
      forward.set(to, (forward.get(to) ?? 0) + 1);
      if (forward.get(to)! > 1) merges.add(to);
    }
  }
  return { ways: [...ways], order, dominated, merges, headers, edge };
}

/** Blocks that a block's code goes on to by itself. */
export function successors({ taken, next }: Block): Block[] {
  return [taken, next].filter((block) => block !== undefined);
}

/** Reverse postorder from the ways. */
function orderOf(ways: ReadonlySet<Block>): Map<Block, number> {
  const seen = new Set<Block>();
  const postorder: Block[] = [];
  const visit = (block: Block) => {
    if (seen.has(block)) return;
    seen.add(block);
    for (const to of successors(block).toReversed()) visit(to);
    postorder.push(block);
  };
  for (const way of ways) visit(way);
  return new Map(postorder.reverse().map((block, i) => [block, i]));
}

type Dominators = ReadonlyMap<Block, Block | undefined>;

/** The immediate dominator of each block, `undefined` for the dispatcher. */
function dominatorsOf(
  all: readonly Block[],
  order: ReadonlyMap<Block, number>,
  ways: ReadonlySet<Block>,
  counts: (from: Block, to: Block) => boolean,
): Dominators {
  const sources = new Map<Block, Block[]>();
  for (const block of all) {
    for (const to of successors(block)) {
      if (counts(block, to)) sources.set(to, [...sources.get(to) ?? [], block]);
    }
  }
  const found = new Map<Block, Block | undefined>();
  const join = (a: Block | undefined, b: Block | undefined): Block | undefined => {
    while (a !== b) {
      if (!a || !b) return undefined;
      if (order.get(a)! > order.get(b)!) a = found.get(a);
      else b = found.get(b);
    }
    return a;
  };
  for (let changed = true; changed;) {
    changed = false;
    for (const block of all) {
      const known = (sources.get(block) ?? []).filter((source) => found.has(source));
      const dominator = ways.has(block) || known.length === 0 ? undefined : known.reduce(
        (a: Block | undefined, b) => join(a, b),
        known[0] as Block | undefined,
      );
      if (found.has(block) && found.get(block) === dominator) continue;
      found.set(block, dominator);
      changed = true;
    }
  }
  return found;
}

function dominates(
  dominators: Dominators,
  order: ReadonlyMap<Block, number>,
  a: Block,
  b: Block,
): boolean {
  for (let block: Block | undefined = b; block; block = dominators.get(block)) {
    if (block === a) return true;
    if (order.get(block)! < order.get(a)!) return false;
  }
  return false;
}
