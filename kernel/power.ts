import { type FunctionReference, type Program } from "./codegen/mod.ts";
import type { Console } from "./console.ts";

/** Functions that end the kernel's work. None of them returns. */
export interface Power {
  /** `halt()`: waits for ever with all interrupts masked. */
  readonly halt: FunctionReference;
  /** `panic(message)`: prints the message and halts. */
  readonly panic: FunctionReference;
  /** `power_off()`: PSCI SYSTEM_OFF. */
  readonly powerOff: FunctionReference;
}

/** PSCI function identifier of SYSTEM_OFF (DEN0022, section 5.10). */
const SYSTEM_OFF = 0x8400_0008;

/** Defines the ways to stop. */
export function definePower(program: Program, console: Console): Power {
  const halt = program.naked("halt", 4, (assembly) => {
    const again = assembly.label();
    assembly.emit("msr daifset, #0xf");
    assembly.place(again);
    assembly.emit("wfi");
    assembly.emit(`b {${again}}`);
  });

  const panic = program.function("panic", (f, message) => {
    f.call(console.print, "\n[panic] %s\n", message);
    f.call(halt);
  });

  const powerOff = program.naked("power_off", 4, (assembly) => {
    assembly.emit(`movz x0, #0x${(SYSTEM_OFF & 0xffff).toString(16)}`);
    assembly.emit(`movk x0, #0x${(SYSTEM_OFF >>> 16).toString(16)}, lsl #16`);
    assembly.emit("hvc #0x0");
    assembly.emit("b {halt}");
  });
  return { halt, panic, powerOff };
}
