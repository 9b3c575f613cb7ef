import { fieldsOf, findRow, isAllocated } from "../../core/isa/decode_tree.ts";
import { isSupported } from "../../core/isa/table.ts";
import {
  type Access,
  type CallOut,
  type Commit,
  type ExceptionCause,
  Ops,
  type Statement,
  type Value,
} from "../../core/isa/ops.ts";
import type { Fields, Row } from "../../core/isa/row.ts";
import { fpcrBits } from "../../core/pstate.ts";
import type { CpuSnapshot } from "./vectors.ts";
import { HELPERS, loadOperation, plainOperation } from "./evaluate_operations.ts";
import { evaluateFloat } from "./evaluate_fp.ts";
import { SATURATING_HELPERS } from "./evaluate_saturating.ts";
import { SIMD_HELPERS } from "./evaluate_simd.ts";

/**
 * A slow, simple engine: evaluates the program that a row describes with BigInts.
 *
 * It shares the rows with the engines of `core/engine` and nothing else, so that what differs
 * between them is a fault of lowering, and what both do wrong is a fault of a row. A value is the
 * unsigned number that its bits stand for.
 */

/** The processor that {@linkcode evaluate} works on. */
export interface EvaluatorState extends CpuSnapshot {
  exclusive: { address: bigint; size: bigint; low: bigint; high: bigint };
}

/** Memory and machine around it. */
export interface EvaluatorHost {
  /** Extensions beyond Armv8.0-A; none if left out. */
  readonly features?: ReadonlySet<string>;
  /** Bytes at an address, little-endian. Throws if they cannot be read. */
  load(address: bigint, bytes: number): bigint;
  /** Throws, and stores nothing, if they cannot all be written. */
  store(address: bigint, bytes: number, value: bigint): void;
  callOut(name: CallOut, argument: number, operand: bigint): bigint;
}

/** How an instruction ended. PC has moved on `retired` only. */
export type Outcome =
  | { readonly k: "retired" }
  | { readonly k: "exception"; readonly cause: ExceptionCause; readonly argument: number }
  | { readonly k: "eret" };

/** An access that is not aligned where the architecture insists. */
export class AlignmentFault extends Error {
  override name = "AlignmentFault";
}

const programs = new Map<Row, Map<string, Ops>>();

/** The program of a row for one choice of its static fields. */
function programOf(row: Row, fields: Fields): Ops {
  const statics = Object.fromEntries((row.static ?? []).map((name) => [name, fields[name]]));
  const key = Object.values(statics).join();
  let known = programs.get(row);
  if (!known) programs.set(row, known = new Map());
  let program = known.get(key);
  if (!program) {
    program = new Ops();
    row.execute(program, statics);
    known.set(key, program);
  }
  return program;
}

/** Executes one instruction. What throws in `host` comes through, with no register changed. */
export function evaluate(word: number, state: EvaluatorState, host: EvaluatorHost): Outcome {
  const row = findRow(word);
  const missing = row && isSupported(row) && row.feature !== undefined &&
    !host.features?.has(row.feature);
  if (missing && row.hint) {
    state.pc += 4n;
    return { k: "retired" };
  }
  if (!row || !isSupported(row) || missing || !isAllocated(row, word)) {
    return { k: "exception", cause: "undefined", argument: 0 };
  }
  const fields = fieldsOf(row, word);
  const program = programOf(row, fields);
  const evaluation = new Evaluation(row, fields, state, host);
  evaluation.run(program.statements);
  const { transfer } = program;
  let next = state.pc + 4n;
  let outcome: Outcome = { k: "retired" };
  switch (transfer?.k) {
    case "relative":
      if (transfer.condition && evaluation.value(transfer.condition) === 0n) break;
      next = state.pc + BigInt(evaluation.field(transfer.target));
      break;
    case "absolute":
      next = evaluation.value(transfer.address);
      break;
    case "exception": {
      const argument = Number(evaluation.value(transfer.argument));
      outcome = { k: "exception", cause: transfer.cause, argument };
      break;
    }
    case "eret":
      outcome = { k: "eret" };
  }
  const writes = program.commits.map((commit) => [commit, evaluation.value(commit.value)] as const);
  for (const [commit, value] of writes) evaluation.commit(commit, value);
  if (outcome.k === "retired") state.pc = BigInt.asUintN(64, next);
  return outcome;
}

/** One instruction being evaluated. */
class Evaluation {
  /** Variables and the results of statements by id. */
  readonly #set = new Map<number, bigint>();

  constructor(
    readonly row: Row,
    readonly fields: Fields,
    readonly state: EvaluatorState,
    readonly host: EvaluatorHost,
  ) {}

  run(statements: readonly Statement[]): void {
    for (const statement of statements) this.#statement(statement);
  }

  /** A field or derived value as a signed number or two unsigned words. */
  field(name: string): bigint {
    const value = this.row.derive?.[name]?.(this.fields) ?? this.fields[name];
    if (typeof value === "number") return BigInt(value);
    return BigInt(value[1]) << 32n | BigInt(value[0]);
  }

  /** The bits of a value. */
  value(value: Value): bigint {
    return BigInt.asUintN(widthOf(value), this.#compute(value));
  }

  commit(commit: Commit, value: bigint): void {
    const { state } = this;
    switch (commit.k) {
      case "register":
        return this.#writeRegister(commit, value);
      case "part": {
        const n = (this.fields[commit.field] + commit.next) % 32;
        const shift = 8n * this.field(commit.offset);
        const bits = Number(/\d+$/.exec(commit.name)?.[0] ?? 64);
        const mask = (1n << BigInt(bits)) - 1n;
        state.v[n] = state.v[n] & ~(mask << shift) | (value & mask) << shift;
        return;
      }
      case "link":
        state.x[30] = value;
        return;
      case "flag": {
        const { bit, isSet } = FLAGS[commit.flag];
        state.nzcv = isSet(value) ? state.nzcv | bit : state.nzcv & ~bit;
        return;
      }
      case "state":
        if (commit.name === "fpcr" || commit.name === "fpsr") state[commit.name] = value;
        else state.exclusive[exclusivePart(commit.name)] = value;
    }
  }

  #compute(value: Value): bigint {
    const { kind, operands } = value;
    const { state } = this;
    switch (kind.k) {
      case "plain": {
        const values = operands.map((operand) => this.value(operand));
        return plainOperation(kind.name, kind.immediate, values);
      }
      case "constant":
        return kind.value;
      case "select":
        return this.value(operands[this.value(operands[2]) !== 0n ? 0 : 1]);
      case "register":
        return this.#readRegister(kind.file, Number(this.field(kind.field)), kind.next);
      case "part": {
        const register = this.#readRegister("v", this.fields[kind.field], kind.next);
        return loadOperation(kind.name, register >> (8n * this.field(kind.offset)));
      }
      case "field":
        return this.field(kind.name);
      case "pc":
        return state.pc;
      case "flag":
        return FLAGS[kind.flag].from((state.nzcv & FLAGS[kind.flag].bit) !== 0);
      case "state":
        if (kind.name === "fpcr" || kind.name === "fpsr") return state[kind.name];
        if (kind.name === "fpcr-bits") return BigInt(fpcrBits(WITH_HALF));
        return state.exclusive[exclusivePart(kind.name)];
      case "helper":
        return (HELPERS[kind.name] ?? SIMD_HELPERS[kind.name])(
          ...operands.map((operand) => this.value(operand)),
        );
      case "variable":
      case "result": {
        const known = this.#set.get(kind.id);
        if (known === undefined) {
          throw new Error(`${this.row.name}: ${kind.k} read before it is set`);
        }
        return known;
      }
    }
  }

  #readRegister(file: string, n: number, next = 0): bigint {
    const { state } = this;
    if (file === "v") return state.v[(n + next) % 32];
    return n < 31 ? state.x[n] : file === "x" ? 0n : state.sp;
  }

  #writeRegister(commit: Extract<Commit, { k: "register" }>, value: bigint): void {
    const { state } = this;
    const n = Number(this.field(commit.field));
    if (commit.file === "v") state.v[(n + (commit.next ?? 0)) % 32] = value;
    else if (n < 31) state.x[n] = value;
    else if (commit.file !== "x") state.sp = value;
  }

  #statement(statement: Statement): void {
    const { host } = this;
    switch (statement.k) {
      case "load": {
        const { access, results } = statement;
        const address = this.#address(statement.address, access);
        const bits = 8 * access.size;
        const all = host.load(address, access.size * results.length);
        results.forEach((result, i) => {
          const raw = BigInt.asUintN(bits, all >> BigInt(i * bits));
          const value = access.signed ? BigInt.asIntN(bits, raw) : raw;
          this.#assign(result, BigInt.asUintN(widthOf(result), value));
        });
        return;
      }
      case "store": {
        const { access, values } = statement;
        const address = this.#address(statement.address, access);
        const bits = 8 * access.size;
        const all = values.map((value) => BigInt.asUintN(bits, this.value(value)))
          .reduceRight((high, value) => high << BigInt(bits) | value, 0n);
        return host.store(address, access.size * values.length, all);
      }
      case "call-out": {
        const argument = Number(this.value(statement.argument));
        const result = host.callOut(statement.name, argument, this.value(statement.operand));
        return this.#assign(statement.result, result);
      }
      case "cumulative": {
        const { value, flags } = this.#cumulative(statement);
        this.state.fpsr |= flags;
        return this.#assign(statement.result, value);
      }
      case "assign":
        return this.#assign(statement.variable, this.value(statement.value));
      case "when":
        if (this.value(statement.condition) !== 0n) this.run(statement.body);
    }
  }

  /** What a function gives, and the bits of FPSR that it sets. */
  #cumulative({ name, operands }: Extract<Statement, { k: "cumulative" }>): {
    value: bigint;
    flags: bigint;
  } {
    const saturating = SATURATING_HELPERS[name];
    if (saturating) {
      const { value, saturated } = saturating(...operands.map((operand) => this.value(operand)));
      return { value, flags: saturated ? 1n << 27n : 0n };
    }
    const values = operands.map((operand) => {
      const value = this.value(operand);
      return operand.type === "i32" ? BigInt.asIntN(32, value) : value;
    });
    const { value, flags } = evaluateFloat(name, values, this.state.fpcr);
    return { value, flags: BigInt(flags) };
  }

  #address(value: Value, access: Access): bigint {
    const address = this.value(value);
    const bytes = BigInt(access.size * (access.count ?? 1));
    if (access.alignment !== undefined && address % bytes !== 0n) {
      throw new AlignmentFault(`0x${address.toString(16)} is not aligned to ${bytes} bytes`);
    }
    return address;
  }

  #assign({ kind }: Value, value: bigint): void {
    if (kind.k === "variable" || kind.k === "result") this.#set.set(kind.id, value);
  }
}

/** The flags between NZCV and the form that programs use (`Flag` in `ops.ts`). */
const FLAGS = {
  n: { bit: 8, from: (set: boolean) => set ? 1n << 63n : 0n, isSet: isNegative },
  z: { bit: 4, from: (set: boolean) => set ? 0n : 1n, isSet: (value: bigint) => value === 0n },
  c: { bit: 2, from: (set: boolean) => set ? 1n : 0n, isSet: (value: bigint) => value !== 0n },
  v: { bit: 1, from: (set: boolean) => set ? 1n << 63n : 0n, isSet: isNegative },
} as const;

function isNegative(value: bigint): boolean {
  return value >> 63n !== 0n;
}

const WITH_HALF: ReadonlySet<string> = new Set(["FEAT_FP16"]);

function exclusivePart(name: string): "address" | "size" | "low" | "high" {
  return name.slice("exclusive-".length) as "address" | "size" | "low" | "high";
}

function widthOf({ type }: Value): number {
  return type === "v128" ? 128 : type === "i64" || type === "f64" ? 64 : 32;
}
