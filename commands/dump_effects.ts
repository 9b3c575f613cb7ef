/** What the instructions of a listing did, and how a listing shows it. */
import type { ExceptionEvent } from "../core/observer.ts";
import { readVirtual } from "../replay/guest_view.ts";
import { ReplayError } from "../replay/replay_error.ts";
import { Session } from "../replay/session.ts";
import {
  type MemoryEffect,
  type StepEffects,
  stepEffects,
} from "../replay/queries/step_effects.ts";
import type { Trace } from "../trace/mod.ts";
import { hex, type Output } from "./output.ts";

/** Effects of a stretch of steps at a time. */
export class DumpEffects {
  readonly #session: Session;
  readonly #err: Output;
  #from = 0;
  #effects: readonly StepEffects[] = [];
  #words = new Map<number, number>();
  #failed = false;

  private constructor(session: Session, err: Output) {
    this.#session = session;
    this.#err = err;
  }

  /** Effects of a trace; null, with a note on `err`, where it cannot be executed again. */
  static of(trace: Trace, err: Output): DumpEffects | null {
    try {
      return new DumpEffects(new Session(trace), err);
    } catch (error) {
      if (!(error instanceof ReplayError)) throw error;
      noteMissing(err, error);
      return null;
    }
  }

  /** Executes steps, which are in order, again. */
  load(steps: readonly { readonly position: number }[]): void {
    this.#effects = [];
    this.#words.clear();
    if (this.#failed || steps.length === 0) return;
    const [first] = steps;
    try {
      for (const step of steps) {
        if ("kind" in step) this.#loadWord(step as ExceptionEvent);
      }
      this.#from = first.position;
      this.#effects = stepEffects(this.#session, first.position, steps.at(-1)!.position + 1);
    } catch (error) {
      if (!(error instanceof ReplayError)) throw error;
      noteMissing(this.#err, error);
      this.#failed = true;
    }
  }

  /** What the step behind a position did; undefined where that is not known. */
  at(position: number): StepEffects | undefined {
    return this.#effects[position - this.#from];
  }

  /** The instruction word that could not be completed; undefined if there is none. */
  faulting({ position }: ExceptionEvent): number | undefined {
    return this.#words.get(position);
  }

  #loadWord({ type, retires, position, pc }: ExceptionEvent): void {
    if (type !== "sync" || retires) return;
    this.#session.seek(position);
    const bytes = readVirtual(this.#session.machine, pc, 4);
    if (bytes) this.#words.set(position, new DataView(bytes.buffer).getUint32(0, true));
  }
}

function noteMissing(err: Output, { message }: ReplayError): void {
  err.line(`unboot: without registers and memory: ${message}`);
}

/** `x9 = 0x40402000, w8 0x40100000 = 0x5`. */
export function effectsText({ registers, memory }: StepEffects): string {
  return [
    ...registers.map(({ name, value }) =>
      name === "nzcv" ? flagsText(value) : `${name} = ${hex(value)}`
    ),
    ...memory.map(accessText),
  ].join(", ");
}

function accessText({ write, va, address, size, value, by }: MemoryEffect): string {
  const alias = va === null || va === BigInt(address) ? "" : ` (${hex(address)})`;
  const agent = by === "dma" || by === "loader" ? ` by ${by}` : "";
  return `${write ? "w" : "r"}${size} ${hex(va ?? address)}${alias} = ${hex(value)}${agent}`;
}

function flagsText(nzcv: bigint): string {
  return [..."NZCV"]
    .map((flag, i) => (nzcv >> BigInt(3 - i) & 1n) === 1n ? flag : flag.toLowerCase()).join("");
}

/** As fields of a step's JSON object. */
export function effectsJson({ registers, memory }: StepEffects): Record<string, unknown> {
  return {
    registers: Object.fromEntries(registers.map(({ name, value }) => [name, value])),
    memory: memory.map(({ by, write, va, address, size, value, old }) => ({
      write,
      by,
      va,
      pa: hex(address),
      size,
      value,
      ...(old === null ? {} : { old }),
    })),
  };
}
