import { assertEquals } from "@std/assert";
import { type Program, program } from "../drivers/program.ts";
import { hasQemu, runQemu } from "../drivers/qemu.ts";
import { run } from "./watched.ts";

/**
 * Small experiments that report over the UART what happened, run on our machine and on the
 * reference; the reports must be equal byte for byte.
 *
 * An experiment is a few instructions. If they raise an exception the report is the vector, ESR,
 * FAR, ELR (relative to the program where it lies there), SPSR and x0 to x3; else `-` and x0 to
 * x3. Experiments start at EL1h with all interrupts masked, and may use x0 to x15. What they raise
 * while x23 is not 0 is not reported; execution goes on at x27 in any case.
 *
 * With `mmu` translation is on: RAM at its address to read and execute at EL1, {@linkcode USER}
 * bytes higher for EL0 to do anything, devices, and 32 small pages at {@linkcode LAB} with
 * properties of their own.
 */
export interface Experiment {
  readonly name: string;
  readonly code: string;
}

/** Experiments named by their code, which `wrap` may put into a context. */
export function named(codes: readonly string[], wrap = (code: string) => code): Experiment[] {
  return codes.map((code) => ({ name: code, code: wrap(code) }));
}

/** How much higher RAM's bytes stand once more, for EL0 to use and EL1 to write. */
export const USER = 0x4000_0000;
/** Address of the small pages. */
export const LAB = 0xc000_0000;
/** Physical address of the first small page. */
export const LAB_PHYSICAL = 0x4020_0000;

/** Descriptors of the small pages at {@linkcode LAB}, by page. */
export function labPage(page: number): { descriptor: bigint; text: string } {
  const physical = BigInt(LAB_PHYSICAL + 4096 * page);
  const normal = physical | 0x703n;
  if (page < 16) {
    const ap = page & 3, uxn = page >> 2 & 1, pxn = page >> 3 & 1;
    const bits = BigInt(ap) << 6n | BigInt(uxn) << 54n | BigInt(pxn) << 53n;
    return { descriptor: normal | bits, text: `AP ${ap} UXN ${uxn} PXN ${pxn}` };
  }
  const special: Record<number, [bigint, string]> = {
    16: [normal | 0x40n, "any access, followed by a page that is not mapped"],
    17: [0n, "not mapped"],
    18: [normal & ~0x400n | 0x40n, "no access flag"],
    19: [normal & ~2n | 0x40n, "a block at level 3"],
    20: [normal | 1n << 40n | 0x40n, "an address too large"],
    21: [0x5000_0743n, "nothing there"],
    22: [0x0900_0747n, "the UART"],
    23: [normal | 0x44n, "Device memory"],
    24: [normal | 0x40n, "any access, followed by a read-only one"],
    25: [normal | 0xc0n, "read-only"],
  };
  const [descriptor, text] = special[page] ?? [normal | 0x40n, "any access"];
  return { descriptor, text };
}

/** The EL0 part of an experiment: `code` runs there, where it stands {@linkcode USER} bytes higher with the MMU on. */
export function atEl0(code: string, mmu: boolean): string {
  return `
        adr x14, 7f ; ${mmu ? "add x14, x14, x24 ;" : ""} msr elr_el1, x14
        mov x14, #0x3c0 ; msr spsr_el1, x14 ; eret
7:      ${code}
        svc #0x77
`;
}

const VECTORS = Array.from(
  { length: 16 },
  (_, n) => `.org vectors + ${n * 0x80} \n mov x25, #${n} ; b report`,
).join("\n");

const HARNESS = `
        .equ UART, 0x09000000
start:  mov x22, #0 ; ldr x0, =stack ; mov sp, x0
        ldr x0, =vectors ; msr vbar_el1, x0 ; isb
        mrs x20, sctlr_el1
        ldr x24, =0x40000000
        bl initialize
        mov x23, #0
        b experiments

// x25: the vector, or 16; nothing is reported where x23 is set
report: cbnz x23, again
        mrs x28, daif
        mrs x29, spsel
        msr spsel, #1
        ldr x26, =stack ; add sp, x26, x22
        ldr x26, =0x3c0 ; msr daif, x26
        stp x0, x1, [sp, #-32]! ; stp x2, x3, [sp, #16]
        cmp x25, #16 ; b.eq quiet
        mov x0, x25 ; bl hex
        mrs x0, esr_el1 ; bl hex
        mrs x0, far_el1 ; bl hex
        mrs x0, elr_el1 ; bl hex
        mrs x0, spsr_el1 ; bl hex
        mov x0, x28 ; bl hex
        mov x0, x29 ; bl hex
        b registers
quiet:  mov x0, #45 ; bl put
registers:
        ldr x0, [sp] ; bl hex
        ldr x0, [sp, #8] ; bl hex
        ldr x0, [sp, #16] ; bl hex
        ldr x0, [sp, #24] ; bl hex
        mov x0, #10 ; bl put
again:  ldr x26, =stack ; add sp, x26, x22
        mov x0, #0 ; mov x1, #0 ; mov x2, #0 ; mov x3, #0
        br x27

put:    ldr x26, =UART ; str w0, [x26] ; ret
// prints x0 in hexadecimal, without leading zeros, and a space
hex:    mov x16, x30
        mov x17, x0
        mov x18, #64
2:      sub x18, x18, #4 ; cbz x18, 3f
        lsr x19, x17, x18 ; cbz x19, 2b
3:      lsr x19, x17, x18 ; and x19, x19, #15 ; cmp x19, #10 ; add x0, x19, #48
        add x19, x19, #87 ; csel x0, x0, x19, lo
        bl put
        cbz x18, 4f
        sub x18, x18, #4 ; b 3b
4:      mov x0, #32 ; bl put
        mov x30, x16 ; ret

initialize:
`;

const MMU_ON = `
        ldr x0, =tables ; msr ttbr0_el1, x0
        ldr x0, =0x100803519 ; msr tcr_el1, x0
        ldr x0, =0x4ff ; msr mair_el1, x0
        ldr x0, =0x04c5d9bd ; mov x20, x0 ; msr sctlr_el1, x0
        isb ; mov x22, x24 ; add sp, sp, x22 ; ret
`;

const POWER_OFF = "ldr x0, =0x84000008 ; hvc #0 ; b .\n";

function source(experiments: readonly Experiment[], mmu: boolean): string {
  const bodies = experiments.map(({ code }, n) => {
    const own = numberLabels(code, n);
    return `
        adr x27, after_${n}
        ${own}
        mov x25, #16 ; b report
        .ltorg
after_${n}:`;
  });
  const tables = `
        .balign 0x1000
tables: .quad 0x40000000000405, 0x40000000000781 + 0x40000000, 0x20000000000741 + 0x40000000, leaves_2 + 3
        .org tables + 0x1000
leaves_2: .quad leaves_3 + 3
        .org tables + 0x2000
leaves_3: .quad ${Array.from({ length: 32 }, (_, page) => labPage(page).descriptor).join(", ")}
        .org tables + 0x3000
`;
  return `${HARNESS} ${mmu ? MMU_ON : "ret"}
        .ltorg
        .balign 0x800
vectors: ${VECTORS}
        .org vectors + 0x800
        .space 0x1000
stack:
        ${mmu ? tables : ""}
experiments:
        ${mmu ? CODE_IN_LAB : ""}
        ${bodies.join("\n")}
        ${POWER_OFF}
`;
}

/** Puts a little code at the start of each small page: for EL1 at 0, for EL0 at 0x10. */
const CODE_IN_LAB = `
        ldr x0, =0x80200000 ; mov x1, #32
        ldr x2, lab_code ; ldr x3, lab_code + 8 ; ldr x4, lab_code + 16
fill_lab: str x2, [x0] ; str x3, [x0, #8] ; str x4, [x0, #16]
        add x0, x0, #1, lsl #12 ; subs x1, x1, #1 ; b.ne fill_lab
        mov x0, #0 ; mov x1, #0 ; mov x2, #0 ; mov x3, #0 ; mov x4, #0
        b lab_filled
        .balign 8
lab_code: mov x0, #7 ; ret ; nop ; nop ; svc #0x55 ; nop
lab_filled:
`;

/** Gives the local labels `1:` to `9:` and their uses names of their own; in the harness, too. */
function numberLabels(code: string, n: number | string): string {
  return code.replaceAll(/(?<![\w#.])([1-9]):/g, `local_${n}_$1:`)
    .replaceAll(/(?<![\w#.])([1-9])[fb](?!\w)/g, `local_${n}_$1`);
}

/** The program of some experiments. */
export function experimentProgram(experiments: readonly Experiment[], mmu: boolean): Program {
  return program(numberLabels(source(experiments, mmu), "harness"));
}

/** Defines a test that compares our reports with the reference's. */
export function compareWithReference(
  name: string,
  experiments: readonly Experiment[],
  { mmu = false }: { mmu?: boolean } = {},
): void {
  Deno.test({
    name: `the machine does what the reference does: ${name}`,
    ignore: !hasQemu(),
    fn: async () => {
      const guest = experimentProgram(experiments, mmu);
      const ours = run(guest, 5_000_000, { memoryBytes: 128 << 20, storm: Infinity });
      const reference = await runQemu(guest.elf(), { quietMs: 2000 });
      assertReports(experiments, ours.console, reference.text);
    },
  });
}

function assertReports(experiments: readonly Experiment[], ours: string, reference: string): void {
  const mine = ours.split("\n"), theirs = reference.split("\n");
  const differences: string[] = [];
  for (let i = 0; i < Math.max(mine.length, theirs.length); i++) {
    if (mine[i] === theirs[i]) continue;
    const name = experiments[i]?.name ?? "the end";
    differences.push(`${name}:\n  ours      ${mine[i]}\n  reference ${theirs[i]}`);
  }
  if (differences.length > 0) {
    throw new Error(`${differences.length} differ\n${differences.slice(0, 30).join("\n")}`);
  }
  assertEquals(theirs.length, experiments.length + 1);
}
