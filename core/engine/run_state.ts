import { SLOT } from "../state.ts";
import { FLOW_RING, LAYOUT } from "./layout.ts";
import {
  type Expression,
  type FunctionBuilder,
  i32,
  i64,
  load,
  type Local,
  op,
} from "./wasm/function_builder.ts";

/**
 * Where execution stands, in locals of generated code: the record in hand, the run that it is of,
 * what is left of the budget, the flow ring, and NZCV (`isa/program.ts`, `Flag`).
 */
export class RunState {
  readonly record: Local;
  readonly runStart: Local;
  readonly budget: Local;
  readonly ring: Local;
  readonly pcBase: Local;
  readonly flags: Readonly<Record<"n" | "z" | "c" | "v", Local>>;

  /** @param flow whether runs go to the ring */
  constructor(readonly f: FunctionBuilder, readonly flow: boolean) {
    this.record = f.local("i32");
    this.runStart = f.local("i32");
    this.budget = f.local("i32");
    this.ring = f.local("i32");
    const c = f.local("i32");
    this.pcBase = f.local("i64");
    this.flags = { n: f.local("i64"), z: f.local("i64"), c, v: f.local("i64") };
  }

  /** Takes all of it from the processor state. */
  restore(): void {
    const { f, flags } = this;
    const word = (local: Local, slot: number) => f.set(local, load("i32.load", i32(0), slot));
    const wide = (local: Local, slot: number) => f.set(local, load("i64.load", i32(0), slot));
    word(this.record, SLOT.record);
    word(this.runStart, SLOT.runStart);
    word(this.budget, SLOT.budget);
    word(this.ring, SLOT.ring);
    wide(this.pcBase, SLOT.pcBase);
    wide(flags.n, SLOT.flagN);
    wide(flags.z, SLOT.flagZ);
    word(flags.c, SLOT.flagC);
    wide(flags.v, SLOT.flagV);
  }

  /** Writes to the processor state what TypeScript must be able to see on the way. */
  spill(): void {
    const { f } = this;
    f.store("i32.store", i32(0), this.record, SLOT.record);
    f.store("i32.store", i32(0), this.runStart, SLOT.runStart);
    f.store("i32.store", i32(0), this.budget, SLOT.budget);
    f.store("i32.store", i32(0), this.ring, SLOT.ring);
    f.store("i64.store", i32(0), this.pcBase, SLOT.pcBase);
  }

  /** Writes all of it back. */
  save(): void {
    const { f, flags } = this;
    this.spill();
    f.store("i64.store", i32(0), flags.n, SLOT.flagN);
    f.store("i64.store", i32(0), flags.z, SLOT.flagZ);
    f.store("i32.store", i32(0), flags.c, SLOT.flagC);
    f.store("i64.store", i32(0), flags.v, SLOT.flagV);
  }

  /**
   * Begins a run at an address in the page of a fetch lookup entry (`layout.ts`), which is entered.
   *
   * @param entry the entry's address
   */
  enterPage(entry: Local, address: Local): void {
    const { f, ring } = this;
    f.set(this.pcBase, load("i64.load", entry, 8));
    const offset = op("i32.and", op("i32.wrap_i64", address), i32(0xffc));
    const start = op("i32.add", load("i32.load", entry, 16), op("i32.shl", offset, i32(2)));
    f.set(this.record, start);
    f.set(this.runStart, this.record);
    if (!this.flow) return;
    f.store("i32.store", ring, i32(0), 0, FLOW_RING.memory);
    f.store("i32.store", ring, load("i32.load", entry, 20), 4, FLOW_RING.memory);
    f.set(ring, op("i32.add", ring, i32(8)));
  }

  /**
   * Takes the run that ends before record `end` off the budget and writes it to the ring.
   *
   * @param maybeEmpty whether there may be no instruction between the run's start and `end`
   */
  complete(end: Local, maybeEmpty: boolean): void {
    const { f, ring, runStart, budget } = this;
    if (this.flow) {
      f.store("i32.store", ring, runStart, 0, FLOW_RING.memory);
      f.store("i32.store", ring, end, 4, FLOW_RING.memory);
      const some = op("i32.shl", op("i32.ne", runStart, end), i32(3));
      f.set(ring, op("i32.add", ring, maybeEmpty ? some : i32(8)));
    }
    const bytes = op("i32.sub", end, runStart);
    f.set(budget, op("i32.sub", budget, op("i32.shr_u", bytes, i32(4))));
  }

  /** Address of the instruction in hand. */
  get pc(): Expression {
    return op("i64.add", this.pcBase, op("i64.extend_i32_u", op("i32.shr_u", this.record, i32(2))));
  }

  /** Whether the budget is spent or the ring's segment is full. */
  get isSpent(): Expression {
    const spent = op("i32.le_s", this.budget, i32(0));
    if (!this.flow) return spent;
    const used = op("i32.and", this.ring, i32(FLOW_RING.segmentBytes - 1));
    return op("i32.or", spent, op("i32.ge_u", used, i32(FLOW_RING.limit)));
  }
}

/** Sets `entry` to the address of the fetch lookup entry for an address; gives whether it is another's. */
export function lookUpPage(f: FunctionBuilder, entry: Local, address: Local): Expression {
  // The page's number modulo the entries, by 32.
  const index = op(
    "i32.and",
    op("i32.shr_u", op("i32.wrap_i64", address), i32(7)),
    i32((LAYOUT.fetchLookupEntries - 1) << 5),
  );
  f.set(entry, op("i32.add", index, load("i32.load", i32(0), SLOT.fetchLookup)));
  const tag = op("i64.and", address, i64(~0xffcn));
  return op("i64.ne", tag, load("i64.load", entry));
}
