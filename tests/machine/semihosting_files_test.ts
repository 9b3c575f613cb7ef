/** Semihosting's files against the reference, and in a trace. */
import { assertEquals } from "@std/assert";
import { DirectoryFiles } from "../../commands/semihosting_files.ts";
import { Machine } from "../../core/machine.ts";
import { semihostingOptions } from "../../core/machine_options.ts";
import { program } from "../drivers/program.ts";
import { runCli } from "../commands/run_cli.ts";
import { hasQemu, runQemu } from "../drivers/qemu.ts";

/** Calls in order: operation and arguments. Each answer is printed as a letter, what was read as text. */
const CALLS: readonly (readonly [number, ...(string | number)[]])[] = [
  [0x01, "in", 0, 2], // 1: r
  [0x01, "none", 0, 4],
  [0x13],
  [0x0c, 1],
  [0x06, 1, "room", 5],
  [0x0a, 1, 10],
  [0x06, 1, "room", 60],
  [0x06, 1, "room", 4],
  [0x05, 1, "text", 4], // it is not open for writing
  [0x09, 1],
  [0x13],
  [0x01, "out", 4, 3], // 2: w
  [0x05, 2, "text", 12],
  [0x0c, 2],
  [0x06, 2, "room", 4],
  [0x02, 1],
  [0x02, 1],
  [0x13],
  [0x01, "out", 6, 3], // 1: w+
  [0x05, 1, "text", 3],
  [0x02, 1],
  [0x01, "out", 2, 3], // 1: r+
  [0x05, 1, "room", 1],
  [0x06, 1, "room", 64],
  [0x0f, "out", 3, "moved", 5],
  [0x0e, "in", 2],
  [0x0e, "in", 2],
  [0x13],
  [0x01, "features", 0, 21], // 3
  [0x0c, 3],
  [0x06, 3, "room", 4],
  [0x06, 3, "room", 4],
  [0x0a, 3, 6],
  [0x0a, 3, 1],
  [0x06, 3, "room", 2],
  [0x09, 3],
  [0x01, "features", 4, 21],
  [0x13],
  [0x01, "folder", 4, 6],
  [0x13],
  [0x01, "below", 4, 8],
  [0x0a, 77, 1],
  [0x0c, 77],
  [0x13],
];
const GUEST = program(`
start:  ldr x20, =calls
next:   ldr x0, [x20]
        cbz x0, done
        ldr x1, [x20, #8]
        hlt #0xf000
        and x0, x0, #31
        add x0, x0, #65
        ldr x1, =letter
        strb w0, [x1]
        mov w0, #3
        hlt #0xf000
        ldr x1, =room
        mov w0, #4
        hlt #0xf000
        ldr x1, =room
        str xzr, [x1]
        str xzr, [x1, #8]
        add x20, x20, #16
        b next
done:   ldr x1, =end;     mov w0, #0x20; hlt #0xf000
        b .
        .balign 8
calls:  .quad ${CALLS.map(([operation], n) => `${operation}, a${n}`).join(", ")}, 0
${CALLS.map(([, ...args], n) => `a${n}: .quad ${[...args, 0].join(", ")}`).join("\n")}
end:    .quad 0x20026, 0
room:   .space 128
letter: .asciz "L"
in:     .asciz "in"
none:   .asciz "none"
out:    .asciz "out"
moved:  .asciz "moved"
folder: .asciz "folder"
below:  .asciz "folder/x"
features: .asciz ":semihosting-features"
text:   .asciz "written text"
`);

/** A directory with a file and a folder in it, for as long as `use` takes. */
async function inDirectory<T>(use: (directory: string) => Promise<T>): Promise<T> {
  const directory = Deno.makeTempDirSync({ prefix: "unboot-files-" });
  try {
    Deno.writeTextFileSync(`${directory}/in`, "what is in the file");
    Deno.mkdirSync(`${directory}/folder`);
    return await use(directory);
  } finally {
    Deno.removeSync(directory, { recursive: true });
  }
}

/** What a run left in the directory. */
function contents(directory: string): Record<string, string> {
  const names = [...Deno.readDirSync(directory)].map(({ name }) => name).sort();
  return Object.fromEntries(
    names.filter((name) => name !== "folder")
      .map((name) => [name, Deno.readTextFileSync(`${directory}/${name}`)]),
  );
}

Deno.test({
  name: "semihosting does with files what the reference does",
  ignore: !hasQemu(),
  async fn() {
    const reference = await inDirectory(async (cwd) => {
      const { errors } = await runQemu(GUEST.elf(), { extra: ["-semihosting"], cwd });
      return { console: errors, contents: contents(cwd) };
    });
    const ours = await inDirectory((directory) => {
      const memoryBytes = 128 << 20;
      const machine = new Machine({
        memoryBytes,
        semihosting: semihostingOptions({
          name: "guest",
          append: undefined,
          ranges: [],
          memory: memoryBytes,
        }),
        semihostingFiles: new DirectoryFiles(directory),
      });
      machine.boot(GUEST.plan());
      let console = "";
      machine.observer = {
        event: (event) => {
          if (event.kind === "console") console += String.fromCharCode(event.byte);
        },
      };
      assertEquals(machine.run(100_000), "poweroff");
      return Promise.resolve({ console, contents: contents(directory) });
    });
    assertEquals(ours, reference);
  },
});

Deno.test("record notes what files answer, so that verify needs none", async () => {
  await inDirectory(async (directory) => {
    const image = `${directory}/folder/guest.elf`, trace = `${directory}/folder/t.unboot`;
    Deno.writeFileSync(image, GUEST.elf());
    const args = ["record", image, "-o", trace, "--semihosting-dir", directory];
    const recorded = await runCli(args);
    assertEquals([recorded.status, recorded.out.includes("what ")], [0, true]);
    assertEquals(contents(directory).in, undefined);
    assertEquals((await runCli(["verify", trace])).status, 0);
  });
});

Deno.test("DirectoryFiles.ask() appends, and reaches nothing outside of the directory", async () => {
  await inDirectory((directory) => {
    const files = new DirectoryFiles(`${directory}/folder`);
    const bytes = new TextEncoder().encode("ab");
    const ask = (name: string, mode: number) => {
      const { result, errno } = files.ask({ what: "open", handle: 1, name, mode });
      return result < 0 ? errno : result;
    };
    for (let times = 0; times < 2; times++) {
      assertEquals(ask("/./log", 8), 0);
      assertEquals(files.ask({ what: "write", handle: 1, bytes }).result, 2);
      assertEquals(files.ask({ what: "close", handle: 1 }).result, 0);
    }
    assertEquals(Deno.readTextFileSync(`${directory}/folder/log`), "abab");
    Deno.symlinkSync("../in", `${directory}/folder/link`);
    Deno.symlinkSync("..", `${directory}/folder/up`);
    Deno.symlinkSync("../new", `${directory}/folder/dangling`);
    const escapes = ["../in", "../../etc/passwd", "link", "up/in", "..", "x/../../in"];
    const EACCES = 13, ENOENT = 2;
    assertEquals(escapes.map((name) => ask(name, 0)), escapes.map(() => EACCES));
    assertEquals(ask("dangling", 4), ENOENT);
    assertEquals(files.ask({ what: "rename", name: "log", to: "../log" }).errno, EACCES);
    assertEquals(files.ask({ what: "remove", name: "../in" }).errno, EACCES);
    return Promise.resolve();
  });
});
