import type { MachineEvent } from "../core/observer.ts";

/** The first thing in which a re-execution differs from what was recorded. */
export interface Difference {
  /** Steps before it; for a state, where the state was taken. */
  readonly position: number;
  /** What differs, for example `the instruction` or `x3 of the state`. */
  readonly what: string;
  /** What the trace holds. */
  readonly expected: string;
  /** What the re-execution did. */
  readonly found: string;
}

/** Data as events and states hold it. */
type Plain =
  | number
  | bigint
  | string
  | boolean
  | null
  | undefined
  | Uint8Array
  | readonly Plain[]
  | { readonly [name: string]: Plain };

/**
 * The first place in which two pieces of plain data differ.
 *
 * @returns null if they are equal; the path has the form `cpus[0].x[3]`
 */
export function firstDifference(
  expected: unknown,
  found: unknown,
  path = "",
): { path: string; expected: string; found: string } | null {
  const [a, b] = [expected as Plain, found as Plain];
  if (isTree(a) && isTree(b) && Array.isArray(a) === Array.isArray(b)) {
    const names = new Set([...Object.keys(a), ...Object.keys(b)]);
    for (const name of names) {
      const at = Array.isArray(a) ? `${path}[${name}]` : path === "" ? name : `${path}.${name}`;
      const one = (a as { [name: string]: Plain })[name];
      const other = (b as { [name: string]: Plain })[name];
      const difference = firstDifference(one, other, at);
      if (difference) return difference;
    }
    return null;
  }
  if (a instanceof Uint8Array && b instanceof Uint8Array) return bytesDifference(a, b, path);
  return a === b ? null : { path, expected: plainText(a), found: plainText(b) };
}

/** In which field two events differ, or that they are not of one kind. */
export function eventDifference(expected: MachineEvent, found: MachineEvent): Difference | null {
  const position = Math.min(expected.position, found.position);
  if (expected.kind !== found.kind || expected.position !== found.position) {
    return {
      position,
      what: "the event",
      expected: eventText(expected),
      found: eventText(found),
    };
  }
  const difference = firstDifference(expected, found);
  if (!difference) return null;
  const what = `${difference.path} of the ${expected.kind} event`;
  return { position, what, expected: difference.expected, found: difference.found };
}

/** `sysreg at #12, PC 0x40080000`, or `none`. */
export function eventText(event: MachineEvent | undefined): string {
  if (!event) return "none";
  return `${event.kind} at #${event.position}, PC ${plainText(event.pc)}`;
}

function bytesDifference(
  a: Uint8Array,
  b: Uint8Array,
  path: string,
): { path: string; expected: string; found: string } | null {
  const length = Math.max(a.length, b.length);
  for (let i = 0; i < length; i++) {
    if (a[i] === b[i]) continue;
    return { path: `${path}[${i}]`, expected: plainText(a[i]), found: plainText(b[i]) };
  }
  return null;
}

function isTree(value: Plain): value is readonly Plain[] | { readonly [name: string]: Plain } {
  return typeof value === "object" && value !== null && !(value instanceof Uint8Array);
}

function plainText(value: Plain): string {
  if (value === undefined) return "none";
  if (typeof value === "bigint" || typeof value === "number") return `0x${value.toString(16)}`;
  return typeof value === "object" && value !== null ? "a value of another shape" : String(value);
}
