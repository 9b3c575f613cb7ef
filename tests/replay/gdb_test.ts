/**
 * Steps, calls, breakpoints and watchpoints beside gdb-multiarch on the reference.
 *
 * gdb goes forwards only. What it stops at forwards, the debugger must stop at in both directions.
 */
import { assert, assertEquals } from "@std/assert";
import { ReplayShell } from "../../commands/replay_shell.ts";
import { Output } from "../../commands/output.ts";
import { Session } from "../../replay/session.ts";
import { Symbolizer } from "../../replay/symbolizer.ts";
import { freePort, hasQemu, QEMU_PROGRAM, qemuArguments } from "../drivers/qemu.ts";
import { recordGuest } from "../explain/record_guest.ts";
import { GUESTS } from "../guests/catalogue.ts";
import { buildGuest, hasToolchain, type Level } from "../guests/toolchain.ts";
import { random } from "./recordings.ts";

const GDB = "gdb-multiarch";
const RETURNS = [0xd65f_03c0, 0xd69f_03e0];
const MEMORY_MB = 128;

function hasGdb(): boolean {
  try {
    return new Deno.Command(GDB, { args: ["--version"], stdout: "null" }).outputSync().success;
  } catch {
    return false;
  }
}

/** Takes what a prompt prints. */
const NOWHERE = { writeSync: (bytes: Uint8Array) => bytes.length, isTerminal: () => false };

const ignore = !hasQemu() || !hasToolchain() || !hasGdb();

/** Runs a Python script in gdb, connected to the reference before its first instruction. */
async function askGdb(elf: Uint8Array, script: string): Promise<string[]> {
  const folder = Deno.makeTempDirSync({ prefix: "unboot-gdb-" });
  const image = `${folder}/guest.elf`, symbols = `${folder}/symbols.elf`;
  Deno.writeFileSync(image, elf);
  // Without lines gdb does not take inlined functions for calls.
  const strip = ["--strip-debug", "--keep-section=.debug_frame", image, symbols];
  assert(new Deno.Command("aarch64-linux-gnu-objcopy", { args: strip }).outputSync().success);
  Deno.writeTextFileSync(`${folder}/script.py`, script);
  const port = freePort();
  const qemu = new Deno.Command(QEMU_PROGRAM, {
    args: [
      ...qemuArguments(image, { memory: `${MEMORY_MB}M` }),
      ...["-S", "-gdb", `tcp:127.0.0.1:${port}`],
    ],
    stdin: "null",
    stdout: "null",
    stderr: "null",
  }).spawn();
  try {
    const commands = [
      ...["set pagination off", "set confirm off", "set tcp connect-timeout 20"],
      ...[`file ${symbols}`, `target remote 127.0.0.1:${port}`, `source ${folder}/script.py`],
    ];
    const { stdout, stderr } = await new Deno.Command(GDB, {
      args: ["-nx", "-batch", ...commands.flatMap((command) => ["-ex", command])],
      stdin: "null",
    }).output();
    const lines = new TextDecoder().decode(stdout).split("\n").filter((line) => line[0] === "@");
    assert(lines.length > 0, new TextDecoder().decode(stderr));
    return lines.map((line) => line.slice(2));
  } finally {
    try {
      qemu.kill("SIGKILL");
    } catch {
      // It has ended.
    }
    await qemu.status;
    Deno.removeSync(folder, { recursive: true });
  }
}

const PYTHON = `
import gdb
def value(text):
    return int(gdb.parse_and_eval(text))
def show(name, *more):
    registers = [value("(unsigned long)$" + each) for each in ("pc", "sp", "x0")]
    print("@", name, *["%x" % each for each in (*registers, *more)], flush=True)
`;

/** A guest recorded, and a prompt for its trace. */
async function prepare(name: string, level: Level) {
  const guest = GUESTS.find((guest) => guest.name === name)!;
  const image = await buildGuest({ ...guest, level });
  const trace = recordGuest(image, {
    memory: MEMORY_MB * 2 ** 20,
    limit: guest.steps,
    windowSteps: 1 << 18,
  });
  const symbols = new Symbolizer(trace.symbols(), trace.lines());
  const session = new Session(trace);
  const shell = new ReplayShell(session, symbols, new Output(NOWHERE));
  const hex = (value: bigint) => value.toString(16);
  const state = () => {
    const { state } = session.machine.processor;
    return [hex(session.pc), hex(state.sp), hex(state.x(0))];
  };
  return { image, trace, symbols, session, shell, debug: shell.debugger, state };
}

for (const [name, level, seed] of [["recursion", "-O0", 1], ["el0_traps", "-O2", 7]] as const) {
  Deno.test({
    name: `step(), next() and finish() stop where gdb does, in ${name} ${level}`,
    ignore,
    async fn() {
      const { image, trace, symbols, debug, state } = await prepare(name, level);
      const next = random(seed);
      const moves = Array.from(
        { length: 150 },
        () => ["nexti", "nexti", "stepi", "stepi", "finish"][next(5) === 4 ? 4 : next(4)],
      );
      const lines = await askGdb(
        image,
        `${PYTHON}
gdb.execute("break *main")
gdb.execute("continue", False, True)
gdb.execute("delete")
show("start")
for move in ${JSON.stringify(moves)}:
    try:
        gdb.execute(move, False, True)
    except gdb.error:
        continue
    show(move)
`,
      );
      assert(lines.length > 100);
      debug.goto(debug.timeline.next(symbols.find("main")!.address, 0, trace.end)!);
      for (const line of lines) {
        const [move, ...expected] = line.split(" ");
        const from = debug.position;
        if (move === "stepi") debug.step();
        else if (move === "nexti") debug.next();
        else if (move === "finish") debug.finish();
        assertEquals(state(), expected, `${move} from #${from}`);
        const to = debug.position;
        if (move === "stepi") assertEquals(debug.reverseStep().position, from);
        // What is behind a return may be behind a call, too.
        const word = debug.timeline.instructionAt(from)?.word;
        const returned = word !== undefined && RETURNS.includes(word);
        if (move === "nexti" && !returned) assertEquals(debug.reverseNext().position, from);
        debug.goto(to);
      }
    },
  });
}

const MOST = 40;
const CONDITION =
  "*(unsigned char*)$x0 > 0x61 && ($x0 & 3) != 0 || !((unsigned long)$sp % 64 < 32)";

Deno.test({
  name: "conditions, ignore counts and watchpoints stop where gdb does, and in reverse",
  ignore,
  async fn() {
    const { image, symbols, shell, debug, state } = await prepare("recursion", "-O0");
    const watched = `*(unsigned long*)0x${symbols.find("calls")!.address.toString(16)}`;
    const stops = (make: string) =>
      `${PYTHON}
${make}
last = value("${watched}")
for i in range(${MOST}):
    gdb.execute("continue", False, True)
    now = value("${watched}")
    show("stop", last, now)
    last = now
`;
    const broken = await askGdb(
      image,
      stops(`gdb.execute("hbreak *strlen if ${CONDITION}")\ngdb.execute("ignore 1 5")`),
    );
    const changed = await askGdb(image, stops(`gdb.execute("watch ${watched}")`));
    shell.execute(`break strlen if ${CONDITION}`);
    shell.execute("ignore 1 5");
    const forwards: number[] = [];
    for (const line of broken) {
      forwards.push(debug.continue().position);
      assertEquals(state(), line.split(" ").slice(1, 4));
    }
    assertEquals(debug.points[0].hits, MOST + 5);
    for (const position of forwards.slice(0, -1).reverse()) {
      assertEquals(debug.reverseContinue().position, position);
    }
    shell.execute("delete");
    debug.goto(0);
    shell.execute(`watch ${watched.replace("unsigned long", "u64").replace(" ", "")} change`);
    const accesses: number[] = [];
    for (const line of changed) {
      const { access } = debug.continue().hit!;
      accesses.push(access!.position);
      const values = [access!.old, access!.new].map((bytes) =>
        bytes.reduceRight((value, byte) => value << 8n | BigInt(byte), 0n).toString(16)
      );
      assertEquals([...state(), ...values], line.split(" ").slice(1));
    }
    for (const position of accesses.reverse()) {
      assertEquals(debug.reverseContinue().position, position);
    }
  },
});
