import type { Flag } from "../isa/ops.ts";
import type { CounterReads } from "./counter_reads.ts";
import type {
  Expression,
  FunctionBuilder,
  FunctionReference,
  Label,
  Local,
} from "./wasm/function_builder.ts";
import type { ValueType } from "./wasm/opcodes.ts";

/** What lowered instructions find in the function that they stand in. */

/** What translated code knows of the instruction in hand: its record, and where registers are kept. */
export interface Bound {
  /** The record's content at a byte offset. */
  u16(offset: number): number;
  i32(offset: number): number;
  i64(offset: number): bigint;
  /** The local that stands for the general-purpose register, or SP, with this slot. */
  register(slot: number): Local;
  /** Called behind each write of such a local. */
  wrote(slot: number): void;
  /** The instruction's address. */
  pc(): Expression;
}

/** How the helper functions (`helpers.ts`) are called. */
export interface HelperCalls {
  /** Writes the call of a function whose operands are on the stack. */
  call(f: FunctionBuilder, name: string, parameters: readonly ValueType[], result: ValueType): void;
}

/** Calls of functions that the same module defines or imports. */
export function directCalls(helpers: ReadonlyMap<string, FunctionReference>): HelperCalls {
  return {
    call(f, name) {
      const helper = helpers.get(name);
      if (!helper) throw new Error(`no helper function is named ${name}`);
      f.code.byte(0x10).unsigned(helper.index);
    },
  };
}

/** What the function offers to every instruction in it. */
export interface Frame {
  readonly f: FunctionBuilder;
  readonly record: Local;
  readonly pcBase: Local;
  readonly flags: Readonly<Record<Flag, Local>>;
  readonly helpers: HelperCalls;
  readonly slowLoad: FunctionReference;
  readonly slowStore: FunctionReference;
  /** Address of the mark of address 0 of this memory, where stores are marked (`layout.ts`). */
  readonly storeMarks: number | undefined;
  /** Whether what is written to registers also goes to the results (`layout.ts`). */
  readonly results?: boolean;
  readonly callOut: FunctionReference;
  /** How reads of the counter are answered without a call; left out where they are not. */
  readonly counter?: CounterReads;
  /** Numbers of the call-outs by name. */
  readonly callOuts: Readonly<Record<string, number>>;
  /** Writes what TypeScript must be able to see to the state. */
  spill(): void;
  /** Taken with the record unchanged when an access faulted. */
  readonly dataFault: Label;
  /** Taken with scratch filled in when SP is misaligned. */
  readonly spFault: Label;
  /** Taken when a call-out answered {@linkcode ANSWER.exception}. */
  readonly callOutException: Label;
  /** i32: set when a call-out answered {@linkcode ANSWER.leave}. */
  readonly leaving: Local;
  readonly temporaries: Temporaries;
  /** The address of the data lookup cache, where a local has it. */
  readonly dataLookup?: Local;
  /** Only in translated code. */
  readonly bound?: Bound;
}

/** Locals that handlers reuse, since only one handler runs at a time. */
export class Temporaries {
  readonly #locals = new Map<ValueType, Local[]>();
  readonly #used = new Map<ValueType, number>();

  constructor(readonly f: FunctionBuilder) {}

  /** Makes all of them free again. */
  reset(): void {
    this.#used.clear();
  }

  /** One that no earlier caller since {@linkcode reset} has. */
  take(type: ValueType): Local {
    const n = this.#used.get(type) ?? 0;
    this.#used.set(type, n + 1);
    const locals = this.#locals.get(type) ?? [];
    this.#locals.set(type, locals);
    return locals[n] ??= this.f.local(type);
  }
}
