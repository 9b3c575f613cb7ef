/** Who had written the descriptors of a walk. */
import type { Session } from "../session.ts";
import { type ByteWriters, byteWriters } from "./provenance.ts";
import type { WalkAt } from "./walk_at.ts";

/** Bytes of a descriptor. */
const DESCRIPTOR = 8;

/** For each descriptor its writers, the latest first; none for those in flash. */
export interface WalkWriters {
  /** Of the tables as they are, by step of the walk, before its position. */
  readonly walk: readonly (readonly ByteWriters[])[];
  /** Of stage 2's tables, by step of its walk of what stage 1 gives. */
  readonly second: readonly (readonly ByteWriters[])[];
  /** Of what the TLB's fill read, before that; empty where the TLB agrees with the tables. */
  readonly fill: readonly (readonly ByteWriters[])[];
}

/**
 * Finds the writers of each descriptor. The session's cursor moves.
 *
 * Cost: a pass over a window for each descriptor that something wrote.
 */
export function walkWriters(session: Session, walk: WalkAt): WalkWriters {
  const { position, fill, differences } = walk;
  const known = new Map<string, readonly ByteWriters[]>();
  const writersOf = (address: number, before: number): readonly ByteWriters[] => {
    if (!session.machine.memory.contains(address, DESCRIPTOR)) return [];
    const key = `${address} ${before}`;
    let writers = known.get(key);
    if (!writers) {
      writers = byteWriters(session, { address, length: DESCRIPTOR }, before);
      known.set(key, writers);
    }
    return writers;
  };
  const filled = fill === null || differences.length === 0 ? [] : fill.descriptors;
  return {
    walk: (walk.walk?.steps ?? []).map(({ address }) => writersOf(address, position)),
    second: (walk.second?.steps ?? []).map(({ address }) => writersOf(address, position)),
    fill: filled.map(({ address }) => writersOf(address, fill!.position)),
  };
}
