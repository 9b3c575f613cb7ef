import { fieldsOf, findRow } from "../isa/decode_tree.ts";
import type { Fields, Row, Wide } from "../isa/row.ts";
import type { TableRow } from "../isa/table.ts";
import { SLOT } from "../state.ts";
import { BUILT_IN, type HandlerTable } from "./handlers.ts";
import type { RecordField } from "./record_layout.ts";

/**
 * Turns an instruction word into a 16-byte record: the handler's id and what its code reads.
 *
 * Everything that can be worked out per row, choice of static fields and handler is worked out
 * once, when the row is first met, so that decoding an instruction allocates next to nothing.
 */
export class Decoder {
  readonly #rows = new Map<Row, RowDecoder>();
  readonly #u16: Uint16Array;
  readonly #hint: Row | undefined;

  constructor(
    readonly memory: ArrayBufferLike,
    readonly table: HandlerTable,
    readonly records: readonly (readonly RecordField[] | undefined)[],
  ) {
    this.#u16 = new Uint16Array(memory);
    this.#hint = [...table.first.keys()].find(({ name }) => name === "HINT");
  }

  /** Writes the record at `record` for `word`, which stands at byte `offset` of its page. */
  decode(record: number, word: number, offset: number): void {
    const row = this.#rowOf(word);
    // Rows of features that the machine does not have are not in the table of handlers.
    const decoder = row && "execute" in row ? this.#decoderOf(row) : undefined;
    if (!row || !decoder) {
      this.#u16[record >> 1] = BUILT_IN.undefined;
      return;
    }
    const fields = fieldsOf(row, word);
    if (decoder.row.when && !decoder.row.when(fields)) {
      this.#u16[record >> 1] = BUILT_IN.undefined;
      return;
    }
    decoder.decode(record, fields, offset);
  }

  /** The word's row; HINT, which does nothing, for hints of features that the machine does not have. */
  #rowOf(word: number): TableRow | undefined {
    const row = findRow(word);
    return row && "hint" in row && !this.table.first.has(row) ? this.#hint : row;
  }

  #decoderOf(row: Row): RowDecoder | undefined {
    const known = this.#rows.get(row);
    if (known || !this.table.first.has(row)) return known;
    const made = new RowDecoder(this.memory, row, this.table, this.records);
    this.#rows.set(row, made);
    return made;
  }
}

type Write = (record: number, fields: Fields, far: boolean) => void;

/** Decodes the words of one row. */
class RowDecoder {
  readonly #u16: Uint16Array;
  readonly #u32: Uint32Array;
  readonly #writes: (readonly Write[])[] = [];
  readonly #first: Int32Array;
  readonly #radix: readonly { name: string; size: number }[];
  readonly #base: string | undefined;
  readonly #targetName: string | undefined;
  readonly #target: ((fields: Fields) => number) | undefined;

  constructor(
    memory: ArrayBufferLike,
    readonly row: Row,
    table: HandlerTable,
    records: readonly (readonly RecordField[] | undefined)[],
  ) {
    this.#u16 = new Uint16Array(memory);
    this.#u32 = new Uint32Array(memory);
    this.#first = table.first.get(row)!;
    this.#radix = (row.static ?? []).map((name) => ({
      name,
      size: 2 ** row.pattern.fields.find((f) => f.name === name)!.width,
    }));
    const mine = table.byRow.get(row)!;
    if (mine.some((h) => h.base !== mine[0].base || h.target !== mine[0].target)) {
      throw new Error(`${row.name}: its handlers differ in base register or branch target`);
    }
    this.#base = mine[0].base;
    const target = this.#targetName = mine[0].target;
    this.#target = target === undefined ? undefined : this.#value(target) as (f: Fields) => number;
    for (const handler of mine) {
      this.#writes[handler.id] = records[handler.id]!.map((f) => this.#writer(f));
    }
  }

  decode(record: number, fields: Fields, offset: number): void {
    let index = 0;
    for (const { name, size } of this.#radix) index = index * size + fields[name];
    let id = this.#first[index];
    if (id < 0) throw new Error(`${this.row.name}: no handler for static choice ${index}`);
    let far = false;
    if (this.#base !== undefined && fields[this.#base] === 31) id++;
    else if (this.#target !== undefined) {
      const to = offset + this.#target(fields);
      far = to < 0 || to >= 4096;
      if (far) id++;
    }
    this.#u16[record >> 1] = id;
    for (const write of this.#writes[id]) write(record, fields, far);
  }

  #value(name: string): (fields: Fields) => number | Wide {
    return this.row.derive?.[name] ?? ((fields) => fields[name]);
  }

  #writer({ name, offset, as }: RecordField): Write {
    const u16 = this.#u16, u32 = this.#u32;
    if (as === "imm32" || as === "imm64") {
      const value = this.#value(name);
      const isTarget = name === this.#targetName;
      return (record, fields, far) => {
        const v = value(fields);
        const at = (record + offset) >> 2;
        if (typeof v === "number") {
          u32[at] = isTarget && !far ? v * 4 : v;
          if (as === "imm64") u32[at + 1] = v < 0 ? 0xffff_ffff : 0;
        } else {
          u32[at] = v[0];
          u32[at + 1] = v[1];
        }
      };
    }
    const destination = name.endsWith(">");
    const field = destination ? name.slice(0, -1) : name;
    const slots = slotsOf(as as "x" | "xsp" | "v", destination);
    const register = this.#value(field) as (fields: Fields) => number;
    return (record, fields) => {
      u16[(record + offset) >> 1] = slots[register(fields)];
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
