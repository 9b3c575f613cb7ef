/** The device tree that Xen boots a first guest with (Xen's docs/misc/arm/device-tree/booting.txt). */
import { makeDeviceTree } from "../../../core/loader/device_tree.ts";

/** A module, where it is put into RAM. */
export interface XenModule {
  readonly kind: "kernel" | "ramdisk";
  readonly address: number;
  readonly bytes: number;
}

/** How Xen is booted. */
export interface XenOptions {
  /** Bytes of RAM. */
  readonly memory: number;
  readonly gic: 2 | 3;
  /** Command lines of Xen and of its first guest. */
  readonly xen: string;
  readonly guest: string;
  readonly modules: readonly XenModule[];
}

/** The board's tree with what `/chosen` says to Xen. */
export function makeXenTree(options: XenOptions): Uint8Array<ArrayBuffer> {
  const tree = makeDeviceTree({ memory: options.memory, gic: options.gic, virtualization: true });
  const chosen = tree.root.child("chosen")!;
  chosen.set("#address-cells", [2]).set("#size-cells", [2]);
  chosen.set("xen,xen-bootargs", options.xen).set("xen,dom0-bootargs", options.guest);
  for (const { kind, address, bytes } of options.modules) {
    const node = chosen.add(`module@${address.toString(16)}`);
    node.set("compatible", [`multiboot,${kind}`, "multiboot,module"]);
    node.set("reg", [0, address, 0, bytes]);
  }
  return new Uint8Array(tree.write());
}
