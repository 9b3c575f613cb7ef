/**
 * The first call that only one of two boots ever makes.
 *
 * For boots whose effects are the same: a function that both have, called from a function from which
 * the other does not call it. How often it is called does not count. Without symbols it counts if
 * the other has the function's code, but never calls it from anywhere. Programs that are
 * mostly other code are not compared: their compilers chose which calls there are.
 */
import { disassemble } from "../../core/isa/disassemble.ts";
import { endsAnywhere } from "./diff_judge.ts";
import type { BranchDifference, SyncPoints } from "./diff_branch.ts";
import { isSameFunction } from "./diff_branch.ts";
import { findHandled } from "./diff_flow.ts";
import type { Call } from "./diff_functions.ts";
import type { Relation } from "./diff_relation.ts";
import { type Side, withoutAddresses } from "./diff_side.ts";

const LOW_48 = 0xffff_ffff_ffffn;
/** The least share of the functions that both call that must be the same code. */
const LEAST_SAME = 0.7;
/** Instructions by which a function is recognised. */
const LEAST_WORDS = 4;
const MOST_WORDS = 16;

/** See the top of this file. */
export function firstExtraCall(relation: Relation, sync: SyncPoints): BranchDifference | null {
  const [a, b] = [callsOf(relation, "a"), callsOf(relation, "b")];
  if (!areMostlySame(relation, a, b)) return null;
  const last = sync[sync.length - 1] ?? [0, 0];
  const onlyA = extra(relation, "a", [a, b], endsAnywhere(relation.b) ? last[0] : Infinity);
  const onlyB = extra(relation, "b", [b, a], endsAnywhere(relation.a) ? last[1] : Infinity);
  const mask = firstMask(relation, last);
  if (mask) return mask;
  const call = onlyA && onlyB ? onlyA.position <= onlyB.position ? onlyA : onlyB : onlyA ?? onlyB;
  if (!call) return null;
  const inA = call === onlyA;
  return { a: inA ? call : null, b: inA ? null : call, text: "", taken: null, operands: [] };
}

/** The first instruction that masks or unmasks interrupts in a function of only one boot. */
function firstMask(relation: Relation, last: readonly [number, number]): BranchDifference | null {
  const of = (side: "a" | "b") =>
    relation[side].functions.masks.filter(({ position }) => relation[side].isOwn(position)).map((
      mask,
    ) => ({
      mask,
      // Without symbols what only one of them executes anywhere can be told.
      key: `${mask.word},${relation[side].isNamed ? keyOf(relation, side, mask.pc) : ""}`,
    }));
  const [a, b] = [of("a"), of("b")];
  const only = (own: typeof a, other: typeof a, to: number) =>
    own.find(({ key, mask }) => mask.position < to && !other.some((each) => each.key === key))
      ?.mask;
  const x = only(a, b, endsAnywhere(relation.b) ? last[0] : Infinity);
  const y = only(b, a, endsAnywhere(relation.a) ? last[1] : Infinity);
  const mask = x ?? y;
  if (!mask) return null;
  const branch = { position: mask.position, pc: mask.pc, target: mask.pc };
  const text = disassemble(mask.word, mask.pc);
  return { a: x ? branch : null, b: x ? null : branch, text, taken: null, operands: [] };
}

/** Calls of a boot by what is called; addresses are A's where they correspond. */
interface Calls {
  /** By callee: its entry in this boot. */
  readonly entries: Map<string, bigint>;
  /** By caller and callee: the first call. */
  readonly edges: Map<string, { call: Call; callee: string }>;
}

function callsOf(relation: Relation, side: "a" | "b"): Calls {
  const own = relation[side];
  const isHandler = inHandlers(own);
  const entries = new Map<string, bigint>();
  const edges = new Map<string, { call: Call; callee: string }>();
  for (const call of own.functions.calls) {
    const caller = keyOf(relation, side, call.pc);
    const callee = keyOf(relation, side, call.target);
    if (caller === undefined || callee === undefined || isHandler(call.position)) continue;
    if (!own.isOwn(call.position)) continue;
    if (!entries.has(callee)) entries.set(callee, call.target);
    const key = `${caller}>${callee}`;
    if (!edges.has(key)) edges.set(key, { call, callee });
  }
  return { entries, edges };
}

/** What a function is called, the same on both sides: its name, or where A has it. */
function keyOf(relation: Relation, side: "a" | "b", pc: bigint): string | undefined {
  const own = relation[side];
  if (own.isNamed) {
    const physical = own.physical(pc);
    return physical === undefined ? undefined : own.place(physical)?.name;
  }
  const low = Number(pc & LOW_48);
  const entry = own.functions.entryOf(low);
  if (entry === undefined) return undefined;
  const physical = own.physical(pc - BigInt(low - entry));
  if (physical === undefined) return undefined;
  const there = side === "a" ? physical : relation.codeOf(physical);
  return there === undefined ? `B ${physical}` : `${there}`;
}

function areMostlySame(relation: Relation, a: Calls, b: Calls): boolean {
  let both = 0;
  let same = 0;
  for (const [callee, entry] of a.entries) {
    const other = b.entries.get(callee);
    if (other === undefined) continue;
    both++;
    if (isSameEntry(relation, entry, other)) same++;
  }
  return both > 0 && same >= LEAST_SAME * both;
}

function isSameEntry(relation: Relation, a: bigint, b: bigint): boolean {
  return isSameFunction(relation, Number(a & LOW_48), Number(b & LOW_48));
}

/** The first call before a position that `own` has, and `other` has not, of a function that both have. */
function extra(
  relation: Relation,
  side: "a" | "b",
  [own, other]: readonly [Calls, Calls],
  to: number,
): Call | undefined {
  const there = side === "a" ? relation.b : relation.a;
  for (const [key, { call, callee }] of own.edges) {
    if (other.edges.has(key) || call.position >= to) continue;
    const isInBoth = there.isNamed
      ? there.symbolAddresses().has(callee)
      : !other.entries.has(callee) && hasUnused(relation, side, call.target);
    if (isInBoth) return call;
  }
  return undefined;
}

/** Whether the other image has the code of a function at known distances, and never executes it. */
function hasUnused(relation: Relation, side: "a" | "b", entry: bigint): boolean {
  const [own, there] = side === "a" ? [relation.a, relation.b] : [relation.b, relation.a];
  const start = own.physical(entry);
  if (start === undefined) return false;
  const words: number[] = [];
  while (words.length < MOST_WORDS) {
    const word = own.word(start + 4 * words.length);
    if (word === undefined) break;
    words.push(withoutAddresses(word));
  }
  if (words.length < LEAST_WORDS) return false;
  const found = relation.distances.map((distance) =>
    side === "a" ? start + distance : start - distance
  )
    .filter((at) =>
      at >= 0 && at % 4 === 0 &&
      words.every((word, n) => withoutAddresses(there.imageWord(at + 4 * n)) === word)
    );
  return found.length > 0 && found.every((at) => there.word(at) === undefined);
}

/** Whether a position is inside the handler of an interrupt. */
function inHandlers({ trace, cpu }: Side): (position: number) => boolean {
  const { positions, kinds } = findHandled(trace, cpu);
  const ranges: [number, number][] = [];
  const stack: number[] = [];
  let since = 0;
  positions.forEach((position, n) => {
    const interrupts = stack.filter((kind) => kind === 2).length;
    if (kinds[n] === 0) {
      if (stack.pop() === 2 && interrupts === 1) ranges.push([since, position]);
      return;
    }
    stack.push(kinds[n]);
    if (kinds[n] === 2 && interrupts === 0) since = position;
  });
  if (stack.includes(2)) ranges.push([since, Infinity]);
  return (position) => {
    let low = 0;
    let high = ranges.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (ranges[middle][0] <= position) low = middle + 1;
      else high = middle;
    }
    return low > 0 && position <= ranges[low - 1][1];
  };
}
