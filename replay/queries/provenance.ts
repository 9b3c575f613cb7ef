/**
 * Who wrote a descriptor: the last writer of each of its bytes before a position.
 */
import type { Session } from "../session.ts";
import { littleEndian, type WriteAnswer } from "./who_wrote.ts";
import { lastWriters, type MemoryWrite, type PhysicalRange } from "./writers.ts";

/** A writer of some bytes of a descriptor. */
export interface ByteWriters {
  /** The write; `old` and `new` are the whole range's values before and after it. */
  readonly write: WriteAnswer;
  /** Bytes of the range, lowest first, that still are as it left them. */
  readonly bytes: readonly number[];
}

/** The writers of a range of at most 16 bytes, the latest first. */
export function byteWriters(
  session: Session,
  range: PhysicalRange,
  before: number,
): ByteWriters[] {
  const byWrite = new Map<MemoryWrite, number[]>();
  lastWriters(session, range, before).forEach((write, i) => {
    const bytes = byWrite.get(write);
    if (bytes) bytes.push(i);
    else byWrite.set(write, [i]);
  });
  return [...byWrite]
    .map(([write, bytes]) => ({ write: wholeAnswer(session, range, write), bytes }))
    .sort((a, b) => b.write.position - a.write.position);
}

function wholeAnswer(session: Session, range: PhysicalRange, write: MemoryWrite): WriteAnswer {
  const { by, position, pc, va, address } = write;
  const common = {
    by,
    position,
    pc,
    size: range.length,
    address: range.address,
    va: va === null ? null : va + BigInt(range.address - address),
    copiedFrom: null,
  };
  if (pc === null) {
    return { ...common, old: null, new: littleEndian(write.bytes) };
  }
  const valueAt = (at: number) => {
    session.seek(at);
    return littleEndian(session.machine.memory.read(range.address, range.length));
  };
  return { ...common, old: valueAt(position), new: valueAt(position + 1) };
}
