import type { ValueType } from "../engine/wasm/opcodes.ts";

/**
 * What a row's `execute` says, as data: a small program over values, which is a list of ordered
 * {@linkcode Statement}s (memory accesses, call-outs, control) and a set of *commits* (register,
 * flag and state writes). An engine lowers that program to WebAssembly: the interpreter with
 * fields read from the decoded record, a translator with fields bound to constants.
 *
 * Invariant: commits take effect together, after the last access of the instruction. An access
 * that faults therefore leaves every register as it was, and `x("Rn")` always reads the value from
 * before the instruction, even if it is also written.
 *
 * A value is a node of a pure expression graph. Types are WebAssembly's.
 */

/** A node of the expression graph. */
export interface Value {
  readonly type: ValueType;
  readonly kind: ValueKind;
  readonly operands: readonly Value[];
}

/** What a node stands for. */
export type ValueKind =
  | { readonly k: "plain"; readonly name: string; readonly immediate: number | readonly number[] }
  | { readonly k: "constant"; readonly value: bigint }
  | { readonly k: "select" }
  | {
    readonly k: "register";
    readonly file: RegisterFile;
    readonly field: string;
    /** For vector registers: how many registers further on, modulo 32. */
    readonly next?: number;
  }
  /** Part of a vector register as the WebAssembly load `name` reads it at byte `offset`, a field. */
  | {
    readonly k: "part";
    readonly name: string;
    readonly field: string;
    readonly offset: string;
    readonly next: number;
  }
  | { readonly k: "field"; readonly name: string }
  | { readonly k: "pc" }
  | { readonly k: "flag"; readonly flag: Flag }
  | { readonly k: "state"; readonly name: StateName }
  | { readonly k: "helper"; readonly name: string }
  | { readonly k: "variable"; readonly id: number }
  | { readonly k: "result"; readonly id: number };

/**
 * Which register a five-bit field names: `x` reads 31 as zero and drops writes to it, `xsp` means
 * the stack pointer by 31, `base` is `xsp` as the base of an access (SP alignment is checked), `v`
 * is a vector register.
 */
export type RegisterFile = "x" | "xsp" | "base" | "v";

/**
 * The condition flags as engines keep them. `n` is an i64 whose sign is N, `z` an i64 that is zero
 * exactly if Z is set, `c` an i32 of 0 or 1, `v` an i64 whose sign is V: an addition sets them
 * without a branch and without computing what is not asked for.
 */
export type Flag = "n" | "z" | "c" | "v";

/** Architectural state beside the registers that semantics read and write. All are i64. */
export type StateName =
  | "exclusive-address"
  | "exclusive-size"
  | "exclusive-low"
  | "exclusive-high"
  | "fpcr"
  | "fpcr-bits"
  | "fpsr";

/** How one access is made. */
export interface Access {
  /** Bytes of one element: 1, 2, 4, 8 or 16. */
  readonly size: 1 | 2 | 4 | 8 | 16;
  /** Number of consecutive elements; 1 if left out. */
  readonly count?: number;
  /** For loads: sign-extend to the result's type. */
  readonly signed?: boolean;
  /** For loads: the type of each result; i64 if left out, i32 for sizes up to 4, v128 for 16 (8 and less are zero-extended). */
  readonly type?: "i32" | "i64" | "v128";
  /** Permissions are checked as for EL0 (LDTR, STTR). */
  readonly unprivileged?: boolean;
  /**
   * An unaligned address is an Alignment fault whatever SCTLR.A says, and the whole access of all
   * elements must be aligned. `natural`: exclusives; `ordered`: load-acquire, store-release.
   */
  readonly alignment?: "natural" | "ordered";
  /** For loads: permission to write is needed, too (the load inside STXR). */
  readonly asWrite?: boolean;
  /** For loads: the comparison that a store-exclusive makes, which no watch takes for a read. */
  readonly comparison?: boolean;
  /** The element is two words (LDXP, STXP), which matters to big-endian data. */
  readonly words?: boolean;
  /** i32: log2 of the bytes that SCTLR.A checks the address for, where it is not that of `size`. */
  readonly alignedTo?: Value;
}

/** An ordered effect. */
export type Statement =
  | {
    readonly k: "load";
    readonly id: number;
    readonly address: Value;
    readonly access: Access;
    readonly results: readonly Value[];
  }
  | {
    readonly k: "store";
    readonly address: Value;
    readonly access: Access;
    readonly values: readonly Value[];
  }
  | {
    readonly k: "call-out";
    readonly name: CallOut;
    readonly argument: Value;
    readonly operand: Value;
    readonly result: Value;
  }
  | {
    readonly k: "cumulative";
    readonly name: string;
    readonly operands: readonly Value[];
    readonly result: Value;
  }
  | { readonly k: "assign"; readonly variable: Value; readonly value: Value }
  | { readonly k: "when"; readonly condition: Value; readonly body: readonly Statement[] };

/** Work that the machine does in TypeScript. */
export type CallOut =
  | "mrs"
  | "msr"
  | "msr-immediate"
  | "sys"
  | "sysl"
  | "barrier"
  | "hint"
  | "dc-zva"
  | "random"
  | "pointer"
  | "return-address";

/** How the instruction ends, if not by going on to the next one. */
export type Transfer =
  | { readonly k: "relative"; readonly target: string; readonly condition?: Value }
  /** `landing`: PSTATE.BTYPE as it leaves it (FEAT_BTI); none where it leaves 0. */
  | { readonly k: "absolute"; readonly address: Value; readonly landing?: Value }
  | { readonly k: "exception"; readonly cause: ExceptionCause; readonly argument: Value }
  | { readonly k: "eret" };

/** Exceptions that an instruction asks for. */
export type ExceptionCause = "svc" | "hvc" | "smc" | "brk" | "hlt" | "undefined";

/** A write that happens when the instruction completes. */
export type Commit =
  | {
    readonly k: "register";
    readonly file: RegisterFile;
    readonly field: string;
    readonly value: Value;
    /** For vector registers: how many registers further on, modulo 32. */
    readonly next?: number;
  }
  | {
    readonly k: "part";
    /** A WebAssembly store. */
    readonly name: string;
    readonly field: string;
    readonly next: number;
    /** A field: at which byte of the register. */
    readonly offset: string;
    readonly value: Value;
  }
  | { readonly k: "link"; readonly value: Value }
  | { readonly k: "flag"; readonly flag: Flag; readonly value: Value }
  | { readonly k: "state"; readonly name: StateName; readonly value: Value };

/** The condition codes' values of the manual's `ConditionHolds()`. */
export type ConditionCode = number;
