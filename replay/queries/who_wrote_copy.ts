/**
 * Where the value of a store was loaded from: the step of a copy loop from destination to source.
 */
import type { MemoryWatch } from "../../core/memory/memory.ts";
import type { Session } from "../session.ts";
import { effectsOf, type Source } from "./writers_effects.ts";
import { executedBackwards, instructionAt } from "./writers_instruction.ts";
import type { PhysicalRange } from "./writers.ts";

/** How far back the load may lie, in instructions. */
const MOST_INSTRUCTIONS = 4096;

/** A load that gave a register its value. */
export interface RegisterLoad {
  readonly position: number;
  readonly pc: bigint;
  /** Virtual and physical address of the element. */
  readonly va: bigint | null;
  readonly address: number;
  readonly length: number;
}

/**
 * The bytes that a store copied: those of `range`, as far as it stored them, in the place that they
 * were loaded from. Undefined where the value was computed, or is too old to tell.
 */
export function copySource(
  session: Session,
  write: StoredBytes,
  range: PhysicalRange,
): PhysicalRange | undefined {
  const load = copiedLoad(session, write, range);
  return load && { address: load.address, length: load.length };
}

/** A write of RAM by an instruction. */
export interface StoredBytes {
  readonly position: number;
  /** Physical address of the first byte. */
  readonly address: number | null;
  readonly size: number;
}

/** The same with the load that read those bytes. */
export function copiedLoad(
  session: Session,
  write: StoredBytes,
  range: PhysicalRange,
): RegisterLoad | undefined {
  const instruction = instructionAt(session.trace, write.position);
  if (!instruction || write.address === null) return undefined;
  const { stores, size } = effectsOf(instruction.word);
  const accesses = accessesOf(session, write.position).filter((access) => access.write);
  // Which element of a pair or of a larger register it was, by its address.
  const first = accesses[0]?.address;
  if (first === undefined || size === 0) return undefined;
  const start = Math.max(write.address, range.address);
  const element = Math.floor((start - first) / size);
  const source = stores[element];
  if (!source) return undefined;
  const load = loadOf(session, source, write.position);
  if (!load) return undefined;
  const offset = start - first - element * size;
  const end = Math.min(write.address + write.size, range.address + range.length);
  const length = Math.min(end - start, load.length - offset);
  if (length <= 0) return undefined;
  const va = load.va === null ? null : load.va + BigInt(offset);
  return { ...load, va, address: load.address + offset, length };
}

/** The load that gave a register the value it has at a position, if it was not changed since. */
export function loadOf(
  session: Session,
  source: Source,
  before: number,
): RegisterLoad | undefined {
  if (source.kind !== "register") return undefined;
  let { register } = source;
  let left = MOST_INSTRUCTIONS;
  for (const { position, pc, word } of executedBackwards(session.trace, before)) {
    if (left-- === 0) return undefined;
    const { writes, size } = effectsOf(word);
    const from = writes.get(register);
    if (!from) continue;
    if (from.kind === "computed") return undefined;
    if (from.kind === "register") {
      register = from.register;
      continue;
    }
    const reads = accessesOf(session, position).filter((access) => !access.write);
    const access = reads[0];
    if (!access) return undefined;
    const skipped = from.element * size;
    return {
      position,
      pc,
      va: access.va === null ? null : access.va + BigInt(skipped),
      address: access.address + skipped,
      length: size,
    };
  }
  return undefined;
}

interface Access {
  readonly write: boolean;
  readonly address: number;
  readonly va: bigint | null;
}

/** What the step behind a position accesses in RAM, the walker aside. */
function accessesOf(session: Session, position: number): Access[] {
  const found: Access[] = [];
  const watch: MemoryWatch = {
    covers: () => true,
    accessed({ by, write, address, va }) {
      if (by === "instruction") found.push({ write, address, va: va ?? null });
    },
  };
  session.seek(position);
  session.observe(position + 1, { watch });
  return found;
}
