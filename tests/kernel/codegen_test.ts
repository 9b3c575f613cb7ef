import { assertEquals } from "@std/assert";
import { defineEntry } from "../../kernel/boot.ts";
import {
  both,
  type Condition,
  either,
  Expression,
  expression,
  type FunctionBuilder,
  type FunctionReference,
  link,
  load8,
  type Local,
  Program,
} from "../../kernel/codegen/mod.ts";
import { defineConsole } from "../../kernel/console.ts";
import { writeElf } from "../../kernel/elf_writer.ts";
import { KERNEL_END, KERNEL_START } from "../../kernel/memory_layout.ts";
import { definePower } from "../../kernel/power.ts";
import { hasQemu, runQemu } from "../drivers/qemu.ts";

const FUNCTIONS = 24;
const STATEMENTS = 24;
/** More than there are registers for locals. */
const LOCALS = 13;
const BUFFER = 16;

/** A small generator of numbers that look random; the same in every run. */
class Numbers {
  #state = 0x2545_f491_4f6c_dd1dn;

  next(): bigint {
    this.#state ^= BigInt.asUintN(64, this.#state << 13n);
    this.#state ^= this.#state >> 7n;
    this.#state ^= BigInt.asUintN(64, this.#state << 17n);
    return this.#state;
  }

  below(limit: number): number {
    return Number(this.next() % BigInt(limit));
  }

  /** Mostly values at the edges of what instructions can hold. */
  constant(): bigint {
    const value = this.next();
    const choices = [
      value,
      value & 0xfffn,
      (value & 0xfffn) << 12n,
      1n << (value & 63n),
      BigInt.asUintN(64, -(value & 0xffffn)),
      0xff00_ff00_ff00_ff00n,
      0n,
    ];
    return choices[this.below(choices.length)];
  }
}

/** What the guest's locals and buffer hold, worked out beside the code that is generated. */
class Model {
  readonly locals = new Map<Expression, bigint>();
  readonly buffer = new Uint8Array(BUFFER);

  evaluate(value: Expression): bigint {
    const { node } = value;
    switch (node.k) {
      case "constant":
        return node.value;
      case "local":
        return this.locals.get(value)!;
      case "load": {
        const { node: sum } = node.address;
        if (sum.k !== "binary") return BigInt(this.buffer[0]);
        return BigInt(this.buffer[Number(this.evaluate(sum.right))]);
      }
      case "count-trailing-zeros": {
        const bits = this.evaluate(node.value).toString(2);
        return bits === "0" ? 64n : BigInt(bits.length - 1 - bits.lastIndexOf("1"));
      }
      case "call":
        return mix(node.operands.map((operand) => this.evaluate(operand)));
      case "binary":
        return this.#binary(node.operation, this.evaluate(node.left), this.evaluate(node.right));
      default:
        throw new Error(`unexpected ${node.k}`);
    }
  }

  holds(condition: Condition): boolean {
    if (condition.k === "both") return this.holds(condition.first) && this.holds(condition.second);
    if (condition.k === "either") {
      return this.holds(condition.first) || this.holds(condition.second);
    }
    const a = this.evaluate(condition.left);
    const b = this.evaluate(condition.right);
    return { eq: a === b, ne: a !== b, lo: a < b, ls: a <= b, hi: a > b, hs: a >= b }[
      condition.code
    ];
  }

  #binary(operation: string, a: bigint, b: bigint): bigint {
    const results: Record<string, () => bigint> = {
      add: () => a + b,
      sub: () => a - b,
      mul: () => a * b,
      udiv: () => b === 0n ? 0n : a / b,
      and: () => a & b,
      orr: () => a | b,
      eor: () => a ^ b,
      lsl: () => a << (b & 63n),
      lsr: () => a >> (b & 63n),
    };
    return BigInt.asUintN(64, results[operation]());
  }
}

/** What the guest's `mix` does. */
function mix([a, b, c]: bigint[]): bigint {
  return BigInt.asUintN(64, a * 3n + (b ^ (c >> 1n)));
}

/** Writes statements and follows in the model what they do. */
class Generator {
  readonly #locals: Local[] = [];
  readonly #model = new Model();
  readonly #buffer: Expression;

  constructor(
    readonly f: FunctionBuilder,
    readonly numbers: Numbers,
    readonly mix: FunctionReference,
  ) {
    this.#buffer = f.buffer(BUFFER);
    for (let i = 0; i < BUFFER; i++) f.store8(this.#buffer, 0, i);
    for (let i = 0; i < LOCALS; i++) {
      const value = numbers.constant();
      const local = f.let(value);
      this.#locals.push(local);
      this.#model.locals.set(local, value);
    }
  }

  statement(isTaken = true): void {
    const { f, numbers } = this;
    const local = this.#locals[numbers.below(LOCALS)];
    const value = this.#expression(4);
    switch (numbers.below(4)) {
      case 0: {
        const condition = this.#condition(2);
        const holds = this.#model.holds(condition);
        f.if(
          condition,
          () => this.statement(isTaken && holds),
          () => this.statement(isTaken && !holds),
        );
        return;
      }
      case 1: {
        const offset = numbers.below(BUFFER);
        const byte = this.#model.evaluate(value) & 0xffn;
        f.store8(this.#buffer, value, offset);
        if (isTaken) this.#model.buffer[offset] = Number(byte);
        return;
      }
      default: {
        const result = this.#model.evaluate(value);
        f.set(local, value);
        if (isTaken) this.#model.locals.set(local, result);
      }
    }
  }

  /** Prints every local; returns what the guest prints. */
  print(print: FunctionReference): string {
    for (const local of this.#locals) this.f.call(print, "%p\n", local);
    return this.#locals
      .map((local) => `0x${this.#model.evaluate(local).toString(16).padStart(16, "0")}\n`)
      .join("");
  }

  #expression(depth: number): Expression {
    const { numbers } = this;
    const kind = depth === 0 ? numbers.below(3) : numbers.below(14);
    const sub = () => this.#expression(depth - 1);
    if (kind < 2) return this.#locals[numbers.below(LOCALS)];
    if (kind === 2) return expression(numbers.constant());
    if (kind === 3) return load8(this.#buffer, numbers.below(BUFFER));
    if (kind === 4) return sub().trailingZeros();
    if (kind === 5) return this.mix.call(sub(), sub(), sub());
    const binary = [
      "plus",
      "minus",
      "times",
      "dividedBy",
      "and",
      "or",
      "xor",
      "shiftedLeft",
      "shiftedRight",
    ] as const;
    return sub()[binary[numbers.below(binary.length)]](sub());
  }

  #condition(depth: number): Condition {
    const { numbers } = this;
    if (depth > 0 && numbers.below(2) === 0) {
      const join = numbers.below(2) === 0 ? both : either;
      return join(this.#condition(depth - 1), this.#condition(depth - 1));
    }
    const compare = ["equals", "differs", "below", "atMost", "above", "atLeast"] as const;
    const right = numbers.below(3) === 0 ? expression(0) : this.#expression(1);
    return this.#expression(2)[compare[numbers.below(compare.length)]](right);
  }
}

Deno.test({
  name: "FunctionBuilder generates code that computes what its expressions say",
  ignore: !hasQemu(),
  async fn() {
    const program = new Program();
    defineEntry(program);
    const console = defineConsole(program);
    const power = definePower(program, console);
    const mixer = program.function("mix", (f, a, b, c) => {
      f.return(a.times(3).plus(b.xor(c.shiftedRight(1))));
    });
    const numbers = new Numbers();
    const functions: FunctionReference[] = [];
    let expected = "";
    for (let i = 0; i < FUNCTIONS; i++) {
      functions.push(program.function(`random_${i}`, (f) => {
        const generator = new Generator(f, numbers, mixer);
        for (let j = 0; j < STATEMENTS; j++) generator.statement();
        expected += generator.print(console.print);
      }));
    }
    program.function("kernel_main", (f) => {
      for (const function_ of functions) f.call(function_);
      f.call(power.powerOff);
    });
    const image = link(program, { start: KERNEL_START, end: KERNEL_END, padding: 0 });
    const { text, end } = await runQemu(writeElf(image));
    assertEquals(text, expected);
    assertEquals(end, "exit");
  },
});
