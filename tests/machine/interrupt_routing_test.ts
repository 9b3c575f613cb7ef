import { comparePrivileged, type Experiment, type Shape } from "./privileged.ts";

// Where interrupts of the GIC and the timers go, and what masks them: random settings of SCR_EL3,
// HCR_EL2, PSTATE and the GIC's groups, compared with the reference.

type Level = 0 | 1 | 2 | 3;

const SHAPES: readonly Shape[] = [
  { virtualization: true, secure: false, cpu: "max" },
  { virtualization: false, secure: true },
  { virtualization: true, secure: true, cpu: "max" },
  { virtualization: true, secure: false, cpu: "max", gic: 3 },
  { virtualization: true, secure: true, cpu: "max", gic: 3 },
];
/** Experiments of a shape. */
const COUNT = 300;

/** GICv2: nothing enabled, pending or active, lowest priority let through. */
const QUIET = `
        ldr x1, =0x08000000 ; ldr x2, =0x08010000 ; mov w0, #-1
        str wzr, [x1] ; str wzr, [x2] ; str w0, [x2, #4]
        str w0, [x1, #0x180] ; str w0, [x1, #0x184] ; str w0, [x1, #0x280] ; str w0, [x1, #0x284]
        str w0, [x1, #0x380] ; str w0, [x1, #0x384]`;

/** GICv3: the same. */
const QUIET_V3 = `
        ldr x1, =0x08000000 ; ldr x2, =0x080b0000 ; ldr x3, =0x080a0000 ; mov w0, #-1
        mov w4, #0x30 ; str w4, [x1] ; str wzr, [x3, #0x14]
        str w0, [x1, #0x184] ; str w0, [x1, #0x284] ; str w0, [x1, #0x384]
        str w0, [x2, #0x180] ; str w0, [x2, #0x280] ; str w0, [x2, #0x380]
        msr s3_0_c12_c12_6, xzr ; msr s3_0_c12_c12_7, xzr ; mov x0, #0xff ; msr s3_0_c4_c6_0, x0`;

/** The timers: EL1's two, that of EL2, that of Secure EL1, and a host's, which has no interrupt on the board. */
const TIMERS = [
  { control: "cntp_ctl_el0", compare: "cntp_cval_el0", interrupt: 30, exists: () => true },
  { control: "cntv_ctl_el0", compare: "cntv_cval_el0", interrupt: 27, exists: () => true },
  { control: "cnthp_ctl_el2", compare: "cnthp_cval_el2", interrupt: 26, exists: hasEl2 },
  { control: "cntps_ctl_el1", compare: "cntps_cval_el1", interrupt: 29, exists: hasEl3 },
  { control: "s3_4_c14_c3_1", compare: "s3_4_c14_c3_2", interrupt: 28, exists: hasHost },
];

function hasEl2({ virtualization }: Shape): boolean {
  return virtualization;
}

function hasEl3({ secure }: Shape): boolean {
  return secure;
}

function hasHost(shape: Shape): boolean {
  return hasEl2(shape) && shape.cpu === "max";
}

/** A generator of bits that is the same for everybody. */
function generator(seed: number): (bits: number) => number {
  let state = seed;
  return (bits) => {
    state = Math.imul(state ^ state >>> 15, 0x2c1b_3c6d) + 0x9e37_79b9 | 0;
    return (Math.imul(state ^ state >>> 13, 0x297a_2d39) >>> 7) & (1 << bits) - 1;
  };
}

/** GICv3: groups 0, 1 Secure and 1 Non-secure at random, all enabled or some. */
function gicV3(random: (bits: number) => number, shape: Shape): string {
  const timers = TIMERS.filter(({ exists }) => exists(shape) && random(2) === 0);
  const enabled = timers.reduce((bits, { interrupt }) => bits | 1 << interrupt, 0) >>> 0;
  const word = () => `0x${((random(16) << 16 | random(16)) >>> 0).toString(16)}`;
  const spi = random(1) ? "mov w0, #0x100 ; str w0, [x1, #0x104] ; str w0, [x1, #0x204]" : "";
  return `
        ldr w0, =${word()} ; str w0, [x1, #0x84] ; str w0, [x2, #0x80] ; ldr w0, =${word()}
        str w0, [x1, #0xd04] ; str w0, [x2, #0xd00] ; ldr w0, =0x${enabled.toString(16)}
        str w0, [x2, #0x100] ; ${spi}
        mov w0, #${0x30 | random(3)} ; str w0, [x1] ; mov x0, #${random(1)} ; msr s3_0_c12_c12_6, x0
        mov x0, #${random(1)} ; msr s3_0_c12_c12_7, x0
        ${shape.secure ? `mov x0, #${random(2)} ; msr s3_6_c12_c12_7, x0` : ""} ; mov x0, #1
        ${
    timers.map(({ control, compare }) => `msr ${compare}, xzr ; msr ${control}, x0`).join(" ; ")
  }`;
}

function gic(random: (bits: number) => number, shape: Shape): string {
  if (shape.gic === 3) return gicV3(random, shape);
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
    timers.map(({ control, compare }) => `msr ${compare}, xzr ; msr ${control}, x0`).join(" ; ")
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
    const off = TIMERS.filter(({ exists }) => exists(shape)).map(({ control }) =>
      `msr ${control}, xzr`
    );
    const quiet = [shape.gic === 3 ? QUIET_V3 : QUIET, ...off].join(" ; ");
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
  comparePrivileged(`routing of interrupts of GICv${shape.gic ?? 2}`, experiments, shape);
}
