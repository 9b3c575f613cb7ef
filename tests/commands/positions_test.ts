import { assertEquals, assertStringIncludes } from "@std/assert";
import { jsonLines, runCli, withFolder } from "./run_cli.ts";
import { smallGuest } from "./small_guest.ts";

Deno.test("events and dump understand every form of position, and refuse others", async () => {
  await withFolder(async (cwd) => {
    await Deno.writeFile(`${cwd}/small.elf`, smallGuest());
    await runCli(["record", "small.elf", "-o", "t"], { cwd });
    const forms: Record<string, number> = {
      "#5": 5,
      "7": 7,
      "1_0": 10,
      start: 0,
      "end-1": 30,
      fault: 17,
      "fault+1": 18,
      "vbar-set": 1,
      "exception:1": 10,
      "exception:2": 17,
      "exception:last": 17,
      "mmio:2": 7,
      "mmio:last-2": 7,
      "console:hi": 5,
      "console:i\n": 7,
      "symbol:handle_sync": 11,
    };
    await Promise.all(
      Object.entries(forms).map(async ([form, position]) => {
        const line = ["dump", "t", "--json", "-n", "1", "--from", form];
        const [step] = jsonLines((await runCli(line, { cwd })).out);
        assertEquals(step.position, position, form);
      }),
    );
    const refused: [string, number, string][] = [
      ["nowhere", 2, "Unknown position"],
      ["exception:0", 2, "Unknown position"],
      ["foo:1", 2, "Unknown position"],
      ["99", 1, "expected #0 to #31"],
      ["start-1", 1, "expected #0 to #31"],
      ["mmu-on", 1, "no mmu-on in this trace"],
      ["tlb:1", 1, "no tlb:1 in this trace"],
      ["exception:3", 1, "no exception:3 in this trace"],
      ["symbol:main", 1, 'no symbol "main"'],
      ["console:bye", 1, "no console:bye"],
    ];
    await Promise.all(refused.map(async ([form, expected, message]) => {
      const { status, err } = await runCli(["events", "t", "--from", form], { cwd });
      assertEquals(status, expected, form);
      assertStringIncludes(err, message);
    }));
  });
});

Deno.test("dump shows the range asked for", async () => {
  await withFolder(async (cwd) => {
    await Deno.writeFile(`${cwd}/small.elf`, smallGuest());
    await runCli(["record", "small.elf", "-o", "t"], { cwd });
    const ranges: [string[], number[]][] = [
      [["--from", "3", "--to", "6"], [3, 4, 5]],
      [["-n", "2"], [0, 1]],
      [["--from", "15", "-n", "3"], [15, 16, 17]],
      [["--to", "end", "-n", "2"], [29, 30]],
      [["--at", "start", "-n", "4"], [0, 1, 2, 3]],
      [["--at", "end", "-n", "3"], [28, 29, 30]],
      [["--at", "5", "-n", "4"], [3, 4, 5, 6]],
      [["--address", "handle_sync", "-n", "14"], [11, 12, 13]],
      [["--address", "0x40100a1c"], [15, 25]],
    ];
    await Promise.all(ranges.map(async ([options, positions]) => {
      const { out } = await runCli(["dump", "t", "--json", ...options], { cwd });
      const found = jsonLines(out).map(({ position }) => position);
      assertEquals(found, positions, options.join(" "));
    }));
    const both = await runCli(["dump", "t", "--at", "3", "--from", "2"], { cwd });
    assertEquals(both.status, 2);
  });
});
