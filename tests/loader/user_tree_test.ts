/** A device tree given by the user, against the reference's `-dtb`. */
import { assertEquals } from "@std/assert";
import { DeviceTree, loadImage, type LoadOptions } from "../../core/loader/mod.ts";
import { hasQemu, type QemuOptions, startQemuGdb } from "../drivers/qemu.ts";
import { code, makeElf } from "./make_elf.ts";
import { assertSameBytes } from "./same_bytes.ts";

const LOOP = code([0x14000000], 64);
const INITRD = new Uint8Array(5000).fill(5);

/** A tree with its own memory node, boot arguments and unknown nodes. */
function userTree(cells: number): Uint8Array {
  const tree = new DeviceTree();
  tree.root.set("#address-cells", [cells]).set("#size-cells", [cells]).set("model", "my board");
  tree.root.add("memory@80000000").set("device_type", "memory").set(
    "reg",
    new Uint8Array(8 * cells),
  );
  tree.root.add("chosen").set("bootargs", "a much longer line than the new one").set("mine", null);
  tree.root.add("thing@1").set("data", Uint8Array.of(1, 2, 3));
  return tree.write();
}

function withPsci(): Uint8Array {
  const tree = DeviceTree.read(userTree(2));
  tree.root.add("psci").set("method", "smc");
  return tree.write();
}

const CASES: [string, Uint8Array, Uint8Array, Partial<LoadOptions> & QemuOptions][] = [
  ["flat", LOOP, userTree(2), {}],
  ["flat, one cell, initrd, command line", LOOP, userTree(1), { append: "new", initrd: INITRD }],
  ["flat, with a PSCI node, which is replaced", LOOP, withPsci(), {}],
  [
    "ELF just above the tree's room",
    makeElf(0x40006000n, [{ address: 0x40006000n, bytes: LOOP }]),
    userTree(2),
    {},
  ],
];

for (const [name, image, dtb, options] of CASES) {
  Deno.test({
    name: `loadImage() edits a user's device tree like the reference: ${name}`,
    ignore: !hasQemu(),
    async fn() {
      const plan = loadImage(image, { memory: 128 << 20, ...options, dtb } as LoadOptions);
      const ours = plan.segments.find((segment) => segment.name === "device tree")!;
      const { gdb, stop } = await startQemuGdb(image, { ...options as QemuOptions, dtb });
      try {
        const size = ours.zeroTo - ours.address;
        const theirs = await gdb.readMemory(ours.address, size);
        assertEquals(new DataView(theirs.buffer).getUint32(4), size, "totalsize");
        const whole = new Uint8Array(size);
        whole.set(ours.bytes);
        // Read and written again, both are in one canonical form.
        assertSameBytes(DeviceTree.read(whole).write(), DeviceTree.read(theirs).write());
      } finally {
        await stop();
      }
    },
  });
}
