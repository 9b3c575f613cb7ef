import { assert, assertEquals } from "@std/assert";
import { buildKernel } from "../../kernel/build.ts";
import { firstExecution } from "../../replay/queries/first_execution.ts";
import { walkAt } from "../../replay/queries/walk_at.ts";
import { Session } from "../../replay/session.ts";
import { STALE } from "./assembly.ts";
import { record } from "./recordings.ts";

Deno.test("walkAt() reads the descriptors that each TLB fill read", () => {
  const trace = record(buildKernel().elf);
  const session = new Session(trace);
  let fills = 0;
  for (const event of trace.events({ kinds: new Set(["tlb-fill"]) })) {
    if (event.kind !== "tlb-fill") continue;
    fills++;
    session.seek(event.position + 1);
    const { pa, walk, tlb, fill, differences } = walkAt(session, event.va);
    assertEquals(pa, event.pa);
    assertEquals(
      walk?.steps.map(({ level, address, hi, lo }) => ({
        level,
        address,
        descriptor: BigInt(hi) << 32n | BigInt(lo),
      })),
      event.descriptors,
    );
    assertEquals([tlb?.pa, tlb?.level, tlb?.sizeLog2], [event.pa, event.level, event.sizeLog2]);
    assertEquals([fill?.position, differences], [event.position, []]);
  }
  assert(fills > 5);
});

Deno.test("walkAt() translates to the same address where the MMU is off", () => {
  const session = new Session(record(STALE.image));
  const { pa, walk, tlb } = walkAt(session, 0x4008_0000n);
  assertEquals([pa, walk, tlb], [0x4008_0000, null, null]);
  assertEquals(walkAt(session, 1n << 60n).pa, null);
});

Deno.test("walkAt() shows a TLB entry that the tables no longer give", () => {
  const trace = record(STALE.image);
  assertEquals(trace.footer?.reason, "poweroff");
  const session = new Session(trace);
  const at = (label: string) => firstExecution(trace, BigInt(STALE.labels.get(label)!))!;
  const va = 0x8008_0000n;
  session.seek(at("filled"));
  assertEquals([walkAt(session, va).pa, walkAt(session, va).tlb], [0x4008_0000, null]);
  session.seek(at("stale"));
  const { pa, tlb, fill, differences } = walkAt(session, va);
  assertEquals([pa, tlb?.pa, differences], [0x4008_0000, 0x4008_0000, ["address"]]);
  assertEquals(fill?.position, at("filled"));
  assertEquals(fill?.descriptors[0].descriptor, 0x4000_0701n);
});
