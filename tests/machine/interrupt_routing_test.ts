import { comparePrivileged, type Experiment, type Shape } from "./privileged.ts";

// Where interrupts of the GIC and the timers go, and what masks them: random settings of SCR_EL3,
// HCR_EL2, PSTATE and the GIC's groups, compared with the reference.

type Level = 0 | 1 | 2 | 3;

const SHAPES: readonly Shape[] = [
  { virtualization: true, secure: false, cpu: "max" },
  { virtualization: false, secure: true },
  { virtualization: true, secure: true, cpu: "max" },
];
/** Experiments of a shape. */
const COUNT = 300;

/** GICv2: nothing enabled, pending or active, lowest priority let through. */
const QUIET = `
        ldr x1, =0x08000000 ; ldr x2, =0x08010000 ; mov w0, #-1
        str wzr, [x1] ; str wzr, [x2] ; str w0, [x2, #4]
        str w0, [x1, #0x180] ; str w0, [x1, #0x184] ; str w0, [x1, #0x280] ; str w0, [x1, #0x284]
        str w0, [x1, #0x380] ; str w0, [x1, #0x384]
        msr cntp_ctl_el0, xzr ; msr cntv_ctl_el0, xzr`;

/** The timers: EL1's two, EL2's, that of a host, and that of Secure EL1. */
const TIMERS = [
  { prefix: "cntp", suffix: "el0", interrupt: 30, exists: () => true },
  { prefix: "cntv", suffix: "el0", interrupt: 27, exists: () => true },
  { prefix: "cnthp", suffix: "el2", interrupt: 26, exists: (s: Shape) => s.virtualization },
  { prefix: "cntps", suffix: "el1", interrupt: 29, exists: (s: Shape) => s.secure },
];

/** A generator of bits that is the same for everybody. */
function generator(seed: number): (bits: number) => number {
  let state = seed;
  return (bits) => {
    state = Math.imul(state ^ state >>> 15, 0x2c1b_3c6d) + 0x9e37_79b9 | 0;
    return (Math.imul(state ^ state >>> 13, 0x297a_2d39) >>> 7) & (1 << bits) - 1;
  };
}

function gic(random: (bits: number) => number, shape: Shape): string {
  const timers = TIMERS.filter(({ exists }) => exists(shape) && random(2) === 0);
  const enabled = timers.reduce((bits, { interrupt }) => bits | 1 << interrupt, 0) >>> 0;
  const groups = (random(16) << 16 | random(16)) >>> 0;
  const spi = random(1) ? "mov w0, #0x100 ; str w0, [x1, #0x104] ; str w0, [x1, #0x204]" : "";
  return `
        ldr w0, =0x${groups.toString(16)} ; str w0, [x1, #0x80] ; str w0, [x1, #0x84]
        mov w0, #1 ; strb w0, [x1, #0x828] ; ldr w0, =0x${enabled.toString(16)}
        str w0, [x1, #0x100] ; ${spi}
        mov w0, #${random(2)} ; str w0, [x1] ; mov w0, #${random(4)} ; str w0, [x2] ; mov x0, #1
        ${
    timers.map(({ prefix, suffix }) =>
      `msr ${prefix}_cval_${suffix}, xzr ; msr ${prefix}_ctl_${suffix}, x0`
    ).join(" ; ")
  }`;
}

/** SCR_EL3 with IRQ, FIQ, EA and NS at random, HCR_EL2 with routing, virtual interrupts, TGE and E2H. */
function controls(random: (bits: number) => number, { virtualization, secure, cpu }: Shape) {
  const scr = 0x30500 | random(3) << 1 | (random(2) ? 1 : 0);
  const host = random(2);
  const hcr = 0x300_8000_0000n | BigInt(random(6) << 3) | (host & 1 ? 1n << 27n : 0n) |
    (cpu === "max" && host & 2 ? 1n << 34n : 0n);
  const text = [
    virtualization ? `ldr x0, =0x${hcr.toString(16)} ; msr hcr_el2, x0` : "",
    secure ? `ldr x0, =0x${scr.toString(16)} ; msr scr_el3, x0` : "",
  ].filter(Boolean).join(" ; ");
  const isSecure = secure && (scr & 1) === 0;
  return { text, name: `SCR ${scr.toString(16)} HCR ${hcr.toString(16)}`, isSecure, hcr };
}

function levelOf(
  random: (bits: number) => number,
  shape: Shape,
  isSecure: boolean,
  hcr: bigint,
): Level {
  const levels = ([0, 1, 2, 3] as Level[]).filter((el) =>
    el === 0 || (el === 1 && (isSecure || !shape.virtualization || !(hcr >> 27n & 1n))) ||
    (el === 2 && shape.virtualization && !isSecure) || (el === 3 && shape.secure)
  );
  return levels[random(4) % levels.length];
}

for (const [seed, shape] of SHAPES.entries()) {
  const random = generator(seed + 1);
  const experiments = Array.from({ length: COUNT }, (_, n): Experiment => {
    const { text, name, isSecure, hcr } = controls(random, shape);
    const el = levelOf(random, shape, isSecure, hcr);
    const masks = random(4) << 6;
    const quiet = QUIET + (shape.virtualization ? " ; msr cnthp_ctl_el2, xzr" : "") +
      (shape.secure ? " ; msr cntps_ctl_el1, xzr" : "");
    return {
      name: `${n}: ${name} DAIF ${masks.toString(16)}`,
      el,
      masks,
      setup: `${quiet} ; ${gic(random, shape)} ; ${text} ; isb`,
      code: el === 0
        ? "nop ; nop ; mov x0, #1"
        : `mrs x0, isr_el1 ; mov x1, #1 ; msr daifclr, #${random(4)} ; nop ; mov x2, #1`,
    };
  });
  comparePrivileged("routing of interrupts", experiments, shape);
}
