import { assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { runCli, withFolder } from "./run_cli.ts";

const COMMANDS = ["record", "kernel", "info", "events", "dump"];

/** A message of one line, as every error of the user's has to be. */
function assertOneLine(text: string): void {
  assertMatch(text, /^unboot: [^\n]+\n$/);
}

Deno.test("--help lists every command, and explains each", async () => {
  const { status, out } = await runCli(["--help"]);
  assertEquals(status, 0);
  await Promise.all(COMMANDS.map(async (command) => {
    assertStringIncludes(out, `  ${command}`);
    const help = await runCli([command, "--help"], { deno: [] });
    assertEquals(help.status, 0);
    assertStringIncludes(help.out, `usage: deno run -P cli.ts ${command}`);
    assertStringIncludes(help.out, "Examples:");
  }));
});

Deno.test("a command line that makes no sense is one line and status 2", async () => {
  const lines: [string[], string][] = [
    [["recrod"], "Unknown command recrod: did you mean record?"],
    [["--version2"], "Unknown option --version2"],
    [["info"], "Missing TRACE"],
    [["info", "a", "b"], 'Unexpected argument "b"'],
    [["record", "--memry", "1G"], "Unknown option --memry: did you mean --memory?"],
    [["record", "--memory"], "Option --memory needs a value"],
    [["record", "--memory", "12q"], 'expected a size such as 128M or 1G, found "12q"'],
    [["record", "--memory", "1000"], "expected a multiple of 64K"],
    [["record", "--load", "linux"], "expected a file, @ and its address"],
    [["record", "--cpus", "9"], "expected 1 to 8"],
    [["record", "--gic", "4"], "expected 2 or 3"],
    [["record", "--values", "-o", "/dev/null"], "Option --output: /dev/null is no file"],
    [["record", "--values", "--profile", "attach"], "Option --values cannot be used together"],
    [["record", "--bug", "x"], "expected one of pxn, late-vectors, block-encoding"],
    [["record", "image", "--bug", "pxn"], "--bug is for the built-in kernel"],
    [["record", "-o", "a", "--console", "a"], "a is the trace"],
    [["record", "--storm", "1", "--storm", "2"], "given 2 times"],
    [["record", "--json=yes"], "takes no value"],
    [["kernel"], "Missing option -o FILE"],
    [["events", "t", "--kind", "foo"], "expected one of exception, eret"],
    [["calls", "t", "--folded", "--json"], "--folded and --json: expected one of them"],
  ];
  await Promise.all(lines.map(async ([args, message]) => {
    const { status, out, err } = await runCli(args);
    assertEquals([status, out], [2, ""], args.join(" "));
    assertOneLine(err);
    assertStringIncludes(err, message);
  }));
});

Deno.test("bad input is one line and status 1", async () => {
  await withFolder(async (cwd) => {
    await Deno.writeTextFile(`${cwd}/text`, "not a trace");
    await Deno.writeFile(`${cwd}/broken.elf`, new Uint8Array([0x7f, 0x45, 0x4c, 0x46]));
    await Deno.writeFile(`${cwd}/empty`, new Uint8Array());
    await Deno.writeFile(
      `${cwd}/disk.qcow2`,
      Uint8Array.of(0x51, 0x46, 0x49, 0xfb, ...new Uint8Array(508)),
    );
    const lines: [string[], string][] = [
      [["info", "nothing"], "Cannot read nothing: no such file or folder"],
      [["info", "."], "Cannot read .: it is a folder"],
      [["info", "/dev/null"], "Cannot read /dev/null: expected a regular file"],
      [["info", "text"], "Cannot"],
      [["events", "text"], "Cannot"],
      [["dump", "text"], "Cannot"],
      [["info", "text"], "text: "],
      [["record", "/dev/zero"], "Cannot read /dev/zero: it is a device"],
      [["record", "nothing"], "Cannot read nothing: no such file or folder"],
      [["record", "broken.elf"], "ELF"],
      [["record", "--firmware", "nothing"], "Cannot read nothing: no such file or folder"],
      [["record", "--firmware", "empty"], "Firmware is empty"],
      [["record", "--firmware", "broken.elf"], "Firmware is an ELF file"],
      [["record", "--disk", "text"], "Cannot use text as a disk: it has 11 bytes"],
      [["record", "--disk", "disk.qcow2"], "the qcow2 image has version 0, expected 2 or 3"],
      [["record", "--input", "text"], "Cannot read text, line 1: expected [after"],
      [["record", "-o", "no/folder"], "Cannot write no/folder: no such file or folder"],
      [["record", "--memory", "4G"], "3 GiB"],
      [["kernel", "-o", "no/folder"], "Cannot write no/folder: no such file or folder"],
    ];
    await Promise.all(lines.map(async ([args, message]) => {
      const { status, out, err } = await runCli(args, { cwd });
      assertEquals([status, out], [1, ""], args.join(" "));
      assertOneLine(err);
      assertStringIncludes(err, message);
    }));
  });
});

Deno.test("a missing permission is one line that says what to do", async () => {
  const lines: [string[], string][] = [
    [["info", "boot.unboot"], "needs read access to boot.unboot"],
    [["record", "k.elf"], "needs read access to k.elf"],
    [["kernel", "-o", "k.elf"], "needs write access to k.elf"],
  ];
  await Promise.all(lines.map(async ([args, message]) => {
    const { status, err } = await runCli(args, { deno: [] });
    assertEquals(status, 1);
    assertEquals(err, `unboot: ${message}: run with -P (deno run -P cli.ts ${args[0]} …)\n`);
  }));
});

Deno.test("without a command the list of commands is shown, as an error", async () => {
  const { status, out, err } = await runCli([]);
  assertEquals([status, out], [2, ""]);
  assertStringIncludes(err, "Commands:");
});
