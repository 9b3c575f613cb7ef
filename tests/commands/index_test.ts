/** The index beside a trace: made when a question is long, never required, and not believed blindly. */
import { assertEquals, assertMatch } from "@std/assert";
import { program } from "../replay/assembly.ts";
import { jsonLines, runCli, withFolder } from "./run_cli.ts";

/** 30 M steps: eight windows, in none of which x28 is written. */
const LONG_LOOP = program(`
  movz x0, #0xe5, lsl #16
loop:
  subs x0, x0, #1
  b.ne =loop
  movz w0, #0x8400, lsl #16; add w0, w0, #8; hvc #0
`);

function exists(path: string): boolean {
  return [...Deno.readDirSync(path.slice(0, path.lastIndexOf("/")))]
    .some(({ name }) => path.endsWith(`/${name}`));
}

Deno.test("who-wrote makes FILE.idx for a long question, and does without it", async () => {
  await withFolder(async (folder) => {
    const trace = `${folder}/long.unboot`;
    await Deno.writeFile(`${folder}/long.bin`, LONG_LOOP.image);
    const { status } = await runCli(["record", `${folder}/long.bin`, "-o", trace]);
    assertEquals(status, 0);
    const ask = async (set: string) => {
      const { out, err, status } = await runCli(["who-wrote", trace, "x28", "--json"], {
        deno: [set],
      });
      assertEquals(status, 0, err);
      const [{ by, position }] = jsonLines(out);
      assertEquals([by, position], ["reset", 0]);
      return err;
    };
    assertEquals(await ask("-P=view"), "");
    assertEquals(exists(`${trace}.idx`), false);
    assertEquals(await ask("-P"), "");
    const bytes = await Deno.readFile(`${trace}.idx`);
    assertEquals(await ask("-P=view"), "");
    await Deno.writeFile(`${trace}.idx`, bytes.subarray(0, bytes.length - 3));
    assertMatch(await ask("-P=view"), /^unboot: [^\n]+\.idx is not used: [^\n]+\n$/);
    assertEquals((await Deno.readFile(`${trace}.idx`)).length, bytes.length - 3);
    const again = await runCli(["record", `${folder}/long.bin`, "-o", trace]);
    assertEquals(again.status, 0);
    assertEquals(exists(`${trace}.idx`), false);
    await ask("-P");
    assertEquals(await Deno.readFile(`${trace}.idx`), bytes);
    assertEquals([...Deno.readDirSync(folder)].length, 3);
  });
});
