import type { DeviceState } from "./devices/device.ts";
import type { LoopSubject } from "./loop_detector.ts";
import type { Machine } from "./machine.ts";
import { captureProcessor } from "./machine_state.ts";

interface Rest {
  readonly tlb: Uint32Array;
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
    captureRest: (): Rest => ({
      tlb: machine.processor.tlb.save(),
      devices: machine.board.bus.save(),
    }),
    sameRest: (captured) => isSame(captured as Rest, machine),
  };
}

function isSame({ tlb, devices }: Rest, machine: Machine): boolean {
  const now = machine.processor.tlb.save();
  return tlb.every((word, i) => word === now[i]) && sameState(devices, machine.board.bus.save());
}

function sameState(a: DeviceState | undefined, b: DeviceState | undefined): boolean {
  if (typeof a !== "object" || typeof b !== "object") return a === b;
  const left = a as { [key: string]: DeviceState }, right = b as { [key: string]: DeviceState };
  const keys = Object.keys(left);
  return keys.length === Object.keys(right).length &&
    keys.every((key) => sameState(left[key], right[key]));
}
