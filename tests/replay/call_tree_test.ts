/** The tree of calls of guests whose calls are known. */
import { assertEquals } from "@std/assert";
import { buildKernel } from "../../kernel/mod.ts";
import { callTree, Symbolizer } from "../../replay/mod.ts";
import type { Trace } from "../../trace/mod.ts";
import { BUSY, POWER_OFF, type Program, program } from "./assembly.ts";
import { record } from "./recordings.ts";

/** `way to a function: calls, instructions of its own`, by the names of labels. */
function tree(trace: Trace, { labels }: Program, options = {}): string[] {
  const names = new Map([...labels].map(([name, address]) => [address, name]));
  const paths: string[] = [];
  return callTree(trace, options).all().map(({ id, parent, address, text, calls, self }) => {
    const name = text || names.get(Number(address)) || "boot";
    paths[id] = parent <= 0 ? name : `${paths[parent]} > ${name}`;
    return `${paths[id]}: ${calls}, ${self}`;
  }).slice(1);
}

const CALLS = program(`
start:
  adr x0, =vectors; msr vbar_el1, x0; movz x0, #0x4010, lsl #16; mov sp, x0
  mov x0, #0x2; bl =recursive
  adr x9, =tail; blr x9; bl =leaf
  bl =calls_supervisor
  ${POWER_OFF}
recursive:
  stp x0, x30, [sp, #-16]!
  cbz x0, =bottom
  sub x0, x0, #1; bl =recursive
bottom:
  ldp x0, x30, [sp], #16; ret
tail:
  b =leaf
leaf:
  nop; ret
calls_supervisor:
  svc #0x0; ret
.align 2048
vectors:
  nop
.align 512
  str x30, [sp, #-16]!; bl =leaf; ldr x30, [sp], #16; eret
`);

Deno.test("callTree() knows recursion, calls by register, tail calls, exceptions", () => {
  assertEquals(tree(record(CALLS.image), CALLS), [
    // With the five instructions before it, of the board's stub.
    "boot: 1, 19",
    "boot > recursive: 1, 6",
    "boot > recursive > recursive: 1, 6",
    "boot > recursive > recursive > recursive: 1, 4",
    // The first time nobody has called `leaf` yet: it looks like a part of `tail`.
    "boot > tail: 1, 3",
    "boot > leaf: 1, 2",
    "boot > calls_supervisor: 1, 2",
    "boot > calls_supervisor > SVC: 1, 4",
    "boot > calls_supervisor > SVC > leaf: 1, 2",
  ]);
});

/** Two threads that yield to each other; with `register`, the kernel says which one runs. */
const threads = (register: string) =>
  program(`
start:
  movz x0, #0x4010, lsl #16; mov sp, x0; add x20, x0, #0x1, lsl #12
  adr x1, =second; str x1, [x20, #8]!
  mov x19, #0x3
first:
  bl =yield; sub x19, x19, #1; cbnz x19, =first
  ${POWER_OFF}
second:
  bl =deep; b =second
deep:
  mov x25, x30; bl =yield; mov x30, x25; ret
yield:
  str x30, [sp, #-16]!; mov x2, sp; mov sp, x20; mov x20, x2
  ${register}
  ldr x30, [sp], #16; ret
`);

Deno.test("callTree() keeps threads apart that a register names", () => {
  const guest = threads("msr tpidr_el1, x2");
  assertEquals(tree(record(guest.image), guest), [
    "boot: 1, 24",
    "boot > yield: 3, 21",
    "thread: 1, 5",
    "thread > deep: 3, 10",
    "thread > deep > yield: 3, 21",
  ]);
});

Deno.test("callTree() finds the stack that waits where no register names the thread", () => {
  const guest = threads("nop");
  const [boot, called] = tree(record(guest.image), guest);
  assertEquals([boot, called], ["boot: 1, 24", "boot > yield: 3, 21"]);
});

Deno.test("callTree() is the same whatever the windows, and its parts add up", () => {
  const whole = record(BUSY.image, { limit: 200_000 });
  const cut = record(BUSY.image, { limit: 200_000, windowSteps: 1000 });
  assertEquals(tree(cut, BUSY), tree(whole, BUSY));
  const sum = (options: { from?: number; to?: number }) => callTree(whole, options).all()[0].steps;
  const middle = Math.floor(whole.end / 2) + 1;
  assertEquals(sum({ to: middle }) + sum({ from: middle }), sum({}));
});

Deno.test("callTree() counts what each function of the kernel executes", () => {
  const trace = record(buildKernel().elf);
  const symbols = new Symbolizer(trace.symbols(), trace.lines());
  const expected = new Map<string, number>();
  for (const window of trace.windows.slice(1)) {
    const { table, blocks } = trace.blocks(window.number);
    for (const id of blocks) {
      const name = symbols.symbol(table.pc(id))?.name ?? "?";
      expected.set(name, (expected.get(name) ?? 0) + table.steps(id));
    }
  }
  const found = new Map<string, number>();
  for (const { kind, address, self } of callTree(trace).all()) {
    if (kind === "boot") continue;
    const name = symbols.symbol(address)?.name ?? "?";
    found.set(name, (found.get(name) ?? 0) + self);
  }
  assertEquals(new Map([...found].sort()), new Map([...expected].sort()));
});
