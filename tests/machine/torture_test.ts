import { assert } from "@std/assert";
import { Machine } from "../../core/machine.ts";
import type { BootPlan } from "../../core/loader/mod.ts";
import { hasQemu, runQemu } from "../drivers/qemu.ts";
import { makeElf } from "../loader/make_elf.ts";
import { tortureGuest } from "./torture_guest.ts";

// Random code at EL0 does here what it does on the reference: registers, syndromes and memory at
// thousands of exceptions. Not of every seed: the reference executes a block to its end although
// an instruction of it has overwritten a later one.

const REPORTS = 3000;
/** Steps by which our machine has powered off, or loops without an exception. */
const MOST_STEPS = 6_000_000;
const SEEDS = [3, 21, 31, 129];

for (const seed of SEEDS) {
  Deno.test({
    name: `random code does what it does on the reference: seed ${seed}`,
    ignore: !hasQemu(),
    fn: async () => {
      const plan = tortureGuest(seed, REPORTS);
      const ours = reports(plan);
      const { text } = await runQemu(elfOf(plan), { quietMs: 2000 });
      const theirs = text.split("\n");
      for (let i = 0; i < Math.max(ours.length, theirs.length); i++) {
        if (ours[i] === theirs[i]) continue;
        throw new Error(`report ${i}\n  ours      ${ours[i]}\n  reference ${theirs[i]}`);
      }
      assert(ours.length > 100);
    },
  });
}

function reports(plan: BootPlan): string[] {
  const machine = new Machine({ memoryBytes: 128 << 20, storm: Infinity });
  const bytes: number[] = [];
  machine.observer = {
    event(event) {
      if (event.kind === "console") bytes.push(event.byte);
    },
  };
  machine.boot(plan);
  machine.run(MOST_STEPS);
  return new TextDecoder().decode(Uint8Array.from(bytes)).split("\n");
}

function elfOf({ pc, segments }: BootPlan): Uint8Array<ArrayBuffer> {
  return makeElf(
    pc,
    segments.map(({ address, bytes }) => ({ address: BigInt(address), bytes, flags: 7 })),
  );
}
