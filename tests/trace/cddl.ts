/**
 * Checks decoded CBOR against CDDL (RFC 8610), as far as `trace.cddl` uses it: rules, choices,
 * ranges, literals, arrays and maps with occurrences, `.size`, `.cbor` and tags.
 *
 * Parsing and checking are one recursive descent each; a group entry that does not match never
 * backtracks into an earlier one, which the grammar does not need.
 */

/** A tagged value, as the checker wants it. */
export interface Tagged {
  tag: number;
  value: unknown;
}

type Type =
  | { kind: "name"; name: string }
  | { kind: "literal"; value: string | bigint }
  | { kind: "range"; low: bigint; high: bigint }
  | { kind: "choice"; types: Type[] }
  | { kind: "array" | "map"; entries: Entry[] }
  | { kind: "control"; target: Type; control: string; argument: Type }
  | { kind: "tag"; tag: number; type: Type };

interface Entry {
  /** "" once, or `?`, `*`, `+`. */
  occurrence: string;
  /** A literal key, a key type, or none. */
  key: string | Type | null;
  type: Type;
}

/** A parsed schema. */
export class Schema {
  readonly #rules = new Map<string, Type>();
  readonly #decode: (bytes: Uint8Array) => unknown;

  /** @param decode decodes the byte strings that `.cbor` applies to */
  constructor(text: string, decode: (bytes: Uint8Array) => unknown) {
    this.#decode = decode;
    const parser = new Parser(text);
    while (!parser.done) {
      const name = parser.next();
      parser.expect("=");
      if (this.#rules.has(name)) throw new Error(`rule ${name} is defined twice`);
      this.#rules.set(name, parser.type());
    }
  }

  /** Names of the rules. */
  get rules(): string[] {
    return [...this.#rules.keys()];
  }

  /** Checks a value against a rule; the first difference found, or null. */
  check(rule: string, value: unknown): string | null {
    return this.#match({ kind: "name", name: rule }, value, rule);
  }

  #match(type: Type, value: unknown, path: string): string | null {
    switch (type.kind) {
      case "name": {
        const rule = this.#rules.get(type.name);
        return rule ? this.#match(rule, value, path) : prelude(type.name, value, path);
      }
      case "literal": {
        const same = typeof type.value === "string"
          ? value === type.value
          : integer(value) === type.value;
        return same ? null : `${path}: expected ${type.value}`;
      }
      case "range": {
        const found = integer(value);
        const inside = found !== null && found >= type.low && found <= type.high;
        return inside ? null : `${path}: expected ${type.low}..${type.high}`;
      }
      case "choice": {
        const errors = type.types.map((t) => this.#match(t, value, path));
        return errors.includes(null) ? null : errors[0];
      }
      case "tag": {
        const tagged = value as Tagged;
        if (tagged?.tag !== type.tag) return `${path}: expected tag ${type.tag}`;
        return this.#match(type.type, tagged.value, path);
      }
      case "control":
        return this.#match(type.target, value, path) ?? this.#control(type, value, path);
      case "array":
        return this.#array(type.entries, value, path);
      case "map":
        return this.#map(type.entries, value, path);
    }
  }

  #control(
    type: { control: string; argument: Type },
    value: unknown,
    path: string,
  ): string | null {
    if (type.control === ".size") {
      const size = typeof value === "string"
        ? new TextEncoder().encode(value).length
        : (value as Uint8Array).length;
      return this.#match(type.argument, size, `size of ${path}`);
    }
    if (type.control !== ".cbor") throw new Error(`control ${type.control} is not supported`);
    let decoded: unknown;
    try {
      decoded = this.#decode(value as Uint8Array);
    } catch (error) {
      return `${path}: ${(error as Error).message}`;
    }
    return this.#match(type.argument, decoded, path);
  }

  #array(entries: Entry[], value: unknown, path: string): string | null {
    if (!Array.isArray(value)) return `${path}: expected an array`;
    let at = 0;
    for (const { occurrence, type } of entries) {
      const least = occurrence === "" || occurrence === "+" ? 1 : 0;
      const most = occurrence === "" || occurrence === "?" ? 1 : Infinity;
      let count = 0;
      for (; count < most && at < value.length; count++, at++) {
        const error = this.#match(type, value[at], `${path}[${at}]`);
        if (error && count < least) return error;
        if (error) break;
      }
      if (count < least) return `${path}: expected more elements`;
    }
    return at === value.length ? null : `${path}[${at}]: expected no such element`;
  }

  #map(entries: Entry[], value: unknown, path: string): string | null {
    if (
      typeof value !== "object" || value === null || Array.isArray(value) ||
      value instanceof Uint8Array
    ) return `${path}: expected a map`;
    const map = value as Record<string, unknown>;
    for (const { key, occurrence } of entries) {
      if (typeof key !== "string" || occurrence === "?") continue;
      if (!Object.hasOwn(map, key)) return `${path}.${key}: expected this field`;
    }
    for (const [key, field] of Object.entries(map)) {
      const entry = entries.find((e) => e.key === key) ??
        entries.find((e) =>
          e.key !== null && typeof e.key !== "string" && this.#match(e.key, key, path) === null
        );
      if (!entry) return `${path}.${key}: expected no such field`;
      const error = this.#match(entry.type, field, `${path}.${key}`);
      if (error) return error;
    }
    return null;
  }
}

function integer(value: unknown): bigint | null {
  if (typeof value === "bigint") return value;
  return typeof value === "number" && Number.isInteger(value) ? BigInt(value) : null;
}

function prelude(name: string, value: unknown, path: string): string | null {
  const tests: Record<string, (value: unknown) => boolean> = {
    any: () => true,
    uint: (v) => (integer(v) ?? -1n) >= 0n,
    float64: (v) => typeof v === "number",
    tstr: (v) => typeof v === "string",
    bstr: (v) => v instanceof Uint8Array,
    bool: (v) => typeof v === "boolean",
  };
  const test = tests[name];
  if (!test) throw new Error(`no rule is named ${name}`);
  return test(value) ? null : `${path}: expected ${name}`;
}

class Parser {
  readonly #tokens: string[];
  #at = 0;

  constructor(text: string) {
    const token = /"[^"]*"|#6\.\d+|\.\.|\.[a-z]+|=>|[A-Za-z][\w-]*|-?\d+|[[\]{}()=/,:?*+]/g;
    this.#tokens = text.replace(/;.*$/gm, "").match(token) ?? [];
  }

  get done(): boolean {
    return this.#at >= this.#tokens.length;
  }

  next(): string {
    return this.#tokens[this.#at++];
  }

  expect(token: string): void {
    const found = this.next();
    if (found !== token) throw new Error(`expected ${token}, found ${found} at token ${this.#at}`);
  }

  type(): Type {
    const types = [this.#controlled()];
    while (this.#peek() === "/") {
      this.next();
      types.push(this.#controlled());
    }
    return types.length === 1 ? types[0] : { kind: "choice", types };
  }

  #peek(ahead = 0): string {
    return this.#tokens[this.#at + ahead] ?? "";
  }

  #controlled(): Type {
    const target = this.#primary();
    const control = this.#peek();
    if (!/^\.[a-z]/.test(control)) return target;
    this.next();
    return { kind: "control", target, control, argument: this.#primary() };
  }

  #primary(): Type {
    const token = this.next();
    if (token === "(") {
      const type = this.type();
      this.expect(")");
      return type;
    }
    if (token === "[") return { kind: "array", entries: this.#entries("]") };
    if (token === "{") return { kind: "map", entries: this.#entries("}") };
    if (token.startsWith('"')) return { kind: "literal", value: token.slice(1, -1) };
    if (token.startsWith("#6.")) {
      this.expect("(");
      const type = this.type();
      this.expect(")");
      return { kind: "tag", tag: Number(token.slice(3)), type };
    }
    if (!/^-?\d/.test(token)) return { kind: "name", name: token };
    const low = BigInt(token);
    if (this.#peek() !== "..") return { kind: "literal", value: low };
    this.next();
    return { kind: "range", low, high: BigInt(this.next()) };
  }

  #entries(close: string): Entry[] {
    const entries: Entry[] = [];
    while (this.#peek() !== close) {
      const occurrence = /^[?*+]$/.test(this.#peek()) ? this.next() : "";
      entries.push({ occurrence, ...this.#entry() });
      if (this.#peek() === ",") this.next();
    }
    this.expect(close);
    return entries;
  }

  #entry(): { key: string | Type | null; type: Type } {
    if (this.#peek(1) === ":") {
      const key = this.next();
      this.expect(":");
      return { key, type: this.type() };
    }
    const type = this.type();
    if (this.#peek() !== "=>") return { key: null, type };
    this.next();
    return { key: type, type: this.type() };
  }
}
