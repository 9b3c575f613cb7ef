/**
 * Where the bytes of a trace are: by kind of item, and inside and outside of tight loops.
 *
 *     deno run -A bench/size.ts TRACE…
 *
 * A window counts as a loop if half of its instructions or more are of one page of code: of a Linux
 * boot that is the arithmetic on large numbers of its self-tests, which costs next to nothing and would flatter an
 * average. What was booted (window 0) is counted apart.
 */
import { fileAccess, openTrace, type Trace } from "../trace/mod.ts";
import { itemName, readFrame } from "../trace/chunk.ts";

/** Bytes per instruction of QEMU's log with all registers (-d in_asm,exec,cpu). */
const QEMU_LOG_BYTES = 804;

interface Sum {
  instructions: number;
  readonly bytes: Map<string, number>;
}

/** Whether one page of code makes half of a window. */
function isLoop(trace: Trace, number: number): boolean {
  const { blocks, table } = trace.blocks(number);
  const byPage = new Map<bigint, number>();
  const counts = new Map<number, number>();
  for (const id of blocks) counts.set(id, (counts.get(id) ?? 0) + 1);
  let all = 0;
  for (const [id, count] of counts) {
    const page = table.pc(id) >> 12n;
    const steps = count * table.steps(id);
    byPage.set(page, (byPage.get(page) ?? 0) + steps);
    all += steps;
  }
  return Math.max(...byPage.values()) * 2 >= all;
}

function add(sum: Sum, kind: string, bytes: number): void {
  sum.bytes.set(kind, (sum.bytes.get(kind) ?? 0) + bytes);
}

function show(title: string, { instructions, bytes }: Sum): void {
  const total = [...bytes.values()].reduce((sum, n) => sum + n, 0);
  console.log(`  ${title}: ${(instructions / 1e6).toFixed(1)} M instructions, ${total} bytes`);
  if (instructions === 0) return;
  const bits = (n: number) => (n * 8 / instructions).toFixed(4);
  for (const [kind, n] of [...bytes].sort(([, a], [, b]) => b - a)) {
    console.log(`    ${kind.padEnd(10)}${String(n).padStart(12)}  ${bits(n)} bit per instruction`);
  }
  const ratio = (QEMU_LOG_BYTES * instructions / total).toFixed(0);
  console.log(`    in all    ${String(total).padStart(12)}  ${bits(total)}; QEMU's log / ${ratio}`);
}

for (const path of Deno.args) {
  const file = fileAccess(path);
  const trace = openTrace(file);
  const [image, loops, rest, all] = Array.from({ length: 4 }, (): Sum => ({
    instructions: 0,
    bytes: new Map(),
  }));
  for (const window of trace.windows) {
    const loop = window.number > 0 && trace.header.profile === "full" &&
      isLoop(trace, window.number);
    const sums = window.number === 0 ? [image] : [loop ? loops : rest, all];
    for (const sum of sums) sum.instructions += window.end - window.start;
    for (let at = window.offset; at <= window.commitOffset;) {
      const frame = readFrame(file, at)!;
      for (const sum of sums) add(sum, itemName(frame.kind), frame.end - at);
      at = frame.end;
    }
  }
  console.log(path);
  show("what was booted", image);
  show("all", all);
  show("windows that are one loop", loops);
  show("other windows", rest);
}
