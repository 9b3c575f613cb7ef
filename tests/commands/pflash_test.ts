import { assertEquals, assertStringIncludes } from "@std/assert";
import { program } from "../drivers/program.ts";
import { runCli, withFolder } from "./run_cli.ts";

/** Programs a word at 0x10 of the second flash bank. */
const GUEST = program(`
start:  ldr x1, =0x04000010
        mov w2, #0x40
        str w2, [x1]
        ldr w3, =0x61626364
        str w3, [x1]
        ldr x0, =0x84000008
        hvc #0
        b .
`);

Deno.test("record --pflash leaves the file alone, and with save puts back what the guest wrote", async () => {
  await withFolder(async (cwd) => {
    Deno.writeFileSync(`${cwd}/guest.elf`, GUEST.elf());
    const before = new Uint8Array(8192).fill(7);
    Deno.writeFileSync(`${cwd}/vars`, before);
    const record = (pflash: string) =>
      runCli(["record", "guest.elf", "-o", "t", "--pflash", pflash], { cwd });
    assertEquals((await record("vars")).status, 0);
    assertEquals(Deno.readFileSync(`${cwd}/vars`), before);
    assertEquals((await record("vars,save")).status, 0);
    before.set([0x64, 0x63, 0x62, 0x61], 0x10);
    assertEquals(Deno.readFileSync(`${cwd}/vars`), before);
    assertEquals([...Deno.readDirSync(cwd)].some(({ name }) => name.endsWith(".new")), false);
    assertEquals((await runCli(["verify", "t"], { cwd })).status, 0);
    const missing = await record("none,save");
    assertEquals(missing.status, 1);
    assertStringIncludes(missing.err, "Cannot read none: no such file or folder");
  });
});
