import type { Cpu } from "./cpu.ts";
import { resetCpu } from "./cpu_reset.ts";
import { type DeviceState, psciCall } from "./devices/mod.ts";
import type { Engine } from "./engine/engine.ts";
import type { LoopDetector } from "./loop_detector.ts";
import type { BootedImage, EndReason } from "./machine_options.ts";
import type { GuestMemory } from "./memory/memory.ts";
import type { ExceptionLevels } from "./privilege.ts";
import type { Processor } from "./processor.ts";
import type { VirtBoard } from "./virt_board.ts";

/**
 * The board's firmware: answers the guest's HVC or SMC as PSCI, and makes of its actions what
 * happens to CPUs and machine.
 */

/** The machine as its firmware needs it. */
export interface FirmwareHost {
  readonly engine: Engine;
  readonly board: VirtBoard;
  readonly levels: ExceptionLevels;
  /** All CPUs. */
  readonly cpus: readonly Cpu[];
  /** The CPU in turn. */
  readonly cpu: Cpu;
  readonly memory: GuestMemory;
  readonly loop: LoopDetector;
  readonly processor: Processor;
  /** SYSTEM_RESETs that boot again before one ends the run. */
  readonly reboots: number;
  /** What a reset boots. */
  bootsAgain: (() => BootedImage) | null;
  boot(plan: BootedImage): void;
  /** The CPU in turn waits for an interrupt. */
  wait(): void;
  /** Its turn is over. */
  giveWay(): void;
  end(reason: EndReason): void;
}

/** Devices whose models have no reset on the reference: they go on as they were. */
const OUTLIVES_RESET: ReadonlySet<string> = new Set(["pl011", "pl031"]);

/** See the top of this file. */
export class BoardFirmware {
  /** Resets after which it booted again. */
  resets = 0;
  readonly #devicesAtReset: ReturnType<VirtBoard["bus"]["save"]>;

  /** Must be made while the devices are as at `#0`. */
  constructor(readonly host: FirmwareHost) {
    this.#devicesAtReset = host.board.bus.save();
  }

  /** HVC or SMC: PSCI, whatever the immediate, as on the reference. */
  call(): void {
    const { host } = this;
    const { engine } = host;
    const { state } = engine;
    // Eight CPUs are one cluster, so that an affinity is a number.
    const find = (affinity: bigint) => affinity < 8n ? host.cpus[Number(affinity)] : undefined;
    const action = psciCall({
      powerState: (affinity) => {
        const cpu = find(affinity);
        return cpu && (cpu.on ? "on" : "off");
      },
      turnOn: (affinity, entry, context) => this.#turnOn(find(affinity)!, entry, context),
    }, [0, 1, 2, 3].map((n) => state.x(n)));
    if (action.kind === "system-reset") return this.#reset();
    engine.retire();
    switch (action.kind) {
      case "return":
        state.setX(0, action.result);
        return;
      case "suspend":
        state.setX(0, 0n);
        return host.wait();
      case "cpu-off":
        host.cpu.on = false;
        if (host.cpus.every(({ on }) => !on)) return host.end("halted");
        return host.giveWay();
      case "system-off":
        return host.end("poweroff");
    }
  }

  /** PSCI CPU_ON: at the level below the firmware, as the reference starts it. */
  #turnOn(cpu: Cpu, entry: bigint, context: bigint): void {
    resetCpu(cpu, { level: this.host.levels.el2 ? 2 : 1, pc: entry, x: [context] });
    cpu.on = true;
    cpu.waiting = false;
  }

  /** PSCI SYSTEM_RESET. As on the reference, memory that no boot loads keeps its content. */
  #reset(): void {
    const { host } = this;
    const { engine, memory, processor, bootsAgain } = host;
    processor.emit({ kind: "reset", ...processor.here(), reason: "SYSTEM_RESET" });
    if (this.resets >= host.reboots || !bootsAgain) {
      engine.retire();
      return host.end("reset");
    }
    const plan = bootsAgain();
    // Whoever watches shall find the loader at the instruction that asked for it.
    for (const { address, bytes, zeroTo } of memory.watch ? plan.segments : []) {
      memory.announce({ by: "loader", write: true, address, bytes });
      const zeros = new Uint8Array(zeroTo - address - bytes.length);
      memory.announce({ by: "loader", write: true, address: address + bytes.length, bytes: zeros });
    }
    engine.retire();
    this.resets++;
    this.#resetDevices();
    host.boot(plan);
    host.bootsAgain = bootsAgain;
    // What led here cannot come again: resets are counted.
    host.loop.reset();
  }

  /** Puts the devices as at `#0`, but for what the reference (7.2) lets a reset leave alone. */
  #resetDevices(): void {
    const { bus } = this.host.board;
    const now = bus.save();
    bus.restore(Object.fromEntries(
      Object.entries(this.#devicesAtReset).map(([name, first]) => {
        if (OUTLIVES_RESET.has(name)) return [name, now[name]];
        const device = bus.devices.find((device) => device.name === name);
        const own = device?.stateAfterReset?.();
        if (own !== undefined) return [name, own];
        // The content of a flash chip is memory; only its mode is reset.
        if (!name.startsWith("flash")) return [name, first];
        const { sectors } = now[name] as { sectors: DeviceState };
        return [name, { ...first as { [field: string]: DeviceState }, sectors }];
      }),
    ));
  }
}
