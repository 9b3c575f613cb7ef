import { assertEquals } from "@std/assert";
import { BLOCK_BYTES, type Medium } from "../medium.ts";
import { BlockOverlay } from "./block_overlay.ts";

/** A medium of three blocks, each filled with its number, that keeps what is written. */
function make(kept: Uint8Array[] = []): BlockOverlay {
  const medium: Medium = {
    size: 3 * BLOCK_BYTES,
    block: (number) => new Uint8Array(BLOCK_BYTES).fill(number),
    wrote: (version, content) => kept[version] = content,
    written: (version) => kept[version],
  };
  return new BlockOverlay(medium);
}

Deno.test("BlockOverlay.write() lies over the medium, across blocks", () => {
  const disk = make();
  disk.write(BLOCK_BYTES - 2, Uint8Array.of(7, 8, 9));
  assertEquals([...disk.read(BLOCK_BYTES - 3, 5)], [0, 7, 8, 9, 1]);
  assertEquals([...disk.read(2 * BLOCK_BYTES - 1, 2)], [1, 2]);
});

Deno.test("BlockOverlay.restore() finds versions that another machine wrote", () => {
  const kept: Uint8Array[] = [];
  const disk = make(kept);
  const states = [disk.save()];
  for (const value of [5, 6]) {
    disk.write(10, Uint8Array.of(value));
    states.push(disk.save());
  }
  const other = make(kept);
  const seen = states.map((state) => {
    other.restore(state);
    return other.read(10, 1)[0];
  });
  assertEquals(seen, [0, 5, 6]);
  assertEquals(other.save(), disk.save());
});
