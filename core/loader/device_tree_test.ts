import { assertEquals } from "@std/assert";
import { makeDeviceTree, REFERENCE_DEVICES } from "./device_tree.ts";
import { DeviceTree, type TreeNode } from "./flattened_tree.ts";

const memory = 128 * 1024 * 1024;

function names(node: TreeNode): string[] {
  return node.children.map(({ name }) => name).toSorted();
}

Deno.test("makeDeviceTree() describes only devices that are present", () => {
  const always = ["apb-pclk", "chosen", "cpus", "memory@40000000", "psci", "timer"];
  assertEquals(names(makeDeviceTree({ memory, devices: [] }).root), always);
  const { root } = makeDeviceTree({ memory, devices: ["pl011", "gic"] });
  assertEquals(names(root), [...always, "intc@8000000", "pl011@9000000"].toSorted());
  assertEquals(root.child("intc@8000000")?.children, []);
});

Deno.test("makeDeviceTree() numbers phandles the same whatever is present", () => {
  const all = makeDeviceTree({ memory, cpus: 2, devices: REFERENCE_DEVICES }).root;
  const some = makeDeviceTree({ memory, cpus: 2, devices: ["gic", "pl061"] }).root;
  for (const name of ["intc@8000000", "pl061@9030000", "apb-pclk"]) {
    assertEquals(some.child(name)?.get("phandle"), all.child(name)?.get("phandle"));
  }
});

Deno.test("makeDeviceTree() gives each CPU its affinity and PSCI", () => {
  const cpus = makeDeviceTree({ memory, cpus: 10, gic: 2 }).root.child("cpus")!;
  assertEquals(cpus.child("cpu@9")?.get("reg"), Uint8Array.of(0, 0, 1, 1));
  assertEquals(cpus.child("cpu@9")?.get("enable-method"), new TextEncoder().encode("psci\0"));
  const wide = makeDeviceTree({ memory, cpus: 10, gic: 3 }).root.child("cpus")!;
  assertEquals(wide.child("cpu@9")?.get("reg"), Uint8Array.of(0, 0, 0, 9));
});

Deno.test("makeDeviceTree() puts seeds in /chosen only when given", () => {
  const without = makeDeviceTree({ memory }).root.child("chosen")!;
  assertEquals(without.get("kaslr-seed"), null);
  const seeds = { kaslr: new Uint8Array(8).fill(1), rng: new Uint8Array(32).fill(2) };
  const chosen = makeDeviceTree({ memory, seeds }).root.child("chosen")!;
  assertEquals(chosen.get("kaslr-seed"), seeds.kaslr);
  assertEquals(chosen.get("rng-seed"), seeds.rng);
});

Deno.test("makeDeviceTree() gives a blob that reads back", () => {
  const blob = makeDeviceTree({ memory, devices: REFERENCE_DEVICES }).write();
  const { root } = DeviceTree.read(blob);
  assertEquals(root.children.length, 32 + 16);
});
