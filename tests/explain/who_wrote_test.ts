import { assert, assertEquals, assertThrows } from "@std/assert";
import { buildKernel } from "../../kernel/build.ts";
import { readTarget, TargetError } from "../../replay/queries/who_wrote_target.ts";
import { littleEndian, whoWrote } from "../../replay/queries/who_wrote.ts";
import { effectsOf } from "../../replay/queries/writers_effects.ts";
import { executedBackwards } from "../../replay/queries/writers_instruction.ts";
import { lastWriters, writesBefore } from "../../replay/queries/writers.ts";
import { Session } from "../../replay/session.ts";
import { Symbolizer } from "../../replay/symbolizer.ts";
import type { Trace } from "../../trace/mod.ts";
import { buildGuest, hasToolchain } from "../guests/toolchain.ts";
import { recordGuest } from "./record_guest.ts";

const kernel = recordGuest(buildKernel({ bug: "pxn" }).elf, { windowSteps: 1 << 15 });

/** Positions at which a byte of memory changed, found by executing step by step. */
function changes(trace: Trace, address: number, from: number, to: number): number[] {
  const session = new Session(trace);
  session.seek(from);
  const found: number[] = [];
  let before = session.machine.memory.read(address, 8).slice();
  for (let position = from; position < to; position++) {
    session.seek(position + 1);
    const now = session.machine.memory.read(address, 8);
    if (now.some((byte, i) => byte !== before[i])) {
      found.push(position);
      before = now.slice();
    }
  }
  return found;
}

Deno.test("writesBefore() finds what a step-by-step scan finds", () => {
  const session = new Session(kernel);
  const fault = kernel.footer!.detail.firstFault as number;
  session.seek(fault);
  const { sp } = session.state().cpus[0];
  const to = fault, from = fault - 3000;
  for (let offset = -96n; offset < 32n; offset += 16n) {
    const address = Number(sp + offset);
    const range = { address, length: 8 };
    const writes = [...writesBefore(session, range, to, 10_000)]
      .filter(({ position, pc, old, bytes }) =>
        pc !== null && position >= from && old.some((byte, i) => byte !== bytes[i])
      );
    assertEquals(
      writes.map(({ position }) => position).reverse(),
      changes(kernel, address, from, to),
    );
  }
});

Deno.test("lastWriters() gives each byte what memory holds at the position", () => {
  const session = new Session(kernel);
  const root = [...kernel.events({ kinds: new Set(["sysreg"]) })]
    .find((event) => event.kind === "sysreg" && event.register === "TTBR0_EL1");
  assert(root?.kind === "sysreg");
  const range = { address: Number(root.new), length: 64 };
  const writers = lastWriters(session, range, root.position);
  session.seek(root.position);
  const memory = session.machine.memory.read(range.address, range.length);
  writers.forEach((write, i) => {
    assertEquals(write.bytes[range.address + i - write.address], memory[i]);
  });
});

Deno.test("whoWrote() finds writers of registers by executing backwards", () => {
  const session = new Session(kernel);
  const at = kernel.end - 1000;
  for (const name of ["x0", "x9", "x19", "x29", "x30", "sp"]) {
    const [write] = whoWrote(session, { kind: "register", name }, { before: at });
    session.seek(at);
    const [cpu] = session.state().cpus;
    assertEquals(write.new, name === "sp" ? cpu.sp : cpu.x[Number(name.slice(1))], name);
    session.seek(write.position);
    assertEquals(session.pc, write.pc);
  }
});

Deno.test("whoWrote() finds system registers by MSR, exception and reset", () => {
  const session = new Session(kernel);
  const last = (name: string, before: number) =>
    [...whoWrote(session, { kind: "system", name }, { before })][0];
  const vbar = last("VBAR_EL1", kernel.end);
  assertEquals([vbar.by, vbar.old, vbar.new! & 0x7ffn], ["msr", 0n, 0n]);
  assertEquals(last("VBAR_EL1", vbar.position).by, "reset");
  const esr = last("ESR_EL1", kernel.end);
  assertEquals([esr.by, esr.new! >> 26n], ["exception", 0x21n]);
});

Deno.test("executedBackwards() is executed() in reverse", () => {
  const forwards = [...kernel.executed(60_000, 70_000)].map(({ position, pc }) => ({
    position,
    pc,
  }));
  const backwards: typeof forwards = [];
  for (const { position, pc } of executedBackwards(kernel, 70_000)) {
    if (position < 60_000) break;
    backwards.push({ position, pc });
  }
  assertEquals(backwards.reverse(), forwards);
});

Deno.test("effectsOf() knows pairs, moves, write-back and exclusives", () => {
  const written = (word: number) => [...effectsOf(word).writes.keys()].sort();
  assertEquals(written(0xa8c17bfd), ["sp", "x29", "x30"]); // ldp x29, x30, [sp], #16
  assertEquals(written(0x94000001), ["x30"]); // bl
  assertEquals(effectsOf(0xaa0103e0).writes.get("x0"), { kind: "register", register: "x1" });
  assertEquals(effectsOf(0xc8037c41).atomic, true); // stxr w3, x1, [x2]
  assertEquals(effectsOf(0xf8400820).unprivileged, true); // ldtr x0, [x1]
  assertEquals(effectsOf(0).writes.size, 0);
});

Deno.test("readTarget() reads addresses, symbols and registers", () => {
  const session = new Session(kernel);
  const symbols = new Symbolizer(kernel.symbols(), []);
  const read = (text: string) => readTarget(session, symbols, text, { position: kernel.end });
  assertEquals(read("LR"), { kind: "register", name: "x30" });
  assertEquals(read("w7"), { kind: "register", name: "x7" });
  assertEquals(read("q3"), { kind: "register", name: "v3" });
  assertEquals(read("vbar_el1"), { kind: "system", name: "VBAR_EL1" });
  assertEquals(read("0x40100000+16"), {
    kind: "memory",
    range: { address: 0x4010_0000, length: 16 },
  });
  assertEquals(read("pa:0x40100000"), {
    kind: "memory",
    range: { address: 0x4010_0000, length: 1 },
  });
  assertThrows(() => read("nonsense"), TargetError, "Unknown target");
  assertThrows(() => read("0x9000000"), TargetError, "no RAM");
  assertThrows(() => read("0xffff000000000000"), TargetError, "is not mapped");
});

Deno.test({
  name: "whoWrote() follows copied bytes to what wrote them first",
  ignore: !hasToolchain(),
  async fn() {
    const image = await buildGuest({
      source: "../explain/guests/copies.c",
      kind: "elf",
      level: "-O1",
      base: 0x4008_0000,
      defines: [],
      flags: [],
      relocates: false,
      bare: true,
    });
    const trace = recordGuest(image);
    const symbols = new Symbolizer(trace.symbols(), []);
    const session = new Session(trace);
    const target = readTarget(session, symbols, "last+1", { position: trace.end });
    assert(target.kind === "memory");
    const options = { before: trace.end, limit: 10, throughCopies: true };
    const chain = [...whoWrote(session, target, options)];
    const names = chain.map(({ pc }) => pc === null ? null : symbols.symbol(pc)?.name);
    assertEquals(names.slice(0, 3), ["copy_words", "copy_bytes", "make"]);
    assertEquals(chain[2].new, 0x1122334455667788n);
    const [lock] = whoWrote(
      session,
      readTarget(session, symbols, "lock", { position: trace.end }),
      { before: trace.end },
    );
    assertEquals([lock.by, lock.new], ["atomic", 5n]);
    assertEquals(littleEndian(new Uint8Array([1, 2])), 0x201n);
  },
});
