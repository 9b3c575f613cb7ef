/**
 * Goes through the effects of two boots side by side and finds where they differ.
 *
 * While the places agree, content is compared. Where they do not, the shortest edit script of
 * what comes next, by place, says what is only in one of them; it is looked for in growing
 * stretches, until something that both do follows. What is left when one has ended is the last
 * difference.
 */
import type { Effect } from "./diff_effects.ts";
import type { Relation } from "./diff_relation.ts";
import { sameContent, samePlace } from "./diff_same.ts";
import { editHunks, type Hunk } from "./diff_script.ts";

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

/** See the top of this file. */
export function align(
  relation: Relation,
  explained: (divergence: Divergence) => boolean,
): Alignment {
  const [a, b] = [relation.a.effects, relation.b.effects];
  const divergences: Divergence[] = [];
  let sync: (readonly [number, number])[] = [];
  let apart = SYNC_STEPS;
  const last = [0, 0];
  const skipped: [number, number] = [0, 0];
  let i = 0;
  let j = 0;
  let common = 0;
  let before: readonly [Effect, Effect] | null = null;
  const skip = ({ a, b, after }: Divergence) => {
    if (after === null) return;
    skipped[0] += Math.max(0, a.length - b.length);
    skipped[1] += Math.max(0, b.length - a.length);
  };
  const note = (divergence: Divergence) => {
    if (!explained(divergence)) divergences.push(divergence);
    else skip(divergence);
  };
  while (divergences.length < MOST_DIVERGENCES) {
    const [x, y] = [a.at(i), b.at(j)];
    if (!x && !y) return { divergences, common, sync, skipped };
    const isSame = x !== undefined && y !== undefined && samePlace(relation, x, y, true);
    if (isSame && sameContent(relation, x, y)) {
      before = [x, y];
      if (x.position > last[0] + apart && y.position > last[1] + apart) {
        sync.push([last[0] = x.position, last[1] = y.position]);
        if (sync.length === MOST_SYNC) {
          sync = sync.filter((_, n) => n % 2 === 0);
          apart *= 2;
        }
      }
      common++;
      i++;
      j++;
      a.forget(i);
      b.forget(j);
      continue;
    }
    const slip = x && y && slipped(relation, i, j);
    if (slip) {
      const [p, q] = [a.slice(i, i + slip.aTo), b.slice(j, j + slip.bTo)];
      const divergence = { a: p, b: q, isContent: false, before, after: null };
      if (explained(divergence)) {
        i += slip.aTo;
        j += slip.bTo;
        skipped[0] += slip.aTo;
        skipped[1] += slip.bTo;
        continue;
      }
    }
    if (isSame) {
      note({ a: [x], b: [y], isContent: true, before, after: null });
      i++;
      j++;
      continue;
    }
    const hunk = nextHunk(relation, i, j);
    const [p, q] = [a.slice(i, i + hunk.aTo), b.slice(j, j + hunk.bTo)];
    i += hunk.aTo;
    j += hunk.bTo;
    const [r, s] = [a.at(i), b.at(j)];
    note({ a: p, b: q, isContent: false, before, after: hunk.ends || !r || !s ? null : [r, s] });
    if (hunk.ends) return { divergences, common, sync, skipped };
  }
  return { divergences, common, sync, skipped };
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
