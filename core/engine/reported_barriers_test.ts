import { assertEquals } from "@std/assert";
import { loadImage } from "../loader/mod.ts";
import { Machine } from "../machine.ts";
import type { MachineEvent, Observer } from "../observer.ts";
import { BARRIER } from "./reported_barriers.ts";

/** `isb; dsb sy; dmb sy; msr vbar_el1, xzr; isb; b .` */
const CODE = new Uint32Array([
  0xd5033fdf,
  0xd5033f9f,
  0xd5033fbf,
  0xd518c01f,
  0xd5033fdf,
  0x14000000,
]);

/** A machine, and the position of its first instruction: QEMU's boot code comes before. */
function machineWith(
  observer: Observer | null,
  hazards: boolean,
): { machine: Machine; start: number } {
  const memory = 16 << 20;
  const machine = new Machine({ memoryBytes: memory, hazards });
  machine.boot(loadImage(new Uint8Array(CODE.buffer), { memory }));
  machine.observer = observer;
  do machine.run(machine.position + 1); while (machine.engine.word !== CODE[0]);
  return { machine, start: machine.position };
}

Deno.test("an observer is told of every barrier", () => {
  const seen: string[] = [];
  const observer = {
    event: (event: MachineEvent) => {
      if (event.kind === "barrier") seen.push(event.operation);
    },
  };
  const { machine, start } = machineWith(observer, false);
  machine.run(start + CODE.length);
  assertEquals(seen, ["ISB", "DSB SY", "DMB SY", "ISB"]);
});

Deno.test("barriers call nothing where nobody wants them", () => {
  const { machine, start } = machineWith(null, false);
  machine.run(start + CODE.length);
  assertEquals(machine.engine.barriers.kinds, 0);
});

Deno.test("HazardDetector.wants() an ISB from a write of VBAR_ELx to the next", () => {
  const { machine, start } = machineWith(null, true);
  machine.run(start + 3);
  assertEquals(machine.engine.barriers.kinds & BARRIER.ISB, 0);
  machine.run(start + 4);
  assertEquals(machine.engine.barriers.kinds & BARRIER.ISB, BARRIER.ISB);
  machine.run(start + 5);
  machine.run(start + CODE.length);
  assertEquals(machine.engine.barriers.kinds & BARRIER.ISB, 0);
});
