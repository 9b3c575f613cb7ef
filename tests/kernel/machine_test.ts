import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { loadImage } from "../../core/loader/mod.ts";
import { type EndReason, Machine } from "../../core/machine.ts";
import { descriptorBus } from "../../core/memory/memory_access.ts";
import type { ExceptionEvent } from "../../core/observer.ts";
import { buildKernel, type KernelOptions } from "../../kernel/mod.ts";
import { formatWalk, walk } from "../../mmu/mod.ts";
import { CONSOLES } from "./run_kernel.ts";

const MEMORY = 128 << 20;
const MOST_STEPS = 2_000_000;

interface Boot {
  readonly text: string;
  readonly reason: EndReason | null;
  readonly steps: number;
  readonly hazards: string[];
  readonly exceptions: ExceptionEvent[];
  readonly machine: Machine;
}

/** Boots the kernel on our own machine. */
function boot(
  options: KernelOptions,
  strict: boolean,
): Boot {
  const bytes: number[] = [];
  const hazards: string[] = [];
  const exceptions: ExceptionEvent[] = [];
  const machine = new Machine({ memoryBytes: MEMORY, strict });
  machine.observer = {
    event(event) {
      if (event.kind === "console") bytes.push(event.byte);
      if (event.kind === "hazard") hazards.push(event.hazard);
      if (event.kind === "exception") exceptions.push(event);
    },
  };
  machine.boot(loadImage(buildKernel(options).elf, { memory: MEMORY }));
  const reason = machine.run(MOST_STEPS);
  const text = new TextDecoder().decode(new Uint8Array(bytes));
  return { text, reason, steps: machine.position, hazards, exceptions, machine };
}

/** How each kernel ends. */
const ENDS: [name: string, options: KernelOptions, reason: EndReason][] = [
  ["good", {}, "poweroff"],
  ["pxn", { bug: "pxn" }, "loop"],
  ["late-vectors", { bug: "late-vectors" }, "loop"],
  ["block-encoding", { bug: "block-encoding" }, "halted"],
];

for (const [name, options, expected] of ENDS) {
  for (const strict of [false, true]) {
    Deno.test(`Machine prints the ${name} console${strict ? " in strict mode" : ""}`, () => {
      const { text, reason, hazards } = boot(options, strict);
      assertEquals(text, Deno.readTextFileSync(new URL(`${name}.txt`, CONSOLES)));
      assertEquals(reason, expected);
      assertEquals(hazards, []);
    });
  }
}

Deno.test("the boot stays a few hundred thousand instructions long", () => {
  const { steps } = boot({}, false);
  assertEquals(steps > 300_000 && steps < 450_000, true, `${steps} steps`);
});

Deno.test("the pxn kernel aborts behind the write of SCTLR_EL1 and then at its vector", () => {
  const { exceptions } = boot({ bug: "pxn" }, false);
  const { symbols } = buildKernel({ bug: "pxn" });
  const enable = symbols.find(({ name }) => name === "mmu_enable")!;
  const [first, second] = exceptions.map(({ elr }) => Number(elr));
  assert(first > enable.address && first < enable.address + enable.size);
  assertEquals(second, 0x4040_0a00);
  assertEquals(exceptions[0].esr, 0x8600_000fn);
  assertEquals(exceptions[1].esr, 0x8600_000fn);
});

Deno.test("the late-vectors kernel ends in the prefetch-abort loop at 0x200", () => {
  const { exceptions } = boot({ bug: "late-vectors" }, false);
  assertEquals(exceptions[0].esr, 0x8600_000fn);
  for (const { elr, far, esr } of exceptions.slice(1)) {
    assertEquals([elr, far, esr], [0x200n, 0x200n, 0x8600_0006n]);
  }
  assert(exceptions.length > 1);
});

Deno.test("debug_walk prints what formatWalk() prints", () => {
  const { text, machine } = boot({ selfTest: "mapper" }, false);
  const { regime } = machine.processor.translation;
  const { memory, board, spaces } = machine;
  for (const address of [0x4040_0000, 0x4060_0000, 0x200]) {
    const walked = walk(descriptorBus(memory, board.bus, spaces), regime, 0, address);
    assertStringIncludes(text, `${formatWalk(walked, regime, 0, address)}\n`);
  }
});
