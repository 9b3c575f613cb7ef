import { type EndReason, Machine, type MachineOptions } from "../../core/machine.ts";
import type { MachineEvent } from "../../core/observer.ts";
import { type Program, program } from "../drivers/program.ts";

/** RAM of the machines in these tests. */
export const MEMORY_BYTES = 16 << 20;

/** Executed instructions and exception entries, in order, as text: `pc word`, or `entry`. */
export type Flow = string[];

/** A machine that keeps what it tells the world, unless it is made with `flow: false`. */
export class Watched {
  readonly machine: Machine;
  readonly events: MachineEvent[] = [];
  /** Filled if the machine records its flow; the run in hand is missing. */
  readonly flow: Flow = [];

  constructor(options: Partial<MachineOptions> = {}) {
    this.machine = new Machine({ memoryBytes: MEMORY_BYTES, flow: true, ...options });
    if (options.flow === false) return;
    this.machine.observer = { event: (event) => this.events.push(event) };
    let context = { regime: 0, page: 0n, recordBase: 0 };
    const source = this.machine.flowSource;
    this.machine.flowObserver = {
      flow: (entries) => {
        for (let i = 0; i < entries.length; i += 2) {
          const [start, end] = [entries[i], entries[i + 1]];
          if (start === 0) context = source.context(end);
          else if (start === 1) { for (let n = 0; n < end; n++) this.flow.push("entry"); }
          else this.#run(start, end, context.page - BigInt(context.recordBase / 4), context.regime);
        }
      },
      codeChanged: () => {},
    };
  }

  /** What the console received. */
  get console(): string {
    const bytes = this.events.flatMap((event) => event.kind === "console" ? [event.byte] : []);
    return new TextDecoder().decode(Uint8Array.from(bytes));
  }

  /** Boots a program, or its source. */
  boot(guest: Program | string): this {
    this.machine.boot((typeof guest === "string" ? program(guest) : guest).plan());
    return this;
  }

  /** Registers, devices, TLB and memory, for comparison. */
  state(): unknown {
    const { memory } = this.machine;
    return { ...this.machine.save(), memory: digest(memory.bytes) };
  }

  #run(start: number, end: number, pcBase: bigint, regime: number): void {
    const code = this.machine.flowSource.code(start, end);
    const view = new DataView(code.buffer);
    for (let record = start; record < end; record += 16) {
      const pc = pcBase + BigInt(record / 4);
      const word = view.getUint32((record - start) / 4, true);
      this.flow.push(`EL${regime} ${pc.toString(16)} ${word.toString(16)}`);
    }
  }
}

/** Boots and runs a program for at most `steps`. */
export function run(
  source: Program | string,
  steps: number,
  options: Partial<MachineOptions> = {},
): Watched & { reason: EndReason | null } {
  const watched = new Watched(options).boot(source);
  return Object.assign(watched, { reason: watched.machine.run(steps) });
}

/** FNV-1a over 32-bit words, enough to tell memories apart in tests. */
export function digest(bytes: Uint8Array): number {
  const words = new Uint32Array(bytes.buffer, bytes.byteOffset, bytes.length / 4);
  let hash = 0x811c9dc5;
  for (const word of words) {
    if (word !== 0) hash = Math.imul(hash ^ word, 0x01000193);
    else hash = (hash << 1 | hash >>> 31) >>> 0;
  }
  return hash >>> 0;
}
