import { CodeBuffer } from "./code_buffer.ts";
import { Expression, expression, type Operand } from "./expression.ts";
import type { Local } from "./expression_emitter.ts";
import { FunctionBuilder } from "./function_builder.ts";

/** A function that can be called. */
export interface FunctionReference {
  readonly name: string;
  /** Calls it with `operands`; a string stands for the address of its bytes. */
  call(...operands: (Operand | string)[]): Expression;
  /** The address of its first instruction. */
  readonly address: Expression;
}

/** The code of one function, before it has a place. */
export interface FunctionCode {
  readonly name: string;
  readonly code: CodeBuffer;
  /** Where it starts: a multiple of this. */
  readonly alignment: number;
}

/** Writes instructions as they are. `{name}` in a text stands for an address, see CodeBuffer. */
export interface AssemblyBuilder {
  emit(text: string): void;
  /** A new label, to be placed once. */
  label(): string;
  place(label: string): void;
  /** Adds NOPs until there are `count` instructions. */
  fillTo(count: number): void;
}

/** A variable, table or string, before it has a place. */
export interface DataObject {
  readonly name: string;
  readonly section: ".rodata" | ".data" | ".bss";
  readonly size: number;
  readonly alignment: number;
  /** Its bytes; undefined in `.bss`. */
  readonly bytes?: Uint8Array;
  /** Not listed in the symbol table. */
  readonly isAnonymous?: boolean;
}

/** Everything that goes into one image: functions, data, strings. Filled by the kernel's modules. */
export class Program {
  readonly functions: FunctionCode[] = [];
  readonly objects: DataObject[] = [];
  readonly #names = new Set<string>();
  readonly #strings = new Map<string, Expression>();

  /**
   * Defines a function that takes as many arguments as `body` names after the builder.
   *
   * @throws {Error} if the name is taken.
   */
  function(
    name: string,
    body: (f: FunctionBuilder, ...parameters: Local[]) => void,
    options: { readonly isVariadic?: boolean } = {},
  ): FunctionReference {
    const count = body.length - 1;
    const builder = new FunctionBuilder();
    body(builder, ...builder.parameters(count));
    const most = options.isVariadic ? 8 : count;
    return this.#add({ name, code: builder.finish(), alignment: 4 }, count, most);
  }

  /**
   * Defines a function instruction by instruction, without prologue and epilogue. `alignment` is
   * that of its address.
   */
  naked(
    name: string,
    alignment: number,
    body: (assembly: AssemblyBuilder) => void,
  ): FunctionReference {
    const code = new CodeBuffer();
    body({
      emit(text) {
        code.markLine();
        code.emit(text);
      },
      label: () => code.newLabel(),
      place: (label) => code.place(label),
      fillTo(count) {
        while (code.instructions.length < count) code.emit("nop");
      },
    });
    return this.#add({ name, code, alignment }, 0, 0);
  }

  /** The address of `text` as UTF-8 with a zero byte behind it. Equal strings are stored once. */
  string(text: string): Expression {
    let address = this.#strings.get(text);
    if (!address) {
      const bytes = new TextEncoder().encode(`${text}\0`);
      const name = `.string.${this.#strings.size}`;
      const { length } = bytes;
      this.#define({
        name,
        section: ".rodata",
        size: length,
        alignment: 1,
        bytes,
        isAnonymous: true,
      });
      address = symbol(name, true);
      this.#strings.set(text, address);
    }
    return address;
  }

  /** Defines bytes that are never written. */
  constantBytes(name: string, bytes: Uint8Array): Expression {
    this.#define({ name, section: ".rodata", size: bytes.length, alignment: 8, bytes });
    return symbol(name, true);
  }

  /** Defines a 64-bit variable with an initial value. */
  variable(name: string, initial: bigint | number): Expression {
    const bytes = new Uint8Array(8);
    new DataView(bytes.buffer).setBigUint64(0, BigInt(initial), true);
    this.#define({ name, section: ".data", size: 8, alignment: 8, bytes });
    return symbol(name, false);
  }

  /** Defines `size` bytes that are zero at the start. */
  reserve(name: string, size: number, alignment = 8): Expression {
    this.#define({ name, section: ".bss", size, alignment });
    return symbol(name, false);
  }

  /** The address of a symbol that the layout defines, such as `_kernel_end`. */
  external(name: string): Expression {
    return symbol(name, false);
  }

  #define(object: DataObject): void {
    this.#claim(object.name);
    this.objects.push(object);
  }

  #add(definition: FunctionCode, least: number, most: number): FunctionReference {
    const { name } = definition;
    this.#claim(name);
    this.functions.push(definition);
    return {
      name,
      address: symbol(name, true),
      call: (...operands) => {
        if (operands.length < least || operands.length > most) {
          throw new Error(`Cannot call ${name} with ${operands.length} arguments`);
        }
        const values = operands.map((operand) =>
          typeof operand === "string" ? this.string(operand) : expression(operand)
        );
        return new Expression({ k: "call", name, operands: values });
      },
    };
  }

  #claim(name: string): void {
    if (this.#names.has(name)) throw new Error(`Cannot define ${name}: the name is taken`);
    this.#names.add(name);
  }
}

function symbol(name: string, near: boolean): Expression {
  return new Expression({ k: "symbol", name, near });
}
