import { assertEquals, assertThrows } from "@std/assert";
import { assemble } from "../../core/isa/assemble.ts";
import { AlignmentFault, evaluate, type EvaluatorHost, type EvaluatorState } from "./evaluate.ts";

class Fault extends Error {}

/** Memory that ends at 0x1000: accesses that reach it or more fault. */
function endingMemory(): EvaluatorHost & { stores: number } {
  const check = (address: bigint, bytes: number) => {
    if (address + BigInt(bytes) > 0x1000n) throw new Fault();
  };
  return {
    stores: 0,
    load(address, bytes) {
      check(address, bytes);
      return 0n;
    },
    store(address, bytes) {
      check(address, bytes);
      this.stores++;
    },
    callOut: () => 0n,
  };
}

function freshState(): EvaluatorState {
  return {
    x: Array.from({ length: 31 }, (_, n) => 0xff0n + BigInt(n)),
    v: Array.from({ length: 32 }, (_, n) => BigInt(n)),
    sp: 0xff0n,
    pc: 0x8000n,
    nzcv: 5,
    fpcr: 0n,
    fpsr: 0n,
    exclusive: { address: 0n, size: 0n, low: 0n, high: 0n },
  };
}

Deno.test("an access that faults leaves all registers as they were", () => {
  for (
    const text of [
      "ldr x0, [x0, #16]!",
      "ldr q1, [x1], #16",
      "ldp x1, x2, [x0, #8]!",
      "ldp q1, q2, [x0], #32",
      "ldpsw x1, x2, [x9], #8",
      "stp x1, x2, [sp, #8]!",
      "stp q1, q2, [x0], #32",
      "ldxp x1, x2, [x16]",
      "ldaxr x1, [x16]",
      "ldtr x1, [x9]",
    ]
  ) {
    const state = freshState(), host = endingMemory();
    const before = structuredClone(state);
    assertThrows(() => evaluate(assemble(text), state, host), Fault);
    assertEquals(state, before, text);
    assertEquals(host.stores, 0, text);
  }
});

Deno.test("an exclusive access must be aligned to all its bytes", () => {
  for (
    const text of ["ldxr x1, [x4]", "ldxp w1, w2, [x4]", "ldxp x1, x2, [x8]", "ldaxrh w1, [x1]"]
  ) {
    const state = { ...freshState(), x: Array.from({ length: 31 }, (_, n) => BigInt(n)) };
    assertThrows(() => evaluate(assemble(text), state, endingMemory()), AlignmentFault);
  }
});

Deno.test("a store-exclusive to another address accesses nothing", () => {
  const state = freshState(), host = endingMemory();
  state.x[1] = 0x100n;
  evaluate(assemble("ldxr x2, [x1]"), state, host);
  state.x[1] = 0x1001n;
  evaluate(assemble("stxr w3, x2, [x1]"), state, host);
  assertEquals([state.x[3], state.exclusive.size, host.stores], [1n, 0n, 0]);
});

Deno.test("exceptions name their cause and immediate and leave PC", () => {
  for (
    const [text, cause, argument] of [
      ["svc #0x12", "svc", 0x12],
      ["hvc #0xffff", "hvc", 0xffff],
      ["smc #0", "smc", 0],
      ["brk #0x3e8", "brk", 0x3e8],
      ["hlt #0xf000", "hlt", 0xf000],
      ["dcps1 #1", "undefined", 1],
      ["drps", "undefined", 0],
    ] as const
  ) {
    const state = freshState();
    const outcome = evaluate(assemble(text), state, endingMemory());
    assertEquals(outcome, { k: "exception", cause, argument });
    assertEquals(state.pc, 0x8000n);
  }
  assertEquals(evaluate(assemble("eret"), freshState(), endingMemory()), { k: "eret" });
});
