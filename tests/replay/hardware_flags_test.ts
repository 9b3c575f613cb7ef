/** Descriptors that walks write (FEAT_HAFDBS) in a recording. */
import { assertEquals } from "@std/assert";
import { writesBefore } from "../../replay/queries/writers.ts";
import { Session } from "../../replay/session.ts";
import { program } from "../drivers/program.ts";
import { record } from "./recordings.ts";

/** The descriptor of the first GB of RAM's alias at 2 GB: AF clear, read-only, DBM. */
const LEAF = 0x4020_0010;
const GUEST = program(`
  ldr x0, =0x40200000; mov x1, #0x401; str x1, [x0]; ldr x1, =0x40000705; str x1, [x0, #8]
  ldr x1, =0x8000040000385; 
map: str x1, [x0, #16]; dsb sy
  ldr x2, =0x18000803519; msr tcr_el1, x2; mov x2, #0xff00; msr mair_el1, x2; msr ttbr0_el1, x0
  isb; mrs x3, sctlr_el1; orr x3, x3, #1; msr sctlr_el1, x3; isb
  ldr x4, =0x80300000
load: ldr x5, [x4]
clean: str x5, [x4]
dirty: str x5, [x4, #8]
  ldr w0, =0x84000008; hvc #0
`);

Deno.test("writesBefore() names the walk that set a descriptor's access flag and dirty state", () => {
  const trace = record(GUEST.plan(), { machine: { cpu: "max" } });
  const session = new Session(trace);
  const writes = [...writesBefore(session, { address: LEAF, length: 8 }, trace.end, 10)];
  assertEquals(
    writes.slice(0, 3).map(({ by, pc, bytes }) => [
      by,
      Number(pc),
      new DataView(bytes.buffer).getUint32(0, true),
    ]),
    [
      ["walker", GUEST.address("clean"), 0x4000_0705],
      ["walker", GUEST.address("load"), 0x4000_0785],
      ["store", GUEST.address("map"), 0x4000_0385],
    ],
  );
  assertEquals([...trace.events({ kinds: new Set(["hazard"]) })], []);
});
