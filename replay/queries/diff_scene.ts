/** What a boot executed around an effect, and the descriptors that stood above the one it wrote. */
import { disassemble } from "../../core/isa/disassemble.ts";
import type { Effect } from "./diff_effects.ts";
import type { Relation } from "./diff_relation.ts";
import { attributes } from "./explain_text.ts";
import type { Side } from "./diff_side.ts";

/** Instructions shown before the one in question. */
const BEFORE = 5;
const LINES_OF_SOURCE = 80;

/** One side of a difference, for people. */
export interface Scene {
  /** `#123  page_map+0x134, mapper.c:12`. */
  readonly place: string;
  /** Executed instructions, the one in question last. */
  readonly instructions: readonly string[];
  /** Descriptors on the way to what the one written maps; empty if none was. */
  readonly walk: readonly string[];
}

/** Shows an effect where it happened. The side's cursor moves. */
export function sceneOf(relation: Relation, side: "a" | "b", effect: Effect): Scene {
  const own = relation[side];
  const { position, pc } = effect;
  const name = own.codeName(pc);
  const source = own.source(pc)?.slice(-LINES_OF_SOURCE);
  return {
    place: `#${position}  ${own.cpu === undefined ? "" : `cpu${own.cpu}  `}${hex(pc)}${
      name ? ` <${name}>` : ""
    }${source ? `, ${source}` : ""}`,
    instructions: instructionsAt(own, position),
    walk: walkOf(relation, side, effect),
  };
}

function instructionsAt(side: Side, position: number): string[] {
  const from = Math.max(0, position - BEFORE);
  const executed = [...side.trace.executed(from, position + 1)];
  return executed.filter((step) => side.isOwn(step.position)).map((executed) => {
    const { pc, word } = executed;
    const mark = executed.position === position ? "->" : "  ";
    const name = side.codeName(pc);
    const code = disassemble(word, pc);
    return `${mark} #${executed.position}  ${hex(pc)}${name ? ` <${name}>` : ""}  ${code}`;
  });
}

function walkOf(relation: Relation, side: "a" | "b", effect: Effect): string[] {
  const entry = relation.entry(effect, side);
  const own = relation[side];
  if (!entry) return [];
  const { session } = own;
  const { memory } = session.machine;
  session.seek(Math.min(effect.position + 1, own.trace.end));
  const steps = new Map<number, string>();
  for (const page of own.tables.values()) {
    const index = entry.va - page.va >> BigInt(page.sizeLog2);
    const address = page.address + 8 * Number(index);
    const isInside = index >= 0n && address < page.unit + 4096 && address >= page.unit;
    if (!isInside || page.level > entry.level || !memory.contains(address, 8)) continue;
    // Of several trees the one that the store went to.
    if (page.level === entry.level && address !== effect.address) continue;
    const words = memory.read(address, 8).slice();
    const descriptor = new DataView(words.buffer).getBigUint64(0, true);
    const mark = address === effect.address ? "  <- written here" : "";
    const text = attributes({ level: page.level, address, descriptor });
    steps.set(
      page.level,
      `L${page.level} ${hex(address)}: 0x${
        descriptor.toString(16).padStart(16, "0")
      }  ${text}${mark}`,
    );
  }
  return [...steps].sort(([x], [y]) => x - y).map(([, text]) => text);
}

function hex(value: number | bigint): string {
  return `0x${value.toString(16)}`;
}
