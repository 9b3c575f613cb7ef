import { assertEquals, assertThrows } from "@std/assert";
import { Ops } from "../../isa/ops.ts";
import { SLOT } from "../../state.ts";
import type { Handler } from "../handlers.ts";
import { ModuleBuilder } from "../wasm/module_builder.ts";
import type { Block } from "./region.ts";
import { RegionRegisters } from "./region_registers.ts";

/** A block of one instruction, `ADD Xd, Xn, Xm`, with these slots in its record. */
function surveyed(d: number, n: number, m: number): RegionRegisters {
  const ops = new Ops();
  ops.setX("Rd", ops.add(ops.x("Rn", 1), ops.x("Rm", 1)));
  const memory = new ArrayBuffer(64);
  new Uint16Array(memory).set([0, d, n, m], 8);
  const { body } = new ModuleBuilder().function([], "");
  const registers = new RegionRegisters(body, {
    memory,
    handlerOf: () => ({ row: {}, spBase: false }) as Handler,
    programOf: () => ops,
    fieldsOf: () => [
      { name: "Rd>", offset: 2, as: "x" },
      { name: "Rn", offset: 4, as: "x" },
      { name: "Rm", offset: 6, as: "x" },
    ],
  });
  const block: Block = {
    start: 16,
    straight: [16],
    branch: undefined,
    end: 32,
    taken: undefined,
    next: undefined,
    after: undefined,
    crosses: false,
  };
  registers.survey(block);
  return registers;
}

Deno.test("survey() gives each register that a block names one local", () => {
  const registers = surveyed(SLOT.x, SLOT.x + 8, SLOT.x + 8);
  assertEquals(registers.usesFp, false);
  assertEquals(registers.local(SLOT.x + 8), registers.local(SLOT.x + 8));
  assertThrows(() => registers.local(SLOT.x + 16), Error, "not surveyed");
});

Deno.test("survey() leaves out what register 31 stands for", () => {
  const registers = surveyed(SLOT.sink, SLOT.zero, SLOT.x);
  assertThrows(() => registers.local(SLOT.sink));
  assertThrows(() => registers.local(SLOT.zero));
  const before = registers.f.code.length;
  registers.save();
  assertEquals(registers.f.code.length, before, "nothing of it is written back");
});
