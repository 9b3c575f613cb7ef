/** The board's devices. */

export * from "./bus.ts";
export * from "./device.ts";
export * from "./flash.ts";
export * from "./fw_cfg.ts";
export * from "./generic_timer.ts";
export * from "./gic_v2.ts";
export * from "./gic_v2m.ts";
export * from "./gic_v3.ts";
export * from "./pci_host.ts";
export * from "./pl011.ts";
export * from "./pl031.ts";
export * from "./pl061.ts";
export * from "./psci.ts";
export * from "./semihosting.ts";
export * from "./semihosting_files.ts";
export * from "./virtio_blk.ts";
export * from "./virtio_console.ts";
export * from "./virtio_device.ts";
export * from "./virtio_mmio.ts";
export * from "./virtio_rng.ts";
export type { VirtioMemory } from "./virtqueue.ts";
