/**
 * The shortest edit script between two sequences (Myers, "An O(ND) difference algorithm").
 */

/** A stretch in which two sequences differ: `[aFrom, aTo)` of one against `[bFrom, bTo)` of the other. */
export interface Hunk {
  readonly aFrom: number;
  readonly aTo: number;
  readonly bFrom: number;
  readonly bTo: number;
}

/**
 * Hunks between two sequences, in order.
 *
 * @param lengths of the two
 * @param equal whether an element of the first is one of the second
 * @param most edits that are tried
 * @returns undefined if there are more edits
 */
export function editHunks(
  [n, m]: readonly [number, number],
  equal: (a: number, b: number) => boolean,
  most: number,
): Hunk[] | undefined {
  // The furthest place in the first sequence, by diagonal, after each number of edits.
  const rounds: Int32Array[] = [];
  let last = new Int32Array([0]);
  for (let edits = 0; edits <= most; edits++) {
    const reach = new Int32Array(2 * edits + 1);
    for (let k = -edits; k <= edits; k += 2) {
      const at = (diagonal: number) => last[diagonal + edits - 1];
      let x = 0;
      if (edits > 0) {
        const down = k === -edits || (k !== edits && at(k - 1) < at(k + 1));
        x = down ? at(k + 1) : at(k - 1) + 1;
      }
      let y = x - k;
      while (x < n && y < m && y >= 0 && x >= 0 && equal(x, y)) {
        x++;
        y++;
      }
      reach[k + edits] = x;
      if (x >= n && y >= m) {
        rounds.push(reach);
        return hunksOf(rounds, n, m);
      }
    }
    rounds.push(reach);
    last = reach;
  }
  return undefined;
}

function hunksOf(rounds: readonly Int32Array[], n: number, m: number): Hunk[] {
  const steps: Hunk[] = [];
  let x = n;
  let y = m;
  for (let edits = rounds.length - 1; edits > 0; edits--) {
    const k = x - y;
    const before = rounds[edits - 1];
    const at = (diagonal: number) => before[diagonal + edits - 1];
    const down = k === -edits || (k !== edits && at(k - 1) < at(k + 1));
    const from = down ? at(k + 1) : at(k - 1);
    const fromY = from - (down ? k + 1 : k - 1);
    steps.push(
      down
        ? { aFrom: from, aTo: from, bFrom: fromY, bTo: fromY + 1 }
        : { aFrom: from, aTo: from + 1, bFrom: fromY, bTo: fromY },
    );
    x = from;
    y = fromY;
  }
  const hunks: Hunk[] = [];
  for (const step of steps.reverse()) {
    const last = hunks[hunks.length - 1];
    if (last && last.aTo === step.aFrom && last.bTo === step.bFrom) {
      hunks[hunks.length - 1] = { ...last, aTo: step.aTo, bTo: step.bTo };
    } else hunks.push(step);
  }
  return hunks;
}
