/**
 * What a divergence means, and which of several to tell first.
 *
 * A divergence that follows from the sizes of the images or of RAM is explained and no difference.
 * Of effects that only one boot has the most telling is named: an exception, a system register, a
 * descriptor, maintenance, a device, memory, text. Text, and effects that only come in another
 * order, count if there is nothing else. Among the rest the earliest is the first difference, with
 * one exception: vectors that one boot installs before something that both do, and the other does
 * not, come first wherever they are, because no fault of that boot can be told from another.
 */
import type { Branch, BranchDifference } from "./diff_branch.ts";
import type { Effect } from "./diff_effects.ts";
import type { Alignment, Divergence } from "./diff_align.ts";
import type { Relation } from "./diff_relation.ts";
import type { Side } from "./diff_side.ts";
import { isFaultEvent } from "../syndrome.ts";
import { isMmuEnable } from "./milestones.ts";
import { isDigit, sameContent, samePlace } from "./diff_same.ts";

/** A difference of two boots. */
export interface Finding {
  /**
   * `content`: both do it, with another value. `missing`: only one does it. `moved`: the other does
   * it at another time. `unrelated`: they have nothing in common from the start. `flow`: a branch
   * goes another way.
   */
  readonly kind: "content" | "missing" | "moved" | "unrelated" | "flow";
  /** What A does; null where it never does. */
  readonly a: Effect | null;
  readonly b: Effect | null;
  /** The side that does it in its place; null for content. */
  readonly only: "a" | "b" | null;
  /** Effects that only A has there, and only B. */
  readonly counts: readonly [number, number];
  /** Whether it counts only if there is nothing else. */
  readonly weak: boolean;
  readonly divergence: Divergence;
  /** For `flow`: the branch. */
  readonly branch?: BranchDifference;
}

const ENDS_ANYWHERE = new Set(["max-instructions", "interrupted", "disk-full"]);
/** What a loop may do for each page of its program: count it, note it, clean its lines. */
const STORES_PER_PAGE = 4;
const LINES_PER_PAGE = 64;
const CONTROL = /^(VBAR|SCTLR|TCR|TTBR[01]|MAIR|CPACR|HCR|VTTBR|VTCR)_EL/;

/** Whether sizes of images, of RAM or of recordings explain a divergence. */
export function isExplained(relation: Relation, divergence: Divergence): boolean {
  if (divergence.isContent) return false;
  const { a, b } = unmatched(relation, divergence);
  if (a.length === 0 && b.length === 0) return true;
  if (divergence.after === null && (a.length === 0 || b.length === 0)) {
    if (endsAnywhere(relation[a.length === 0 ? "a" : "b"])) return true;
  }
  if (relation.identical) return false;
  const digits = (effects: readonly Effect[]) => effects.every(isDigit);
  if (digits(a) && digits(b)) return true;
  return isSizeOnly(relation, a, "a") && isSizeOnly(relation, b, "b");
}

/** Whether a recording ends where the boot would have gone on. */
export function endsAnywhere({ trace: { footer } }: Side): boolean {
  return !footer || ENDS_ANYWHERE.has(footer.reason);
}

/** All differences, earliest first. */
export function findingsOf(relation: Relation, { divergences }: Alignment): Finding[] {
  const lists = divergences.map((divergence) =>
    divergence.isContent ? { a: [], b: [] } : unmatched(relation, divergence)
  );
  const others = { a: lists.flatMap(({ a }) => a), b: lists.flatMap(({ b }) => b) };
  const found = divergences.map((divergence, i): Finding => {
    if (divergence.isContent) {
      const { a: [a], b: [b] } = divergence;
      return {
        kind: "content",
        a,
        b,
        only: null,
        counts: [1, 1],
        weak: a.kind === "console",
        divergence,
      };
    }
    return missing(relation, divergence, lists[i], others);
  });
  return found;
}

/** The difference to tell first; undefined if there is none. */
export function firstFinding(findings: readonly Finding[]): Finding | undefined {
  const strong = findings.filter(({ weak }) => !weak);
  return strong.find(isMissingVectors) ?? strong[0] ?? findings[0];
}

/** A branch that went different ways, as a difference. */
export function flowFinding(branch: BranchDifference): Finding {
  const effect = (own: Branch | null): Effect | null =>
    own && {
      kind: "branch",
      position: own.position,
      pc: own.pc,
      name: branch.text,
      address: 0,
      size: 0,
      length: 0,
      value: own.target,
      old: 0n,
    };
  const [a, b] = [effect(branch.a), effect(branch.b)];
  return {
    kind: "flow",
    a,
    b,
    only: a === null ? "b" : b === null ? "a" : null,
    counts: [0, 0],
    weak: false,
    divergence: { a: [], b: [], isContent: true, before: null, after: null },
    branch,
  };
}

/** Positions in A and B up to which a difference can have its cause. */
export function limitsOf({ a, b, only, divergence: { after } }: Finding): [number, number] {
  const behind = (side: 0 | 1) => after?.[side].position ?? Infinity;
  return [
    only === "b" ? behind(0) : a?.position ?? behind(0),
    only === "a" ? behind(1) : b?.position ?? behind(1),
  ];
}

function isMissingVectors({ kind, a, b, divergence }: Finding): boolean {
  const { name = "" } = a ?? b ?? {};
  return (kind === "missing" || kind === "moved") && name.startsWith("VBAR_EL") &&
    divergence.after !== null;
}

/** What is left of a stretch when what both have in it, in order, is taken away. */
function unmatched(relation: Relation, { a, b }: Divergence): { a: Effect[]; b: Effect[] } {
  if (a.length === 0 || b.length === 0) return { a: [...a], b: [...b] };
  const left: Effect[] = [];
  const rest = [...b];
  let from = 0;
  for (const effect of a) {
    let at = -1;
    for (let n = from; n < Math.min(rest.length, from + 64) && at < 0; n++) {
      if (samePlace(relation, effect, rest[n]) && sameContent(relation, effect, rest[n])) at = n;
    }
    if (at < 0) left.push(effect);
    else {
      rest.splice(at, 1);
      from = at;
    }
  }
  return { a: left, b: rest };
}

/** Whether effects are there only because the image or RAM is larger. */
function isSizeOnly(relation: Relation, effects: readonly Effect[], side: "a" | "b"): boolean {
  if (effects.length === 0) return true;
  const smaller = Math.min(relation.a.memory.size, relation.b.memory.size);
  const end = relation.a.memory.base + smaller;
  const hasMore = relation[side].memory.size > smaller;
  const left = effects.filter((effect) => {
    if (!hasMore) return true;
    if (effect.kind === "maintenance") return effect.value === 0n;
    if (effect.kind !== "store") return true;
    const entry = relation.entry(effect, side);
    if (!entry) return false;
    const output = Number(effect.value & 0xffff_ffff_f000n);
    return (effect.value & 3n) !== 0n && output < end && relation[side].physical(entry.va)! < end;
  });
  if (left.length === 0) return true;
  const pages = relation.grownPages;
  if (
    !left.every(({ kind, value }) => kind === "store" || kind === "maintenance" && value !== 0n)
  ) {
    return false;
  }
  const stores = left.filter(({ kind }) => kind === "store");
  const entries = stores.filter((effect) => relation.entry(effect, side)).length;
  return entries <= pages && stores.length <= STORES_PER_PAGE * pages &&
    left.length - stores.length <= LINES_PER_PAGE * pages;
}

function missing(
  relation: Relation,
  divergence: Divergence,
  { a, b }: { readonly a: readonly Effect[]; readonly b: readonly Effect[] },
  others: { readonly a: readonly Effect[]; readonly b: readonly Effect[] },
): Finding {
  const counts = [a.length, b.length] as const;
  if (!divergence.before && !divergence.after && a.length > 0 && b.length > 0) {
    return { kind: "unrelated", a: a[0], b: b[0], only: null, counts, weak: false, divergence };
  }
  const [x, y] = [mostTelling(relation, a, "a"), mostTelling(relation, b, "b")];
  const inA = y === undefined ||
    (x !== undefined && rank(relation, x, "a") >= rank(relation, y, "b"));
  const effect = (inA ? x : y)!;
  const elsewhere = (wanted: Effect) =>
    inA
      ? others.b.find((other) =>
        samePlace(relation, wanted, other) &&
        sameContent(relation, wanted, other)
      )
      : others.a.find((other) =>
        samePlace(relation, other, wanted) &&
        sameContent(relation, other, wanted)
      );
  const other = elsewhere(effect) ?? null;
  const isOrder = other !== null && (inA ? a : b).every((each) => elsewhere(each) !== undefined);
  const matters = other !== null && passesTranslation(relation, divergence, other, inA ? "b" : "a");
  return {
    kind: other ? "moved" : "missing",
    a: inA ? effect : other,
    b: inA ? other : effect,
    only: inA ? "a" : "b",
    counts,
    weak: effect.kind === "console" || (isOrder && !matters),
    divergence,
  };
}

/** Whether a side turns the MMU on, or faults, before it does what it should have done here. */
function passesTranslation(
  relation: Relation,
  { before }: Divergence,
  other: Effect,
  side: "a" | "b",
): boolean {
  const from = before === null ? 0 : before[side === "a" ? 0 : 1].position;
  if (other.position < from) return false;
  const kinds = new Set(["sysreg", "exception"] as const);
  const { trace, cpu } = relation[side];
  const own = cpu === undefined ? {} : { cpu };
  for (const event of trace.events({ kinds, from, to: other.position, ...own })) {
    if (event.kind === "exception" ? isFaultEvent(event) : isMmuEnable(event as object)) {
      return true;
    }
  }
  return false;
}

function mostTelling(
  relation: Relation,
  effects: readonly Effect[],
  side: "a" | "b",
): Effect | undefined {
  let best: Effect | undefined;
  for (const effect of effects) {
    if (!best || rank(relation, effect, side) > rank(relation, best, side)) best = effect;
  }
  return best;
}

function rank(relation: Relation, effect: Effect, side: "a" | "b"): number {
  switch (effect.kind) {
    case "exception":
      return 8;
    case "sysreg":
      return CONTROL.test(effect.name) ? 7 : 5;
    case "store":
      return relation.entry(effect, side) ? 6 : 2;
    case "maintenance":
      return /^(TLBI|IC|DC) /.test(effect.name) ? 4.5 : 4;
    case "mmio":
      return 3;
    case "return":
      return 1;
    case "branch":
    case "console":
      return 0;
  }
}
