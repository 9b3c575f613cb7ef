import type { CodeCache } from "../code_cache.ts";
import type { Handler } from "../handlers.ts";
import type { Ops, Statement } from "../../isa/ops.ts";
import { RECORD_SLOT_BYTES } from "../layout.ts";

/**
 * Finds the runs that are translated together: those reached by direct branches from a seed, as far
 * as their instructions have been decoded.
 *
 * A block here is a run: from where a run can begin to the branch that ends it. Code that two runs
 * share stands in both, so that where a run began is a constant in all of it.
 */

/** Where a transfer of control goes, if that is of the region. */
export type Target = Block | undefined;

/** One run. */
export interface Block {
  /** Its first record. */
  readonly start: number;
  /** Records of its instructions without the one that branches. */
  readonly straight: readonly number[];
  /** The branch that ends it, if it is translated. */
  readonly branch: number | undefined;
  /** Record behind the last that is translated. */
  readonly end: number;
  /** Whether it goes on in the next page: `next` then is where, if that is of the region. */
  readonly crosses: boolean;
  taken: Target;
  /** Where it goes on if the branch is not taken, or if there is none. */
  next: Target;
  /** Behind a call. */
  after: Target;
}

/** What {@linkcode findRegion} needs to know. */
export interface CodeSource {
  readonly records: CodeCache;
  /** The handler of a record, unless it belongs to no row or is the interpreter's. */
  handlerOf(record: number): Handler | undefined;
  /** Its program. */
  programOf(handler: Handler): Ops;
  /** Where the branch at a record, in its page at `pcBase`, goes: a record and its page's `pcBase`. */
  targetOf(record: number, pcBase: bigint): { record: number; pcBase: bigint } | undefined;
  /** The same for what follows the page of a record; undefined if the interpreter must go there. */
  pageBehind(record: number, pcBase: bigint): { record: number; pcBase: bigint } | undefined;
}

/** Instructions of one region at the most: what may retire in it before it looks at the budget. */
export const MOST_INSTRUCTIONS = 1600;
/** With so many no more blocks begin: the host's compiler takes longer than in proportion. */
const ENOUGH_INSTRUCTIONS = 800;
const MOST_BLOCKS = 96;
const NOWHERE = { taken: undefined, next: undefined, after: undefined };

/** The blocks of a region; the first is the seed's. */
export function findRegion(source: CodeSource, seed: number, pcBase: bigint): Block[] {
  const known = new Map<number, Block>();
  const blocks: Block[] = [];
  let instructions = 0;
  const queue: { record: number; pcBase: bigint; link: (block: Block) => void }[] = [
    { record: seed, pcBase, link: () => {} },
  ];
  for (let item = queue.shift(); item; item = queue.shift()) {
    let block = known.get(item.record);
    if (!block) {
      if (blocks.length >= MOST_BLOCKS || instructions >= ENOUGH_INSTRUCTIONS) continue;
      block = readBlock(source, item, MOST_INSTRUCTIONS - instructions);
      if (!block) continue;
      instructions += (block.end - block.start) >> 4;
      known.set(item.record, block);
      blocks.push(block);
      follow(source, block, item.pcBase, queue);
    }
    item.link(block);
  }
  return blocks;
}

function follow(
  source: CodeSource,
  block: Block,
  pcBase: bigint,
  queue: { record: number; pcBase: bigint; link: (block: Block) => void }[],
): void {
  const { branch } = block;
  if (block.crosses) {
    const behind = source.pageBehind(block.start, pcBase)!;
    queue.push({ ...behind, link: (to) => block.next = to });
  }
  if (branch === undefined) return;
  const handler = source.handlerOf(branch)!;
  const { transfer } = source.programOf(handler);
  const after = branch + 16;
  const relative = transfer?.k === "relative";
  const call = handler.row.ends === "call" || handler.row.ends === "indirect-call";
  if (relative) {
    const target = source.targetOf(branch, pcBase);
    if (target) queue.push({ ...target, link: (to) => block.taken = to });
  }
  if (call) queue.push({ record: after, pcBase, link: (to) => block.after = to });
  if (relative && transfer.condition) {
    queue.push({ record: after, pcBase, link: (to) => block.next = to });
  }
}

function readBlock(
  source: CodeSource,
  { record: start, pcBase }: { record: number; pcBase: bigint },
  room: number,
): Block | undefined {
  const straight: number[] = [];
  const { offset } = source.records.locate(start);
  const trailer = start - offset * 4 + 1024 * 16;
  for (let record = start; record < trailer && straight.length < room; record += 16) {
    const handler = source.handlerOf(record);
    const ends = handler?.row.ends !== undefined;
    if (handler && ends) {
      return { start, straight, branch: record, end: record + 16, crosses: false, ...NOWHERE };
    }
    if (!handler) break;
    straight.push(record);
  }
  if (straight.length === 0) return undefined;
  const end = start + straight.length * 16;
  const crosses = end === trailer && source.pageBehind(start, pcBase) !== undefined;
  return { start, straight, branch: undefined, end, crosses, ...NOWHERE };
}

/** Records of all instructions of blocks. */
export function recordsOf(blocks: Iterable<Block>): number[] {
  return [...blocks].flatMap(({ straight, branch }) =>
    branch === undefined ? straight : [...straight, branch]
  );
}

/** The slots of the arena that hold records of the blocks. */
export function slotsOf(blocks: readonly Block[], arena: number): Set<number> {
  return new Set(blocks.map(({ start }) => Math.floor((start - arena) / RECORD_SLOT_BYTES)));
}

/**
 * Whether a program can be translated: it needs nothing of TypeScript but through its accesses, and
 * through the call-outs that `hasWay` says can mostly do without.
 */
export function isTranslatable(
  { statements, transfer }: Ops,
  hasWay: (callOut: Extract<Statement, { k: "call-out" }>) => boolean,
): boolean {
  if (transfer?.k === "exception" || transfer?.k === "eret") return false;
  let stores = 0;
  const plain = (list: Ops["statements"]): boolean =>
    list.every((statement) => {
      if (statement.k === "call-out") return hasWay(statement);
      if (statement.k === "when") return plain(statement.body);
      // An instruction that cannot complete is executed anew, so it must not read what it stored.
      if (statement.k === "store") stores++;
      return statement.k !== "load" || stores === 0;
    });
  return plain(statements) && stores <= 1;
}
