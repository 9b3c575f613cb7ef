/**
 * What an instruction word reads and writes, from the instruction table's own semantics.
 */
import { fieldsOf, findRow, isAllocated } from "../../core/isa/decode_tree.ts";
import { disassemble } from "../../core/isa/disassemble.ts";
import { type Commit, Ops, type Statement, type Value } from "../../core/isa/ops.ts";
import type { Fields, Row } from "../../core/isa/row.ts";
import { isSupported } from "../../core/isa/table.ts";

/** Where a register's new value comes from. */
export type Source =
  /** Another register, unchanged but perhaps for its upper half. */
  | { readonly kind: "register"; readonly register: string }
  /** The n-th element that the instruction loads. */
  | { readonly kind: "load"; readonly element: number }
  | { readonly kind: "computed"; readonly registers: readonly string[] };

/** What one instruction does to registers and memory. */
export interface Effects {
  /** Registers written, `x0` to `x30`, `sp`, `v0` to `v31`, `nzcv`, and where from. */
  readonly writes: ReadonlyMap<string, Source>;
  /** What each element stored comes from. */
  readonly stores: readonly Source[];
  /** Bytes of an element loaded or stored; 0 without an access. */
  readonly size: number;
  /** Checked as EL0 (LDTR, STTR). */
  readonly unprivileged: boolean;
  /** Base register of the access. */
  readonly base: string | undefined;
  /** Register that holds the address branched to. */
  readonly target: string | undefined;
  /** A store-exclusive, or a store together with a load of the same place. */
  readonly atomic: boolean;
}

const NONE: Effects = {
  writes: new Map(),
  stores: [],
  size: 0,
  unprivileged: false,
  base: undefined,
  target: undefined,
  atomic: false,
};
const HVC_MASK = 0xffe0_001f, HVC = 0xd400_0002;
/** Plain operations that keep the bits that matter: a store of a narrower part, a zero extension. */
const TRANSPARENT = new Set(["i32.wrap_i64", "i64.extend_i32_u", "i64.extend_i32_s"]);

/** Instructions that pass a register on, or its low bytes. */
const MOVES = /^(mov|[us]xt[bhw]) |^and \w+, \w+, #0x(ff){1,4}$/;

const programs = new Map<Row, Map<string, Ops>>();
const known = new Map<number, Effects>();
const MOST_KNOWN = 1 << 16;

/** The effects of an instruction word; of one that is UNDEFINED none. */
export function effectsOf(word: number): Effects {
  let effects = known.get(word);
  if (effects) return effects;
  if (known.size >= MOST_KNOWN) known.clear();
  known.set(word, effects = findEffects(word));
  return effects;
}

/** Whether the word is a store-exclusive (STXR, STXP) or an atomic operation (LDADD, SWP, CAS…). */
export function isAtomicStore(word: number): boolean {
  return effectsOf(word).atomic;
}

function findEffects(word: number): Effects {
  const row = findRow(word);
  if (!row || !isSupported(row) || !isAllocated(row, word)) return NONE;
  const fields = withDerived(row, fieldsOf(row, word));
  const program = programOf(row, fields);
  const writes = new Map<string, Source>();
  const loads: Value[] = [];
  const stores: Source[] = [];
  let size = 0;
  let unprivileged = false;
  let update = false;
  visit(program.statements, (statement) => {
    if (statement.k === "load") {
      loads.push(...statement.results);
      update ||= statement.access.asWrite ?? false;
    }
    if (statement.k === "load" || statement.k === "store") {
      size = statement.access.size;
      unprivileged ||= statement.access.unprivileged ?? false;
    }
  });
  const sourceOf = (value: Value) => findSource(value, fields, loads);
  visit(program.statements, (statement) => {
    if (statement.k === "store") stores.push(...statement.values.map(sourceOf));
  });
  // ORR with the zero register and ADD of nothing: the disassembler knows the moves among them.
  const move = MOVES.test(disassemble(word, 0n));
  for (const commit of program.commits) {
    const name = writtenBy(commit, fields);
    if (name === undefined) continue;
    const source = sourceOf(commit.value);
    const register = move && source.kind === "computed" ? source.registers[0] : undefined;
    writes.set(name, register === undefined ? source : { kind: "register", register });
  }
  if (program.transfer?.k === "exception" && ((word & HVC_MASK) >>> 0) === HVC) {
    writes.set("x0", { kind: "computed", registers: [] });
  }
  const atomic = stores.length > 0 && (update ||
    program.commits.some((commit) => commit.k === "state" && commit.name === "exclusive-size"));
  const field = program.baseField ?? program.anyBaseField;
  const base = field === undefined ? undefined : registerName("base", fields[field], 0);
  const { transfer } = program;
  const target = transfer?.k === "absolute"
    ? registersOf(sourceOf(transfer.address))[0]
    : undefined;
  return { writes, stores, size, unprivileged, base, target, atomic };
}

/** The fields and the derived values that are small numbers: registers can be either. */
function withDerived(row: Row, fields: Fields): Fields {
  const derived = Object.entries(row.derive ?? {}).map(([name, value]) => [name, value(fields)]);
  return {
    ...Object.fromEntries(derived.filter(([, value]) => typeof value === "number")),
    ...fields,
  };
}

function programOf(row: Row, fields: Fields): Ops {
  const statics = Object.fromEntries((row.static ?? []).map((name) => [name, fields[name]]));
  const key = Object.values(statics).join();
  let ofRow = programs.get(row);
  if (!ofRow) programs.set(row, ofRow = new Map());
  let program = ofRow.get(key);
  if (!program) {
    program = new Ops();
    row.execute(program, statics);
    ofRow.set(key, program);
  }
  return program;
}

function visit(statements: readonly Statement[], seen: (statement: Statement) => void): void {
  for (const statement of statements) {
    seen(statement);
    if (statement.k === "when") visit(statement.body, seen);
  }
}

function writtenBy(commit: Commit, fields: Fields): string | undefined {
  switch (commit.k) {
    case "link":
      return "x30";
    case "flag":
      return "nzcv";
    case "part":
      return `v${(fields[commit.field] + commit.next) % 32}`;
    case "register":
      return registerName(commit.file, fields[commit.field], commit.next ?? 0);
    case "state":
      return undefined;
  }
}

/** The register's name; undefined for the zero register. */
function registerName(file: string, number: number, next: number): string | undefined {
  if (file === "v") return `v${(number + next) % 32}`;
  if (number !== 31) return `x${number}`;
  return file === "x" ? undefined : "sp";
}

function findSource(value: Value, fields: Fields, loads: readonly Value[]): Source {
  const element = loads.indexOf(value);
  if (element >= 0) return { kind: "load", element };
  const { kind, operands } = value;
  if (kind.k === "register") {
    const register = registerName(kind.file, fields[kind.field], kind.next ?? 0);
    return register === undefined
      ? { kind: "computed", registers: [] }
      : { kind: "register", register };
  }
  if (kind.k === "plain" && operands.length > 0) {
    const sources = operands.map((operand) => findSource(operand, fields, loads));
    if (TRANSPARENT.has(kind.name)) return sources[0];
    return { kind: "computed", registers: sources.flatMap(registersOf) };
  }
  const inner = operands.map((operand) => findSource(operand, fields, loads));
  return { kind: "computed", registers: inner.flatMap(registersOf) };
}

function registersOf(source: Source): readonly string[] {
  if (source.kind === "register") return [source.register];
  return source.kind === "computed" ? source.registers : [];
}
