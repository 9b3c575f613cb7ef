/** Registers and stops by CPU beside QEMU's GDB stub, whose threads are CPUs from 1. */
import { assert, assertEquals } from "@std/assert";
import { Debugger } from "../../replay/debugger.ts";
import { Session } from "../../replay/session.ts";
import { Breakpoint, Watchpoint } from "../../replay/stop_points.ts";
import { PhysicalBytes } from "../../replay/watched_bytes.ts";
import { type Program, program } from "../drivers/program.ts";
import type { GdbClient } from "../drivers/gdb_client.ts";
import { hasQemu, startQemuGdb } from "../drivers/qemu.ts";
import { record } from "./recordings.ts";

const CPUS = 4;
const REGISTERS = [...Array.from({ length: 31 }, (_, n) => `x${n}`), "sp", "cpsr"];

/** Each CPU works in its turn, then rests; `done` is where all have. */
const GUEST: Program = program(`
  start: ldr x20, =table ; mov x21, #1 ; mov sp, x20
  more: ldr x0, =0xc4000003 ; mov x1, x21 ; ldr x2, =second ; add x3, x21, #0x100 ; hvc #0
  wait: ldr x4, [x20, x21, lsl #3] ; cbz x4, wait
    add x21, x21, #1 ; cmp x21, #${CPUS} ; b.lo more
    mov x9, #20000
  let: subs x9, x9, #1 ; b.ne let
  done: ldr w0, =0x84000008 ; hvc #0
  second: mrs x5, mpidr_el1 ; and x5, x5, #255 ; ldr x6, =table ; add x11, x6, x5, lsl #12 ; mov sp, x11
    mul x7, x0, x0 ; adds x8, x7, #5
    bl leaf
  stored: str x7, [x6, x5, lsl #3]
  rest: wfi ; b rest
  leaf: madd x10, x7, x8, x5 ; ret
    .balign 4096
  table: .space 64
`);

/** Registers of the thread that is chosen. */
async function threadRegisters(gdb: GdbClient, cpu: number): Promise<bigint[]> {
  assertEquals(await gdb.command(`Hgp1.${(cpu + 1).toString(16)}`), "OK");
  return await gdb.readRegisters(REGISTERS);
}

Deno.test({
  name: "replay shows each CPU's registers as the reference's threads have them",
  ignore: !hasQemu(),
  async fn() {
    const trace = record(GUEST.plan(), { machine: { cpus: CPUS } });
    const debug = new Debugger(new Session(trace));
    const { gdb, stop } = await startQemuGdb(GUEST.elf(), { cpus: CPUS });
    const ours = (cpu: number) => {
      const { x, sp, pstate } = debug.session.state().cpus[cpu];
      return [...x, sp, pstate];
    };
    try {
      // Every CPU comes by here once, and stops as the one that it is.
      const stored = BigInt(GUEST.address("stored"));
      await gdb.insert("hardware", stored);
      const { number } = debug.add(new Breakpoint(stored, ""));
      for (let cpu = 1; cpu < CPUS; cpu++) {
        const { packet } = await gdb.continue();
        assert(packet.includes(`thread:p01.0${cpu + 1};`), packet);
        debug.continue();
        assertEquals(debug.cpu, cpu);
        assertEquals(ours(cpu), await threadRegisters(gdb, cpu), `CPU ${cpu}`);
        // The stub stops there again otherwise.
        await gdb.remove("hardware", stored);
        await gdb.step();
        await gdb.insert("hardware", stored);
      }
      await gdb.remove("hardware", stored);
      debug.remove(number);
      const done = BigInt(GUEST.address("done"));
      await gdb.insert("hardware", done);
      debug.add(new Breakpoint(done, ""));
      await gdb.continue();
      debug.continue();
      for (let cpu = 0; cpu < CPUS; cpu++) {
        assertEquals(ours(cpu), await threadRegisters(gdb, cpu), `CPU ${cpu} at the end`);
      }
    } finally {
      await stop();
    }
  },
});

Deno.test("reverse-continue stops at each CPU's write, the last one first", () => {
  const trace = record(GUEST.plan(), { machine: { cpus: CPUS } });
  const debug = new Debugger(new Session(trace));
  debug.goto(trace.end);
  const address = GUEST.address("table");
  debug.add(new Watchpoint("", "write", new PhysicalBytes({ address, length: 64 })));
  const met: number[] = [];
  for (let stop = debug.reverseContinue(); stop.hit; stop = debug.reverseContinue()) {
    met.push(debug.cpu);
    assertEquals(stop.hit.access?.cpu, debug.cpu);
  }
  assertEquals(met, [3, 2, 1]);
});
