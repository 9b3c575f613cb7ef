/**
 * When an effect of one boot is that of another: the same place, and the same content.
 *
 * The place is what would be named: a register, a device's register, the virtual address that a
 * descriptor maps, a variable. Content is what was put there.
 */
import type { Effect } from "./diff_effects.ts";
import type { Relation } from "./diff_relation.ts";

/** Registers that hold times. */
const TIMER = /^CNT.*_(CVAL|TVAL)_EL/;
/** Bytes that numbers are printed with. */
const DIGIT = /^[0-9a-fA-Fx ]$/;
const PAGE = 4096;
const TICK_NS = 16;
const SMALLEST_TIME = 1000;

/** Whether two effects are at the same place. With `learn`, unknown addresses may become a pair. */
export function samePlace(relation: Relation, a: Effect, b: Effect, learn = false): boolean {
  if (a.kind !== b.kind) return false;
  switch (a.kind) {
    case "store":
      return sameStorePlace(relation, a, b, learn);
    case "mmio":
      return a.address === b.address && a.size === b.size;
    case "console":
      return withoutNumbers(a.name) === withoutNumbers(b.name);
    case "exception":
      return a.size === b.size;
    default:
      return a.name === b.name;
  }
}

/** Whether two effects at the same place are the same. */
export function sameContent(relation: Relation, a: Effect, b: Effect): boolean {
  switch (a.kind) {
    case "store":
      return sameStore(relation, a, b);
    case "sysreg":
      return TIMER.test(a.name) || relation.value(a.value, b.value, true);
    case "maintenance":
      return relation.value(a.value, b.value) ||
        relation.value(a.value << 12n & 0xffff_ffff_ffffn, b.value << 12n & 0xffff_ffff_ffffn);
    case "exception":
      return a.name === b.name && relation.value(a.value, b.value);
    case "mmio":
      return relation.value(a.value, b.value);
    default:
      return true;
  }
}

/** Whether the instructions that caused two effects correspond. */
export function sameCode(relation: Relation, a: Effect, b: Effect): boolean {
  const [x, y] = [relation.a.physical(a.pc), relation.b.physical(b.pc)];
  if (x === undefined || y === undefined) return false;
  return relation.address(x, y) || relation.a.codeBefore(x) === relation.b.codeBefore(y);
}

/** A line of text with its numbers made alike. */
export function withoutNumbers(text: string): string {
  return text.replace(/0x[0-9a-f_]+|[0-9a-f]{8,}|\d[\d,.]*/gi, "0").replace(/\s+/g, " ").trim();
}

function sameStorePlace(relation: Relation, a: Effect, b: Effect, learn: boolean): boolean {
  const [x, y] = [relation.entry(a, "a"), relation.entry(b, "b")];
  // Of two that read a table with another start level one has its registers wrong.
  if (x && y && x.level === y.level) {
    if (x.va === y.va) return true;
    const moved = BigInt.asIntN(64, y.va - x.va);
    return relation.isDistance(Number(moved));
  }
  if (a.size !== b.size && a.value !== 0n) return false;
  if (relation.address(a.address, b.address)) return true;
  // In step with each other, and the same instruction or the same value: the same variable.
  return learn && (sameCode(relation, a, b) || sameStore(relation, a, b)) &&
    relation.address(a.address, b.address, true);
}

function sameStore(relation: Relation, a: Effect, b: Effect): boolean {
  if (a.length !== b.length) {
    // A loop over memory whose size is not the same in both.
    if (!relation.moved && relation.moreMemory === 0) return false;
    if (!relation.value(a.value, b.value)) return false;
    const distance = b.address + b.length - a.address - a.length;
    if (relation.moreMemory === 0 && distance % PAGE !== 0 && !relation.isDistance(distance)) {
      return false;
    }
    relation.learnDistance(distance);
    return true;
  }
  const descriptors = relation.descriptor(a, b);
  if (descriptors !== undefined) return descriptors;
  if (relation.value(a.value, b.value, sameCode(relation, a, b))) return true;
  if (relation.identical) return false;
  if (isDigit(a) && isDigit(b)) return true;
  return a.size >= 4 && isTime(relation, [a.value, a.position], [b.value, b.position]);
}

/** A byte of a number that is being printed, which may be an address. */
export function isDigit({ kind, size, length, value }: Effect): boolean {
  return kind === "store" && size === 1 && length < 32 &&
    DIGIT.test(String.fromCharCode(Number(value)));
}

/** Whether two values of 4 bytes or more are readings of the clock at their moments. */
export function isTime(
  { a: sideA }: Relation,
  [x, positionA]: readonly [bigint, number],
  [y, positionB]: readonly [bigint, number],
): boolean {
  if (positionA === positionB) return false;
  const ns = Number(sideA.trace.header.options["ns-per-instruction"] ?? 1);
  const ticks = [positionA * ns / TICK_NS, positionB * ns / TICK_NS];
  const [p, q] = [Number(x), Number(y)];
  if (Math.abs(p - ticks[0]) <= 2 && Math.abs(q - ticks[1]) <= 2) return true;
  // Time that passed in WFI is not among the steps.
  if (p < SMALLEST_TIME || p < ticks[0] - 64 || q < ticks[1] - 64) return false;
  if (sideA.isMemory(p)) return false;
  return Math.abs((q - p) - (ticks[1] - ticks[0])) <= 2;
}
