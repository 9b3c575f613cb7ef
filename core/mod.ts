/** The machine: processor, devices, loaders. */

export { type EndReason, Machine, MACHINE_VERSION, type MachineOptions } from "./machine.ts";
export type { MachineState, SavedCpu } from "./machine_state.ts";
export { GuestMemory, PAGE_BYTES, type WriteEpoch } from "./memory.ts";
export * from "./observer.ts";
export type { FlowContext, FlowObserver, FlowSource } from "./engine/engine.ts";
export { BLOCK_KIND } from "./engine/engine.ts";
export { assemble, AssemblerError } from "./isa/assemble.ts";
export { disassemble } from "./isa/disassemble.ts";
export * from "./loader/mod.ts";
