/** Watchpoints see every access, by whatever agent and through whatever address. */
import { assertEquals } from "@std/assert";
import { Session } from "../../replay/session.ts";
import { type AccessReport, type WatchKind, Watchpoint } from "../../replay/stop_points.ts";
import { Timeline } from "../../replay/timeline.ts";
import { PhysicalBytes } from "../../replay/watched_bytes.ts";
import { AGENTS } from "./assembly.ts";
import { record } from "./recordings.ts";

const TRACE = record(AGENTS.image);
const BLOCK = 0x4010_0000;
const NEXT_PAGE = BLOCK + 0x1000;

/** Labels of the instructions that access a range, with address, size and agent of each access. */
function accesses(kind: WatchKind, address: number, length: number): string[] {
  const point = new Watchpoint("", kind, new PhysicalBytes({ address, length }));
  const places = { session: new Session(TRACE), timeline: new Timeline(TRACE) };
  const found: string[] = [];
  for (let from = 0;;) {
    const hit = point.find(places, { direction: "forward", from, limit: TRACE.end });
    if (!hit) return found;
    found.push(reportText(hit.access!));
    from = hit.position;
  }
}

function reportText({ pc, by, write, address, old, va }: AccessReport): string {
  const labels = [...AGENTS.labels].filter(([, place]) => place <= Number(pc));
  const [label] = labels.at(-1) ?? ["start"];
  const through = va !== null && va !== BigInt(address) ? ` as 0x${va.toString(16)}` : "";
  const agent = by === "instruction" ? "" : ` by ${by}`;
  return `${label}: ${write ? "write" : "read"} ${old.length} at +${
    address - BLOCK
  }${through}${agent}`;
}

Deno.test("a watchpoint sees DC ZVA, aliases, pairs, exclusives and parts of crossing stores", () => {
  assertEquals(TRACE.footer?.reason, "poweroff");
  assertEquals(accesses("access", BLOCK, 8), [
    "zero: write 8 at +0 by dc-zva",
    "alias: write 4 at +4 as 0x80100004",
    "load: read 8 at +0",
    "exclusive: read 8 at +0",
    "stored: write 8 at +0",
  ]);
  assertEquals(accesses("write", NEXT_PAGE - 1, 2), [
    "pair: write 1 at +4095",
    "crossing: write 1 at +4095",
  ]);
  assertEquals(accesses("write", NEXT_PAGE, 4), [
    "pair: write 4 at +4096",
    "crossing: write 4 at +4096",
  ]);
  assertEquals(accesses("write", NEXT_PAGE - 8, 8), [
    "pair: write 8 at +4088",
    "crossing: write 4 at +4092",
  ]);
});

Deno.test("a watchpoint sees what the translation table walker reads", () => {
  const table = AGENTS.labels.get("table")!;
  assertEquals(accesses("read", table, 4096).map((text) => text.replace(/\+-?\d+/, "+…")), [
    "start: read 8 at +… by walker",
    "alias: read 8 at +… by walker",
  ]);
});
