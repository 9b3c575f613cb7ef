/** Records guests in memory, for tests. */
import { type BootPlan, loadImage } from "../../core/loader/boot.ts";
import { Machine, type MachineOptions } from "../../core/machine.ts";
import { openTrace, Recorder, type Trace } from "../../trace/mod.ts";
import { MemorySink } from "../../trace/testing.ts";

const MEMORY = 64 * 2 ** 20;

/** How a guest is recorded. */
export interface RecordOptions {
  /** Steps of a window; small, so that a trace has several. */
  readonly windowSteps?: number;
  readonly limit?: number;
  readonly strict?: boolean;
  /** Bytes of RAM. */
  readonly memory?: number;
  /** Leave symbols and lines out. */
  readonly stripped?: boolean;
}

/** Boots an image and records it to its end. */
export function recordGuest(image: Uint8Array, options: RecordOptions = {}): Trace {
  const { memory = MEMORY, strict = false } = options;
  return recordPlan(loadImage(image, { memory }), { memoryBytes: memory, strict }, options);
}

/** Boots a program and records it to its end. */
export function recordPlan(
  plan: BootPlan,
  shape: Partial<MachineOptions>,
  { windowSteps = 4096, limit = 5_000_000, stripped = false }: RecordOptions = {},
): Trace {
  const machine = new Machine({ memoryBytes: MEMORY, ...shape, flow: true });
  machine.boot(plan);
  const sink = new MemorySink();
  const { strict, virtualization, secure, cpu } = shape;
  const recorder = new Recorder(machine, sink, {
    recordedAt: "2000-01-01T00:00:00.000Z",
    recorder: "test",
    machine: { board: "virt" },
    options: {
      ...(strict === undefined ? {} : { strict }),
      ...(cpu === undefined ? {} : { cpu }),
      ...(virtualization === undefined ? {} : { virtualization }),
      ...(secure === undefined ? {} : { secure }),
    },
    image: {
      name: "guest",
      kind: plan.kind,
      describe: plan.describe,
      pc: plan.pc,
      files: [],
      warnings: plan.warnings,
    },
    symbols: stripped ? [] : plan.symbols,
    lines: stripped ? [] : plan.lines,
    loaded: plan.segments.map(({ address, zeroTo }) => ({ address, length: zeroTo - address })),
    windowSteps,
  });
  machine.observer = { event: (event) => recorder.event(event) };
  let reason = recorder.recordWindow(limit);
  while (!reason) reason = recorder.recordWindow(limit);
  recorder.finish(reason, machine.firstFault < 0 ? {} : { firstFault: machine.firstFault });
  return openTrace(sink.bytes);
}
