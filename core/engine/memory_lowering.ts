import { SLOT } from "../state.ts";
import type { Access, Statement, Value } from "../isa/ops.ts";
import type { Frame } from "./frame.ts";
import { LAYOUT } from "./layout.ts";
import { ACCESS } from "./reasons.ts";
import {
  type Expression,
  type FunctionBuilder,
  type FunctionReference,
  i32,
  i64,
  load,
  type Local,
  op,
} from "./wasm/function_builder.ts";
import { instruction, type ValueType } from "./wasm/opcodes.ts";

/** The values of the program in hand, as `Lowering` keeps them. */
export interface LoweredValues {
  /** A value as an expression. */
  expression(value: Value): Expression;
  /** A value computed now. */
  materialize(value: Value): Expression;
  /** The same, in a local of this type. */
  local(value: Value, type: ValueType): Local;
  /** The value is in a local from here on. */
  keep(value: Value, local: Local): void;
  /** Where the record has a field of 32 bits. */
  field(name: string): number;
}

/**
 * Lowers loads and stores: the page is looked up in line, and what misses goes to a function of its
 * own (`slow_access.ts`).
 */
export class MemoryLowering {
  readonly #frame: Frame;
  readonly #f: FunctionBuilder;

  constructor(frame: Frame, readonly values: LoweredValues) {
    this.#frame = frame;
    this.#f = frame.f;
  }

  /** Emits a load; its results are locals from here on. */
  load({ address, access, results }: Extract<Statement, { k: "load" }>): void {
    const f = this.#f;
    const va = this.values.local(address, "i64");
    const locals = results.map((result) => {
      const local = this.#frame.temporaries.take(result.type);
      this.values.keep(result, local);
      return local;
    });
    if (access.alignedTo) this.values.local(access.alignedTo, "i32");
    const entry = this.#lookup(va, access);
    f.if(this.#mayLoad(va, entry, access), () => {
      const host = this.#host(va, entry);
      locals.forEach((local, i) =>
        f.set(local, load(loadName(access, local.type), host, i * access.size))
      );
    }, () => {
      this.#frame.spill();
      locals.forEach((local, i) => {
        this.#slow(this.#frame.slowLoad, va, access, i, 0);
        f.set(local, load(loadName(access, local.type), i32(SLOT.scratch), i * 16));
      });
    }, "mostly");
  }

  /** Emits a store. */
  store({ address, access, values }: Extract<Statement, { k: "store" }>): void {
    const f = this.#f;
    const va = this.values.local(address, "i64");
    const sources = values.map((value) => this.values.materialize(value));
    if (access.alignedTo) this.values.local(access.alignedTo, "i32");
    const entry = this.#lookup(va, access);
    f.block((done) => {
      f.block((slow) => {
        f.if(
          op("i32.eqz", this.#hit(va, entry, access, 8)),
          () => {
            f.branchIf(slow, op("i32.eqz", this.#hit(va, entry, access, 24)), "rarely");
            f.branchIf(slow, decodedWords(va, entry, access.size * values.length), "rarely");
          },
        );
        const host = this.#host(va, entry);
        sources.forEach((source, i) =>
          f.store(storeName(access, source.type), host, source, i * access.size)
        );
        const { storeMarks } = this.#frame;
        if (storeMarks !== undefined) markStore(f, host, access.size * values.length, storeMarks);
        f.branch(done);
      });
      this.#frame.spill();
      sources.forEach((source, i) => {
        f.store(storeName(access, source.type), i32(SLOT.scratch), source, i * 16);
        this.#slow(this.#frame.slowStore, va, access, i, ACCESS.write);
      });
    });
  }

  /** Emits DC ZVA; `slow` where a page is not in the lookup cache, or holds code, or it is trapped. */
  zeroBlock(address: Value, slow: () => void): void {
    const f = this.#f;
    const va = this.values.local(address, "i64");
    const entry = this.#lookup(va, { size: 1 });
    const tag = op("i64.eq", op("i64.and", va, i64(~0xfffn)), load("i64.load", entry, 8));
    const normal = op("i32.and", load("i32.load", entry, 20), i32(1));
    const open = op("i32.and", normal, load("i32.load", i32(0), SLOT.zeroBlocks));
    f.if(
      op("i32.and", tag, open),
      () => {
        const host = this.#host(va, entry);
        f.set(host, op("i32.and", host, i32(-64)));
        for (let at = 0; at < 64; at += 8) f.store("i64.store", host, i64(0n), at);
        const { storeMarks } = this.#frame;
        if (storeMarks !== undefined) markStore(f, host, 64, storeMarks);
      },
      slow,
      "mostly",
    );
  }

  #mayLoad(va: Local, entry: Local, access: Access): Expression {
    if (!access.asWrite) return this.#hit(va, entry, access, 0);
    const beside = this.#hit(va, entry, access, 24);
    return op("i32.or", this.#hit(va, entry, access, 8), beside);
  }

  /** One element through the slow path; 16 bytes go as two halves. */
  #slow(target: FunctionReference, va: Local, access: Access, element: number, bits: number): void {
    const halves = access.size === 16 ? 2 : 1;
    const size = access.size / halves;
    const total = access.size * (access.count ?? 1);
    let kind = bits | Math.log2(size);
    if (access.unprivileged) kind |= ACCESS.unprivileged;
    if (access.asWrite) kind |= ACCESS.asWrite;
    if (access.comparison) kind |= ACCESS.comparison;
    if (access.words) kind |= ACCESS.words;
    if (access.alignment === "natural") kind |= ACCESS.natural;
    if (access.alignment === "ordered") kind |= ACCESS.ordered;
    const { alignedTo } = access;
    if (!alignedTo) kind |= Math.log2(access.alignment ? total : access.size) << ACCESS.alignShift;
    for (let half = 0; half < halves; half++) {
      const offset = element * access.size + half * size;
      const at = offset === 0 ? va : op("i64.add", va, i64(BigInt(offset)));
      const where = (element * 16 + half * 8) << ACCESS.scratchShift;
      at.emit(this.#f);
      i32(kind | where).emit(this.#f);
      if (alignedTo) {
        const bits = op("i32.shl", this.values.expression(alignedTo), i32(ACCESS.alignShift));
        bits.emit(this.#f);
        this.#f.plain("i32.or");
      }
      this.#f.code.byte(0x10).unsigned(target.index);
      this.#f.code.byte(0x0d).unsigned(this.#f.depth - this.#frame.dataFault.depth);
    }
  }

  #lookup(va: Local, access: Access): Local {
    const entry = this.#frame.temporaries.take("i32");
    // The page's number modulo the entries, by 32.
    const index = op(
      "i32.and",
      op("i32.shr_u", op("i32.wrap_i64", va), i32(7)),
      i32((LAYOUT.dataLookupEntries - 1) << 5),
    );
    const base = access.unprivileged
      ? load("i32.load", i32(0), SLOT.dataLookupEl0)
      : this.#frame.dataLookup ?? load("i32.load", i32(0), SLOT.dataLookup);
    this.#f.set(entry, op("i32.add", index, base));
    return entry;
  }

  /** Tag comparison: same page to the last byte, and aligned; everything else is the slow path's. */
  #hit(va: Local, entry: Local, access: Access, tag: number): Expression {
    const total = access.size * (access.count ?? 1);
    const aligned = access.alignment ? total : access.size;
    const last = total - aligned;
    const end = last === 0 ? va : op("i64.add", va, i64(BigInt(last)));
    const masked = op("i64.and", end, i64(~0xfffn | BigInt(aligned - 1)));
    return op("i64.eq", masked, load("i64.load", entry, tag));
  }

  #host(va: Local, entry: Local): Local {
    const host = this.#frame.temporaries.take("i32");
    this.#f.set(host, op("i32.add", op("i32.wrap_i64", va), load("i32.load", entry, 16)));
    return host;
  }
}

/**
 * Non-zero if a store to a page that holds code, aligned to words or within one, hits decoded words;
 * a store of other lengths than powers of two may get it for words behind it.
 */
function decodedWords(va: Local, entry: Local, bytes: number): Expression {
  const word = op("i32.and", op("i32.shr_u", op("i32.wrap_i64", va), i32(2)), i32(0x3ff));
  const first = op("i32.and", load("i32.load", entry, 20), i32(~1));
  const at = op("i32.add", word, first);
  if (bytes <= 4) return load("i32.load8_u", at);
  if (bytes <= 8) return load("i32.load16_u", at);
  if (bytes <= 16) return load("i32.load", at);
  const eight = load("i64.load", at);
  return op("i64.ne", bytes <= 32 ? eight : op("i64.or", eight, load("i64.load", at, 8)), i64(0n));
}

function loadName(access: Access, type: ValueType): string {
  const bits = access.size * 8;
  if (type === "v128") {
    return bits === 128 ? "v128.load" : `v128.load${bits}_zero`;
  }
  const full = type === "i32" ? 32 : 64;
  return bits === full ? `${type}.load` : `${type}.load${bits}_${access.signed ? "s" : "u"}`;
}

/** Marks the 8-byte units that `bytes` bytes at `host` lie in. */
export function markStore(
  f: FunctionBuilder,
  host: Expression,
  bytes: number,
  storeMarks: number,
): void {
  const mark = (offset: number) => {
    const address = offset === 0 ? host : op("i32.add", host, i32(offset));
    f.store("i32.store8", op("i32.shr_u", address, i32(3)), i32(1), storeMarks);
  };
  for (let offset = 0; offset < bytes; offset += 8) mark(offset);
  if (bytes > 1) mark(bytes - 1);
}

function storeName(access: Access, type: ValueType): string {
  const bits = access.size * 8;
  if (type === "v128") {
    if (bits !== 128) throw new Error("a v128 is stored as 16 bytes");
    return "v128.store";
  }
  const full = type === "i32" ? 32 : 64;
  const name = bits === full ? `${type}.store` : `${type}.store${bits}`;
  instruction(name);
  return name;
}
