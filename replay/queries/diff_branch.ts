/**
 * The first branch that went another way in two boots, in code that both have.
 *
 * The flows are followed side by side from the start, and again from each effect that both have.
 * Where code differs they are left until the next such effect. A branch that went different ways
 * counts if its function is the same in both and what it looked at is not the same modulo
 * relocation. It does not count if one side only waited longer: the same loop, with nothing in it
 * but reads of devices or counters, or interrupts. In programs that are laid out otherwise, or with
 * other memory, loops have other lengths; there it counts if it led to code that the other boot
 * never executes.
 */
import { disassemble } from "../../core/isa/disassemble.ts";
import { BLOCK_KIND } from "../../trace/schema.ts";
import { findHandled, FlowCursor } from "./diff_flow.ts";
import { type Operand, operandsAt } from "./diff_operands.ts";
import type { Relation } from "./diff_relation.ts";
import type { Side } from "./diff_side.ts";

/** A branch on one side. */
export interface Branch {
  /** Steps before it. */
  readonly position: number;
  /** Its address, with all bits. */
  readonly pc: bigint;
  /** Where it went. */
  readonly target: bigint;
}

/** A branch that went different ways, or a call that only one boot makes. */
export interface BranchDifference {
  readonly a: Branch | null;
  readonly b: Branch | null;
  /** The instruction, as in A; in B for a call that A does not make. */
  readonly text: string;
  /** Whether it is a conditional branch, and then whether it was taken in A. */
  readonly taken: boolean | null;
  /** What was compared, with the values of both. */
  readonly operands: readonly Operand[];
}

/** Positions at which both boots did the same, ascending in each. */
export type SyncPoints = readonly (readonly [a: number, b: number])[];

/** Runs that one side may stay longer in a loop that waits. */
const MOST_WAIT = 1 << 18;
const MOST_FUNCTION = 1 << 14;
const HIGH = 0xffff_0000_0000_0000n;

/** Where a comparison begins and ends, on both sides. */
export interface Stretch {
  readonly from: number;
  /** Positions from which on nothing is of interest. */
  readonly to: readonly [number, number];
}

/** See the top of this file. */
export function firstBranch(
  relation: Relation,
  sync: SyncPoints,
  { from, to }: Stretch,
): BranchDifference | null {
  const cursors = [relation.a, relation.b].map(({ trace, cpu }) =>
    new FlowCursor(trace, findHandled(trace, cpu), cpu)
  );
  const [a, b] = cursors;
  const [x, y] = [{ last: 0, pc: 0, word: 0, kind: 0 }, { last: 0, pc: 0, word: 0, kind: 0 }];
  const [p, q] = [relation.a, relation.b].map((side) => side.firstOwn(from));
  if (!a.seek(p) || !b.seek(q)) return null;
  let left = [a.last - p, b.last - q];
  for (let point = 0;;) {
    if (a.last >= to[0] || b.last >= to[1]) return null;
    if (left[0] === left[1] && isSameEnd(a, b)) {
      keepEnd(x, a);
      keepEnd(y, b);
      if (!a.next() || !b.next()) return null;
      left[0] = a.steps;
      left[1] = b.steps;
      const p = a.start - x.pc;
      const q = b.start - y.pc;
      if (p === q || !mayDiffer(relation, [x, a], [y, b])) continue;
      if (waited(x, [a, b], [p, q])) {
        left[0] = a.steps;
        left[1] = b.steps;
        continue;
      }
      const found = difference(relation, [x, a.start], [y, b.start]);
      if (found) return found;
    }
    do {
      if (point >= sync.length) return null;
      left = [sync[point][0], sync[point++][1]];
    } while (left[0] < a.position || left[1] < b.position);
    if (!a.seek(left[0]) || !b.seek(left[1])) return null;
    left = [a.last - left[0], b.last - left[1]];
  }
}

/** The branch at the end of a run; kept in place, because there are millions. */
interface RunEnd {
  last: number;
  pc: number;
  word: number;
  kind: number;
}

function keepEnd(end: RunEnd, { last, pc, word, kind }: FlowCursor): void {
  end.last = last;
  end.pc = pc;
  end.word = word;
  end.kind = kind;
}

/** Whether two runs end in the same branch, apart from where linking put its target. */
function isSameEnd(a: FlowCursor, b: FlowCursor): boolean {
  return a.kind === b.kind && a.kind > 0 && a.kind !== BLOCK_KIND.exception &&
    isSameWord(a.word, b.word);
}

function isSameWord(a: number, b: number): boolean {
  return a === b || withoutDistance(a) === withoutDistance(b);
}

/** An instruction without the distance that linking puts into it. */
function withoutDistance(word: number): number {
  if ((word & 0x1f00_0000) === 0x1000_0000) return (word & 0x9f00_001f) >>> 0; // ADR, ADRP
  if ((word & 0x7c00_0000) === 0x1400_0000) return (word & 0xfc00_0000) >>> 0; // B, BL
  if ((word & 0x3b00_0000) === 0x1800_0000) return (word & 0xff00_001f) >>> 0; // LDR (literal)
  return word >>> 0;
}

/** Whether two runs that follow the same branch at other distances can be a difference. */
function mayDiffer(
  relation: Relation,
  [x, a]: readonly [RunEnd, FlowCursor],
  [y, b]: readonly [RunEnd, FlowCursor],
): boolean {
  if (x.kind === BLOCK_KIND.conditional) {
    return (a.start === x.pc + 4) !== (b.start === y.pc + 4);
  }
  if (x.kind !== BLOCK_KIND.indirect && x.kind !== BLOCK_KIND.indirectCall) return false;
  const [p, q] = [relation.a.physical(BigInt(a.start)), relation.b.physical(BigInt(b.start))];
  return p !== undefined && q !== undefined && !relation.address(p, q);
}

/**
 * Whether one side only waited longer. Then its cursor goes to where the other one is.
 *
 * @param ways where the two went from the branch, in bytes
 */
function waited(
  { kind }: RunEnd,
  [a, b]: readonly [FlowCursor, FlowCursor],
  ways: readonly [number, number],
): boolean {
  if (kind !== BLOCK_KIND.conditional) return false;
  const origins = [a.start - ways[0], b.start - ways[1]];
  const ahead = [a.clone(), b.clone()];
  const waits = [a.waits, b.waits];
  for (let n = 0, alive = [true, true]; n < MOST_WAIT && (alive[0] || alive[1]); n++) {
    for (const side of [0, 1] as const) {
      if (!alive[side]) continue;
      const cursor = ahead[side];
      const own = side === 0 ? a : b;
      if (!cursor.next()) {
        alive[side] = false;
        continue;
      }
      if (cursor.start - origins[side] === ways[1 - side]) {
        if (!waits[side] && !isIdle(own, cursor)) return false;
        own.seek(cursor.position);
        return true;
      }
      waits[side] ||= cursor.waits;
    }
  }
  return false;
}

/** Whether devices were read or an interrupt came between two runs. */
function isIdle(from: FlowCursor, to: FlowCursor): boolean {
  if (to.interrupts > from.interrupts) return true;
  const range = { from: Math.max(0, from.position - from.steps), to: to.position };
  for (const event of from.trace.events({ kinds: new Set(["mmio"]), ...range })) {
    if (event.kind === "mmio" && !event.write) return true;
  }
  return false;
}

function difference(
  relation: Relation,
  [x, toA]: readonly [RunEnd, number],
  [y, toB]: readonly [RunEnd, number],
): BranchDifference | null {
  if (!isSameFunction(relation, x.pc, y.pc)) return null;
  const isConditional = x.kind === BLOCK_KIND.conditional;
  const isOther = relation.moved || relation.moreMemory !== 0;
  if (isOther) {
    const isNew = (side: Side, address: number) => wordAt(side, address) === undefined;
    if (!isConditional) return null;
    if (!isNew(relation.b, toA - x.pc + y.pc) && !isNew(relation.a, toB - y.pc + x.pc)) return null;
  }
  const operands = operandsAt(relation, x.last, y.last);
  if (!operands || operands.every(({ isSame }) => isSame)) return null;
  const [a, b] = [branchAt(relation.a, x, toA), branchAt(relation.b, y, toB)];
  return {
    a,
    b,
    text: disassemble(x.word, a.pc),
    taken: isConditional ? toA !== x.pc + 4 : null,
    operands,
  };
}

function branchAt({ trace }: Side, { last, pc }: RunEnd, target: number): Branch {
  const [executed] = trace.executed(last, last + 1);
  const high = (executed?.pc ?? BigInt(pc)) & HIGH;
  return { position: last, pc: high | BigInt(pc), target: high | BigInt(target) };
}

/** The instruction that a side executed at a virtual address. */
function wordAt(side: Side, address: number): number | undefined {
  const physical = side.physical(BigInt(address)) ?? side.physical(HIGH | BigInt(address));
  return physical === undefined ? undefined : side.word(physical);
}

/**
 * Whether the functions that two addresses are in are the same code, as far as both were executed.
 *
 * @param a address in A, without the bits that distinguish halves
 */
export function isSameFunction(relation: Relation, a: number, b: number): boolean {
  const [x, y] = [functionAt(relation.a, a), functionAt(relation.b, b)];
  if (!x || !y || a - x.entry !== b - y.entry) return false;
  if (x.name !== y.name || (x.size > 0 && y.size > 0 && x.size !== y.size)) return false;
  const length = Math.min(x.size || Infinity, y.size || Infinity, MOST_FUNCTION);
  for (let offset = 0; offset < length; offset += 4) {
    const [p, q] = [wordAt(relation.a, x.entry + offset), wordAt(relation.b, y.entry + offset)];
    if (p === undefined || q === undefined) continue;
    if (!isSameWord(p, q) && !isPartOfAddress(relation, p, q)) return false;
  }
  return true;
}

/** ADD, LDR or STR with the low bits of an address, behind an ADRP in a program laid out otherwise. */
function isPartOfAddress(relation: Relation, a: number, b: number): boolean {
  if (!relation.moved) return false;
  const fixed = (a & 0x7fc0_0000) === 0x1100_0000 || (a & 0x3b00_0000) === 0x3900_0000;
  return fixed && ((a ^ b) & 0xffc0_03ff) === 0;
}

/** Entry and size of the function at an address; a size of 0 is not known. */
function functionAt(
  side: Side,
  address: number,
): { entry: number; size: number; name: string } | undefined {
  const physical = side.physical(BigInt(address)) ?? side.physical(HIGH | BigInt(address));
  const place = physical === undefined ? undefined : side.place(physical);
  if (place) return { entry: address - place.offset, size: place.size, name: place.name };
  if (side.isNamed) return undefined;
  const entry = side.functions.entryOf(address);
  if (entry === undefined) return undefined;
  return { entry, size: side.functions.entryBehind(address) - entry, name: "" };
}
