/** Small guests written as assembly with labels. */
import { assemble } from "../../core/isa/assemble.ts";

/** Where a flat image begins. */
export const BASE = 0x4008_0000;

/** A program and where its labels are. */
export interface Program {
  /** A flat image. */
  readonly image: Uint8Array<ArrayBuffer>;
  readonly labels: ReadonlyMap<string, number>;
}

/**
 * Assembles a flat image: one instruction per line, `label:` lines, `=label` for its address,
 * `.align N` (bytes) and `.word N`. A `;` ends a line, too.
 */
export function program(text: string): Program {
  const lines = text.split(/[\n;]/).map((line) => line.trim()).filter((line) => line !== "");
  const labels = new Map<string, number>();
  const placed: { line: string; address: number }[] = [];
  let address = BASE;
  for (const line of lines) {
    const [, alignment] = /^\.align (\d+)$/.exec(line) ?? [];
    if (line.endsWith(":")) labels.set(line.slice(0, -1), address);
    else if (alignment !== undefined) {
      address = Math.ceil(address / Number(alignment)) * Number(alignment);
    } else {
      placed.push({ line, address });
      address += 4;
    }
  }
  const words = new Uint32Array((address - BASE) / 4);
  for (const { line, address } of placed) {
    words[(address - BASE) / 4] = wordOf(line, address, labels);
  }
  return { image: new Uint8Array(words.buffer), labels };
}

function wordOf(line: string, address: number, labels: ReadonlyMap<string, number>): number {
  const resolved = line.replace(/=(\w+)/g, (_, name) => {
    const label = labels.get(name);
    if (label === undefined) throw new Error(`no label ${name}`);
    return `0x${label.toString(16)}`;
  });
  const [, word] = /^\.word (.+)$/.exec(resolved) ?? [];
  return word === undefined ? assemble(resolved, BigInt(address)) : Number(word) >>> 0;
}

/** PSCI SYSTEM_OFF. */
export const POWER_OFF = "movz w0, #0x8; movk w0, #0x8400, lsl #16; hvc #0x0";

/** Sums with timer interrupts, faults and calls in between; rewrites one of its instructions. */
export const BUSY = program(`
  adr x0, =vectors; msr vbar_el1, x0
  movz x0, #0x4010, lsl #16; mov sp, x0
  movz x1, #0x800, lsl #16; mov w2, #0x1; str w2, [x1]
  movz w3, #0x800, lsl #16; str w3, [x1, #0x100]
  add x1, x1, #0x10, lsl #12; mov w3, #0xff; str w3, [x1, #4]; str w2, [x1]
  mov x4, #0x40; msr cntv_tval_el0, x4; mov x4, #0x1; msr cntv_ctl_el0, x4
  isb; msr daifclr, #0x2
  movz x20, #0x200
  adr x21, =patch; adr x23, =words; ldp w24, w25, [x23]
outer:
  mov x0, x20; bl =work
  and x5, x20, #0xf; cbnz x5, =no_fault
  movz x6, #0x1, lsl #32; ldr x7, [x6]
no_fault:
  str w24, [x21]; dc cvau, x21; ic ivau, x21; dsb sy; isb
  eor w24, w24, w25; eor w25, w24, w25; eor w24, w24, w25
  and x5, x20, #0x3f; cbnz x5, =no_wait
  wfi
no_wait:
  sub x20, x20, #1; cbnz x20, =outer
  ${POWER_OFF}
work:
  stp x29, x30, [sp, #-16]!
  mov x2, #0x20; movz x3, #0x4020, lsl #16
  and x4, x0, #0xff; add x3, x3, x4, lsl #9
fill:
  str x2, [x3], #8; ldrb w5, [x3]; add x1, x1, x5
  sub x2, x2, #1; cbnz x2, =fill
  bl =leaf
  ldp x29, x30, [sp], #16; ret
leaf:
patch:
  add x8, x8, #1; ret
words:
  add x8, x8, #2; add x8, x8, #3
.align 2048
vectors:
  nop
.align 512
fault:
  mrs x10, elr_el1; add x10, x10, #0x4; msr elr_el1, x10; add x11, x11, #1; eret
.align 128
interrupt:
  movz x12, #0x801, lsl #16; ldr w13, [x12, #0xc]
  movz x14, #0x50; msr cntv_tval_el0, x14
  str w13, [x12, #0x10]; add x15, x15, #1; eret
`);

/** Maps memory at its own address and at 0x80000000, as a block each, and turns the MMU on. */
const MAP_TWICE = `
  adr x0, =table
  movz x1, #0x701; movk x1, #0x4000, lsl #16; stp x1, x1, [x0, #8]
  mov x2, #0xff; msr mair_el1, x2
  movz x2, #0x19; movk x2, #0x80, lsl #16; msr tcr_el1, x2
  msr ttbr0_el1, x0; isb
  mrs x3, sctlr_el1; orr x3, x3, #0x1; msr sctlr_el1, x3; isb
`;

/** A translation table of one page behind everything else. */
const TABLE = `
.align 4096
table:
  .word 0
.align 4096
end:
  .word 0
`;

/** Maps memory twice, then changes the second mapping without a TLBI and reads through it. */
export const STALE = program(`
  ${MAP_TWICE}
  movz x4, #0x8008, lsl #16
filled:
  ldr x5, [x4]
  movz x1, #0x701; str x1, [x0, #0x10]
stale:
  ldr x6, [x4]
  ${POWER_OFF}
  ${TABLE}
`);

/** Accesses 0x40100000 and the page behind in all ways that there are. */
export const AGENTS = program(`
  ${MAP_TWICE}
  movz x7, #0x4010, lsl #16; movz x9, #0x8010, lsl #16; movz x1, #0x1111
zero:
  dc zva, x7
alias:
  str w1, [x9, #4]
load:
  ldxr x2, [x7]; clrex
failed:
  stxr w3, x1, [x7]
exclusive:
  ldxr x2, [x7]
stored:
  stxr w3, x1, [x7]
  add x8, x7, #1, lsl #12; sub x8, x8, #8
pair:
  stp x1, x2, [x8]; add x8, x8, #4
crossing:
  str x1, [x8]
  ${POWER_OFF}
  ${TABLE}
`);
