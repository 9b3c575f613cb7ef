import { Machine, type MachineOptions } from "../core/machine.ts";
import type { MachineEvent, Observer } from "../core/observer.ts";
import type {
  EndReason,
  FlowObserver,
  FlowSource,
  RecordableMachine,
  RecordableMemory,
  RecordableState,
} from "../trace/mod.ts";

/** Shows a machine to the recorder, which knows no machine, and its events to one more listener. */
export class Recordable implements RecordableMachine {
  readonly machine: Machine;
  readonly machineVersion: number;
  readonly memory: RecordableMemory;
  readonly flowSource: FlowSource;
  /** The recorder. */
  observer: Observer | null = null;

  /** @param listener is told every event, after the recorder */
  constructor(
    options: Omit<MachineOptions, "observer" | "flow">,
    listener: (event: MachineEvent) => void,
  ) {
    const event = (event: MachineEvent) => {
      this.observer?.event(event);
      listener(event);
    };
    const flow = { flow: () => {}, codeChanged: () => {} };
    this.machine = new Machine({ ...options, observer: { event }, flow });
    const { engine, memory, machineVersion } = this.machine;
    const { arena, guest } = engine.layout;
    this.machineVersion = machineVersion;
    this.memory = memory;
    this.flowSource = {
      arenaBase: arena,
      arenaSize: guest - arena,
      context: (id) => engine.context(id),
      code: (start, end) => engine.codeBytes(start, end),
      kindOf: (record) => engine.kindOf(record),
    };
  }

  /** Steps so far. */
  get position(): number {
    return this.machine.position;
  }

  /** Instructions retired so far. */
  get retired(): number {
    return this.machine.retired;
  }

  /** The recorder, as the receiver of executed runs. */
  get flowObserver(): FlowObserver | null {
    return this.machine.engine.flowObserver;
  }

  set flowObserver(observer: FlowObserver | null) {
    this.machine.engine.flowObserver = observer;
  }

  /** Runs to position `until`; null if it got there, else why it ended earlier. */
  run(until: number): EndReason | null {
    return this.machine.run(until);
  }

  /** Delivers the partial run, so that it becomes a block of its own. */
  cutFlow(): void {
    this.machine.cutFlow();
  }

  /** Everything but RAM. */
  save(): RecordableState {
    const { tlb, cpus, ...rest } = this.machine.save();
    return {
      ...rest,
      cpus: cpus.map((cpu) => ({ ...cpu })),
      tlb: new Uint8Array(tlb.buffer, tlb.byteOffset, tlb.byteLength),
    };
  }
}
