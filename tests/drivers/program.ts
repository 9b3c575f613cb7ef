import { assemble } from "../../core/isa/assemble.ts";
import type { BootPlan } from "../../core/loader/mod.ts";
import { makeElf } from "../loader/make_elf.ts";

/**
 * A small multi-line assembler for guests of tests, over the assembler of the instruction table.
 *
 * ```text
 * start:  ldr x0, =0x09000000        a literal, placed by `.ltorg` or at the end
 *         adr x1, text + 4           labels stand for their addresses, `.` for the statement's own
 *         b   start                  // several statements are separated by `;`
 * text:   .ascii "A\n"
 * ```
 *
 * Directives: `.byte .word .quad` (comma-separated expressions), `.ascii .asciz`, `.balign N`,
 * `.space N`, `.org ADDRESS`, `.equ NAME, VALUE` (before its use by `.space` or `.org`), `.ltorg`.
 * An expression is a sum of numbers, labels and `.`.
 */
export interface Program {
  /** Address of the first byte. */
  readonly base: number;
  readonly bytes: Uint8Array<ArrayBuffer>;
  /** Where execution begins: the label `start`, else the base. */
  readonly entry: number;
  /** The address of a label. */
  address(label: string): number;
  /** Ready for `Machine.boot()`, with no device tree and all registers zero. */
  plan(): BootPlan;
  /** The same as an ELF file, for the reference. */
  elf(): Uint8Array<ArrayBuffer>;
}

/** Where programs stand if nothing else is said: 512 KiB into RAM. */
export const PROGRAM_BASE = 0x4008_0000;

interface Statement {
  readonly line: number;
  readonly address: number;
  readonly text: string;
  /** Its bytes, once all symbols are known. */
  emit(): Uint8Array;
}

/** Assembles a program. Errors name the line. */
export function program(source: string, base = PROGRAM_BASE): Program {
  const { bytes, symbols } = new Assembly(source, base).result();
  const address = (label: string) => {
    const value = symbols.get(label);
    if (value === undefined) throw new Error(`the program has no label ${label}`);
    return Number(value);
  };
  const entry = symbols.has("start") ? address("start") : base;
  return {
    base,
    bytes,
    entry,
    address,
    plan: () => planOf(base, bytes, entry),
    elf: () => makeElf(BigInt(entry), [{ address: BigInt(base), bytes, flags: 7 }]),
  };
}

function planOf(base: number, bytes: Uint8Array, entry: number): BootPlan {
  return {
    kind: "flat",
    segments: [{ name: "program", address: base, bytes, zeroTo: base + bytes.length }],
    pc: BigInt(entry),
    x: [],
    deviceTree: null,
    symbols: [],
    lines: [],
    warnings: [],
    describe: "a test's program",
  };
}

/** Two passes: places and sizes first, then contents. */
class Assembly {
  readonly #symbols = new Map<string, bigint>();
  readonly #statements: Statement[] = [];
  /** Literals not yet placed: the value's expression and where its address is needed. */
  #pool: { expression: string; place: { address: number } }[] = [];
  #at: number;
  #line = 0;

  constructor(source: string, readonly base: number) {
    this.#at = base;
    for (const line of source.split("\n")) {
      this.#line++;
      for (const statement of splitStatements(line)) this.#place(statement);
    }
    this.#placePool();
  }

  result(): { bytes: Uint8Array<ArrayBuffer>; symbols: ReadonlyMap<string, bigint> } {
    const bytes = new Uint8Array(this.#at - this.base);
    for (const { line, address, text, emit } of this.#statements) {
      try {
        bytes.set(emit(), address - this.base);
      } catch (error) {
        throw new Error(`line ${line}: ${text}: ${(error as Error).message}`);
      }
    }
    return { bytes, symbols: this.#symbols };
  }

  #place(statement: string): void {
    const [, label, rest] = /^(?:([A-Za-z_][\w$]*):)?\s*(.*)$/s.exec(statement)!;
    if (label) this.#define(label, BigInt(this.#at));
    if (label && /^[A-Za-z_][\w$]*:/.test(rest)) return this.#place(rest);
    if (rest === "") return;
    if (rest.startsWith(".") && !rest.startsWith(".inst")) this.#directive(rest);
    else this.#instruction(rest);
  }

  #instruction(text: string): void {
    const literal = /^(ldr\s+\w+\s*,\s*)=(.*)$/.exec(text);
    const address = this.#at;
    if (literal) {
      const place = { address: 0 };
      this.#pool.push({ expression: literal[2], place });
      this.#add(4, text, () => words([assemble(literal[1] + place.address, BigInt(address))]));
    } else {
      this.#add(
        4,
        text,
        () => words([assemble(this.#substitute(text, address), BigInt(address))]),
      );
    }
  }

  #directive(text: string): void {
    const [, name, rest] = /^\.(\w+)\s*(.*)$/s.exec(text)!;
    const items = rest.split(",").map((item) => item.trim());
    const here = this.#at;
    switch (name) {
      case "byte":
      case "word":
      case "quad": {
        const size = { byte: 1, word: 4, quad: 8 }[name];
        return this.#add(
          size * items.length,
          text,
          () => values(size, items, (e) => this.#evaluate(e, here)),
        );
      }
      case "ascii":
      case "asciz": {
        const content = new TextEncoder().encode(JSON.parse(rest) + (name === "asciz" ? "\0" : ""));
        return this.#add(content.length, text, () => content);
      }
      case "balign": {
        const unit = Number(this.#evaluate(rest, here));
        this.#at = Math.ceil(this.#at / unit) * unit;
        return;
      }
      case "space":
        this.#at += Number(this.#evaluate(rest, here));
        return;
      case "org": {
        const to = Number(this.#evaluate(rest, here));
        if (to < here) {
          throw new Error(`line ${this.#line}: .org goes back to 0x${to.toString(16)}`);
        }
        this.#at = to;
        return;
      }
      case "equ":
        return this.#define(items[0], this.#evaluate(items[1], here));
      case "ltorg":
        return this.#placePool();
      default:
        throw new Error(`line ${this.#line}: there is no directive .${name}`);
    }
  }

  #placePool(): void {
    if (this.#pool.length === 0) return;
    this.#at = Math.ceil(this.#at / 8) * 8;
    for (const { expression, place } of this.#pool) {
      place.address = this.#at;
      this.#add(8, `=${expression}`, () => values(8, [expression], (e) => this.#evaluate(e, 0)));
    }
    this.#pool = [];
  }

  #add(size: number, text: string, emit: () => Uint8Array): void {
    this.#statements.push({ line: this.#line, address: this.#at, text, emit });
    this.#at += size;
  }

  #define(name: string, value: bigint): void {
    if (this.#symbols.has(name)) throw new Error(`line ${this.#line}: ${name} is defined twice`);
    this.#symbols.set(name, value);
  }

  /** The statement with every sum that begins with a symbol replaced by its value. */
  #substitute(text: string, here: number): string {
    return text.replace(
      /(?<![\w.$])(\.(?!\w)|[A-Za-z_][\w$]*)((?:\s*[+-]\s*(?:0x[\da-fA-F]+|\d+|[A-Za-z_][\w$]*))*)/g,
      (whole, symbol) => {
        if (symbol !== "." && !this.#symbols.has(symbol)) return whole;
        return `0x${BigInt.asUintN(64, this.#evaluate(whole, here)).toString(16)}`;
      },
    );
  }

  #evaluate(expression: string, here: number): bigint {
    let sum = 0n;
    const terms = expression.replaceAll(/\s/g, "").matchAll(
      /([+-]?)(0x[\da-fA-F]+|\d+|\.|[A-Za-z_][\w$]*)/g,
    );
    let length = 0;
    for (const [whole, sign, term] of terms) {
      length += whole.length;
      const value = /^\d/.test(term)
        ? BigInt(term)
        : term === "."
        ? BigInt(here)
        : this.#symbols.get(term);
      if (value === undefined) throw new Error(`${term} is not defined`);
      sum += sign === "-" ? -value : value;
    }
    if (length === 0 || length !== expression.replaceAll(/\s/g, "").length) {
      throw new Error(`"${expression}" is no expression`);
    }
    return sum;
  }
}

/** Statements of a line: comments dropped, split at `;` outside of strings. */
function splitStatements(line: string): string[] {
  const parts = line.match(/\/\/.*$|"(?:[^"\\]|\\.)*"|;|[^";/]+|\//g) ?? [];
  const statements = [""];
  for (const part of parts) {
    if (part.startsWith("//")) break;
    if (part === ";") statements.push("");
    else statements[statements.length - 1] += part;
  }
  return statements.map((statement) => statement.trim());
}

function words(list: readonly number[]): Uint8Array {
  return new Uint8Array(Uint32Array.from(list).buffer);
}

function values(
  size: number,
  expressions: readonly string[],
  evaluate: (expression: string) => bigint,
): Uint8Array {
  const bytes = new Uint8Array(size * expressions.length);
  expressions.forEach((expression, i) => {
    let value = BigInt.asUintN(8 * size, evaluate(expression));
    for (let b = 0; b < size; b++, value >>= 8n) bytes[i * size + b] = Number(value & 0xffn);
  });
  return bytes;
}
