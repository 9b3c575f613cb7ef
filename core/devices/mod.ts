/** The board's devices. */

export * from "./bus.ts";
export * from "./device.ts";
export * from "./generic_timer.ts";
export * from "./gic_v2.ts";
export * from "./pl011.ts";
export * from "./psci.ts";
