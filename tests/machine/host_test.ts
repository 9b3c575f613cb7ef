import { SYSTEM_REGISTERS } from "../../core/system/sysregs_table.ts";
import { comparePrivileged, type Experiment, type Shape } from "./privileged.ts";

// EL2 as a host (FEAT_VHE): what HCR_EL2.E2H and TGE do to registers, traps, calls and exceptions,
// compared with the reference.

type Level = 0 | 1 | 2 | 3;

const SHAPES: readonly Shape[] = [
  { virtualization: true, secure: false, cpu: "max" },
  { virtualization: true, secure: true, cpu: "max" },
];

function levels({ secure }: Shape): Level[] {
  return secure ? [0, 1, 2, 3] : [0, 1, 2];
}

const RW = 31, E2H = 34, TGE = 27;

function hcr(...bits: number[]): string {
  const value = [RW, 40, 41, ...bits].reduce((sum, bit) => sum | 1n << BigInt(bit), 0n);
  return `ldr x0, =0x${value.toString(16)} ; msr hcr_el2, x0`;
}

/** With SCR_EL3.API and APK where there is an EL3. */
function setup(shape: Shape, text: string): string {
  return shape.secure ? `ldr x0, =0x30501 ; msr scr_el3, x0 ; ${text}` : text;
}

const HOSTS: readonly (readonly [name: string, setup: string])[] = [
  ["E2H", hcr(E2H)],
  ["E2H and TGE", hcr(E2H, TGE)],
];

/** Those that can be read or written without an end, and that `max` shows as the reference does. */
const REGISTERS = SYSTEM_REGISTERS.map(({ encoding, name }) => ({
  name,
  text: `s${encoding >> 14}_${encoding >> 11 & 7}_c${encoding >> 7 & 15}_c${encoding >> 3 & 15}_${
    encoding & 7
  }`,
})).filter(({ name }) =>
  !/^(PMU_|RNG_|SP_EL3|CNT.*CT_|CNT\w*TVAL|PMCCNTR|IC[CH]_|CNTHP|CNT\w_CVAL|MDCCINT|PMCEID0)/.test(
    name,
  ) &&
  !/^(ID_|DBG[BW][VC]R[1-9]|PMEV\w+[1-9]_|S3_|MVFR|AP\w\wKey[^I]|LOR[ENC]|L2|CPU|CBAR|PMCEID1|PMXEVCNTR|PMEVCNTR)/
    .test(name)
);
/** Of these a write with all ones changes what the harness needs. */
const READ_ONLY = /^(SCTLR|VBAR|HCR|SCR|SPSR|ELR|CPTR|CPACR|MDCR|SP_|SPSel|DAIF|TTBR|TCR|VT|FPCR)/;

for (const shape of SHAPES) {
  comparePrivileged(
    "registers of a host",
    HOSTS.flatMap(([host, text]) =>
      levels(shape).flatMap((el) =>
        REGISTERS.flatMap(({ name, text: register }): Experiment[] => [
          {
            name: `read ${name}, ${host}`,
            el,
            setup: setup(shape, text),
            code: `mrs x0, ${register}`,
          },
          ...(READ_ONLY.test(name) ? [] : [{
            name: `write ${name}, ${host}`,
            el,
            setup: setup(shape, text),
            code: `mrs x1, ${register} ; mov x0, #-1 ; msr ${register}, x0 ; ` +
              `mrs x2, ${register} ; msr ${register}, xzr ; mrs x3, ${register}`,
          }]),
        ])
      )
    ),
    shape,
  );
}

// ---- traps, calls and exceptions ----

const CODE = [
  "ldr x0, =0x40000001 ; br x0",
  ...["svc #0x1234", "smc #0x66", "brk #0x77", "hlt #0", ".inst 0", "wfi", "fmov x0, d0", "nop"],
  ...["ldr x0, =0x50000000 ; ldr x1, [x0]", "dc zva, x16"],
  ...["mrs x0, dczid_el0", "mrs x0, ctr_el0", "mrs x0, daif", "msr daifclr, #2", "dc civac, x16"],
  ...["mrs x0, cntvct_el0 ; mov x0, #0", "mrs x0, cntpct_el0 ; mov x0, #0", "mrs x0, cntfrq_el0"],
  ...["mrs x0, cntp_ctl_el0", "mrs x0, cntv_cval_el0", "mov x0, #3 ; msr cntp_ctl_el0, x0"],
  ...["mov x0, #1 ; msr cntv_cval_el0, x0 ; mrs x1, cntv_cval_el0", "ldtr x0, [x16]"],
  ...["at s1e1r, x16 ; mrs x0, par_el1", "at s1e0w, x16 ; mrs x0, par_el1", "tlbi vmalle1"],
  ...["at s1e2r, x16 ; mrs x0, par_el1", "at s12e0r, x16 ; mrs x0, par_el1", "tlbi vae1, x0"],
  ...["tlbi alle2", "tlbi vae2, x0", "tlbi alle1", "tlbi ipas2e1, x0", "ic iallu", "eret"],
  ...["sys #3, c7, c3, #4, x0", "sys #3, c7, c3, #7, x0", "mrs x0, s3_0_c5_c3_0"],
  ...["mrs x0, s3_0_c12_c1_1", "mrs x0, s3_0_c10_c4_7", "msr s3_0_c10_c4_0, x0"],
  ...["mrs x0, s3_3_c13_c0_7", "mov x0, #5 ; msr s3_0_c13_c0_7, x0 ; mrs x1, s3_4_c13_c0_7"],
  ...["mov x0, #5 ; msr s3_5_c13_c0_7, x0 ; mrs x1, s3_0_c13_c0_7", "mrs x0, s3_4_c1_c2_2"],
  ...["mrs x0, pmccntr_el0 ; mov x0, #0", "mrs x0, cpacr_el1", "mrs x0, cnthctl_el2"],
  ...["mov x0, #9 ; msr elr_el1, x0 ; mrs x1, elr_el2 ; mrs x2, s3_5_c4_c0_1", "mrs x0, sctlr_el1"],
  ...["mov x0, #7 ; msr s3_5_c13_c0_1, x0 ; mrs x1, contextidr_el1", "mrs x0, s3_5_c14_c2_1"],
  ...["mov x0, #7 ; msr s3_5_c14_c3_2, x0 ; mrs x1, cntv_cval_el0 ; mrs x2, s3_4_c14_c3_2"],
];
const OPEN = "ldr x0, =0x30d5cc30 ; msr sctlr_el2, x0 ; ldr x0, =0x34d5da00 ; msr sctlr_el1, x0";
/** What else is set: CPTR_EL2 with FPEN, CNTHCTL_EL2, SCTLR, HCR. */
const CONTROLS: readonly (readonly [name: string, setup: string])[] = [
  ["plain", ""],
  ...[0, 1, 2, 3].map((fpen) =>
    [`FPEN ${fpen}`, `mov x0, #${fpen << 20} ; msr cptr_el2, x0`] as const
  ),
  ...[0, 1, 2, 0x100, 0x200, 0x400, 0x800, 0xfff].map((bits) =>
    [
      `CNTHCTL ${bits.toString(16)}`,
      `mov x0, #${bits} ; msr cnthctl_el2, x0 ; mov x0, #0x303 ; msr cntkctl_el1, x0`,
    ] as const
  ),
  ["SCTLRs open", OPEN],
];
/** Bits of HCR_EL2 beside E2H. */
const HCR_BITS = [[], [53], [35], [36], [TGE], [13], [15], [17], [28, TGE], [24, TGE], [25], [26], [
  30,
], [
  13,
  TGE,
]];

for (const shape of SHAPES) {
  comparePrivileged(
    "calls, traps and exceptions of a host",
    levels(shape).flatMap((el) =>
      [
        ...CONTROLS.flatMap(([name, text]) =>
          [[E2H], [E2H, TGE]].map((bits) => [name, text, bits] as const)
        ),
        ...HCR_BITS.map((bits) => ["open", OPEN, [E2H, ...bits]] as const),
      ].flatMap(([name, text, bits]) =>
        CODE.filter((code) =>
          isComparable(code, el, shape) && !(code === "wfi" && text === OPEN) &&
          concerns(name, code)
        ).map((code): Experiment => ({
          name: `${code}, ${name}, HCR bits ${bits}`,
          el,
          setup: setup(shape, `${text} ; ${hcr(...bits)}`),
          code,
        }))
      )
    ),
    shape,
  );
}

/** Controls of the counters and of FP only matter to them. */
function concerns(control: string, code: string): boolean {
  if (control.startsWith("CNTHCTL")) return code.includes("cnt");
  return !control.startsWith("FPEN") || /fmov|cpacr/.test(code);
}

/** ERET at the highest level would only come back; SMC is the report's own, and WFI ends only at a trap. */
function isComparable(code: string, el: Level, { secure }: Shape): boolean {
  if (code === "eret") return el !== (secure ? 3 : 2);
  return code !== "wfi" || el === 0;
}

// ---- the TLB ----

/**
 * What drops the translations of EL2&0 in a host, and what those of EL1&0. VAE2IS and VALE2IS are left
 * out: the reference (7.2) has them drop those of EL2 without E2H.
 */
const INVALIDATIONS = [
  ...["vmalle1", "vae1, x5", "aside1, x5", "vaae1, x5", "vale1, x5", "vaale1is, x5", "vmalle1is"],
  ...["alle2", "vae2, x5", "vale2, x5", "alle1", "vmalls12e1", "ipas2e1, x5"],
];
/** RAM as it is, and at 2 GB a page whose descriptor, at 0x46002000, is changed. */
const TABLES = `
        ldr x0, =0x46000000 ; ldr x1, =0x40000701 ; str x1, [x0, #8] ; ldr x1, =0x46001003
        str x1, [x0, #16] ; ldr x0, =0x46001000 ; ldr x1, =0x46002003 ; str x1, [x0]
        ldr x0, =0x46002000 ; ldr x1, =0x46200f03 ; str x1, [x0]
        ldr x0, =0x46200000 ; mov x1, #1 ; str x1, [x0] ; ldr x0, =0x46201000 ; mov x1, #2 ; str x1, [x0]
        ldr x0, =0x46000000 ; msr ttbr0_el2, x0 ; ldr x0, =0x200803519 ; msr tcr_el2, x0
        mov x0, #0xff ; msr mair_el2, x0 ; tlbi alle2 ; tlbi alle1 ; dsb sy ; isb
        ldr x0, =0x30d01801 ; msr sctlr_el2, x0 ; isb`;

comparePrivileged(
  "TLB invalidations of a host",
  HOSTS.flatMap(([host, text]) =>
    INVALIDATIONS.map((operation): Experiment => ({
      name: `tlbi ${operation}, ${host}`,
      el: 2,
      setup: setup(SHAPES[1], `${text} ; ${TABLES}`),
      code: `mov x4, #0x80000000 ; ldr x0, [x4] ; ldr x6, =0x46002000 ; ldr x7, =0x46201f03
             str x7, [x6] ; dsb sy ; ldr x1, [x4] ; mov x5, #0x80000 ; tlbi ${operation} ; dsb sy
             isb ; ldr x2, [x4]`,
    }))
  ),
  SHAPES[1],
);

// ---- debug ----

/** A breakpoint of EL0 to EL2 that is linked to a context: of these values EL1 and EL2 have one each. */
const BREAKPOINT = (context: number, hcr: string) =>
  `${hcr}
        mov x0, #0x106 ; msr mdcr_el2, x0 ; mov x0, #${context} ; msr dbgbvr5_el1, x0
        ldr x0, =0x3001e7 ; msr dbgbcr5_el1, x0
        ldr x0, =0x1521e7 ; msr dbgbcr0_el1, x0 ; mov x0, #7 ; msr s3_0_c13_c0_1, x0
        mov x0, #9 ; msr s3_4_c13_c0_1, x0 ; ldr x0, =0xa000 ; msr mdscr_el1, x0`;

comparePrivileged(
  "linked breakpoints of a host",
  HOSTS.flatMap(([host, text]) =>
    [7, 9, 8].flatMap((context) => ([0, 1, 2] as const).map((el) => ({ host, text, context, el })))
  ).map(({ host, text, context, el }, n): Experiment => ({
    name: `context ${context}, ${host}`,
    el,
    setup: setup(
      SHAPES[1],
      `adr x0, enter_${n} + 4 ; msr dbgbvr0_el1, x0 ; ${BREAKPOINT(context, text)}`,
    ),
    code: "nop ; nop",
    masks: 0x1c0,
  })),
  SHAPES[1],
);

comparePrivileged(
  "CPTR_EL3.TCPAC, and LORegions of the Secure state",
  HOSTS.flatMap(([host, text]) =>
    ["cpacr_el1", "s3_5_c1_c0_2", "cptr_el2", "s3_0_c10_c4_0", "s3_0_c10_c4_7"].flatMap((name) =>
      [`mrs x0, ${name}`, `msr ${name}, x0`].flatMap((code) =>
        ([1, 2] as const).flatMap((el): Experiment[] => [
          {
            name: `${code}, ${host}`,
            el,
            setup: `${text} ; mov x0, #0x80000000 ; msr cptr_el3, x0`,
            code,
          },
          {
            name: `${code}, Secure`,
            el: 1,
            setup: "mov x0, #0x500 ; msr scr_el3, x0",
            code,
          },
        ])
      )
    )
  ),
  SHAPES[1],
);
