import type { Cpu } from "./cpu.ts";
import type { Engine } from "./engine/engine.ts";
import type { ExternalEvents } from "./external_events.ts";
import type { LoopDetector } from "./loop_detector.ts";
import type { EndReason } from "./machine_options.ts";
import type { Turns } from "./turns.ts";
import type { VirtBoard } from "./virt_board.ts";

/**
 * Ends the turn of one CPU and begins that of the next ({@linkcode Turns} says whose), or lets time
 * pass while none can go on.
 */

/** The machine as turns need it. */
export interface TurnHost {
  readonly engine: Engine;
  readonly board: VirtBoard;
  readonly turns: Turns;
  readonly loop: LoopDetector;
  readonly outside: ExternalEvents;
  /** Steps so far. */
  readonly position: number;
  /** Address of the next instruction of the CPU in turn. */
  readonly pc: bigint;
  readonly ended: EndReason | null;
  /** The next instruction is at SLOT.pc. */
  resume(): void;
  end(reason: EndReason): void;
}

/** See the top of this file. */
export class TurnTaking {
  /** The CPU whose turn began where the loop detector's checkpoint was taken. */
  #loopCpu = 0;

  constructor(readonly host: TurnHost) {}

  /** Makes a CPU the one that runs. */
  select(cpu: Cpu): void {
    const { engine, turns, board } = this.host;
    if (engine.cpu !== cpu.index) engine.switchTo(cpu.index);
    turns.current = cpu;
    board.select(cpu.index);
  }

  /** WFI: time jumps to the event that wakes the CPU, or the guest has halted. */
  wait(): void {
    const { turns, outside } = this.host;
    const cpu = turns.current;
    if (turns.several) {
      cpu.waiting = true;
      return this.giveWay();
    }
    while (!cpu.isInterrupted) {
      if (outside.timeJumps()) continue;
      return outside.outlasted ? this.host.end("halted") : undefined;
    }
  }

  /** The CPU in turn ends it here. */
  giveWay(): void {
    const { engine, turns } = this.host;
    engine.cut();
    turns.giveWay(this.host.position);
  }

  /** Ends a turn that is over but for the fetch at a page's end, which a step makes: `Machine.settle`. */
  settle(fetch: () => void): void {
    const { engine, turns: { several, inRun, end }, ended, position } = this.host;
    if (!several || ended || position < end) return;
    if (inRun && engine.atPageEnd) fetch();
    this.endTurn();
  }

  /** Where a turn is over, the next one begins. */
  endTurn(): void {
    const { host } = this;
    const { turns, outside, engine } = host;
    if (!turns.several || host.ended || !turns.isOver(host.position)) return;
    outside.update();
    let next = turns.next();
    while (!next) {
      if (outside.timeJumps()) next = turns.next();
      else if (outside.outlasted) return host.end("halted");
      // Input comes, or may come: the architecture lets a CPU that waits go on at any time.
      else next = turns.cpus.find(({ on }) => on)!;
    }
    const before = turns.current;
    if (next !== before) {
      engine.state.pc = host.pc;
      before.access.pending = undefined;
      before.end();
      engine.switchTo(next.index);
      host.board.select(next.index);
      next.begin();
    }
    turns.begin(next, host.position);
    if (next !== before) host.resume();
    this.#seekLoop();
  }

  /** Compares the whole machine where turns of one CPU begin. */
  #seekLoop(): void {
    const { host } = this;
    const { loop, turns: { current: { index } } } = host;
    if (loop.nextPosition <= host.position) {
      loop.checkpoint();
      this.#loopCpu = index;
    } else if (loop.probing && index === this.#loopCpu && loop.visit()) {
      host.end("loop");
    }
  }
}
