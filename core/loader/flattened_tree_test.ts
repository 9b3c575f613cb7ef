import { assertEquals, assertThrows } from "@std/assert";
import { DeviceTree } from "./flattened_tree.ts";
import { ImageError } from "./image_error.ts";

function sample(): DeviceTree {
  const tree = new DeviceTree();
  tree.root.set("compatible", "board").set("cells", [1, 0xffffffff]);
  tree.root.add("first").set("list", ["a", "bc"]).set("flag", null);
  tree.root.add("second@1000").set("bytes", Uint8Array.of(1, 2, 3)).add("inner");
  tree.reserved.push([0x40000000n, 0x1000n]);
  return tree;
}

Deno.test("TreeNode.set() and add() insert in front, and replace in place", () => {
  const { root } = sample();
  assertEquals(root.children.map(({ name }) => name), ["second@1000", "first"]);
  assertEquals(root.properties.map(({ name }) => name), ["cells", "compatible"]);
  root.set("compatible", "other");
  assertEquals(root.properties.map(({ name }) => name), ["cells", "compatible"]);
  assertEquals(root.get("cells"), Uint8Array.of(0, 0, 0, 1, 255, 255, 255, 255));
  assertEquals(root.child("first")?.get("list"), Uint8Array.of(0x61, 0, 0x62, 0x63, 0));
});

Deno.test("DeviceTree.intern() shares names, also as the tail of a longer one", () => {
  const tree = new DeviceTree();
  assertEquals(tree.intern("msi-parent"), 0);
  assertEquals(tree.intern("parent"), 4);
  assertEquals(tree.intern("msi"), 11);
});

Deno.test("DeviceTree.write() and read() are inverse", () => {
  const blob = sample().write(4096);
  assertEquals(blob.length, 4096);
  const copy = DeviceTree.read(blob);
  assertEquals(copy.reserved, [[0x40000000n, 0x1000n]]);
  assertEquals(copy.root.child("second@1000")?.get("bytes"), Uint8Array.of(1, 2, 3));
  assertEquals(DeviceTree.read(copy.write()).write(), copy.write());
});

Deno.test("DeviceTree.write() refuses a tree larger than its total size", () => {
  assertThrows(() => sample().write(64), ImageError, "expected at most 64");
});

function patched(at: number, value: number): Uint8Array {
  const blob = sample().write();
  new DataView(blob.buffer).setUint32(at, value);
  return blob;
}

Deno.test("DeviceTree.read() says what is wrong and where", () => {
  const structure = new DataView(sample().write().buffer).getUint32(8);
  const bad: [Uint8Array, string][] = [
    [new Uint8Array(10), "file has 10 bytes, expected at least 40"],
    [patched(0, 0x12345678), "magic is 0x12345678 at byte 0, expected 0xd00dfeed"],
    [patched(4, 1 << 20), "total size 1048576 is past the end of the file"],
    [patched(8, 1 << 20), "structure block needs"],
    [patched(12, 1 << 20), "strings block needs"],
    [patched(16, 1 << 20), "memory reservation block needs"],
    [patched(20, 3), "version is 3, expected 17"],
    [patched(structure, 2), `unexpected token 2 at byte ${structure}`],
    [patched(structure + 12, 0xffffff), "16777215 bytes wanted at byte"],
    [
      patched(structure + 16, 0xffffff),
      "property name at 16777215 is too long or past the strings block",
    ],
  ];
  for (const [blob, message] of bad) {
    assertThrows(() => DeviceTree.read(blob), ImageError, message);
  }
});

Deno.test("DeviceTree.read() bounds the nesting", () => {
  const tree = new DeviceTree();
  let node = tree.root;
  for (let depth = 0; depth < 100; depth++) node = node.add("n");
  const blob = tree.write();
  assertThrows(() => DeviceTree.read(blob), ImageError, "unexpected token 1");
});
