import { assertEquals } from "@std/assert";
import { ColumnReader } from "./columns.ts";
import { KeyframeWriter } from "./keyframe_writer.ts";
import type { RecordableMemory } from "./recordable_machine.ts";
import { PAGE_SIZE } from "./schema.ts";

Deno.test("storeWindow() leaves out unchanged pages even when their copies were too many", () => {
  const pages = 8300; // more than are copied
  const bytes = new Uint8Array(pages * PAGE_SIZE);
  bytes[8250 * PAGE_SIZE] = 1;
  let written = (_address: number) => {};
  const memory = {
    base: 0,
    size: bytes.length,
    bytes,
    trackFirstWrites(listener: (address: number) => void) {
      written = listener;
      return { restart() {}, close() {} };
    },
  } as RecordableMemory;
  const stored: number[] = [];
  const writer = new KeyframeWriter(memory, (content) => {
    if (content.space !== 0) return;
    const column = new ColumnReader(content.pages as Uint8Array, "pages");
    for (let page = 0; !column.done;) stored.push(page += column.uint());
  });
  writer.storeImage();
  assertEquals(stored.splice(0), [8250]);
  for (let page = 0; page < pages; page++) written(page * PAGE_SIZE);
  for (const page of [5, 8260]) bytes[page * PAGE_SIZE] = 2;
  const state = { tlb: new Uint8Array(16) } as Parameters<typeof writer.storeWindow>[0];
  writer.storeWindow(state);
  assertEquals(stored, [5, 8260]);
});
