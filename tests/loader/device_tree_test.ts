/** The generated device tree against the reference's, and against dtc. */
import { assert, assertEquals } from "@std/assert";
import {
  DEVICE_TREE_SIZE,
  type DeviceTreeOptions,
  makeDeviceTree,
  REFERENCE_DEVICES,
} from "../../core/loader/mod.ts";
import { dumpDeviceTree, hasQemu, type QemuOptions } from "../drivers/qemu.ts";
import { assertSameBytes } from "./same_bytes.ts";
import { zeroPadding } from "./tree_padding.ts";

const MIB = 1024 * 1024;

const BOARDS: [string, QemuOptions, Partial<DeviceTreeOptions>][] = [
  ["one CPU", {}, {}],
  ["4 CPUs", { cpus: 4 }, { cpus: 4 }],
  ["8 CPUs, GICv2", { cpus: 8 }, { cpus: 8 }],
  ["18 CPUs, GICv3", { cpus: 18, gic: 3 }, { cpus: 18, gic: 3 }],
  ["EL2", { machine: "virtualization=on" }, { virtualization: true }],
  ["EL2, GICv3", { machine: "virtualization=on", gic: 3 }, { virtualization: true, gic: 3 }],
  ["EL3", { machine: "secure=on" }, { secure: true, noFirmware: true }],
  [
    "EL2 and EL3, GICv3",
    { machine: "virtualization=on,secure=on", gic: 3 },
    { virtualization: true, secure: true, gic: 3, noFirmware: true },
  ],
  ["64 MiB", { memory: "64M" }, { memory: 64 * MIB }],
  ["3 GiB", { memory: "3G" }, { memory: 3072 * MIB }],
];

for (const [name, qemu, options] of BOARDS) {
  Deno.test({
    name: `makeDeviceTree() equals the reference's tree but for padding: ${name}`,
    ignore: !hasQemu(),
    async fn() {
      const tree = makeDeviceTree({ memory: 128 * MIB, devices: REFERENCE_DEVICES, ...options });
      const expected = zeroPadding(await dumpDeviceTree(undefined, qemu));
      assertSameBytes(tree.write(DEVICE_TREE_SIZE), expected);
    },
  });
}

/** Decompiles a blob, or returns null where dtc is not installed. */
async function decompile(blob: Uint8Array): Promise<string | null> {
  const args = ["-q", "-q", "-I", "dtb", "-O", "dts", "-s", "-"];
  try {
    const pipes = { stdin: "piped", stdout: "piped", stderr: "piped" } as const;
    const child = new Deno.Command("dtc", { args, ...pipes }).spawn();
    const writer = child.stdin.getWriter();
    await writer.write(blob as BufferSource as Uint8Array);
    await writer.close();
    const { success, stdout, stderr } = await child.output();
    assert(success, new TextDecoder().decode(stderr));
    return new TextDecoder().decode(stdout);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return null;
    throw error;
  }
}

Deno.test("makeDeviceTree() is accepted by dtc, and its nodes are the reference's", async () => {
  const source = await decompile(makeDeviceTree({ memory: 128 * MIB }).write(DEVICE_TREE_SIZE));
  if (source === null || !hasQemu()) return;
  const reference = await decompile(await dumpDeviceTree(undefined));
  assertEquals(topNodes(source), topNodes(reference!));
  const few = await decompile(
    makeDeviceTree({ memory: 128 * MIB, devices: ["pl011"] }).write(DEVICE_TREE_SIZE),
  );
  for (const node of topNodes(few!)) {
    assert(topNodes(reference!).includes(node), `the reference has no such node: ${node}`);
  }
  assertEquals(topNodes(few!).length, 7);
});

/** Nodes below the root, as text. */
function topNodes(source: string): string[] {
  return [...source.matchAll(/^\t[^\t\n]+ \{\n[\s\S]*?^\t\};/gm)].map(([text]) => text);
}
