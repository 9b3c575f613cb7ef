/**
 * Takes fields out of decoded maps, with their types and bounds checked.
 *
 * A trace is untrusted: every field goes through one of these functions before anything is
 * allocated or indexed by it. Unknown fields are ignored, so that a newer minor version reads.
 */

import type { CborMap, CborValue } from "./cbor.ts";
import { TraceError } from "./trace_error.ts";

/** A map and the words that name it in errors. */
export class Fields {
  readonly map: CborMap;
  readonly what: string;

  /** @throws TraceError if `value` is not a map */
  constructor(value: CborValue | undefined, what: string) {
    if (
      typeof value !== "object" || value === null || Array.isArray(value) ||
      value instanceof Uint8Array
    ) {
      throw new TraceError(`Cannot read ${what}: expected a map, found ${describe(value)}`);
    }
    this.map = value;
    this.what = what;
  }

  /** Whether the field is there. */
  has(name: string): boolean {
    return Object.hasOwn(this.map, name);
  }

  /** An unsigned integer of at most `limit`. */
  uint(name: string, limit = Number.MAX_SAFE_INTEGER): number {
    const value = this.#take(name);
    const number = typeof value === "bigint" ? Number(value) : value;
    if (typeof number !== "number" || !Number.isSafeInteger(number) || number < 0) {
      return this.#fail(name, "an unsigned integer");
    }
    if (number > limit) return this.#fail(name, `at most ${limit}`);
    return number;
  }

  /** A 64-bit unsigned integer. */
  word(name: string): bigint {
    const value = this.#take(name);
    if (typeof value === "bigint" && value >= 0n) return value;
    return BigInt(this.uint(name));
  }

  /** A text string of at most `limit` characters. */
  text(name: string, limit = 4096): string {
    const value = this.#take(name);
    if (typeof value !== "string") return this.#fail(name, "a text string");
    if (value.length > limit) return this.#fail(name, `at most ${limit} characters`);
    return value;
  }

  /** A byte string. The bytes alias the item's content. */
  bytes(name: string, size?: number): Uint8Array {
    const value = this.#take(name);
    if (!(value instanceof Uint8Array)) return this.#fail(name, "a byte string");
    if (size !== undefined && value.length !== size) return this.#fail(name, `${size} bytes`);
    return value;
  }

  /** A byte string, empty if the field is absent. */
  column(name: string): Uint8Array {
    return this.has(name) ? this.bytes(name) : new Uint8Array(0);
  }

  /** An array. */
  array(name: string): CborValue[] {
    const value = this.#take(name);
    return Array.isArray(value) ? value : this.#fail(name, "an array");
  }

  /** An array of unsigned integers. */
  uints(name: string): number[] {
    const numbers = this.array(name).map(Number);
    if (!numbers.every((n) => Number.isSafeInteger(n) && n >= 0)) {
      return this.#fail(name, "unsigned integers");
    }
    return numbers;
  }

  /** An array of text strings. */
  texts(name: string): string[] {
    const values = this.array(name);
    if (!values.every((v) => typeof v === "string")) return this.#fail(name, "text strings");
    return values as string[];
  }

  /** A map. */
  fields(name: string): Fields {
    return new Fields(this.#take(name), `"${name}" of ${this.what}`);
  }

  /** A map of unsigned integers. */
  counts(name: string): Record<string, number> {
    const fields = this.fields(name);
    const counts: Record<string, number> = {};
    for (const key of Object.keys(fields.map)) counts[key] = fields.uint(key);
    return counts;
  }

  #take(name: string): CborValue {
    if (!this.has(name)) {
      throw new TraceError(`Cannot read ${this.what}: expected a field "${name}", found none`);
    }
    return this.map[name];
  }

  #fail(name: string, expected: string): never {
    const found = describe(this.map[name]);
    throw new TraceError(
      `Cannot read "${name}" of ${this.what}: expected ${expected}, found ${found}`,
    );
  }
}

/** An integer for the writer: shortest form below 2^32, else 8 bytes and never a float. */
export function uint(value: number): number | bigint {
  return value < 0x1_0000_0000 ? value : BigInt(value);
}

function describe(value: CborValue | undefined): string {
  if (value === undefined) return "nothing";
  if (value === null || typeof value === "boolean") return String(value);
  if (typeof value === "number" || typeof value === "bigint") return String(value);
  if (typeof value === "string") return `text of ${value.length} characters`;
  if (value instanceof Uint8Array) return `${value.length} bytes`;
  return Array.isArray(value) ? `an array of ${value.length}` : "a map";
}
