import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { cliCommand, runCli, withFolder } from "./run_cli.ts";
import {
  endlessGuest,
  noisyGuest,
  oneInstruction,
  secureGuest,
  smallGuest,
  unknownRegisterGuest,
} from "./small_guest.ts";

/** A folder with the guests in it. */
async function withGuests(body: (cwd: string) => Promise<void>): Promise<void> {
  await withFolder(async (cwd) => {
    await Deno.writeFile(`${cwd}/small.elf`, smallGuest());
    await Deno.writeFile(`${cwd}/endless.elf`, endlessGuest());
    await Deno.writeFile(`${cwd}/unknown.elf`, unknownRegisterGuest());
    await body(cwd);
  });
}

Deno.test("record sends the console to standard output and the rest to standard error", async () => {
  await withGuests(async (cwd) => {
    const { status, out, err } = await runCli(["record", "small.elf"], { cwd });
    assertEquals(status, 0);
    assertEquals(out, "hi\n");
    assertMatch(err, /^poweroff: the guest powered off after 30 instructions and 1 fault/);
    assertStringIncludes(err, "deno run -P cli.ts info small.elf.unboot");
    assert((await Deno.stat(`${cwd}/small.elf.unboot`)).size > 1000);
  });
});

Deno.test("record --json prints one object, and the console elsewhere", async () => {
  await withGuests(async (cwd) => {
    const { status, out, err } = await runCli(["record", "small.elf", "--json", "-o", "a"], {
      cwd,
    });
    assertEquals(status, 0);
    assertEquals(err, "hi\n");
    const { bytes, ...rest } = JSON.parse(out);
    assertEquals(bytes, (await Deno.stat(`${cwd}/a`)).size);
    assertEquals(rest, {
      trace: "a",
      image: "small.elf",
      reason: "poweroff",
      instructions: 30,
      steps: 31,
      exceptions: 2,
      tlb_fills: 0,
      mmio: 3,
      hazards: 0,
      console_bytes: 3,
      warnings: [],
    });
  });
});

Deno.test("record --console names a file, or none", async () => {
  await withGuests(async (cwd) => {
    const line = ["record", "small.elf", "-o", "a", "--console"];
    assertEquals((await runCli([...line, "console.txt"], { cwd })).out, "");
    assertEquals(await Deno.readTextFile(`${cwd}/console.txt`), "hi\n");
    assertEquals((await runCli([...line, "none"], { cwd })).out, "");
    assertMatch((await runCli([...line, "-", "--json"], { cwd })).out, /^hi\n\{/);
  });
});

Deno.test("record --secure-console names a file for what the Secure UART sends", async () => {
  await withGuests(async (cwd) => {
    await Deno.writeFile(`${cwd}/secure.elf`, secureGuest());
    const line = ["record", "secure.elf", "--secure", "-o", "a", "--secure-console", "s.txt"];
    assertEquals((await runCli(line, { cwd })).out, "");
    assertEquals(await Deno.readTextFile(`${cwd}/s.txt`), "s");
  });
});

Deno.test("record says what the guest wanted first that is not there", async () => {
  await withGuests(async (cwd) => {
    const { err } = await runCli(["record", "unknown.elf", "-o", "a"], { cwd });
    assertStringIncludes(
      err,
      "First thing that this machine does not have, at #4: " +
        "S3_0_C11_C0_0",
    );
  });
});

Deno.test("record twice gives the same bytes but for the time of the recording", async () => {
  await withGuests(async (cwd) => {
    const names = ["a", "b"];
    await Promise.all(names.map((name) => runCli(["record", "small.elf", "-o", name], { cwd })));
    const [a, b] = await Promise.all(names.map(async (name) => {
      const bytes = await Deno.readFile(`${cwd}/${name}`);
      const info = JSON.parse((await runCli(["info", name, "--json"], { cwd })).out);
      const text = new TextDecoder("latin1").decode(bytes);
      assert(text.includes(info.recorded_at));
      return text.replace(info.recorded_at, "");
    }));
    assertEquals(a, b);
  });
});

Deno.test("record exits with 3 for every end but power-off", async () => {
  await withFolder(async (cwd) => {
    const ends = {
      loop: "b 0x40100000",
      halted: "wfi",
      "max-instructions": "b 0x40100000",
    };
    const runs = Object.entries(ends).map(async ([reason, instruction]) => {
      await Deno.writeFile(`${cwd}/${reason}.elf`, oneInstruction(instruction));
      const limit = reason === "max-instructions" ? ["--max-instructions", "100"] : [];
      const run = await runCli(["record", `${reason}.elf`, "--json", ...limit], { cwd });
      assertEquals([run.status, JSON.parse(run.out).reason], [3, reason]);
    });
    await Promise.all(runs);
  });
});

Deno.test("record names the first fault of a guest that ended badly", async () => {
  await withFolder(async (cwd) => {
    const { status, err } = await runCli(["record", "--bug", "pxn"], { cwd });
    assertEquals(status, 3);
    assertMatch(err, /^loop: the guest loops for ever after/);
    assertMatch(
      err,
      /First fault at #\d+, PC 0x404\w+ <mmu_enable\+0x\w+>, kernel\/mmu_enable\.ts:/,
    );
    assertStringIncludes(err, "instruction abort: level 3 permission fault");
    assertStringIncludes(err, "info kernel-pxn.unboot");
  });
});

for (const signal of ["SIGINT", "SIGTERM"] as const) {
  Deno.test(`record ends in good order on ${signal}`, async () => {
    await withGuests(async (cwd) => {
      const child = cliCommand(["record", "endless.elf", "-o", "a"], { cwd }).spawn();
      await fileAtLeast(`${cwd}/a`, 10_000);
      child.kill(signal);
      const { code, stderr } = await child.output();
      assertEquals(code, 130);
      const err = new TextDecoder().decode(stderr);
      assertMatch(err, /interrupted: the guest was interrupted after/);
      assertMatch(err, /Trace: a, .*deno run -P cli\.ts info a\n/);
      const info = JSON.parse((await runCli(["info", "a", "--json"], { cwd })).out);
      assertEquals([info.reason, info.truncated], ["interrupted", null]);
    });
  });
}

Deno.test("record says when the trace cannot be written, and keeps what it has", async () => {
  await withGuests(async (cwd) => {
    // The shell's limit counts units of 512 or 1024 bytes; the trace of this guest never ends.
    const line = 'ulimit -f 60; trap "" XFSZ; exec "$@"';
    const program = new URL("../../cli.ts", import.meta.url).pathname;
    const { code, stderr } = await new Deno.Command("sh", {
      args: ["-c", line, "sh", Deno.execPath(), "run", "-P", program, "record", "endless.elf"],
      cwd,
      stdout: "null",
    }).output();
    assertEquals(code, 1);
    const err = new TextDecoder().decode(stderr);
    const [, end] = /Cannot write endless\.elf\.unboot: file too large; the trace ends at #(\d+)/
      .exec(err)!;
    const info = await runCli(["info", "endless.elf.unboot", "--json"], { cwd });
    assertEquals(info.status, 0);
    assertEquals(JSON.parse(info.out).steps, Number(end));
    assertMatch(info.err, /truncated at #\d+/);
  });
});

Deno.test("record says which instruction was unknown when that was the first fault", async () => {
  await withFolder(async (cwd) => {
    await Deno.writeFile(`${cwd}/g.elf`, oneInstruction("mrs x0, s3_3_c15_c15_7"));
    const { err } = await runCli(["record", "g.elf"], { cwd });
    assertMatch(err, /undefined instruction.*\n {2}0xd53bffe0 S3_3_C15_C15_7\n/);
  });
});

Deno.test("record ends in good order when nobody takes the console any more", async () => {
  await withGuests(async (cwd) => {
    await Deno.writeFile(`${cwd}/noisy.elf`, noisyGuest());
    const child = cliCommand(["record", "noisy.elf", "-o", "a"], { cwd }).spawn();
    await child.stdout.cancel();
    const err = await new Response(child.stderr).text();
    assertEquals((await child.status).code, 130);
    assertMatch(err, /interrupted: the guest was interrupted after/);
    const info = JSON.parse((await runCli(["info", "a", "--json"], { cwd })).out);
    assertEquals([info.reason, info.truncated], ["interrupted", null]);
  });
});

Deno.test("record keeps an old trace if it cannot begin", async () => {
  await withGuests(async (cwd) => {
    await runCli(["record", "small.elf", "-o", "a"], { cwd });
    const before = await Deno.readFile(`${cwd}/a`);
    const line = ["record", "small.elf", "-o", "a", "--console", "no/folder"];
    assertEquals((await runCli(line, { cwd })).status, 1);
    assertEquals(await Deno.readFile(`${cwd}/a`), before);
  });
});

Deno.test("record replaces a trace but no other file", async () => {
  await withGuests(async (cwd) => {
    await runCli(["record", "small.elf", "-o", "a"], { cwd });
    assertEquals((await runCli(["record", "small.elf", "-o", "a"], { cwd })).status, 0);
    const { status, err } = await runCli(["record", "small.elf", "-o", "small.elf"], { cwd });
    assertEquals(status, 1);
    assertEquals(err, "unboot: Cannot write small.elf: it exists and is not a trace\n");
    assertEquals(await Deno.readFile(`${cwd}/small.elf`), smallGuest());
  });
});

Deno.test("record --no-symbols leaves names out", async () => {
  await withGuests(async (cwd) => {
    await runCli(["record", "small.elf", "-o", "a", "--no-symbols"], { cwd });
    const { out } = await runCli(["dump", "a", "-n", "1"], { cwd });
    assertEquals(out.includes("_start"), false);
  });
});

Deno.test("kernel writes an ELF file that record boots as it boots the built-in one", async () => {
  await withFolder(async (cwd) => {
    const made = await runCli(["kernel", "-o", "k.elf", "--bug", "late-vectors", "--json"], {
      cwd,
    });
    assertEquals(made.status, 0);
    assertEquals(JSON.parse(made.out).entry, "0x40400000");
    const steps = await Promise.all([["k.elf"], ["--bug", "late-vectors"]].map(async (args, i) => {
      const { out } = await runCli(["record", ...args, "-o", `t${i}`, "--json"], { cwd });
      return JSON.parse(out).steps;
    }));
    assertEquals(steps[0], steps[1]);
  });
});

/** Waits until a file has grown to a size. */
async function fileAtLeast(path: string, bytes: number): Promise<void> {
  for (let tries = 0; tries < 500; tries++) {
    const size = await Deno.stat(path).then((info) => info.size, () => 0);
    if (size >= bytes) return;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  throw new Error(`${path} has not grown to ${bytes} bytes`);
}
