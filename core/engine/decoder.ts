import { fieldsOf, findRowIndex } from "../isa/decode_tree.ts";
import { extractField, type Field } from "../isa/pattern.ts";
import type { Fields, Row, Wide } from "../isa/row.ts";
import { ROWS } from "../isa/table.ts";
import { SLOT } from "../state.ts";
import { BUILT_IN, type Handler } from "./handlers.ts";
import type { Interpreter } from "./interpreter.ts";
import type { RecordField } from "./record_layout.ts";
import { calledHelpers } from "./use_counts.ts";

/**
 * Turns an instruction word into a 16-byte record: the handler's id and what its code reads.
 *
 * Everything that can be worked out per row, choice of static fields and handler is worked out
 * once, when the row is first met, so that decoding an instruction allocates nothing.
 */
export class Decoder {
  /** By index of the row in `ROWS`; null for what this processor does not have. */
  readonly #rows: (RowDecoder | null | undefined)[] = new Array(ROWS.length).fill(undefined);
  readonly #u16: Uint16Array;
  readonly #hint: Row | undefined;
  #wantApart: (() => void) | undefined;

  /** @param wantApart called before the first record is made that needs the interpreter's second module */
  constructor(
    readonly memory: ArrayBufferLike,
    readonly interpreter: Interpreter,
    wantApart: () => void,
  ) {
    this.#u16 = new Uint16Array(memory);
    this.#hint = [...interpreter.table.first.keys()].find(({ name }) => name === "HINT");
    this.#wantApart = wantApart;
  }

  /** Writes the record at `record` for `word`, which stands at byte `offset` of its page. */
  decode(record: number, word: number, offset: number): void {
    const index = findRowIndex(word);
    const decoder = index < 0 ? null : this.#rows[index] ?? this.#decoderOf(index);
    if (!decoder?.decode(record, word, offset)) this.#u16[record >> 1] = BUILT_IN.undefined;
  }

  #decoderOf(index: number): RowDecoder | null {
    if (this.#rows[index] === undefined) this.#rows[index] = this.#make(index);
    return this.#rows[index]!;
  }

  #make(index: number): RowDecoder | null {
    const { interpreter } = this;
    let row: (typeof ROWS)[number] | undefined = ROWS[index];
    // A hint of a feature that the machine does not have does nothing.
    if ("hint" in row && !interpreter.has(row)) row = this.#hint;
    // Rows of features that the machine does not have are not in the table of handlers.
    if (!row || !("execute" in row) || !interpreter.has(row)) return null;
    const { byRow } = row.apart ? interpreter.apart.table : interpreter.table;
    const handlers = byRow.get(row)!;
    if (row.apart || calledHelpers(handlers.map(({ program }) => program)).size > 0) {
      this.#wantApart?.();
      this.#wantApart = undefined;
    }
    return new RowDecoder(this.memory, row, handlers, interpreter);
  }
}

/** A field of a record to be filled in, all of one shape, so that one loop fills them. */
interface FieldWrite {
  /** Byte offset in the record. */
  readonly offset: number;
  /** Where it stands in the word, if it is a field of the word. */
  readonly field: Field | undefined;
  /** Else what gives it. */
  readonly derive: ((fields: Fields) => number | Wide) | undefined;
  /** Addresses of registers by number, if it is one. */
  readonly slots: Uint16Array | undefined;
  /** It takes 64 bits. */
  readonly is64: boolean;
  /** What a branch branches by. */
  readonly isTarget: boolean;
}

/** Decodes the words of one row. */
class RowDecoder {
  readonly #u16: Uint16Array;
  readonly #u32: Uint32Array;
  /** By handler, from the row's first one on. */
  readonly #writes: readonly (readonly FieldWrite[])[];
  readonly #firstId: number;
  readonly #first: Int32Array;
  readonly #statics: readonly Field[];
  readonly #base: Field | undefined;
  readonly #target: ((fields: Fields) => number) | undefined;
  /** Whether anything but the word's own fields is needed. */
  readonly #wantsFields: boolean;

  constructor(
    memory: ArrayBufferLike,
    readonly row: Row,
    handlers: readonly Handler[],
    interpreter: Interpreter,
  ) {
    this.#u16 = new Uint16Array(memory);
    this.#u32 = new Uint32Array(memory);
    const { first } = row.apart ? interpreter.apart.table : interpreter.table;
    this.#first = first.get(row)!;
    this.#statics = (row.static ?? []).map((name) => this.#field(name)!);
    const [{ id, base, target }] = handlers;
    if (handlers.some((h) => h.base !== base || h.target !== target)) {
      throw new Error(`${row.name}: its handlers differ in base register or branch target`);
    }
    this.#base = base === undefined ? undefined : this.#field(base);
    if (target !== undefined) {
      this.#target = (row.derive?.[target] ?? ((f) => f[target])) as (f: Fields) => number;
    }
    this.#firstId = id;
    this.#writes = handlers.map((handler) =>
      interpreter.fieldsOf(handler).map((field) => this.#write(field, target))
    );
    this.#wantsFields = row.when !== undefined || target !== undefined ||
      this.#writes.flat().some(({ derive }) => derive);
  }

  /** Gives false, and writes nothing, if the word is not allocated. */
  decode(record: number, word: number, offset: number): boolean {
    const { row } = this;
    const fields = this.#wantsFields ? fieldsOf(row, word) : undefined;
    if (row.when && !row.when(fields!)) return false;
    let index = 0;
    for (const field of this.#statics) index = index << field.width | extractField(field, word);
    let id = this.#first[index];
    if (id < 0) throw new Error(`${row.name}: no handler for static choice ${index}`);
    let far = false;
    if (this.#base) {
      if (extractField(this.#base, word) === 31) id++;
    } else if (this.#target) {
      const to = offset + this.#target(fields!);
      far = to < 0 || to >= 4096;
      if (far) id++;
    }
    this.#u16[record >> 1] = id;
    for (const write of this.#writes[id - this.#firstId]) {
      this.#fill(write, record, word, fields, far);
    }
    return true;
  }

  #fill(
    { offset, field, derive, slots, is64, isTarget }: FieldWrite,
    record: number,
    word: number,
    fields: Fields | undefined,
    far: boolean,
  ): void {
    const value = field ? extractField(field, word) : derive!(fields!);
    if (slots) {
      this.#u16[(record + offset) >> 1] = slots[value as number];
      return;
    }
    const at = (record + offset) >> 2;
    if (typeof value === "number") {
      this.#u32[at] = isTarget && !far ? value * 4 : value;
      if (is64) this.#u32[at + 1] = value < 0 ? 0xffff_ffff : 0;
    } else {
      this.#u32[at] = value[0];
      this.#u32[at + 1] = value[1];
    }
  }

  #field(name: string): Field | undefined {
    return this.row.pattern.fields.find((field) => field.name === name);
  }

  #write({ name, offset, as }: RecordField, target: string | undefined): FieldWrite {
    const isImmediate = as === "imm32" || as === "imm64";
    const destination = name.endsWith(">");
    const source = destination ? name.slice(0, -1) : name;
    const derive = this.row.derive?.[source];
    return {
      offset,
      field: derive ? undefined : this.#field(source),
      derive,
      slots: isImmediate ? undefined : slotsOf(as, destination),
      is64: as === "imm64",
      isTarget: name === target,
    };
  }
}

const SLOTS = new Map<string, Uint16Array>();

function slotsOf(as: "x" | "xsp" | "v", destination: boolean): Uint16Array {
  const key = `${as} ${destination}`;
  let slots = SLOTS.get(key);
  if (!slots) SLOTS.set(key, slots = makeSlots(as, destination));
  return slots;
}

function makeSlots(as: "x" | "xsp" | "v", destination: boolean): Uint16Array {
  return Uint16Array.from({ length: 32 }, (_, n) => {
    if (as === "v") return SLOT.v + 16 * n;
    if (n < 31) return SLOT.x + 8 * n;
    if (as === "xsp") return SLOT.sp;
    return destination ? SLOT.sink : SLOT.zero;
  });
}
