/**
 * `diff`: where two boots begin to differ.
 *
 * Both are executed again and reduced to their effects (`diff_effects.ts`): what they do to memory
 * outside their stacks, to system registers, TLB, caches and devices, and the exceptions they take.
 * The two sequences are gone through side by side (`diff_align.ts`); addresses and values are equal
 * modulo relocation (`diff_relation.ts`), descriptors are equal as translations (`diff_tables.ts`).
 * What is left is judged (`diff_judge.ts`): the earliest that no size explains is the first
 * difference. Flow is not compared instruction by instruction: code that was compiled differently
 * has another one, and the effects say what it did. But a branch in code that both have, and that
 * went different ways before that (`diff_branch.ts`), is the first difference instead; where no
 * effect differs, so is a call that only one of them makes (`diff_calls.ts`).
 *
 * With several CPUs each is compared by itself: how their turns lie is no difference.
 */
import type { Trace } from "../../trace/mod.ts";
import { align, type Alignment } from "./diff_align.ts";
import { firstBranch } from "./diff_branch.ts";
import { firstExtraCall } from "./diff_calls.ts";
import {
  type Finding,
  findingsOf,
  firstFinding,
  flowFinding,
  isExplained,
  limitsOf,
} from "./diff_judge.ts";
import { equalWindows } from "./diff_prefix.ts";
import { Relation } from "./diff_relation.ts";
import { Side } from "./diff_side.ts";
import { milestones } from "./milestones.ts";

/** Something that both boots, or one, got to. */
export interface MilestonePair {
  readonly name: string;
  /** Position in A; null where it never happens. */
  readonly a: number | null;
  readonly b: number | null;
}

/** How two boots differ. */
export interface Diff {
  readonly milestones: readonly MilestonePair[];
  readonly first: Finding | null;
  /** All that were found, in order; the ones behind the first often follow from it. */
  readonly findings: readonly Finding[];
  /** Effects that both boots have. */
  readonly common: number;
  /** Up to this position the recordings are the same without looking at effects. */
  readonly equalTo: number;
  readonly relation: Relation;
  /** Effects of A and of B that are there only because an image or RAM is larger. */
  readonly skipped: readonly [a: number, b: number];
  /** Effects of interrupt handlers, which are not compared. */
  readonly interrupted: readonly [a: number, b: number];
}

/**
 * Compares two boots.
 *
 * @param progress called now and then with how far the two were executed
 * @throws ReplayError if one of them cannot be re-executed
 */
export function diff(
  a: Trace,
  b: Trace,
  progress: (positionA: number, positionB: number) => void = () => {},
): Diff {
  const most = Math.max(a.header.cpus, b.header.cpus);
  if (most === 1) return diffOf(a, b, progress, {});
  // How the turns of the CPUs lie is not compared: each is, by itself.
  const each: Diff[] = [];
  for (let cpu = 0; cpu < most; cpu++) {
    const stepped = [a, b].some((trace) => trace.turns.next(cpu, 0) < trace.end);
    if (cpu === 0 || stepped) each.push(diffOf(a, b, progress, { cpu }));
  }
  return each.reduce((best, other) => startOf(other) < startOf(best) ? other : best);
}

/** Where the first difference can have its cause, in the boot that gets there first. */
function startOf({ first }: Diff): number {
  return first ? Math.min(...limitsOf(first)) : Infinity;
}

/** Compares all, or one CPU of both. */
function diffOf(
  a: Trace,
  b: Trace,
  progress: (positionA: number, positionB: number) => void,
  own: { readonly cpu?: number },
): Diff {
  const named = a.symbols().length > 0 && b.symbols().length > 0;
  const relation = new Relation(new Side(a, { named, ...own }), new Side(b, { named, ...own }));
  const skipped = equalWindows(a, b);
  relation.a.effects.skipTo(skipped);
  relation.b.effects.skipTo(skipped);
  const readers = [relation.a.effects, relation.b.effects] as const;
  const report = () => progress(readers[0].session.position, readers[1].session.position);
  for (const reader of readers) reader.progress = report;
  const alignment: Alignment = align(relation, (each) => isExplained(relation, each));
  for (const side of [relation.a, relation.b]) side.comparedTo = side.effects.session.position;
  const findings = findingsOf(relation, alignment);
  const effect = firstFinding(findings) ?? null;
  const from = a.windows[skipped].end;
  const isAllEqual = from === a.end && from === b.end;
  const flow = isAllEqual ? null : flowOf(relation, alignment, effect, from);
  return {
    milestones: milestonePairs(a, b),
    first: flow ?? effect,
    findings: flow ? [flow, ...findings] : findings,
    common: alignment.common,
    equalTo: from,
    relation,
    skipped: alignment.skipped,
    interrupted: [relation.a.effects.leftOut, relation.b.effects.leftOut],
  };
}

/** The branch or call that comes before the first differing effect, if there is one. */
function flowOf(
  relation: Relation,
  { sync }: Alignment,
  effect: Finding | null,
  from: number,
): Finding | null {
  if (effect?.kind === "unrelated") return null;
  const to = effect ? limitsOf(effect) : [Infinity, Infinity] as const;
  const branch = firstBranch(relation, sync, { from, to });
  const found = branch ?? (effect ? null : firstExtraCall(relation, sync));
  return found && flowFinding(found);
}

/** Milestones of both, in A's order; those that only B has stand where B has them. */
export function milestonePairs(a: Trace, b: Trace): MilestonePair[] {
  const [x, y] = [positions(a), positions(b)];
  const names = new Set([...x.keys(), ...y.keys()]);
  return [...names]
    .map((name) => ({ name, a: x.get(name) ?? null, b: y.get(name) ?? null }))
    .sort((p, q) => (p.a ?? p.b!) - (q.a ?? q.b!));
}

function positions(trace: Trace): Map<string, number> {
  const found = new Map<string, number>();
  for (const { name, event } of milestones(trace)) found.set(name, event.position);
  return found.set("end", trace.end);
}
