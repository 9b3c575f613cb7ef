/**
 * Names for physical program counters: a kernel linked high runs at its load address until the MMU
 * is on, where its symbols are not.
 */
import type { Trace } from "../../trace/mod.ts";
import type { Symbolizer } from "../symbolizer.ts";

/** What texts need of a symbolizer. */
export type Names = Pick<Symbolizer, "name" | "source">;

/** Fills looked at for distances between virtual and physical code. */
const MOST_FILLS = 20_000;
const MOST_DISTANCES = 8;

/** The names of a trace; an address that has none is tried where the program is mapped as well. */
export function namesOf(trace: Trace, symbols: Symbolizer): Names {
  let known: bigint[] | undefined;
  const moved = (address: bigint): bigint => {
    if (inFunction(symbols, address)) return address;
    known ??= symbols.isEmpty ? [] : distances(trace);
    const elsewhere = known.map((distance) => BigInt.asUintN(64, address + distance));
    // A label without a size, such as one that a linker script sets, is the last resort.
    return elsewhere.find((other) => inFunction(symbols, other)) ?? address;
  };
  return {
    name: (address) => symbols.name(moved(address)),
    source: (address) => symbols.source(moved(address)),
  };
}

function inFunction(symbols: Symbolizer, address: bigint): boolean {
  const place = symbols.symbol(address);
  if (!place) return false;
  const symbol = symbols.find(place.name);
  return symbol !== undefined && (symbol.type === "function" || symbol.size > 0);
}

/** Distances from where code lies to where it runs once the MMU is on, or is linked. */
function distances(trace: Trace): bigint[] {
  const found = new Set<bigint>();
  let looked = 0;
  for (const event of trace.events({ kinds: new Set(["tlb-fill"]) })) {
    if (looked++ === MOST_FILLS || found.size === MOST_DISTANCES) break;
    if (event.kind !== "tlb-fill" || event.access !== "execute") continue;
    const distance = event.va - BigInt(event.pa);
    if (distance !== 0n) found.add(distance);
  }
  const linked = linkDistance(trace);
  if (linked !== undefined) found.add(linked);
  return [...found];
}

/** From the entry point to the lowest function, if they lie alike in their pages. */
function linkDistance(trace: Trace): bigint | undefined {
  const functions = trace.symbols().filter(({ type, name }) =>
    type !== "object" && name[0] !== "$"
  );
  if (functions.length === 0) return undefined;
  const lowest = functions.reduce((a, b) => b.address < a.address ? b : a).address;
  const distance = lowest - trace.image.pc;
  return distance !== 0n && distance % 4096n === 0n ? distance : undefined;
}
