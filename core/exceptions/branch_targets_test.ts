import { assertEquals } from "@std/assert";
import { misplacedLanding } from "./branch_targets.ts";
import { CpuState, SLOT } from "../state.ts";

/** What may be landed on: by BTYPE 1, 2 and 3, and by 3 with SCTLR_ELx.BT. */
const LANDINGS: readonly (readonly [text: string, word: number, allowed: string])[] = [
  ["bti", 0xd503_241f, "----"],
  ["bti c", 0xd503_245f, "12--"],
  ["bti j", 0xd503_249f, "1-33"],
  ["bti jc", 0xd503_24df, "1233"],
  ["paciasp", 0xd503_233f, "123-"],
  ["pacibsp", 0xd503_237f, "123-"],
  ["autiasp", 0xd503_23bf, "----"],
  ["nop", 0xd503_201f, "----"],
  ["brk #1", 0xd420_0020, "1233"],
  ["hlt #1", 0xd440_0020, "1233"],
  ["svc #1", 0xd400_0021, "----"],
];

Deno.test("misplacedLanding() lets BR and BLR land where the manual's table does", () => {
  const state = new CpuState(new ArrayBuffer(SLOT.end));
  state.set32(SLOT.el, 1);
  state.set32(SLOT.guarded, 1);
  for (const [text, word, allowed] of LANDINGS) {
    const found = [[1, 0n], [2, 0n], [3, 0n], [3, 1n << 36n]].map(([btype, control]) => {
      state.btype = Number(btype);
      return misplacedLanding(state, BigInt(control), () => word) === 0 ? btype : "-";
    });
    assertEquals([text, found.join("")], [text, allowed]);
  }
});

Deno.test("misplacedLanding() asks nothing of pages that are not guarded", () => {
  const state = new CpuState(new ArrayBuffer(SLOT.end));
  state.btype = 3;
  assertEquals(misplacedLanding(state, 0n, () => 0), 0);
});

Deno.test("CpuState.btype is in force until an instruction was executed or a run has ended", () => {
  const state = new CpuState(new ArrayBuffer(SLOT.end));
  state.btype = 2;
  assertEquals(state.pstate >> 10n & 3n, 2n);
  state.set32(SLOT.record, 16);
  assertEquals(state.btype, 0);
  state.set32(SLOT.runStart, 16);
  state.set32(SLOT.budget, -1);
  assertEquals(state.btype, 0);
});
