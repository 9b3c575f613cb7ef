/**
 * What single steps did to registers and memory, from executing them again.
 *
 * The machine is stopped behind each step and the words of its state are compared with those
 * before; a watch on all of memory sees each access. That is some hundred times slower than
 * running, so it is for stretches that somebody will read.
 */
import type { MachineEvent } from "../../core/observer.ts";
import type { WatchedAccess } from "../../core/memory/memory.ts";
import { type CpuState, SLOT } from "../../core/state.ts";
import { STORED_REGISTERS } from "../../core/system/sysregs.ts";
import type { Session } from "../session.ts";
import { littleEndian } from "./who_wrote.ts";

/** A register that a step changed. */
export interface RegisterEffect {
  /** `x0` to `x30`, `sp`, `nzcv`, `v0` to `v31`, `fpcr`, `fpsr`, or a system register's manual name. */
  readonly name: string;
  /** Its new value; of `nzcv` four bits. */
  readonly value: bigint;
}

/** An access to memory or to a device, or one part of it. */
export interface MemoryEffect {
  readonly by: WatchedAccess["by"];
  readonly write: boolean;
  /** Virtual address; null where the access had none. */
  readonly va: bigint | null;
  /** Physical address. */
  readonly address: number;
  /** Bytes. */
  readonly size: number;
  /** What was read or written. */
  readonly value: bigint;
  /** What a write replaced; null for a read, and for a device. */
  readonly old: bigint | null;
}

/** What a step did. */
export interface StepEffects {
  readonly registers: readonly RegisterEffect[];
  readonly memory: readonly MemoryEffect[];
}

/** The effects of each step of `[from, to)`, in order. The session's cursor is at `to` then. */
export function stepEffects(session: Session, from: number, to: number): StepEffects[] {
  session.seek(from);
  const { machine, trace } = session;
  const changes = machine.cpus.map(({ processor }) => new RegisterChanges(processor.state));
  const found: StepEffects[] = [];
  let memory: MemoryEffect[] = [];
  let device: { address: number; va: bigint | null } = { address: -1, va: null };
  const watch = {
    covers: () => true,
    accessed: (access: WatchedAccess) => {
      if (access.by === "walker" && !access.write) return;
      const { by, write, va = null, address, bytes } = access;
      const size = bytes.length;
      // The device's event follows.
      if (!machine.memory.contains(address, size)) {
        device = { address, va };
        return;
      }
      const old = write ? littleEndian(machine.memory.read(address, size)) : null;
      memory.push({ by, write, va, address, size, value: littleEndian(bytes), old });
    },
  };
  const events = {
    event: (event: MachineEvent) => {
      if (event.kind !== "mmio") return;
      const { write, address, size, value } = event;
      const va = device.address === address ? device.va : null;
      memory.push({ by: "instruction", write, va, address, size, value, old: null });
    },
  };
  session.observeSteps(to, { events, watch }, () => {
    const cpu = trace.turns.cpuAt(machine.position - 1);
    found.push({ registers: changes[cpu].take(), memory });
    memory = [];
    const next = trace.turns.cpuAt(machine.position);
    // Others may have changed its registers meanwhile: PSCI CPU_ON does.
    if (next !== cpu) changes[next].take();
  });
  return found;
}

/** A register as words of the state. */
interface Place {
  readonly name: string;
  /** Index of the first word. */
  readonly word: number;
  readonly words: number;
}

const PLACES: readonly Place[] = [
  ...Array.from({ length: 31 }, (_, n) => place(`x${n}`, SLOT.x + 8 * n)),
  place("sp", SLOT.sp),
  place("fpcr", SLOT.fpcr),
  place("fpsr", SLOT.fpsr),
  ...Array.from({ length: 32 }, (_, n) => place(`v${n}`, SLOT.v + 16 * n, 16)),
  ...STORED_REGISTERS.map(({ name, slot }) => place(name, slot)),
];
/** Flags are kept unevaluated in these. */
const FLAGS = { first: SLOT.flagN >> 2, end: (SLOT.flagC >> 2) + 1 };

function place(name: string, slot: number, bytes = 8): Place {
  return { name, word: slot >> 2, words: bytes >> 2 };
}

/** Finds the registers that changed since it was last asked. */
class RegisterChanges {
  readonly #state: CpuState;
  readonly #before: Int32Array;
  #flags: bigint;

  constructor(state: CpuState) {
    this.#state = state;
    this.#before = state.words.slice(0, SLOT.end >> 2);
    this.#flags = state.nzcv;
  }

  take(): RegisterEffect[] {
    const now = this.#state.words;
    const before = this.#before;
    const found: RegisterEffect[] = [];
    for (const { name, word, words } of PLACES) {
      let same = true;
      for (let i = word; i < word + words; i++) {
        if (now[i] === before[i]) continue;
        before[i] = now[i];
        same = false;
      }
      if (!same) found.push({ name, value: valueOf(now, word, words) });
    }
    this.#takeFlags(found);
    return found;
  }

  #takeFlags(found: RegisterEffect[]): void {
    const now = this.#state.words;
    let same = true;
    for (let i = FLAGS.first; i < FLAGS.end; i++) {
      if (now[i] === this.#before[i]) continue;
      this.#before[i] = now[i];
      same = false;
    }
    if (same) return;
    const flags = this.#state.nzcv;
    if (flags !== this.#flags) found.push({ name: "nzcv", value: flags >> 28n });
    this.#flags = flags;
  }
}

function valueOf(words: Int32Array, first: number, count: number): bigint {
  let value = 0n;
  for (let i = first + count - 1; i >= first; i--) {
    value = value << 32n | BigInt(words[i] >>> 0);
  }
  return value;
}
