import { assertEquals } from "@std/assert";
import type { MachineState } from "../core/machine_state.ts";
import { type Checkpoint, CheckpointStore } from "./checkpoint.ts";

const STATE = {} as MachineState;

function checkpoint(position: number, ...pages: Uint8Array[]): Checkpoint {
  const map = new Map(pages.map((bytes, i) => [i * 4096, bytes]));
  return { position, window: 1, pages: map, state: STATE };
}

Deno.test("CheckpointStore.latest() gives the last checkpoint at or before a position", () => {
  const store = new CheckpointStore();
  for (const position of [50, 10, 30, 10]) store.add(checkpoint(position));
  assertEquals(store.count, 3);
  const at = (position: number) => store.latest(position)?.position;
  assertEquals([9, 10, 29, 30, 49, 1000].map(at), [undefined, 10, 10, 30, 30, 50]);
});

Deno.test("CheckpointStore drops what was not used for longest when there are too many", () => {
  const store = new CheckpointStore({ count: 3, bytes: Infinity });
  for (const position of [10, 20, 30]) store.add(checkpoint(position));
  store.latest(15);
  store.add(checkpoint(40));
  assertEquals(store.latest(25)?.position, 10);
  store.add(checkpoint(50));
  assertEquals([store.latest(35)?.position, store.count], [10, 3]);
});

Deno.test("CheckpointStore counts a page that several checkpoints share once", () => {
  const shared = new Uint8Array(4096);
  const store = new CheckpointStore({ count: 100, bytes: 3 * 4096 });
  store.add(checkpoint(10, shared, new Uint8Array(4096)));
  store.add(checkpoint(20, shared, new Uint8Array(4096)));
  assertEquals([store.count, store.bytes], [2, 3 * 4096]);
  store.add(checkpoint(30, shared, new Uint8Array(4096)));
  assertEquals([store.count, store.bytes], [2, 3 * 4096]);
  assertEquals(store.latest(15), undefined);
});
