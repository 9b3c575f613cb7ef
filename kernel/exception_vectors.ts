import { type Expression, type FunctionReference, type Program } from "./codegen/mod.ts";
import type { Console } from "./console.ts";
import { EXCEPTION_STACK_SIZE } from "./memory_layout.ts";
import type { Power } from "./power.ts";
import { defineExceptionReport, FRAME_SIZE, FrameOffset } from "./exception_report.ts";

/** VBAR_EL1 needs this alignment (Arm ARM D13.2.149). */
const TABLE_ALIGNMENT = 0x800;
/** Instructions between two vectors: 0x80 bytes. */
const VECTOR_LENGTH = 32;

/**
 * Defines the vector table and `exception_init()`, which installs it.
 *
 * All 16 vectors lead to a report and a halt. Nothing of the interrupted code is trusted for that:
 * the registers go to a fixed frame and the report runs on a stack of its own, so a fault caused by
 * a bad stack pointer is reported too.
 */
export function defineExceptionVectors(
  program: Program,
  parts: { console: Console; power: Power },
): FunctionReference {
  const { print } = parts.console;
  const frame = program.reserve("exception_frame", FRAME_SIZE, 16);
  const stack = program.reserve("exception_stack", EXCEPTION_STACK_SIZE, 16);
  defineExceptionReport(program, { ...parts, frame });

  const entry = defineEntry(program, frame, stack);
  const vectors = program.naked("exception_vectors", TABLE_ALIGNMENT, (assembly) => {
    for (let index = 0; index < 16; index++) {
      assembly.fillTo(index * VECTOR_LENGTH);
      assembly.emit("msr tpidr_el1, x0");
      assembly.emit(`movz x0, #${index}`);
      assembly.emit(`b {${entry.name}}`);
    }
    assembly.fillTo(16 * VECTOR_LENGTH);
  });

  return program.function("exception_init", (f) => {
    const table = f.let(vectors.address);
    f.call(print, "[exception] Installing exception vector table at %p\n", table);
    f.writeSystemRegister("vbar_el1", table);
    f.instruction("isb");
    f.call(print, "[exception] Exception handlers installed\n");
  });
}

/** x0 is the vector's number; its own value is in TPIDR_EL1. */
function defineEntry(program: Program, frame: Expression, stack: Expression): FunctionReference {
  return program.naked("exception_entry", 4, (assembly) => {
    const { emit } = assembly;
    emit("msr tpidrro_el0, x1");
    emit(`adrp x1, {page:${nameOf(frame)}}`);
    emit(`add x1, x1, {low:${nameOf(frame)}}`);
    for (let i = 2; i < 30; i += 2) emit(`stp x${i}, x${i + 1}, [x1, #${8 * i}]`);
    emit("mov x2, sp");
    emit(`stp x30, x2, [x1, #${FrameOffset.LinkRegister}]`);
    emit("mrs x2, tpidr_el1");
    emit("mrs x3, tpidrro_el0");
    emit("stp x2, x3, [x1]");
    emit(`adrp x2, {page:${nameOf(stack)}}`);
    emit(`add x2, x2, {low:${nameOf(stack)}}`);
    emit(`add x2, x2, #${EXCEPTION_STACK_SIZE}`);
    emit("mov sp, x2");
    emit("bl {exception_report}");
    emit("b {halt}");
  });
}

function nameOf(symbol: Expression): string {
  if (symbol.node.k !== "symbol") throw new Error("expected a symbol");
  return symbol.node.name;
}
