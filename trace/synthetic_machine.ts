/**
 * A machine that executes nothing, for tests: a synthetic flow, random stores and random events
 * of every kind, all from one seed.
 */

import type { MachineEvent, Observer } from "../core/observer.ts";
import type { FlowObserver } from "./flow_source.ts";
import type { RecordableMachine, RecordableMemory, RecordableState } from "./recordable_machine.ts";
import type { RecorderOptions } from "./recorder_options.ts";
import { type EndReason, PAGE_SIZE } from "./schema.ts";
import { Random, SyntheticProgram } from "./synthetic_flow.ts";

/** Page of RAM that holds the program's first page, and one that pieces of others are copied to. */
const CODE_PAGE = 16;
const COPIED_PAGE = 23;

/** What a synthetic machine is made of. */
export interface SyntheticShape {
  seed: number;
  /** Position at which it powers off. */
  steps: number;
  /** Pages of RAM. */
  pages?: number;
  /** One event per so many runs. */
  eventEvery?: number;
  chaos?: number;
}

/** RAM with first-write tracking. */
class SyntheticMemory implements RecordableMemory {
  readonly base = 0x4000_0000;
  readonly bytes: Uint8Array;
  readonly #listeners = new Set<{ listener: (page: number) => void; seen: Set<number> }>();

  constructor(pages: number) {
    this.bytes = new Uint8Array(pages * PAGE_SIZE);
  }

  get size(): number {
    return this.bytes.length;
  }

  trackFirstWrites(listener: (page: number) => void): { restart(): void; close(): void } {
    const epoch = { listener, seen: new Set<number>() };
    this.#listeners.add(epoch);
    return { restart: () => epoch.seen.clear(), close: () => void this.#listeners.delete(epoch) };
  }

  store(offset: number, value: number): void {
    this.#willWrite(offset);
    this.bytes[offset] = value;
  }

  /** Copies a page. */
  copy(to: number, from: number): void {
    this.#willWrite(to);
    this.bytes.copyWithin(to, from, from + PAGE_SIZE);
  }

  #willWrite(offset: number): void {
    const page = this.base + offset - offset % PAGE_SIZE;
    for (const { listener, seen } of this.#listeners) {
      if (!seen.has(page)) listener(page);
      seen.add(page);
    }
  }
}

/** A machine for tests. */
export class SyntheticMachine implements RecordableMachine {
  readonly machineVersion = 1;
  readonly memory: SyntheticMemory;
  readonly flowSource: SyntheticProgram;
  observer: Observer | null = null;
  flowObserver: FlowObserver | null = null;
  position = 0;
  retired = 0;
  readonly #shape: Required<SyntheticShape>;
  readonly #random: Random;
  readonly #registers: bigint[] = Array.from({ length: 31 }, () => 0n);
  readonly #tlb = new Uint8Array(10_000);
  #queue: number[] = [];
  #out: number[] = [];
  #partial: number[] = [];

  constructor(shape: SyntheticShape) {
    this.#shape = { pages: 64, eventEvery: 20, chaos: 1, ...shape };
    this.#random = new Random(shape.seed + 1000);
    this.memory = new SyntheticMemory(this.#shape.pages);
    this.flowSource = new SyntheticProgram(shape.seed, 6, 300, this.#shape.chaos);
    for (let i = 0; i < 20 * PAGE_SIZE; i++) this.memory.bytes[i] = this.#random.below(256);
    // The first page of the program, so that it is found there.
    const code = new Uint8Array(this.flowSource.words.buffer, 0, PAGE_SIZE);
    if (this.#shape.pages > CODE_PAGE) this.memory.bytes.set(code, CODE_PAGE * PAGE_SIZE);
    // Two equal pages, to be stored once.
    this.memory.bytes.copyWithin(20 * PAGE_SIZE, 0, PAGE_SIZE);
  }

  run(until: number): EndReason | null {
    const limit = Math.min(until, this.#shape.steps);
    while (this.position < limit) this.#pair(limit);
    this.#deliver();
    return this.position < this.#shape.steps ? null : "poweroff";
  }

  cutFlow(): void {
    this.#deliver();
    if (this.#partial.length > 0) this.flowObserver?.flow(new Uint32Array(this.#partial));
    this.#partial = [];
  }

  save(): RecordableState {
    const system = { SCTLR_EL1: BigInt(this.position & 1), VBAR_EL1: 0xffff_8000_0000_0000n };
    return {
      tlb: this.#tlb.slice(),
      cpus: [{
        x: [...this.#registers],
        pc: BigInt(this.position),
        pstate: 0x3c5n,
        v: new Uint8Array(512),
        system,
      }],
      devices: { pl011: { control: this.position % 7, fifo: new Uint8Array([1, 2, 3]) } },
      time: { retired: this.retired, skipped: 3 * 2 ** 33 },
    };
  }

  #pair(limit: number): void {
    if (this.#queue.length === 0) this.#queue = [...this.flowSource.run(8)].reverse();
    const start = this.#queue.pop()!;
    const end = this.#queue.pop()!;
    if (start === 0) {
      this.#out.push(start, end);
      return;
    }
    const steps = start === 1 ? end : (end - start) / 16;
    const room = limit - this.position;
    const done = Math.min(steps, room);
    this.#act();
    this.position += done;
    if (start !== 1) this.retired += done;
    if (done === steps) {
      this.#out.push(start, end);
    } else if (start === 1) {
      this.#out.push(1, done);
      this.#queue.push(steps - done, 1);
    } else {
      this.#deliver();
      this.#partial = [start, start + done * 16];
      this.#queue.push(end, start + done * 16);
    }
  }

  /** Side effects of a run: stores, registers, TLB, code changes, events. */
  #act(): void {
    const random = this.#random;
    for (let i = random.below(4); i > 0; i--) {
      const page = random.below(random.oneIn(20) ? this.#shape.pages : 8);
      this.memory.store(page * PAGE_SIZE + random.below(PAGE_SIZE), random.below(256));
    }
    if (this.#shape.pages > COPIED_PAGE && random.oneIn(500)) {
      this.memory.copy(COPIED_PAGE * PAGE_SIZE, 8 * PAGE_SIZE + 4 * random.below(3000));
    }
    this.#registers[random.below(31)] = (BigInt(random.below(0x7fffffff)) << 33n) |
      BigInt(random.below(0x7fffffff));
    this.#tlb[random.below(this.#tlb.length)] = random.below(256);
    if (random.oneIn(200)) {
      this.#deliver();
      const { start, end } = this.flowSource.modify();
      this.flowObserver?.codeChanged(start, end);
    }
    if (random.oneIn(this.#shape.eventEvery)) this.observer?.event(this.#event());
  }

  #deliver(): void {
    const pairs = [...this.#out];
    this.#out = [];
    if (pairs.length > 0) this.flowObserver?.flow(new Uint32Array(pairs));
  }

  #event(): MachineEvent {
    const random = this.#random;
    const word = () => (BigInt(random.below(0xffff)) << 48n) | BigInt(random.below(0x7fffffff));
    const physical = () => 0x0900_0000 + random.below(0x7fffffff) * (random.oneIn(3) ? 0x8000 : 1);
    const bit = () => random.oneIn(2);
    const base = { position: this.position, cpu: 0, pc: word() };
    const make: (() => MachineEvent)[] = [
      () => ({
        ...base,
        kind: "exception",
        type: (["sync", "irq", "fiq", "serror"] as const)[random.below(4)],
        retires: bit(),
        fromEl: random.below(2),
        toEl: 1,
        vector: word(),
        esr: word(),
        far: word(),
        elr: word(),
        spsr: word(),
      }),
      () => ({
        ...base,
        kind: "eret",
        fromEl: 1,
        toEl: 0,
        elr: word(),
        spsr: word(),
        illegal: bit(),
      }),
      () => ({
        ...base,
        kind: "tlb-fill",
        access: (["read", "write", "execute"] as const)[random.below(3)],
        va: word(),
        pa: physical(),
        level: random.below(4),
        sizeLog2: 12,
        asid: random.below(65536),
        global: bit(),
        attributes: random.below(256),
        permissions: random.below(64),
        descriptors: Array.from({ length: random.below(5) }, (_, level) => ({
          level,
          address: physical(),
          descriptor: word(),
        })),
      }),
      () => ({ ...base, kind: "tlbi", operation: "TLBI VMALLE1", value: 0n }),
      () => ({ ...base, kind: "cache", operation: "DC CIVAC", value: word() }),
      () => ({ ...base, kind: "barrier", operation: "DSB SY", value: 0n }),
      () => ({ ...base, kind: "sysreg", register: "SCTLR_EL1", old: word(), new: word() }),
      () => ({
        ...base,
        kind: "mmio",
        write: bit(),
        address: physical(),
        size: 1 << random.below(4),
        value: word(),
      }),
      () => ({ ...base, kind: "console", byte: random.below(256) }),
      () => ({ ...base, kind: "hazard", hazard: "break-before-make", address: word() }),
      () => ({ ...base, kind: "unknown", word: random.below(0x7fffffff), text: "S3_0_C15_C2_0" }),
      () => ({ ...base, kind: "reset", reason: "SYSTEM_RESET" }),
    ];
    return make[random.below(make.length)]();
  }
}

/** Options of a recording for tests. */
export function syntheticOptions(windowSteps: number): RecorderOptions {
  return {
    recordedAt: "2000-01-01T00:00:00.000Z",
    recorder: "test",
    machine: { board: "synthetic", cpu: "none" },
    options: { strict: false },
    image: {
      name: "kernel.elf",
      kind: "elf",
      describe: "nothing at all",
      pc: 0x4008_0000n,
      files: [{
        role: "image",
        name: "kernel.elf",
        size: 1234,
        sha256: new Uint8Array(32).fill(7),
      }],
      warnings: ["no device tree"],
    },
    symbols: [
      { name: "_start", address: 0x4008_0000n, size: 64, type: "function" },
      { name: "grüße", address: 0xffff_ffff_8000_0000n, size: 0, type: "none" },
    ],
    lines: [
      { address: 0x4008_0000n, file: "boot.s", line: 12 },
      { address: 0x4008_0040n, file: "", line: 0 },
    ],
    windowSteps,
  };
}
