/**
 * Goes through the effects of two boots side by side and finds where they differ.
 *
 * While the places agree, content is compared. Where they do not, the shortest edit script of
 * what comes next, by place, says what is only in one of them; it is looked for in growing
 * stretches, until something that both do follows. What is left when one has ended is the last
 * difference. Where both stand at the start of a window, windows that are the same are left out.
 */
import type { Effect } from "./diff_effects.ts";
import type { Relation } from "./diff_relation.ts";
import { areAlike, positionAt, wordStoredAt } from "./diff_columns.ts";
import { sameContent, samePlace } from "./diff_same.ts";
import { editHunks, type Hunk } from "./diff_script.ts";
import { isSameTable } from "./diff_tables.ts";

/** A place at which two boots differ. */
export interface Divergence {
  /** What A does there: one effect with other content, or effects that B does not have. */
  readonly a: readonly Effect[];
  readonly b: readonly Effect[];
  /** Same place, other content. */
  readonly isContent: boolean;
  /** What both did before, or null at the start. */
  readonly before: readonly [Effect, Effect] | null;
  /** What both do behind it; null where they have nothing in common any more. */
  readonly after: readonly [Effect, Effect] | null;
}

/** What came of a comparison. */
export interface Alignment {
  readonly divergences: readonly Divergence[];
  /** Effects that both have. */
  readonly common: number;
  /** Positions of effects that both have, not too close to each other. */
  readonly sync: readonly (readonly [a: number, b: number])[];
  /** Effects that A and B have more, and that sizes explain. */
  readonly skipped: readonly [a: number, b: number];
}

/** Stretches in which something in common is looked for, and the edits tried in them. */
const STRETCHES = [[64, 64], [512, 400], [4096, 1200]] as const;
/** Matches in a row that count as going on together. */
const ENOUGH = 3;
/** Effects that one may have more because it is larger. */
const MOST_SLIPPED = 256;
/** Steps between two common effects that are noted; more if there are too many. */
const SYNC_STEPS = 64;
const MOST_SYNC = 1 << 16;
const MOST_DIVERGENCES = 400;
/** Effects of one side that a difference keeps. */
const MOST_KEPT = 5000;
/** Effects behind the next one that a step may ask for: it looks behind what it passes, too. */
const MOST_ASKED = 2 * MOST_KEPT;
/** One effect of each. */
const ONE: Hunk = { aFrom: 0, aTo: 1, bFrom: 0, bTo: 1 };

/** What an alignment asks of others. */
export interface Judge {
  /** Whether sizes explain a divergence. */
  explained(divergence: Divergence): boolean;
  /** The last window up to which all behind a window are the same; that window if there is none. */
  equalFrom(window: number): number;
}

/** See the top of this file. It yields where it has to wait for effects. */
export function* align(relation: Relation, judge: Judge): Generator<void, Alignment> {
  const aligner = new Aligner(relation, judge);
  do {
    while (!aligner.isReady) yield;
  } while (aligner.step());
  return aligner.result;
}

class Aligner {
  readonly #relation: Relation;
  readonly #judge: Judge;
  readonly #divergences: Divergence[] = [];
  readonly #skipped: [number, number] = [0, 0];
  readonly #sync = new SyncList();
  /** Indices of the last effect that both have. */
  #before: readonly [number, number] | null = null;
  #common = 0;
  /** Indices of what is compared next. */
  #i = 0;
  #j = 0;

  constructor(relation: Relation, judge: Judge) {
    this.#relation = relation;
    this.#judge = judge;
  }

  get result(): Alignment {
    return {
      divergences: this.#divergences,
      common: this.#common,
      sync: this.#sync.points,
      skipped: this.#skipped,
    };
  }

  /** Whether a step need not wait. */
  get isReady(): boolean {
    const { a, b } = this.#relation;
    return a.effects.isReady(this.#i + MOST_ASKED) && b.effects.isReady(this.#j + MOST_ASKED);
  }

  /** Compares what comes next; false at the end. */
  step(): boolean {
    const relation = this.#relation;
    const [a, b] = [relation.a.effects, relation.b.effects];
    this.#skipWindows();
    if (this.#areAlike()) {
      this.#passCommon();
      return true;
    }
    const [x, y] = [a.at(this.#i), b.at(this.#j)];
    if (!x && !y) return false;
    const isSame = x !== undefined && y !== undefined && samePlace(relation, x, y, true);
    if (isSame && sameContent(relation, x, y)) {
      this.#passCommon();
      return true;
    }
    if (x && y && this.#slip()) return true;
    return this.#diverge(isSame) && this.#divergences.length < MOST_DIVERGENCES;
  }

  /**
   * Whether both effects are the same numbers, at the same place of the same tables: then they are the
   * same in every sense of `diff_same.ts`, and no objects need to be made of them.
   */
  #areAlike(): boolean {
    const { a: { effects: own }, b: { effects: other } } = this.#relation;
    const x = own.find(this.#i), y = other.find(this.#j);
    if (!x || !y || !areAlike(x, y)) return false;
    const address = wordStoredAt(x);
    return address < 0 || isSameTable(own.tables, other.tables, address);
  }

  /** Goes on behind an effect that both have. */
  #passCommon(): void {
    const { a: { effects: own }, b: { effects: other } } = this.#relation;
    const x = own.find(this.#i)!, y = other.find(this.#j)!;
    this.#sync.add(positionAt(x), positionAt(y));
    this.#common++;
    own.forget(this.#i);
    other.forget(this.#j);
    this.#before = [this.#i++, this.#j++];
  }

  /** Leaves out windows that are the same, where both stand at the start of one. */
  #skipWindows(): void {
    const { a, b } = this.#relation;
    const window = a.effects.windowBefore(this.#i);
    if (window < 0 || window !== b.effects.windowBefore(this.#j)) return;
    const last = this.#judge.equalFrom(window);
    if (last === window) return;
    for (const { effects, trace } of [a, b]) effects.skipTo(last, trace.windows[last].end);
  }

  /** Leaves out what only one does because it is larger. */
  #slip(): boolean {
    const slip = slipped(this.#relation, this.#i, this.#j);
    if (!slip) return false;
    const [p, q] = this.#next(slip);
    if (!this.#judge.explained({ ...this.#between(p, q), after: null })) return false;
    this.#pass(slip);
    this.#skipped[0] += p.length;
    this.#skipped[1] += q.length;
    return true;
  }

  /** Notes a difference; false if nothing in common follows. */
  #diverge(isSame: boolean): boolean {
    const hunk = isSame ? undefined : nextHunk(this.#relation, this.#i, this.#j);
    const [p, q] = this.#next(hunk ?? ONE);
    this.#pass(hunk ?? ONE);
    if (!hunk) {
      this.#note({ ...this.#between(p, q), isContent: true, after: null });
      return true;
    }
    const { a, b } = this.#relation;
    const [r, s] = [a.effects.at(this.#i), b.effects.at(this.#j)];
    this.#note({ ...this.#between(p, q), after: hunk.ends || !r || !s ? null : [r, s] });
    return !hunk.ends;
  }

  #next({ aTo, bTo }: Hunk): [Effect[], Effect[]] {
    const { a, b } = this.#relation;
    return [
      a.effects.slice(this.#i, this.#i + aTo),
      b.effects.slice(this.#j, this.#j + bTo),
    ];
  }

  #pass({ aTo, bTo }: Hunk): void {
    this.#i += aTo;
    this.#j += bTo;
  }

  #between(a: Effect[], b: Effect[]) {
    const { a: { effects: own }, b: { effects: other } } = this.#relation;
    const at = this.#before;
    const before = at && [own.at(at[0])!, other.at(at[1])!] as const;
    return { a, b, isContent: false, before };
  }

  #note(divergence: Divergence): void {
    if (!this.#judge.explained(divergence)) {
      this.#divergences.push(divergence);
      return;
    }
    if (divergence.after === null) return;
    const { a, b } = divergence;
    this.#skipped[0] += Math.max(0, a.length - b.length);
    this.#skipped[1] += Math.max(0, b.length - a.length);
  }
}

/** Positions of common effects; of too many every second one is kept. */
class SyncList {
  points: (readonly [number, number])[] = [];
  #apart = SYNC_STEPS;
  #last: readonly [number, number] = [0, 0];

  add(a: number, b: number): void {
    if (a <= this.#last[0] + this.#apart || b <= this.#last[1] + this.#apart) return;
    this.points.push(this.#last = [a, b]);
    if (this.points.length < MOST_SYNC) return;
    this.points = this.points.filter((_, n) => n % 2 === 0);
    this.#apart *= 2;
  }
}

/** In programs of different sizes: whether one just has a few more of the same. */
function slipped(relation: Relation, i: number, j: number): Hunk | undefined {
  if (!relation.moved && relation.moreMemory === 0) return undefined;
  const a = relation.a.effects.slice(i, i + MOST_SLIPPED);
  const b = relation.b.effects.slice(j, j + MOST_SLIPPED);
  const goesOn = (x: number, y: number) => {
    for (let n = 0; n < ENOUGH; n++) {
      const [p, q] = [a[x + n], b[y + n]];
      if (!p || !q || !samePlace(relation, p, q) || !sameContent(relation, p, q)) return false;
    }
    return true;
  };
  for (let n = 1; n < MOST_SLIPPED; n++) {
    if (goesOn(n, 0)) return { aFrom: 0, aTo: n, bFrom: 0, bTo: 0 };
    if (goesOn(0, n)) return { aFrom: 0, aTo: 0, bFrom: 0, bTo: n };
  }
  return undefined;
}

/** The next stretch that is not common; with `ends` if nothing common follows. */
function nextHunk(relation: Relation, i: number, j: number): Hunk & { ends: boolean } {
  for (const [from, edits] of STRETCHES) {
    const hunk = firstHunk(relation, { i, j, from, edits });
    if (hunk) return { ...hunk, ends: false };
  }
  const [a, b] = [relation.a.effects, relation.b.effects];
  const aTo = a.slice(i, i + MOST_KEPT).length;
  const bTo = b.slice(j, j + MOST_KEPT).length;
  return { aFrom: 0, aTo, bFrom: 0, bTo, ends: true };
}

interface Search {
  readonly i: number;
  readonly j: number;
  readonly from: number;
  readonly edits: number;
}

/** The first hunk of the next stretch behind which both go on together. */
function firstHunk(relation: Relation, { i, j, from, edits }: Search): Hunk | undefined {
  const a = relation.a.effects.slice(i, i + from);
  const b = relation.b.effects.slice(j, j + from);
  const equal = (x: number, y: number) => samePlace(relation, a[x], b[y]);
  const hunks = editHunks([a.length, b.length], equal, edits);
  if (!hunks || hunks.length === 0) return undefined;
  const bothEnd = a.length < from && b.length < from;
  for (let n = 0; n < hunks.length; n++) {
    const { aTo, bTo } = hunks[n];
    const next = hunks[n + 1]?.aFrom ?? a.length;
    // A few matches between two hunks can be chance.
    if (next - aTo >= ENOUGH || (bothEnd && n === hunks.length - 1 && next > aTo)) {
      return { aFrom: 0, aTo, bFrom: 0, bTo };
    }
  }
  return undefined;
}
