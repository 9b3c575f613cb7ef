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
import { type Functions, functionsOfBoth } from "./diff_functions.ts";
import { EqualWindows } from "./diff_prefix.ts";
import { EffectWorkers } from "./diff_remote.ts";
import { Relation } from "./diff_relation.ts";
import { Side } from "./diff_side.ts";
import { milestones } from "./milestones.ts";

/** Steps of both together that are worth two workers. */
const LEAST_FOR_WORKERS = 1 << 25;
/** Bytes of changes of pages that are kept decoded of each, besides what workers keep. */
const PAGES_KEPT = 40 << 20;
/** Of boots that are the same. */
const NOTHING: Alignment = { divergences: [], common: 0, sync: [], skipped: [0, 0] };

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
  /** Steps whose flow, events and written pages are the same, and that were not executed. */
  readonly unexecuted: number;
}

/** Told now and then how far the two were executed. */
export type DiffProgress = (positionA: number, positionB: number) => void;

/**
 * Compares two boots.
 *
 * @throws ReplayError if one of them cannot be re-executed
 */
export function diff(a: Trace, b: Trace, progress: DiffProgress = () => {}): Diff {
  const found = cpusOf(a, b).map((cpu) => {
    const comparison = new Comparison(a, b, cpu);
    const { relation, equalTo } = comparison;
    if (!comparison.isAllEqual) {
      for (const side of [relation.a, relation.b]) side.begin(equalTo);
    }
    const steps = comparison.compare(progress);
    for (;;) {
      const { done, value } = steps.next();
      if (done) return value;
    }
  });
  return earliest(found);
}

/** Whether two boots are long enough for {@linkcode diffInWorkers}. */
export function isWorthWorkers(a: Trace, b: Trace): boolean {
  return a.end + b.end >= LEAST_FOR_WORKERS;
}

/**
 * Compares two boots like {@linkcode diff}; each is executed by a worker, which opens its file.
 *
 * @throws ReplayError if one of them cannot be re-executed
 */
export async function diffInWorkers(
  [a, pathA]: readonly [Trace, string],
  [b, pathB]: readonly [Trace, string],
  progress: DiffProgress = () => {},
): Promise<Diff> {
  for (const trace of [a, b]) trace.keepPages(PAGES_KEPT);
  const found: Diff[] = [];
  for (const cpu of cpusOf(a, b)) {
    const comparison = new Comparison(a, b, cpu);
    const { relation, equalTo: window } = comparison;
    using workers = new EffectWorkers();
    if (!comparison.isAllEqual) {
      relation.a.begin(window, workers.start(pathA, { cpu, window }));
      relation.b.begin(window, workers.start(pathB, { cpu, window }));
    }
    const steps = comparison.compare(progress, () => workers.end());
    for (let step = steps.next();; step = steps.next()) {
      if (step.done) {
        found.push(step.value);
        break;
      }
      await workers.more();
    }
  }
  return earliest(found);
}

/** The CPUs that are compared: each by itself; undefined where there is but one. */
function cpusOf(a: Trace, b: Trace): (number | undefined)[] {
  const most = Math.max(a.header.cpus, b.header.cpus);
  if (most === 1) return [undefined];
  return Array.from({ length: most }, (_, cpu) => cpu).filter((cpu) =>
    cpu === 0 || [a, b].some((trace) => trace.turns.next(cpu, 0) < trace.end)
  );
}

function earliest(found: readonly Diff[]): Diff {
  return found.reduce((best, other) => startOf(other) < startOf(best) ? other : best);
}

/** Where the first difference can have its cause, in the boot that gets there first. */
function startOf({ first }: Diff): number {
  return first ? Math.min(...limitsOf(first)) : Infinity;
}

/** A comparison of all, or of one CPU of both. */
class Comparison {
  readonly relation: Relation;
  /** The last window up to which nothing needs to be executed. */
  readonly equalTo: number;
  /** Whether nothing does at all. */
  readonly isAllEqual: boolean;
  readonly #traces: readonly [Trace, Trace];
  readonly #windows: EqualWindows;
  #functions: { readonly a: Functions; readonly b: Functions } | undefined;

  constructor(a: Trace, b: Trace, cpu: number | undefined) {
    const named = a.symbols().length > 0 && b.symbols().length > 0;
    const own = cpu === undefined ? {} : { cpu };
    this.#traces = [a, b];
    this.relation = new Relation(new Side(a, { named, ...own }), new Side(b, { named, ...own }));
    this.#windows = new EqualWindows(a, b, this.relation);
    this.equalTo = this.#windows.from(0);
    this.relation.a.findFunctions = () => this.#findFunctions().a;
    this.relation.b.findFunctions = () => this.#findFunctions().b;
    const { end } = a.windows[this.equalTo];
    this.isAllEqual = end === a.end && end === b.end;
  }

  /**
   * Compares; where it yields, effects must be waited for.
   *
   * @param aligned called when no more effects are wanted
   */
  *compare(progress: DiffProgress, aligned: () => void = () => {}): Generator<void, Diff> {
    const { relation } = this;
    const [a, b] = this.#traces;
    const alignment = this.isAllEqual ? NOTHING : yield* this.#align(progress);
    aligned();
    const findings = findingsOf(relation, alignment);
    const effect = firstFinding(findings) ?? null;
    const equalTo = a.windows[this.equalTo].end;
    const flow = this.isAllEqual ? null : flowOf(relation, alignment, effect, equalTo);
    return {
      milestones: milestonePairs(a, b),
      first: flow ?? effect,
      findings: flow ? [flow, ...findings] : findings,
      common: alignment.common,
      equalTo,
      relation,
      skipped: alignment.skipped,
      unexecuted: this.#windows.stepsByPages,
      interrupted: this.isAllEqual
        ? [0, 0]
        : [relation.a.effects.leftOut, relation.b.effects.leftOut],
    };
  }

  #findFunctions(): { readonly a: Functions; readonly b: Functions } {
    const [a, b] = [this.relation.a, this.relation.b].map(({ trace, comparedTo: end }) => ({
      trace,
      end,
    }));
    return this.#functions ??= functionsOfBoth(a, b, (window) => this.#windows.has(window));
  }

  *#align(progress: DiffProgress): Generator<void, Alignment> {
    const { relation } = this;
    const sides = [relation.a, relation.b] as const;
    const report = () => progress(sides[0].effects.position, sides[1].effects.position);
    for (const { effects } of sides) effects.progress = report;
    const alignment = yield* align(relation, {
      explained: (divergence) => isExplained(relation, divergence),
      equalFrom: (window) => this.#windows.from(window),
    });
    for (const side of sides) side.comparedTo = side.effects.position;
    return alignment;
  }
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
