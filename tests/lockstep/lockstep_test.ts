import { assert, assertEquals } from "@std/assert";
import { BOOT_OPTIONS } from "../../commands/boot_options.ts";
import { parseOptions } from "../../commands/options.ts";
import type { Machine } from "../../core/machine.ts";
import { program } from "../drivers/program.ts";
import { hasQemu } from "../drivers/qemu.ts";
import { QemuLog, WORD } from "./qemu_log.ts";
import { differenceLines } from "./report.ts";
import { type LockstepOptions, type LockstepResult, runLockstep } from "./run.ts";
import { compareSystemRegisters } from "./system_registers.ts";

const POWER_OFF = "ldr x0, =0x84000008 ; hvc #0 ; b .\n";

/** A loop, floating point, a device, exceptions in handlers, and a timer that ends a WFI. */
const GUEST = `
start:  ldr x0, =vectors ; msr vbar_el1, x0 ; mov x0, #0x300000 ; msr cpacr_el1, x0 ; isb
        ldr x1, =0x09000000 ; mov x2, #200 ; adr x3, text
1:      subs x2, x2, #1 ; eor x4, x2, x4, ror #7 ; scvtf d0, x4 ; fadd d1, d1, d0 ; b.ne 1b
        ldr w5, [x3] ; str w5, [x1] ; ldr w6, [x1, #0x18]
        cmp x2, #1 ; svc #1
        ldr x7, =0x123456789abc ; ldr x8, [x7]
        ldr x12, =0x08000000 ; mov x13, #1 ; str w13, [x12] ; mov x13, #0x8000000
        str w13, [x12, #0x100] ; ldr x12, =0x08010000 ; mov x13, #1 ; str w13, [x12]
        mov x13, #0xff ; str w13, [x12, #4]
        mrs x9, cntvct_el0 ; add x9, x9, #50 ; msr cntv_cval_el0, x9 ; mov x9, #1
        msr cntv_ctl_el0, x9
changed: add x10, x10, #1
        wfi ; mrs x11, cntv_ctl_el0
        ${POWER_OFF}
text:   .ascii "A\\n\\n\\n"
        .balign 0x800
vectors: .org vectors + 0x200
        mrs x20, esr_el1 ; mrs x21, spsr_el1 ; mrs x22, nzcv
        lsr x23, x20, #26 ; cmp x23, #0x15 ; b.eq 3f
        mrs x24, elr_el1 ; add x24, x24, #4 ; msr elr_el1, x24
3:      eret
`;

async function lockstep(
  args: readonly string[],
  options: Partial<LockstepOptions> = {},
): Promise<{ result: LockstepResult; options: LockstepOptions }> {
  const { values } = parseOptions(args, BOOT_OPTIONS);
  const every = "block", compare = "registers";
  const whole = { image: undefined, values, every, compare, from: 0, to: Infinity, ...options };
  return { result: await runLockstep(whole as LockstepOptions), options: whole as LockstepOptions };
}

async function withGuest<T>(use: (image: string) => Promise<T>): Promise<T> {
  const image = Deno.makeTempFileSync({ prefix: "unboot-lockstep-" });
  try {
    Deno.writeFileSync(image, guest().elf());
    return await use(image);
  } finally {
    Deno.removeSync(image);
  }
}

function guest(): ReturnType<typeof program> {
  return program(GUEST.replaceAll(/\b(\d)([bf:])/g, (_, n, to) => `L${n}${to === ":" ? ":" : ""}`));
}

for (
  const [every, compare] of [
    ["block", "registers"],
    ["instruction", "vectors"],
    ["instruction", "flow"],
  ] as const
) {
  Deno.test({
    name: `runLockstep() finds no difference by ${every}, comparing ${compare}`,
    ignore: !hasQemu(),
    fn: async () => {
      await withGuest(async (image) => {
        const { result } = await lockstep([], { image, every, compare });
        assertEquals(result.difference, null);
        assertEquals(result.end, "poweroff");
        assert(result.to > 1000 && result.entries > (every === "block" ? 200 : 1000));
      });
    },
  });
}

Deno.test({
  name: "runLockstep() names the instruction that was changed on one side",
  ignore: !hasQemu(),
  fn: async () => {
    await withGuest(async (image) => {
      const at = guest().address("changed");
      // add x10, x10, #2 in place of #1
      const tamper = (machine: Machine) =>
        machine.access.store(at, new Uint8Array(Uint32Array.of(0x9100094a).buffer));
      for (const every of ["block", "instruction"] as const) {
        const { result } = await lockstep([], { image, every, tamper });
        assertEquals(result.difference?.registers, [{ name: "x10", ours: 2n, reference: 1n }]);
        const lines = differenceLines(result, null);
        assert(lines.some((line) => line.endsWith(`0x${at.toString(16)}  add x10, x10, #0x2`)));
      }
    });
  },
});

Deno.test({
  name: "runLockstep() finds memory that was changed on one side, and where flow parts",
  ignore: !hasQemu(),
  fn: async () => {
    await withGuest(async (image) => {
      const at = guest().address("text");
      const tamper = (machine: Machine) => machine.access.store(at, Uint8Array.of(0x42));
      const { result } = await lockstep([], { image, tamper });
      const names = result.difference?.registers.map(({ name }) => name);
      assertEquals(names, ["x5"]);
      const vector = guest().address("vectors") + 0x200;
      const undefine = (machine: Machine) =>
        machine.access.store(guest().address("changed"), new Uint8Array(4));
      const parted = await lockstep([], { image, tamper: undefine, compare: "flow" });
      assertEquals(parted.result.difference?.pc, BigInt(vector));
      assertEquals(parted.result.difference?.referencePc, BigInt(guest().address("changed") + 4));
    });
  },
});

Deno.test({
  name: "compareSystemRegisters() names those that differ",
  ignore: !hasQemu(),
  fn: async () => {
    await withGuest(async (image) => {
      const at = guest().address("start") + 4;
      // msr tpidr_el1, x0 in place of vbar_el1
      const tamper = (machine: Machine) =>
        machine.access.store(at, new Uint8Array(Uint32Array.of(0xd518d080).buffer));
      const { result, options } = await lockstep([], { image, tamper });
      const found = await compareSystemRegisters(options, result);
      const vectors = BigInt(guest().address("vectors"));
      assert(found?.some((one) => one.name === "VBAR_EL1" && one.reference === vectors));
      assert(found?.some((one) => one.name === "TPIDR_EL1" && one.ours === vectors));
    });
  },
});

Deno.test({
  name: "runLockstep() begins where it is told to, in the built-in kernel",
  ignore: !hasQemu(),
  fn: async () => {
    const { result } = await lockstep([], { from: 340_000, to: 360_000, every: "instruction" });
    assertEquals(result.difference, null);
    assert(result.from > 330_000 && result.from <= 340_000);
    assert(result.to >= 360_000 && result.to < 361_000);
  },
});

Deno.test("QemuLog drops blocks that were stopped, and reads registers", () => {
  const row = (first: string, ...values: string[]) => `${first}${values.join(" ")}\n`;
  const number = (n: number) => n.toString(16).padStart(16, "0");
  const trace = (pc: string, flags: string) =>
    `Trace 0: 0x7f00 [0000000000004000/${pc}/00000121/${flags}] f\n`;
  const registers = row(" PC=", number(8), `X00=${number(1)}`, `X01=${number(2)}`) +
    [2, 5, 8, 11, 14, 17, 20, 23, 26].map((n) =>
      row("", ...[n, n + 1, n + 2].map((x) => `X${String(x).padStart(2, "0")}=${number(x + 1)}`))
    ).join("") + row("", `X29=${number(30)}`, `X30=${number(31)}`, ` SP=${"f".repeat(16)}`) +
    "PSTATE=800003c5 N--- EL1h    FPU disabled\n";
  const text = trace("0000000000000004", "ff020200") +
    "Stopped execution of TB chain before 0x7\n" +
    trace("ffff000000000008", "ff028201") + registers + "qemu: a complaint\n";
  const log = new QemuLog();
  log.push(new TextEncoder().encode(text));
  assertEquals(log.next(), null);
  log.push(null);
  const entry = log.next()!;
  assertEquals([entry.pc, entry.isRetry], [0xffff_0000_0000_0008n, true]);
  assertEquals([...entry.words.subarray(0, 4)], [1, 0, 2, 0]);
  assertEquals(entry.words[WORD.x + 60], 31);
  assertEquals([entry.words[WORD.sp], entry.words[WORD.pstate]], [-1, 0x800003c5 | 0]);
  assertEquals(log.next(), null);
  assertEquals(log.noise, ["qemu: a complaint"]);
});
