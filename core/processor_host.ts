import type { CpuModel } from "./cpu_models.ts";
import type { Clock } from "./devices/device.ts";
import type { Engine } from "./engine/engine.ts";
import type { HazardDetector } from "./hazards/hazard_detector.ts";
import type { GuestMemory } from "./memory/memory.ts";
import type { Observer } from "./observer.ts";
import type { PhysicalSpaces } from "./memory/physical_spaces.ts";
import type { ExceptionLevels } from "./privilege.ts";
import type { Processor } from "./processor.ts";
import type { VirtBoard } from "./virt_board.ts";

/** What a processor needs of the machine around it. */
export interface ProcessorHost {
  /** Which CPU it is, from 0. */
  readonly cpu: number;
  /** How many there are. */
  readonly cpuCount: number;
  readonly engine: Engine;
  readonly memory: GuestMemory;
  readonly clock: Clock;
  readonly board: VirtBoard;
  readonly observer: Observer;
  /** Told of what works in the reference only; null where nobody looks. */
  readonly hazards: HazardDetector | null;
  /** Steps before the instruction in hand. */
  position(): number;
  /** Instructions that this CPU has retired. */
  retired(): number;
  /** Address of the instruction in hand. */
  pc(): bigint;
  /** All processors, this one too. */
  all(): readonly Processor[];
  readonly strict: boolean;
  readonly levels: ExceptionLevels;
  readonly model: CpuModel;
  readonly spaces: PhysicalSpaces;
}
