import { PAGE_BYTES } from "../../core/memory/memory.ts";
import type { Trace, WindowFlow } from "../../trace/mod.ts";
import { effectsOf } from "../queries/writers_effects.ts";
import { ReplayError } from "../replay_error.ts";
import type { Session } from "../session.ts";
import {
  addMask,
  encodeChunks,
  type EncodedGroup,
  GROUP_WINDOWS,
  MASK_BYTES,
  REGISTER_BYTES,
  type SpaceSets,
} from "./index_format.ts";
import { INDEXED_REGISTERS } from "./trace_index.ts";

/** Units of 8 bytes in a page: one mark each (`Engine.storeMarks`). */
const PAGE_UNITS = PAGE_BYTES / 8;

const REGISTER_BITS = new Map(INDEXED_REGISTERS.map((name, bit) => [name, bit]));

/** Groups that a trace has. */
export function groupCount(trace: Trace): number {
  return Math.ceil((trace.windows.length - 1) / GROUP_WINDOWS);
}

/** Executes the windows of a group again and gives what they did. The session's cursor moves. */
export function makeGroup(session: Session, group: number): EncodedGroup {
  const { trace, machine } = session;
  const written: SpaceSets = new Map();
  const executed: SpaceSets = new Map();
  const first = 1 + group * GROUP_WINDOWS;
  const last = Math.min(first + GROUP_WINDOWS, trace.windows.length) - 1;
  const registers = new Uint8Array(REGISTER_BYTES * (last - first + 1));
  session.loadKeyframe(first - 1);
  // The loading marked what it wrote.
  machine.engine.storeMarks.fill(0);
  for (let window = first; window <= last; window++) {
    const n = window - first;
    const { end } = trace.windows[window];
    const reason = session.observe(end, {});
    if (session.position < end) {
      throw new ReplayError(
        `The re-execution differs from the trace: the machine ended at #${session.position} ` +
          `(${reason}); verify finds the first difference`,
      );
    }
    for (const page of trace.summary(window).written) {
      const mask = takeMask(session, page);
      if (mask) addMask(written, page, n, mask);
    }
    addFlow(trace.blocks(window), n, executed, registers.subarray(REGISTER_BYTES * n));
  }
  const chunks = [...encodeChunks(0, written), ...encodeChunks(1, executed)];
  return { group, chunks, registers };
}

/** A page's marks as bits, and clears them; undefined if there are none. */
function takeMask({ machine }: Session, page: number): Uint8Array | undefined {
  const { engine, memory } = machine;
  const at = page * PAGE_UNITS - memory.base / 8;
  const marks = engine.storeMarks.subarray(at, at + PAGE_UNITS);
  if (!marks.includes(1)) return undefined;
  const mask = new Uint8Array(MASK_BYTES[0]);
  for (let i = 0; i < PAGE_UNITS; i++) mask[i >> 3] |= marks[i] << (i & 7);
  marks.fill(0);
  return mask;
}

/** Notes the instructions that a window's blocks retired, and the registers that they write. */
function addFlow(
  { blocks, table }: WindowFlow,
  window: number,
  executed: SpaceSets,
  registers: Uint8Array,
): void {
  const seen = new Uint8Array(table.count);
  for (let i = 0; i < blocks.length; i++) seen[blocks[i]] = 1;
  const masks = new Map<number, Uint8Array>();
  for (let id = seen.indexOf(1); id >= 0; id = seen.indexOf(1, id + 1)) {
    const pc = table.pc(id);
    const page = Number(pc >> 12n);
    let mask = masks.get(page);
    if (!mask) masks.set(page, mask = new Uint8Array(MASK_BYTES[1]));
    let slot = Number(pc & 0xfffn) >> 2;
    for (let n = 0; n < table.steps(id); n++, slot++) {
      mask[slot >> 3] |= 1 << (slot & 7);
      for (const name of effectsOf(table.word(id, n)).writes.keys()) {
        const bit = REGISTER_BITS.get(name);
        if (bit !== undefined) registers[bit >> 3] |= 1 << (bit & 7);
      }
    }
  }
  for (const [page, mask] of masks) addMask(executed, page, window, mask);
}
