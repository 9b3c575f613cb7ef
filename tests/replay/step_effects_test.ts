import { assert, assertEquals } from "@std/assert";
import { disassemble } from "../../core/isa/disassemble.ts";
import { stepEffects } from "../../replay/queries/step_effects.ts";
import { Session } from "../../replay/session.ts";
import type { SavedCpu } from "../../core/machine_state.ts";
import { AGENTS, BUSY } from "./assembly.ts";
import { momentOf, record } from "./recordings.ts";

/** Registers by the names that effects have. */
function registersOf({ x, sp, pstate, system }: SavedCpu): Map<string, bigint> {
  return new Map([
    ...x.map((value, n): [string, bigint] => [`x${n}`, value]),
    ["sp", sp],
    ["nzcv", pstate >> 28n],
    ...Object.entries(system).filter(([name]) => !name.startsWith("SP_")),
  ]);
}

Deno.test("stepEffects() gives the registers that differ between two steps", () => {
  const trace = record(BUSY.image, { limit: 3000 });
  const effects = stepEffects(new Session(trace), 0, 3000);
  const session = new Session(trace);
  let before = registersOf(session.state().cpus[0]);
  for (const [position, { registers }] of effects.entries()) {
    session.seek(position + 1);
    const now = registersOf(session.state().cpus[0]);
    const changed = [...now].filter(([name, value]) => before.get(name) !== value);
    const found = registers.filter(({ name }) => !name.startsWith("SP_"))
      .map(({ name, value }): [string, bigint] => [name, value]);
    assertEquals(new Map(found), new Map(changed), `#${position}`);
    before = now;
  }
});

Deno.test("stepEffects() gives each access with what it read, wrote and replaced", () => {
  const trace = record(AGENTS.image);
  const effects = stepEffects(new Session(trace), 0, trace.end);
  const at = (label: string) => {
    const pc = BigInt(AGENTS.labels.get(label)!);
    const { position } = [...trace.executed()].find((step) => step.pc === pc)!;
    return effects[position].memory.map(({ by, write, va, address, size, value, old }) => [
      ...[write ? "write" : "read", by, size, address.toString(16)],
      ...[va?.toString(16), value, old],
    ]);
  };
  assertEquals(at("zero"), [["write", "dc-zva", 64, "40100000", "40100000", 0n, 0n]]);
  assertEquals(at("alias"), [["write", "instruction", 4, "40100004", "80100004", 0x1111n, 0n]]);
  const both = 0x1111_0000_0000n;
  assertEquals(at("load"), [["read", "instruction", 8, "40100000", "40100000", both, null]]);
  assertEquals(at("failed"), []);
  assertEquals(at("pair"), [
    ["write", "instruction", 8, "40100ff8", "40100ff8", 0x1111n, 0n],
    ["write", "instruction", 8, "40101000", "40101000", both, 0n],
  ]);
  assertEquals(at("crossing").map(([, , size, address]) => [size, address]), [
    [4, "40100ffc"],
    [4, "40101000"],
  ]);
});

Deno.test("stepEffects() leaves the session as a seek does", () => {
  const trace = record(BUSY.image, { limit: 3000, windowSteps: 700 });
  const pages = trace.pageAddresses(trace.windows.length - 1);
  const [one, other] = [new Session(trace), new Session(trace)];
  stepEffects(one, 1000, 2500);
  other.seek(2500);
  assertEquals(momentOf(one.machine, pages), momentOf(other.machine, pages));
  one.seek(300);
  other.seek(300);
  assertEquals(momentOf(one.machine, pages), momentOf(other.machine, pages));
});

Deno.test("stepEffects() has device accesses", () => {
  const trace = record(BUSY.image, { limit: 100 });
  const effects = stepEffects(new Session(trace), 0, 100);
  const stores = [...trace.executed(0, 100)].filter(({ word, pc }) =>
    /^str w2, \[x1\]/.test(disassemble(word, pc))
  );
  const [first] = effects[stores[0].position].memory;
  assert(first.write);
  assertEquals([first.address, first.size, first.value, first.old], [0x800_0000, 4, 1n, null]);
});
