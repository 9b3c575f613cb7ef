/**
 * Runs one image here, in a process of its own, and prints what it took as one line of JSON:
 * `{instructions, milliseconds, startup, bytes, reason, peak}`. `startup` are the milliseconds from
 * the start of the process to the first instruction, `milliseconds` those from the machine's start:
 * the image's way into the trace is in both. `peak` is the most memory that the process had, in
 * bytes. With `record` as the second argument a trace is written to the third.
 */
import { loadImage } from "../core/loader/mod.ts";
import { Machine } from "../core/machine.ts";
import { FileSink, Recorder, RecorderThreads } from "../trace/mod.ts";

const MEMORY = 128 << 20;

function main([path, mode, tracePath]: string[]): void {
  const threads = mode === "record" ? RecorderThreads.ofHost() : null;
  threads?.start();
  const plan = loadImage(Deno.readFileSync(path), { memory: MEMORY });
  const machine = new Machine({ memoryBytes: MEMORY, flow: mode === "record" });
  machine.boot(plan);
  const begun = performance.now();
  let startup = begun;
  let bytes = 0;
  if (mode === "record") {
    const sink = new FileSink(tracePath);
    const recorder = new Recorder(machine, sink, {
      recordedAt: "2000-01-01T00:00:00Z",
      recorder: "bench",
      machine: {},
      options: {},
      image: { ...plan, name: path, files: [] },
      threads,
      symbols: plan.symbols,
      lines: plan.lines,
      loaded: plan.segments.map(({ address, zeroTo }) => ({ address, length: zeroTo - address })),
    });
    startup = performance.now();
    bytes = recorder.run().bytes;
    sink.close();
  } else {
    machine.run(Infinity);
  }
  const milliseconds = performance.now() - begun;
  const instructions = machine.retired;
  const peak = peakMemory();
  console.log(
    JSON.stringify({ instructions, milliseconds, startup, bytes, reason: machine.ended, peak }),
  );
}

/** Where the system tells it; else what the process has now. */
function peakMemory(): number {
  try {
    const [, kilobytes] = /VmHWM:\s+(\d+) kB/.exec(Deno.readTextFileSync("/proc/self/status"))!;
    return Number(kilobytes) * 1024;
  } catch {
    return Deno.memoryUsage().rss;
  }
}

main(Deno.args);
