import { assert, assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { code, makeElf } from "../loader/make_elf.ts";
import { hasQemu, qemuArguments, runQemu, startQemuGdb } from "./qemu.ts";

const ignore = !hasQemu();
const START = 0x40400000n;

/** `movz w1, #9, lsl #24; movz w2, #'A' + i; strb w2, [x1]` for each letter. */
function printing(text: string, then: number[]): Uint8Array {
  const letters = [...text].flatMap((letter) => [
    0x52800002 | (letter.charCodeAt(0) << 5),
    0x39000022,
  ]);
  const words = [0x52a12001, ...letters, ...then];
  return makeElf(START, [{ address: START, bytes: code(words) }]);
}

/** `movz w0, #0x8400, lsl #16; movk w0, #8; hvc #0`: PSCI SYSTEM_OFF. */
const POWER_OFF = [0x52b08000, 0x72800100, 0xd4000002];
const LOOP = [0x14000000];

Deno.test("qemuArguments() always gives the deterministic command line", () => {
  assertEquals(
    qemuArguments("k", { append: "a b", cpus: 2 }).join(" "),
    "-M virt,gic-version=2,dtb-randomness=off -cpu cortex-a57 -m 128M -nographic -no-reboot " +
      "-icount shift=0,sleep=off -rtc base=2000-01-01T00:00:00,clock=vm -smp 2 -kernel k -append a b",
  );
});

Deno.test({
  name: "runQemu() returns the console and the exit of a guest that powers off",
  ignore,
  async fn() {
    const run = await runQemu(printing("hello", POWER_OFF));
    assertEquals([run.text, run.code, run.end], ["hello", 0, "exit"]);
  },
});

Deno.test({
  name: "runQemu() ends a guest that hangs, by text, silence or time",
  ignore,
  async fn() {
    const hanging = printing("spin", LOOP);
    const until = await runQemu(hanging, { until: "pin" });
    assertEquals([until.text, until.code, until.end], ["spin", null, "until"]);
    assertEquals((await runQemu(hanging, { quietMs: 200 })).end, "quiet");
    assertEquals((await runQemu(hanging, { timeoutMs: 500 })).end, "timeout");
  },
});

Deno.test({
  name: "startQemuGdb() says why QEMU did not start",
  ignore,
  async fn() {
    const image = printing("", LOOP);
    await assertRejects(
      () => startQemuGdb(image, { machine: "no-such-property=1" }),
      Error,
      "QEMU ended before the debugger connected",
    );
  },
});

Deno.test({
  name: "GdbClient steps, stops at breakpoints and watchpoints, reads and writes",
  ignore,
  async fn() {
    // add x0, x0, #1; str x0, [x1]; b .-8
    const image = makeElf(START, [{
      address: START,
      bytes: code([0x91000400, 0xf9000020, 0x17fffffe]),
    }]);
    const { gdb, stop } = await startQemuGdb(image);
    try {
      await gdb.writeRegister("x1", 0x40500000n);
      await gdb.writeRegister("x0", 0xffff_ffff_ffff_fff0n);
      await gdb.step();
      assertEquals(await gdb.readRegisters(["x0", "pc"]), [0xffff_ffff_ffff_fff1n, START + 4n]);
      await gdb.insert("hardware", START + 8n);
      const stopped = await gdb.continue();
      assertEquals([stopped.signal, await gdb.readRegister("pc")], [5, START + 8n]);
      await gdb.remove("hardware", START + 8n);
      await gdb.insert("write", 0x40500000n, 8);
      assertStringIncludes((await gdb.continue()).packet, "watch:0000000040500000");
      await gdb.remove("write", 0x40500000n, 8);
      await gdb.writeMemory(0x40600000, Uint8Array.of(1, 2, 3));
      await gdb.physicalMemory(true);
      assertEquals(await gdb.readMemory(0x40600000, 4), Uint8Array.of(1, 2, 3, 0));
      assert((await gdb.readRegister("SCTLR")) === 0xc50838n);
      const running = gdb.continue();
      await gdb.interrupt();
      assertEquals((await running).signal, 2);
      await assertRejects(() => gdb.readRegister("x99"), Error, "no register x99");
    } finally {
      await stop();
    }
  },
});
