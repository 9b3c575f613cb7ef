/** Records a synthetic machine into a file until it is killed: `record_endlessly.ts FILE`. */

import { FileSink, Recorder } from "../../trace/mod.ts";
import { SyntheticMachine, syntheticOptions } from "../../trace/synthetic_machine.ts";

/** What the killed recordings are of. */
export const KILLED_SHAPE = { seed: 31, steps: 2 ** 40, pages: 24, eventEvery: 8 };

/** Steps of their windows. */
export const KILLED_WINDOW = 500;

if (import.meta.main) {
  const sink = new FileSink(Deno.args[0]);
  const machine = new SyntheticMachine(KILLED_SHAPE);
  const recorder = new Recorder(machine, sink, syntheticOptions(KILLED_WINDOW));
  recorder.input("console", new Uint8Array([65, 66]));
  recorder.run();
}
