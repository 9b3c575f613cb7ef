import type { Cpu } from "./cpu.ts";
import type { DeviceState } from "./devices/device.ts";
import type { LoopSubject } from "./loop_detector.ts";
import type { Machine } from "./machine.ts";
import { captureProcessor } from "./machine_state.ts";

interface Rest {
  /** Of each CPU. */
  readonly tlbs: readonly Uint32Array[];
  /** The CPUs that are not in turn. */
  readonly others: readonly Uint32Array[];
  /** What else of the CPUs decides. */
  readonly power: readonly string[];
  readonly devices: Record<string, DeviceState>;
}

/** The machine as the loop detector sees it. */
export function loopSubject(machine: Machine): LoopSubject {
  return {
    memory: machine.memory,
    get position() {
      return machine.position;
    },
    get retired() {
      return machine.retired;
    },
    get volatileReads() {
      return machine.time.reads;
    },
    get canBeInterrupted() {
      return machine.inputOpen || machine.input?.open ||
        machine.time.quietly(() => machine.board.nextEvent()) !== Infinity;
    },
    processorState: () => captureProcessor(machine.engine.state, machine.pc),
    get othersRun() {
      return machine.turns.othersRun;
    },
    captureRest: () => capture(machine),
    sameRest: (captured) => isSame(captured as Rest, machine),
  };
}

function capture(machine: Machine): Rest {
  return {
    tlbs: machine.cpus.map(({ processor }) => processor.tlb.save()),
    others: others(machine).map(copy),
    power: machine.cpus.map(powerOf),
    devices: machine.board.bus.save(),
  };
}

function others(machine: Machine): Cpu[] {
  return machine.cpus.filter((cpu) => cpu !== machine.cpu);
}

/** A CPU that is not in turn; all but a few words of it are its registers. */
function copy({ processor: { state } }: Cpu): Uint32Array {
  return captureProcessor(state, state.pc).slice();
}

function powerOf({ on, waiting, processor: { event } }: Cpu): string {
  return `${on} ${waiting} ${event}`;
}

function isSame({ tlbs, others: before, power, devices }: Rest, machine: Machine): boolean {
  const { cpus } = machine;
  return cpus.every((cpu, n) => powerOf(cpu) === power[n]) &&
    others(machine).every((cpu, n) => sameWords(copy(cpu), before[n])) &&
    cpus.every(({ processor }, n) => sameWords(processor.tlb.save(), tlbs[n])) &&
    sameState(devices, machine.board.bus.save());
}

function sameWords(a: Uint32Array, b: Uint32Array): boolean {
  return a.every((word, i) => word === b[i]);
}

function sameState(a: DeviceState | undefined, b: DeviceState | undefined): boolean {
  if (typeof a !== "object" || typeof b !== "object") return a === b;
  const left = a as { [key: string]: DeviceState }, right = b as { [key: string]: DeviceState };
  const keys = Object.keys(left);
  return keys.length === Object.keys(right).length &&
    keys.every((key) => sameState(left[key], right[key]));
}
