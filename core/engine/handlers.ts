import type { Fields, Row } from "../isa/row.ts";
import { Ops } from "../isa/ops.ts";

/**
 * The list of handlers that the rows of the instruction table give.
 *
 * A handler is a row, one choice of its static fields, and up to two things that the decoder knows:
 * whether the base register is SP (then its alignment is checked) and whether a branch stays in
 * its page (then the target is a distance in records and needs no translation).
 *
 * The handlers of one row and choice stand together: `first + (SP ? 1 : 0)` or `first + (far ? 1 : 0)`.
 */
export interface Handler {
  readonly id: number;
  readonly row: Row;
  readonly statics: Fields;
  /** What the row's semantics are for these static fields. */
  readonly program: Ops;
  readonly spBase: boolean;
  readonly far: boolean;
  /** The field that names the base register, if the program has one. */
  readonly base: string | undefined;
  /** The derived byte offset that the program branches by, if it does. */
  readonly target: string | undefined;
}

/** Handlers that belong to no row; rows' handlers come after them. */
export const BUILT_IN = {
  /** The record has not been decoded yet. */
  decode: 0,
  /** Behind the last instruction of a page. */
  pageEnd: 1,
  /** A planted stop. */
  stop: 2,
  /** Nothing allocated. */
  undefined: 3,
  /** A planted probe. */
  probe: 4,
  /** A way into translated code (`translator/`). */
  region: 5,
} as const;
const FIRST_ROW_HANDLER = 6;

/** Handlers of some rows, and where those of a row's static choice begin. */
export interface HandlerTable {
  /** In the order of their ids, which have no gaps. */
  readonly handlers: readonly Handler[];
  readonly byRow: ReadonlyMap<Row, readonly Handler[]>;
  /** By row: first handler id for each combination of static fields (mixed radix, first field slowest), or -1. */
  readonly first: ReadonlyMap<Row, Int32Array>;
  /** One more than the largest id. */
  readonly end: number;
}

/** Enumerates the handlers of `rows`, from an id on. */
export function enumerateHandlers(
  rows: readonly Row[],
  firstId: number = FIRST_ROW_HANDLER,
): HandlerTable {
  const handlers: Handler[] = [];
  const first = new Map<Row, Int32Array>();
  let id = firstId;
  for (const row of rows) {
    const choices = staticChoices(row);
    const table = new Int32Array(choices.length).fill(-1);
    first.set(row, table);
    choices.forEach((statics, i) => {
      if (!statics) return;
      const ops = new Ops();
      row.execute(ops, statics);
      table[i] = id;
      for (const second of variants(ops)) {
        handlers.push({ id: id++, row, statics, program: ops, ...second });
      }
    });
  }
  const byRow = Map.groupBy(handlers, ({ row }) => row);
  return { handlers, byRow, first, end: id };
}

/** Whether the program uses a base register or a relative branch, and so needs two handlers. */
function variants(ops: Ops): Omit<Handler, "id" | "row" | "statics" | "program">[] {
  const target = ops.transfer?.k === "relative" ? ops.transfer.target : undefined;
  const plain = { spBase: false, far: false, base: ops.baseField, target };
  if (plain.base) return [plain, { ...plain, spBase: true }];
  if (target) return [plain, { ...plain, far: true }];
  return [plain];
}

/** Every combination of the static fields; undefined where no word of the row has it. */
function staticChoices(row: Row): (Fields | undefined)[] {
  const fields = (row.static ?? []).map((name) => row.pattern.fields.find((f) => f.name === name)!);
  let choices: Fields[] = [{}];
  for (const { name, width } of fields) {
    choices = choices.flatMap((choice) =>
      Array.from({ length: 2 ** width }, (_, value) => ({ ...choice, [name]: value }))
    );
  }
  return choices.map((choice) => (isAllocated(row, choice) ? choice : undefined));
}

/** Whether some word with these static fields is allocated, tried on a spread of the others. */
function isAllocated(row: Row, statics: Fields): boolean {
  if (!row.when) return true;
  if (!asksForMore(row.when, statics)) return row.when(statics);
  const rest = row.pattern.fields.filter((f) => !(f.name in statics));
  const fields: Record<string, number> = { ...statics };
  let random = 0x2545f491;
  for (let sample = 0; sample < 256; sample++) {
    for (const { name, width } of rest) {
      random = Math.imul(random ^ (random >>> 15), 0x85ebca6b) + 0x9e3779b9 | 0;
      const spread = sample === 0 ? 0 : sample === 1 ? -1 : random >>> 7;
      fields[name] = spread & (2 ** width - 1);
    }
    if (row.when(fields)) return true;
  }
  return false;
}

/** Whether a condition looks at any field but the static ones. */
function asksForMore(when: (fields: Fields) => boolean, statics: Fields): boolean {
  let more = false;
  when(
    new Proxy(statics, {
      get(target, name: string) {
        more ||= !(name in target);
        return target[name] ?? 0;
      },
    }),
  );
  return more;
}

/** The index of a word's static choice in the table that {@linkcode enumerateHandlers} made. */
export function staticIndex(row: Row, fields: Fields): number {
  let index = 0;
  for (const name of row.static ?? []) {
    const field = row.pattern.fields.find((f) => f.name === name)!;
    index = index * 2 ** field.width + fields[name];
  }
  return index;
}
