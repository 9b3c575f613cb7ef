/** Recordings in memory for tests of time travel. */
import { type BootPlan, loadImage } from "../../core/loader/boot.ts";
import { Machine, type MachineOptions } from "../../core/machine.ts";
import type { MachineEvent } from "../../core/observer.ts";
import { openTrace, Recorder, type Trace } from "../../trace/mod.ts";
import { MemorySink } from "../../trace/testing.ts";

/** RAM of the guests here. */
export const MEMORY = 64 << 20;

/** What a recording is made with. */
export interface RecordingOptions {
  readonly windowSteps?: number;
  /** Position at which it ends if the guest does not. */
  readonly limit?: number;
  readonly machine?: Partial<MachineOptions>;
}

/** A machine with an image at `#0`. */
export function bootMachine(image: Uint8Array, options: Partial<MachineOptions> = {}): Machine {
  const machine = new Machine({ memoryBytes: MEMORY, ...options });
  machine.boot(loadImage(image, { memory: MEMORY }));
  return machine;
}

/** The bytes of a trace of an image, or of what is loaded of one. */
export function recordBytes(
  image: Uint8Array | BootPlan,
  options: RecordingOptions = {},
): Uint8Array {
  const plan = image instanceof Uint8Array ? loadImage(image, { memory: MEMORY }) : image;
  const { windowSteps = 1 << 20, limit = Infinity, machine: noted = {} } = options;
  const machine = new Machine({ memoryBytes: MEMORY, ...noted, flow: true });
  machine.boot(plan);
  const sink = new MemorySink();
  const { rtc, strict, nsPerInstruction, reboots } = noted;
  const recorder = new Recorder(machine, sink, {
    recordedAt: "2000-01-01T00:00:00.000Z",
    recorder: "test",
    machine: { board: "virt" },
    options: {
      ...(noted.cpu === undefined ? {} : { cpu: noted.cpu }),
      ...(rtc === undefined ? {} : { rtc }),
      ...(strict === undefined ? {} : { strict }),
      ...(reboots === undefined ? {} : { reboots }),
      ...(nsPerInstruction === undefined ? {} : { "ns-per-instruction": nsPerInstruction }),
    },
    image: {
      name: "guest",
      kind: plan.kind,
      describe: plan.describe,
      pc: plan.pc,
      files: [],
      warnings: plan.warnings,
    },
    symbols: plan.symbols,
    lines: plan.lines,
    loaded: plan.segments.map(({ address, zeroTo }) => ({ address, length: zeroTo - address })),
    windowSteps,
  });
  recorder.run(limit);
  return sink.bytes;
}

/** A trace of an image. */
export function record(image: Uint8Array | BootPlan, options: RecordingOptions = {}): Trace {
  return openTrace(recordBytes(image, options));
}

/** Everything about a moment that a session must get right, for comparison. */
export function momentOf(machine: Machine, pages: readonly number[]): string {
  const state = machine.save();
  const memory = pages.map((page) => digest(machine.memory.read(page, 4096)));
  return JSON.stringify([machine.position, machine.pc, state, memory], plain);
}

/** Runs a machine to its end and gives its moments at some positions, which must ascend. */
export function momentsOf(
  machine: Machine,
  positions: readonly number[],
  pages: readonly number[],
): string[] {
  return positions.map((position) => {
    machine.run(position);
    return momentOf(machine, pages);
  });
}

/** Pseudo random numbers below a limit, the same in each run. */
export function random(seed: number): (limit: number) => number {
  let state = seed;
  return (limit) => {
    state = Math.imul(state ^ (state >>> 15), 0x2c1b_3c6d) + 0x297a_2d39 >>> 0;
    return Math.floor((state >>> 4) / 2 ** 28 * limit);
  };
}

/** The console of a list of events. */
export function consoleText(events: Iterable<MachineEvent>): string {
  return [...events].map((e) => e.kind === "console" ? String.fromCharCode(e.byte) : "").join("");
}

function digest(bytes: Uint8Array): number {
  const words = new Uint32Array(bytes.slice().buffer);
  return words.reduce((hash, word) => Math.imul(hash ^ word, 0x0100_0193) + 1 | 0, 7);
}

function plain(_key: string, value: unknown): unknown {
  if (typeof value === "bigint") return `0x${value.toString(16)}`;
  if (value instanceof Uint8Array) return digest(padded(value));
  return value;
}

function padded(bytes: Uint8Array): Uint8Array {
  const whole = new Uint8Array(Math.ceil(bytes.length / 4) * 4);
  whole.set(bytes);
  return whole;
}
