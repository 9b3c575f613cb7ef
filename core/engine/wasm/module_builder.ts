import { ByteWriter } from "./bytes.ts";
import {
  FunctionBuilder,
  type FunctionReference,
  type GlobalReference,
} from "./function_builder.ts";
import { VALUE_TYPE, type ValueType } from "./opcodes.ts";

interface FunctionType {
  parameters: readonly ValueType[];
  result: ValueType | "";
}

/** Size of the largest memory, in 64 KiB pages. */
const MOST_PAGES = 65536;

/**
 * Builds one WebAssembly module: an imported memory, imported and own functions, globals, exports.
 *
 * Imports must be declared before the first own function, because function indices count imports
 * first. The result is the binary; the engine's validator is the check.
 *
 * @example
 * ```ts
 * const m = new ModuleBuilder();
 * const add = m.function(["i32", "i32"], "i32");
 * add.body.return(op("i32.add", add.body.parameter(0), add.body.parameter(1)));
 * m.export("add", add.reference);
 * ```
 */
export class ModuleBuilder {
  readonly #types: FunctionType[] = [];
  readonly #imports: { module: string; name: string; type: number }[] = [];
  readonly #functions: { type: number; body: FunctionBuilder }[] = [];
  readonly #globals: { type: ValueType; initial: number }[] = [];
  readonly #exports: { name: string; kind: number; index: number }[] = [];
  readonly #data: { address: number; bytes: Uint8Array }[] = [];
  readonly #memories: { module: string; name: string; pages: number; shared: boolean }[] = [];
  #table: { module: string; name: string } | undefined;

  /**
   * Imports a memory, to be named by how many were imported before; `pages` is the smallest accepted
   * size in 64 KiB pages.
   */
  importMemory(module: string, name: string, pages: number, { shared = false } = {}): void {
    this.#memories.push({ module, name, pages, shared });
  }

  /** Imports the table of functions that {@linkcode callIndirect} calls. */
  importTable(module: string, name: string): void {
    this.#table = { module, name };
  }

  /** The type of functions in the table, for {@linkcode callIndirect}. */
  functionType(
    parameters: readonly ValueType[],
    result: ValueType,
  ): { index: number; result: ValueType } {
    return { index: this.#type(parameters, result), result };
  }

  /** Imports a function. */
  importFunction(
    module: string,
    name: string,
    parameters: readonly ValueType[],
    result: ValueType | "",
  ): FunctionReference {
    if (this.#functions.length > 0) throw new Error("imports come before functions");
    this.#imports.push({ module, name, type: this.#type(parameters, result) });
    return { index: this.#imports.length - 1, parameters, result };
  }

  /** A new function; write its body through `body`. */
  function(
    parameters: readonly ValueType[],
    result: ValueType | "",
  ): { reference: FunctionReference; body: FunctionBuilder } {
    const body = new FunctionBuilder(parameters, result);
    this.#functions.push({ type: this.#type(parameters, result), body });
    const index = this.#imports.length + this.#functions.length - 1;
    return { reference: { index, parameters, result }, body };
  }

  /** A new mutable i32 or i64 global. */
  global(type: "i32" | "i64", initial = 0): GlobalReference {
    this.#globals.push({ type, initial });
    return { index: this.#globals.length - 1, type };
  }

  /** Bytes that are written to the memory when the module is instantiated. */
  data(address: number, bytes: Uint8Array): void {
    this.#data.push({ address, bytes });
  }

  /** Exports a function. */
  export(name: string, target: FunctionReference): void {
    this.#exports.push({ name, kind: 0, index: target.index });
  }

  /**
   * The module in the binary format.
   *
   * @param branchHints whether what is known of branches goes into it: a small function gains from
   * it, the interpreter's loses
   */
  build({ branchHints = false } = {}): Uint8Array<ArrayBuffer> {
    const out = new ByteWriter();
    out.raw([0x00, 0x61, 0x73, 0x6d, 0x01, 0x00, 0x00, 0x00]);
    this.#section(out, 1, this.#types, (w, type) => {
      w.byte(0x60).unsigned(type.parameters.length);
      for (const parameter of type.parameters) w.byte(VALUE_TYPE[parameter]);
      if (type.result === "") w.unsigned(0);
      else w.unsigned(1).byte(VALUE_TYPE[type.result]);
    });
    this.#importSection(out);
    this.#section(out, 3, this.#functions, (w, f) => w.unsigned(f.type));
    this.#section(out, 6, this.#globals, (w, g) => {
      w.byte(VALUE_TYPE[g.type]).byte(0x01).byte(g.type === "i32" ? 0x41 : 0x42);
      w.signed(g.initial).byte(0x0b);
    });
    this.#section(out, 7, this.#exports, (w, e) => w.name(e.name).byte(e.kind).unsigned(e.index));
    if (branchHints) this.#hintSection(out);
    this.#section(out, 10, this.#functions, (w, f) => w.raw(f.body.finish()));
    this.#section(out, 11, this.#data, (w, { address, bytes }) => {
      w.byte(0x00).byte(0x41).signed(address).byte(0x0b).unsigned(bytes.length).raw(bytes);
    });
    return out.view().slice() as Uint8Array<ArrayBuffer>;
  }

  #importSection(out: ByteWriter): void {
    const entries: ((w: ByteWriter) => void)[] = this.#imports.map((i) => (w) =>
      w.name(i.module).name(i.name).byte(0x00).unsigned(i.type)
    );
    for (const { module, name, pages, shared } of this.#memories) {
      entries.push((w) => {
        w.name(module).name(name).byte(0x02).byte(shared ? 0x03 : 0x00).unsigned(pages);
        if (shared) w.unsigned(MOST_PAGES);
      });
    }
    const table = this.#table;
    if (table) {
      entries.push((w) =>
        w.name(table.module).name(table.name).byte(0x01).byte(0x70).byte(0x00).unsigned(0)
      );
    }
    this.#section(out, 2, entries, (w, write) => write(w));
  }

  /** The custom section of branch hints, which hosts that do not know it pass over. */
  #hintSection(out: ByteWriter): void {
    const hinted = this.#functions.map(({ body }, i) => ({ index: i, hints: body.hints() }))
      .filter(({ hints }) => hints.length > 0);
    if (hinted.length === 0) return;
    const body = new ByteWriter().name("metadata.code.branch_hint").unsigned(hinted.length);
    for (const { index, hints } of hinted) {
      body.unsigned(this.#imports.length + index).unsigned(hints.length);
      for (const { at, hint } of hints) body.unsigned(at).byte(1).byte(hint === "mostly" ? 1 : 0);
    }
    out.byte(0).unsigned(body.length).raw(body.view());
  }

  #section<T>(
    out: ByteWriter,
    id: number,
    items: readonly T[],
    write: (w: ByteWriter, item: T) => void,
  ): void {
    if (items.length === 0) return;
    const body = new ByteWriter().unsigned(items.length);
    for (const item of items) write(body, item);
    out.byte(id).unsigned(body.length).raw(body.view());
  }

  #type(parameters: readonly ValueType[], result: ValueType | ""): number {
    const known = this.#types.findIndex((t) =>
      t.result === result && t.parameters.length === parameters.length &&
      t.parameters.every((p, i) => p === parameters[i])
    );
    if (known >= 0) return known;
    this.#types.push({ parameters, result });
    return this.#types.length - 1;
  }
}
