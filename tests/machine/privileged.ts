import { type Program, program } from "../drivers/program.ts";
import { hasQemu, runQemu } from "../drivers/qemu.ts";
import { Machine } from "../../core/machine.ts";
import type { CpuName } from "../../core/cpu_models.ts";

/**
 * Experiments at any exception level, run on our machine and on the reference; what they report
 * over the UART must be equal byte for byte.
 *
 * A monitor at the highest level sets registers as an experiment wants them and goes down to its
 * level. The first exception, wherever it is taken, is reported with that level's ESR, FAR, ELR,
 * SPSR (and HPFAR at EL2), and x0 to x3: then the monitor goes on with the next. An experiment that
 * raises none ends in `svc #0x99`. It may use x0 to x15; x16 points to 64 bytes of scratch.
 */
export interface Experiment {
  readonly name: string;
  /** Level at which `code` runs. */
  readonly el: 0 | 1 | 2 | 3;
  /** Executed at the highest level before; may use x0 to x15. */
  readonly setup?: string;
  readonly code: string;
  /** PSTATE.DAIF, in bits 9:6, that `code` begins with; all masked if left out. */
  readonly masks?: number;
}

/** A shape of the machine. */
export interface Shape {
  readonly virtualization: boolean;
  readonly secure: boolean;
  /** The processor; a Cortex-A57 if left out. */
  readonly cpu?: CpuName;
  readonly gic?: 2 | 3;
}

/** Printed behind the last report. */
const END = "#";

/** The machines with levels above EL1. */
export const SHAPES: readonly Shape[] = [
  { virtualization: true, secure: false },
  { virtualization: false, secure: true },
  { virtualization: true, secure: true },
];

/** Highest level of a shape. */
export function topOf({ secure }: Shape): 2 | 3 {
  return secure ? 3 : 2;
}

/** Vectors of a level below the monitor's: remember where, then call it. */
function lowerVectors(el: number, call: string): string {
  return `
        .balign 0x800
vectors_${el}:
${
    Array.from({ length: 16 }, (_, n) => `
        .org vectors_${el} + ${n * 0x80}
        cbnz x25, known_${el}_${n} ; mov x25, #${el * 16 + n + 1}
known_${el}_${n}: ${call}`).join("")
  }
        .org vectors_${el} + 0x800
`;
}

function topVectors(el: number): string {
  return `
        .balign 0x800
vectors_${el}:
${
    Array.from({ length: 16 }, (_, n) => `
        .org vectors_${el} + ${n * 0x80}
        cbnz x25, came_${n} ; mov x25, #${el * 16 + n + 1}
came_${n}: b report`).join("")
  }
        .org vectors_${el} + 0x800
`;
}

function harness({ virtualization, secure, cpu }: Shape): string {
  const top = secure ? 3 : 2;
  const call = secure ? "smc #0x7777" : "hvc #0x7777";
  const defaults = `
defaults: ldr x0, =vectors_1 ; msr vbar_el1, x0 ; ldr x0, =0x30d00800 ; msr sctlr_el1, x0
        mov x0, #0x300000 ; msr cpacr_el1, x0 ; msr cntkctl_el1, xzr ; msr mdscr_el1, xzr
        msr tcr_el1, xzr ; msr esr_el1, xzr ; msr far_el1, xzr ; msr elr_el1, xzr
        msr spsr_el1, xzr ; msr pmuserenr_el0, xzr ; msr mair_el1, xzr
${
    virtualization
      ? `
        ldr x0, =0x80000000 ; msr hcr_el2, x0 ; ldr x0, =0x33ff ; msr cptr_el2, x0
        mov x0, #6 ; msr mdcr_el2, x0 ; mov x0, #3 ; msr cnthctl_el2, x0 ; msr hstr_el2, xzr
        msr vtcr_el2, xzr ; msr vttbr_el2, xzr ; msr hpfar_el2, xzr ; msr far_el2, xzr
        msr esr_el2, xzr ; msr elr_el2, xzr ; msr spsr_el2, xzr ; msr cntvoff_el2, xzr
        ldr x0, =0x30c50830 ; msr sctlr_el2, x0 ; ldr x0, =vectors_2 ; msr vbar_el2, x0
        msr vpidr_el2, xzr ; msr vmpidr_el2, xzr
${cpu === "max" ? "msr s3_4_c2_c0_1, xzr ; msr s3_4_c13_c0_1, xzr ; msr s3_4_c14_c3_1, xzr" : ""}`
      : ""
  }
${
    secure
      ? `
        mov x0, #0x501 ; msr scr_el3, x0 ; msr cptr_el3, xzr ; msr mdcr_el3, xzr
        ldr x0, =0x30c50830 ; msr sctlr_el3, x0 ; ldr x0, =vectors_3 ; msr vbar_el3, x0
        msr esr_el3, xzr ; msr far_el3, xzr`
      : ""
  }
        isb ; ret
`;
  const print = (n: number) => `
        mrs x0, esr_el${n} ; bl hex ; mrs x0, far_el${n} ; bl hex ; mrs x0, elr_el${n} ; bl hex
        mrs x0, spsr_el${n} ; bl hex`;
  return `
        .equ UART, 0x09000000
start:  ldr x20, =save ; bl defaults ; mov x25, #0
        b experiments
report: stp x0, x1, [x20] ; stp x2, x3, [x20, #16] ; mov x21, x25
${
    virtualization
      ? "ldr x0, =0x80000000 ; msr hcr_el2, x0 ; isb // EL1's names mean its registers"
      : ""
  }
        mov x25, #0
        sub x0, x21, #1 ; bl hex
        sub x21, x21, #1 ; lsr x21, x21, #4
        cmp x21, #1 ; b.eq of_1
        cmp x21, #2 ; b.eq of_2
${secure ? `${print(3)} ; b values` : "b values"}
of_1:   ${print(1)} ; b values
of_2:   ${virtualization ? `${print(2)} ; mrs x0, hpfar_el2 ; bl hex` : ""}
values: ldr x0, [x20] ; bl hex ; ldr x0, [x20, #8] ; bl hex ; ldr x0, [x20, #16] ; bl hex
        ldr x0, [x20, #24] ; bl hex ; mov x0, #10 ; bl put
        bl defaults
        mov x0, #0 ; mov x1, #0 ; mov x2, #0 ; mov x3, #0
        br x27
put:    ldr x26, =UART ; str w0, [x26] ; ret
// prints x0 in hexadecimal, without leading zeros, and a space
hex:    mov x19, x30
        mov x17, x0
        mov x18, #64
digit:  sub x18, x18, #4 ; cbz x18, show
        lsr x22, x17, x18 ; cbz x22, digit
show:   lsr x22, x17, x18 ; and x22, x22, #15 ; cmp x22, #10 ; add x0, x22, #48
        add x22, x22, #87 ; csel x0, x0, x22, lo
        bl put
        cbz x18, shown
        sub x18, x18, #4 ; b show
shown:  mov x0, #32 ; bl put
        mov x30, x19 ; ret
${defaults}
        .ltorg
        .balign 16
save:   .space 64
${lowerVectors(1, call)}
${virtualization && secure ? lowerVectors(2, call) : ""}
${topVectors(top)}
`;
}

/** The program of some experiments on a machine of this shape. */
export function privilegedProgram(experiments: readonly Experiment[], shape: Shape): Program {
  const top = topOf(shape);
  const bodies = experiments.map(({ el, code, setup = "", masks = 0x3c0 }, n) => `
        adr x27, after_${n}
        ldr x16, =scratch
        ${own(setup, n, "s")}
        isb
        adr x14, enter_${n} ; msr elr_el${top}, x14
        mov x14, #${masks | el << 2 | (el === 0 ? 0 : 1)} ; msr spsr_el${top}, x14
        mov x0, #0 ; mov x1, #0 ; mov x2, #0 ; mov x3, #0
        eret
enter_${n}: ${own(code, n, "c")}
        svc #0x99
        .ltorg
after_${n}:`);
  return program(`${harness(shape)}
        .balign 64
scratch: .space 64
experiments: ${bodies.join("\n")}
        mov x0, #${END.charCodeAt(0)} ; bl put
ended:  wfi ; b ended
`);
}

/** Gives the local labels `1:` to `9:` names of their own. */
function own(code: string, n: number, part: string): string {
  return code.replaceAll(/(?<![\w#.])([1-9]):/g, `l_${part}${n}_$1:`)
    .replaceAll(/(?<![\w#.])([1-9])[fb](?!\w)/g, `l_${part}${n}_$1`);
}

/** What our machine and the reference print. */
export async function reportsOf(
  experiments: readonly Experiment[],
  shape: Shape,
): Promise<{ ours: string[]; reference: string[] }> {
  const guest = privilegedProgram(experiments, shape);
  const { virtualization, secure, cpu, gic } = shape;
  const on = (value: boolean) => value ? "on" : "off";
  const properties = `virtualization=${on(virtualization)},secure=${on(secure)}`;
  const options = { ...(cpu ? { cpu } : {}), ...(gic ? { gic } : {}) };
  // The reference runs beside ours.
  const theirs = runQemu(guest.elf(), { machine: properties, ...options, until: END });
  const machine = new Machine({ memoryBytes: 128 << 20, storm: Infinity, ...shape });
  const console: number[] = [];
  machine.observer = {
    event: (event) => {
      if (event.kind === "console") console.push(event.byte);
    },
  };
  machine.boot({ ...guest.plan(), kind: "elf" });
  machine.run(50_000_000);
  const { text } = await theirs;
  const ours = new TextDecoder().decode(Uint8Array.from(console));
  return { ours: ours.split("\n"), reference: text.split("\n") };
}

/** Defines a test that compares our reports with the reference's, on a machine of this shape. */
export function comparePrivileged(
  name: string,
  experiments: readonly Experiment[],
  shape: Shape,
): void {
  const { virtualization, secure } = shape;
  const what = [shape.cpu, virtualization ? "EL2" : "", secure ? "EL3" : ""].filter(Boolean)
    .join(" and ");
  Deno.test({
    name: `the machine does what the reference does, with ${what}: ${name}`,
    ignore: !hasQemu(),
    fn: async () => {
      const { ours, reference } = await reportsOf(experiments, shape);
      const differences: string[] = [];
      for (let i = 0; i < Math.max(ours.length, reference.length); i++) {
        if (ours[i] === reference[i]) continue;
        const { name = "the end", el = "" } = experiments[i] ?? {};
        differences.push(
          `EL${el} ${name}:\n  ours      ${ours[i]}\n  reference ${reference[i]}`,
        );
      }
      if (reference.length !== experiments.length + 1 || reference.at(-1) !== END) {
        differences.push(`${reference.length - 1} reports of ${experiments.length}`);
      }
      if (differences.length === 0) return;
      throw new Error(`${differences.length} differ\n${differences.slice(0, 40).join("\n")}`);
    },
  });
}
