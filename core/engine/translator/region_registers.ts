import { SLOT } from "../../state.ts";
import type { Ops } from "../../isa/ops.ts";
import type { Handler } from "../handlers.ts";
import type { RecordField } from "../record_layout.ts";
import { type FunctionBuilder, i32, load, type Local } from "../wasm/function_builder.ts";
import type { Block } from "./region.ts";

const LINK = SLOT.x + 8 * 30;

/** What is known of the instructions of a region. */
export interface RegionCode {
  readonly memory: ArrayBufferLike;
  handlerOf(record: number): Handler;
  programOf(handler: Handler): Ops;
  fieldsOf(handler: Handler): readonly RecordField[];
}

/**
 * The general-purpose registers that a region uses, SP included, as locals of its function; vector
 * registers stay in the processor state.
 */
export class RegionRegisters {
  /** Whether an instruction is one of those that FP traps stop. */
  usesFp = false;
  readonly #locals = new Map<number, Local>();
  readonly #written = new Set<number>();
  readonly #u16: Uint16Array;

  constructor(readonly f: FunctionBuilder, readonly code: RegionCode) {
    this.#u16 = new Uint16Array(code.memory);
  }

  /** Notes what a block uses. */
  survey({ straight, branch }: Block): void {
    const { code } = this;
    for (const record of branch === undefined ? straight : [...straight, branch]) {
      const handler = code.handlerOf(record);
      if (handler.row.fp) this.usesFp = true;
      const ops = code.programOf(handler);
      for (const field of code.fieldsOf(handler)) this.#surveyField(record, field, ops);
      if (ops.commits.some(({ k }) => k === "link")) {
        this.#take(LINK);
        this.#written.add(LINK);
      }
      if (handler.spBase || ops.anyBaseField) this.#take(SLOT.sp);
    }
  }

  /** The local of the register with this slot. */
  local(slot: number): Local {
    const local = this.#locals.get(slot);
    if (!local) throw new Error(`register slot ${slot} was not surveyed`);
    return local;
  }

  /** Takes all of them from the processor state. */
  restore(): void {
    for (const [slot, local] of this.#locals) this.f.set(local, load("i64.load", i32(0), slot));
  }

  /** Writes those back that the region writes. */
  save(): void {
    for (const slot of this.#written) this.saveOne(slot);
  }

  /** Writes one back. */
  saveOne(slot: number): void {
    this.f.store("i64.store", i32(0), this.local(slot), slot);
  }

  #surveyField(record: number, { name, offset, as }: RecordField, ops: Ops): void {
    if (as !== "x" && as !== "xsp") return;
    const slot = this.#u16[(record + offset) >> 1];
    if (slot !== SLOT.zero && slot !== SLOT.sink) this.#take(slot);
    const written = ops.commits.some((commit) =>
      commit.k === "register" &&
      (commit.file === "x"
        ? `${commit.field}>` === name && as === "x"
        : commit.file !== "v" && commit.field === name && as === "xsp")
    );
    if (written && slot !== SLOT.sink) this.#written.add(slot);
  }

  #take(slot: number): void {
    if (!this.#locals.has(slot)) this.#locals.set(slot, this.f.local("i64"));
  }
}
