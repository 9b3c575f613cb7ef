/**
 * QEMU's side of `reverse.ts`: `-icount rr=record`, then `rr=replay` with the one snapshot that
 * `rrsnapshot=` makes at the start, driven by gdb. What it refuses or takes too long for is said in
 * words instead of a time.
 */
import { QEMU_PROGRAM } from "../tests/drivers/qemu.ts";
import type { Question } from "./reverse_ours.ts";
import type { Places, Word } from "./reverse_places.ts";

const GDB_PROGRAM = "gdb-multiarch";

/** Milliseconds, or why there are none. */
export type QemuAnswer = number | string;

/** Versions of both programs, or why they cannot be used. */
export async function qemuVersions(): Promise<string> {
  const first = async (program: string) => {
    const { stdout } = await new Deno.Command(program, { args: ["--version"] }).output();
    return new TextDecoder().decode(stdout).split("\n")[0];
  };
  return `${await first(QEMU_PROGRAM)}; ${await first(GDB_PROGRAM)}`;
}

/** Records an image, replays it to its last instruction and asks the questions there. */
export async function askQemu(
  arguments_: readonly string[],
  folder: string,
  places: Places,
  questions: readonly Question[],
  bounds: { readonly runs: number; readonly questionMs: number },
): Promise<Map<Question, QemuAnswer[]>> {
  const drive = `${folder}/rr.qcow2`;
  await run("qemu-img", ["create", "-q", "-f", "qcow2", drive, "64M"]);
  await run(QEMU_PROGRAM, rrArguments(arguments_, folder, drive, "record"));
  const answers = new Map<Question, QemuAnswer[]>();
  for (const question of questions) {
    const own: QemuAnswer[] = [];
    answers.set(question, own);
    for (let i = 0; i < bounds.runs; i++) {
      const answer = await askOnce(arguments_, folder, drive, places, question, bounds.questionMs)
        .catch((error) => (error as Error).message);
      own.push(answer);
      if (typeof answer === "string" || answer > bounds.questionMs / 3) break;
    }
  }
  return answers;
}

/** One question to a fresh pair of QEMU and gdb, so that none suffers from the one before. */
async function askOnce(
  arguments_: readonly string[],
  folder: string,
  drive: string,
  places: Places,
  question: Question,
  limit: number,
): Promise<QemuAnswer> {
  const plan = planOf(question, places);
  if (typeof plan === "string") return plan;
  const socket = `${folder}/gdb.sock`;
  const qemu = new Deno.Command(QEMU_PROGRAM, {
    args: [
      ...rrArguments(arguments_, folder, drive, "replay"),
      ...["-no-shutdown", "-S", "-chardev", `socket,path=${socket},server=on,wait=off,id=gdb`],
      ...["-gdb", "chardev:gdb"],
    ],
    stdin: "null",
    stdout: "null",
    stderr: "null",
  }).spawn();
  const gdb = new Gdb();
  try {
    await gdb.command("set pagination off\nset confirm off\nset architecture aarch64", 10_000);
    await connect(gdb, socket);
    await gdb.command(`break *${places.last}\ncontinue\ndelete`, limit);
    expectAt(await gdb.command("print/x $pc", 5_000), places.last);
    for (const line of plan.before) await gdb.command(line, limit);
    const start = performance.now();
    let said = "";
    for (let i = 0; i < plan.times; i++) {
      const left = limit - (performance.now() - start);
      try {
        said = await gdb.command(plan.command, Math.max(1, left));
      } catch {
        const bound = `more than ${Math.round(limit / 1000)} s`;
        return plan.times === 1 ? bound : `${bound}, ${i} of ${plan.times} done`;
      }
      if (/Remote failure|not supported|Error|timed out/i.test(said)) break;
    }
    const time = performance.now() - start;
    const failure = said.split("\n").find((line) =>
      /Remote failure|not supported|Error/.test(line)
    );
    if (failure !== undefined) return failure.trim();
    if (plan.at !== undefined) expectAt(await gdb.command("print/x $pc", 5_000), plan.at);
    return time;
  } finally {
    gdb.end();
    qemu.kill("SIGKILL");
    await qemu.status;
    await Deno.remove(socket).catch(() => {});
  }
}

/** What gdb is told. */
interface Plan {
  readonly before: readonly string[];
  readonly command: string;
  readonly times: number;
  /** Where it must end. */
  readonly at?: string;
}

function planOf(question: Question, places: Places): Plan | string {
  const watch = ({ va }: Word) => [`watch *(unsigned long *)${va}`];
  const back = { command: "reverse-continue", times: 1 };
  switch (question) {
    case "stepi":
      return { before: [], command: "reverse-stepi", times: 1 };
    case "early":
    case "often":
      return { ...back, before: [`break *${places[question]}`], at: places[question] };
    case "recent":
    case "who-recent":
      return { ...back, before: watch(places.recent), at: places.recent.pc };
    case "who-old":
      return { ...back, before: watch(places.old), at: places.old.pc };
    case "conditional":
      return {
        ...back,
        before: [`break *${places.often} if $sp != 1`],
        times: 20,
        at: places.often,
      };
    case "random":
    case "goto":
    case "who-physical":
    case "who-virtual":
    case "who-register":
    case "who-system":
      return "gdb has no positions";
    case "thousand":
      return "not asked: see 20 hits";
  }
}

/** Those of a boot with `-icount`, recorded or replayed instead. */
function rrArguments(
  boot: readonly string[],
  folder: string,
  drive: string,
  mode: "record" | "replay",
): string[] {
  const icount = boot.indexOf("-icount") + 1;
  return [
    ...boot.with(icount, `shift=0,rr=${mode},rrfile=${folder}/rr.bin,rrsnapshot=start`),
    ...["-nic", "none", "-drive", `if=none,id=rr,format=qcow2,file=${drive}`],
  ];
}

async function connect(gdb: Gdb, socket: string): Promise<void> {
  for (let tries = 0; tries < 50; tries++) {
    try {
      await Deno.lstat(socket);
      break;
    } catch {
      await new Promise((done) => setTimeout(done, 100));
    }
  }
  const said = await gdb.command(`set remotetimeout 120\ntarget remote ${socket}`, 20_000);
  if (/No such file|refused|timed out/.test(said)) throw new Error(`gdb: ${said.trim()}`);
}

function expectAt(said: string, place: string): void {
  const [pc] = /0x[0-9a-f]+/.exec(said) ?? ["nowhere"];
  // At a watchpoint the instruction may be done.
  const distance = BigInt(pc === "nowhere" ? 0 : pc) - BigInt(place);
  if (distance !== 0n && distance !== 4n) {
    throw new Error(`it stopped at ${pc}, expected ${place}`);
  }
}

async function run(program: string, args: string[]): Promise<void> {
  const { success, stderr } = await new Deno.Command(program, {
    args,
    stdin: "null",
    stdout: "null",
    stderr: "piped",
    signal: AbortSignal.timeout(60_000),
  }).output();
  if (!success) throw new Error(`${program}: ${new TextDecoder().decode(stderr).trim()}`);
}

/** A gdb that is told one thing at a time. */
class Gdb {
  readonly #process: Deno.ChildProcess;
  readonly #input: WritableStreamDefaultWriter<Uint8Array>;
  #said = "";
  #count = 0;
  #wake = () => {};

  constructor() {
    this.#process = new Deno.Command(GDB_PROGRAM, {
      args: ["-nx", "-q"],
      stdin: "piped",
      stdout: "piped",
      stderr: "piped",
    }).spawn();
    this.#input = this.#process.stdin.getWriter();
    for (const stream of [this.#process.stdout, this.#process.stderr]) this.#read(stream);
  }

  /** Gives what it said until it was ready for the next. */
  async command(text: string, limit: number): Promise<string> {
    const mark = `@@${++this.#count}@@`;
    this.#said = "";
    await this.#input.write(new TextEncoder().encode(`${text}\necho ${mark}\\n\n`));
    const end = performance.now() + limit;
    while (!this.#said.includes(mark)) {
      const left = end - performance.now();
      if (left <= 0) throw new Error(`more than ${Math.round(limit / 1000)} s`);
      await new Promise<void>((done) => {
        const timer = setTimeout(done, left);
        this.#wake = () => {
          clearTimeout(timer);
          done();
        };
      });
    }
    return this.#said;
  }

  end(): void {
    this.#process.kill("SIGKILL");
  }

  async #read(stream: ReadableStream<Uint8Array>): Promise<void> {
    const decoder = new TextDecoder();
    for await (const bytes of stream) {
      this.#said += decoder.decode(bytes, { stream: true });
      this.#wake();
    }
  }
}
