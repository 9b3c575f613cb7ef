import {
  both,
  type Expression,
  type FunctionReference,
  load64,
  load8,
  type Program,
  systemRegister,
} from "./codegen/mod.ts";
import type { Console } from "./console.ts";
import type { Power } from "./power.ts";

/** Where `exception_entry` puts the interrupted registers: x0 at 0, x1 at 8, … */
export enum FrameOffset {
  LinkRegister = 240,
  StackPointer = 248,
}

/** Bytes of the frame. */
export const FRAME_SIZE = 256;

const VECTOR_KINDS = ["Synchronous exception", "IRQ", "FIQ", "SError"];
const VECTOR_SOURCES = [
  "current EL with SP_EL0",
  "current EL with SP_ELx",
  "lower EL using AArch64",
  "lower EL using AArch32",
];

/** ESR_EL1.EC (Arm ARM D13.2.37). */
const EXCEPTION_CLASSES: readonly [number, string][] = [
  [0x00, "Unknown reason"],
  [0x01, "Trapped WFI or WFE"],
  [0x07, "Trapped access to SVE, Advanced SIMD or floating point"],
  [0x0e, "Illegal Execution state"],
  [0x15, "SVC instruction"],
  [0x16, "HVC instruction"],
  [0x17, "SMC instruction"],
  [0x18, "Trapped MSR, MRS or System instruction"],
  [0x20, "Instruction Abort, lower EL"],
  [0x21, "Instruction Abort, current EL"],
  [0x22, "PC alignment fault"],
  [0x24, "Data Abort, lower EL"],
  [0x25, "Data Abort, current EL"],
  [0x26, "SP alignment fault"],
  [0x2f, "SError interrupt"],
  [0x30, "Breakpoint, lower EL"],
  [0x31, "Breakpoint, current EL"],
  [0x32, "Software Step, lower EL"],
  [0x33, "Software Step, current EL"],
  [0x34, "Watchpoint, lower EL"],
  [0x35, "Watchpoint, current EL"],
  [0x3c, "BRK instruction"],
];

/** ISS.IFSC and ISS.DFSC without the level, for the codes that carry one: FSC >> 2. */
const LEVEL_FAULTS: readonly [number, string][] = [
  [0, "Address size fault"],
  [1, "Translation fault"],
  [2, "Access flag fault"],
  [3, "Permission fault"],
  [5, "External abort on translation table walk"],
];

/** The codes without a level. */
const OTHER_FAULTS: readonly [number, string][] = [
  [0x10, "External abort"],
  [0x21, "Alignment fault"],
  [0x30, "TLB conflict abort"],
];

const END_OF_TABLE = 0xff;

/**
 * Defines `exception_report(vector)`: prints what is known about the exception and returns. An
 * exception during a report gives one line, an exception during that one nothing.
 */
export function defineExceptionReport(
  program: Program,
  parts: { console: Console; power: Power; frame: Expression },
): FunctionReference {
  const { print } = parts.console;
  const { halt } = parts.power;
  const reports = program.variable("exception_report_count", 0);
  const find = defineFind(program);
  const details = defineDetails(program, parts.console, find);
  const registers = defineRegisters(program, parts);
  const kinds = program.constantBytes("exception_kinds", nameTable([...VECTOR_KINDS.entries()]));
  const sources = program.constantBytes(
    "exception_sources",
    nameTable([...VECTOR_SOURCES.entries()]),
  );

  return program.function("exception_report", (f, vector) => {
    const count = f.let(load64(reports));
    f.store64(reports, count.plus(1));
    f.if(count.above(1), () => f.call(halt));
    f.if(count.equals(1), () => {
      f.call(
        print,
        "\n[exception] Another exception: ESR_EL1 %p, ELR_EL1 %p, FAR_EL1 %p\n",
        systemRegister("esr_el1"),
        systemRegister("elr_el1"),
        systemRegister("far_el1"),
      );
      f.call(halt);
    });
    const kind = f.let(vector.and(3));
    f.call(
      print,
      "\n[exception] FATAL: %s from %s\n",
      find.call(kinds, kind),
      find.call(sources, vector.shiftedRight(2)),
    );
    // An interrupt leaves no syndrome.
    f.if(kind.equals(0), () => f.call(details));
    f.if(kind.equals(3), () => f.call(details));
    f.call(print, "  ELR_EL1:  %p\n", systemRegister("elr_el1"));
    f.call(print, "  SPSR_EL1: %p\n", systemRegister("spsr_el1"));
    f.call(registers, vector);
    f.call(print, "[exception] System halted\n");
  });
}

/** `exception_name(table, code)`: the address of the name, or of "Reserved". */
function defineFind(program: Program): FunctionReference {
  return program.function("exception_name", (f, table, code) => {
    f.forever(() => {
      const entry = f.let(load8(table));
      f.set(table, table.plus(1));
      f.if(entry.equals(code), () => f.return(table));
      f.if(entry.equals(END_OF_TABLE), () => f.return(program.string("Reserved")));
      f.while(load8(table).differs(0), () => f.set(table, table.plus(1)));
      f.set(table, table.plus(1));
    });
  });
}

/** `exception_details()`: ESR_EL1 in words, and FAR_EL1 where it is valid. */
function defineDetails(
  program: Program,
  console: Console,
  find: FunctionReference,
): FunctionReference {
  const { print } = console;
  const classes = program.constantBytes("exception_classes", nameTable(EXCEPTION_CLASSES));
  const abort = defineAbort(program, console, find);

  return program.function("exception_details", (f) => {
    const syndrome = f.let(systemRegister("esr_el1"));
    const exceptionClass = f.let(syndrome.shiftedRight(26).and(0x3f));
    const specific = f.let(syndrome.and(0x1ff_ffff));
    f.call(print, "  ESR_EL1:  %p\n", syndrome);
    f.call(
      print,
      "    Class:    %x, %s\n",
      exceptionClass,
      find.call(classes, exceptionClass),
    );
    f.call(print, "    Syndrome: %x", specific);
    // EC 0b100x0x: the aborts. 0b100010 is a PC alignment fault, which only sets FAR_EL1.
    f.if(exceptionClass.and(0x3a).equals(0x20), () => {
      f.call(abort, exceptionClass, specific);
    });
    f.call(print, "\n");
    f.if(exceptionClass.and(0x38).equals(0x20), () => {
      // An SP alignment fault (0x26) leaves FAR_EL1 unknown, and so does ISS.FnV.
      f.if(exceptionClass.differs(0x26), () => {
        f.if(specific.and(1 << 10).equals(0), () => {
          f.call(print, "  FAR_EL1:  %p\n", systemRegister("far_el1"));
        });
      });
    });
  });
}

/** `exception_abort(class, syndrome)`: what kind of abort, at which level, by what access. */
function defineAbort(
  program: Program,
  { print }: Console,
  find: FunctionReference,
): FunctionReference {
  const faults = program.constantBytes("exception_faults", nameTable(OTHER_FAULTS));
  const levelFaults = program.constantBytes("exception_level_faults", nameTable(LEVEL_FAULTS));
  return program.function("exception_abort", (f, exceptionClass, specific) => {
    const status = f.let(specific.and(0x3f));
    const group = f.let(status.shiftedRight(2));
    f.if(
      both(group.below(6), group.differs(4)),
      () => {
        f.call(print, ", %s, level %d", find.call(levelFaults, group), status.and(3));
      },
      () => f.call(print, ", %s", find.call(faults, status)),
    );
    f.if(exceptionClass.and(4).differs(0), () => {
      f.if(
        specific.and(1 << 6).differs(0),
        () => f.call(print, ", write"),
        () => f.call(print, ", read"),
      );
    });
  });
}

/** `exception_registers(vector)`: x0–x30 and the interrupted stack pointer. */
function defineRegisters(
  program: Program,
  parts: { console: Console; frame: Expression },
): FunctionReference {
  const { print } = parts.console;
  return program.function("exception_registers", (f, vector) => {
    const frame = f.let(parts.frame);
    // SP_EL1 was in use only if the exception came from the current EL with SP_ELx.
    f.if(vector.shiftedRight(2).differs(1), () => {
      f.store64(frame, systemRegister("sp_el0"), FrameOffset.StackPointer);
    });
    const i = f.let(0);
    f.while(i.below(31), () => {
      const space = f.let(program.string("  "));
      f.if(i.above(9), () => f.set(space, program.string(" ")));
      f.call(print, "  x%d%s%p", i, space, load64(frame.plus(i.shiftedLeft(3))));
      f.if(i.and(1).differs(0), () => f.call(print, "\n"));
      f.set(i, i.plus(1));
    });
    f.call(print, "  sp  %p\n", load64(frame, FrameOffset.StackPointer));
  });
}

/** Entries of a code byte and a string that a zero byte ends. */
function nameTable(entries: readonly [number, string][]): Uint8Array {
  const encoder = new TextEncoder();
  const bytes = entries.flatMap(([code, name]) => [code, ...encoder.encode(name), 0]);
  return new Uint8Array([...bytes, END_OF_TABLE]);
}
