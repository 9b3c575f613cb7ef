import { SYSTEM_REGISTERS } from "../../core/system/sysregs_table.ts";
import { comparePrivileged, type Experiment, type Shape, SHAPES, topOf } from "./privileged.ts";

// Calls, traps, registers and returns at every exception level, compared with the reference.

type Level = 0 | 1 | 2 | 3;

/** SCR_EL3 and HCR_EL2 as they are without a trap. */
const SCR = 0x501, HCR = 0x8000_0000;

function levels(shape: Shape): Level[] {
  return ([0, 1, 2, 3] as Level[]).filter((el) =>
    el < 2 || (el === 2 && shape.virtualization) || (el === 3 && shape.secure)
  );
}

function hcr(...bits: number[]): string {
  const value = bits.reduce((sum, bit) => sum | 1n << BigInt(bit), BigInt(HCR));
  return `ldr x0, =0x${value.toString(16)} ; msr hcr_el2, x0`;
}

function scr(bits: number): string {
  return `ldr x0, =0x${bits.toString(16)} ; msr scr_el3, x0`;
}

const CALLS = [
  "svc #0x1234",
  "hvc #0x55",
  "smc #0x66",
  "brk #0x77",
  "hlt #0",
  ".inst 0",
  "eret",
  "wfe ; nop",
  "mrs x0, currentel",
  "fmov x0, d0",
  "ldr x0, =0x50000000 ; ldr x1, [x0]",
  "dc zva, x16",
  "mrs x0, ctr_el0",
  "mrs x0, dczid_el0",
  "ldr x0, =0x50000001 ; ldr x1, [x0]",
  "ldr x0, =0x40000001 ; br x0",
];
/**
 * ERET at the highest level would only come back, and HVC at EL3 the reference (7.2) takes to EL2,
 * where the manual says EL3; so it does from Secure EL1, where the manual says UNDEFINED.
 */
function isComparable(code: string, el: Level, shape: Shape): boolean {
  return !(code === "eret" && el === topOf(shape)) && !(code.startsWith("hvc") && el === 3);
}

/** HCD cannot be tried where the report itself is an HVC. */
function hcrBits({ secure }: Shape): readonly number[] {
  return HCR_BITS.filter((bit) => secure || bit !== 29);
}

/** Bits of HCR_EL2 that trap or route: TWI … TRVM, and those of interrupts. */
const HCR_BITS = [3, 4, 5, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30];

for (const shape of SHAPES) {
  const { virtualization, secure } = shape;
  const contexts: [string, string][] = [["no traps", ""]];
  if (virtualization) {
    for (const bit of hcrBits(shape)) contexts.push([`HCR bit ${bit}`, hcr(bit)]);
  }
  // SMC stays allowed for those that need it to report.
  for (const bits of secure ? [0, 0x8, 0x200, 0x800, 0x1000, 0x2000] : []) {
    contexts.push([`Secure, SCR ${bits.toString(16)}`, scr(SCR & ~1 | bits)]);
    contexts.push([`Non-secure, SCR ${bits.toString(16)}`, scr(SCR | bits)]);
  }
  if (secure) contexts.push(["SCR without HCE", scr(SCR & ~0x100)]);
  comparePrivileged(
    "calls and exceptions",
    contexts.flatMap(([name, setup]) =>
      levels(shape).filter((el) => el !== 2 || !name.startsWith("Secure")).flatMap((el) =>
        CALLS.filter((code) =>
          isComparable(code, el, shape) && !(code.startsWith("hvc") && name.startsWith("Secure"))
        ).map((code) => ({
          name: `${code}, ${name}`,
          el,
          code,
          setup,
        }))
      )
    ),
    shape,
  );
}

// ---- registers ----

/** Names that the assembler knows, of registers that can be read or written without an end. */
const REGISTERS = SYSTEM_REGISTERS.map(({ encoding, name }) => ({
  name,
  text: `s${encoding >> 14}_${encoding >> 11 & 7}_c${encoding >> 7 & 15}_c${encoding >> 3 & 15}_${
    encoding & 7
  }`,
})).filter(({ name }) =>
  !/^(PMU_|RNG_|SP_EL3|CNT.*CT_|CNT\w*TVAL|PMCCNTR|IC[CH]_|CNTHP|CNT\w_CVAL|MDCCINT|PMCEID0)/.test(
    name,
  )
);
/** Of these a write with all ones changes what the harness needs. */
const READ_ONLY = /^(SCTLR|VBAR|HCR|SCR|SPSR|ELR|CPTR|MDCR|SP_|SPSel|DAIF|TTBR|TCR|VTCR|VTTBR)/;

for (const shape of SHAPES) {
  for (const el of levels(shape)) {
    comparePrivileged(
      `reads and writes of every register at EL${el}`,
      [
        ...REGISTERS.map(({ name, text }) => ({ name, el, code: `mrs x0, ${text}` })),
        ...REGISTERS.filter(({ name }) => !READ_ONLY.test(name)).map(({ name, text }) => ({
          name,
          el,
          code: `mrs x1, ${text} ; mov x0, #-1 ; msr ${text}, x0 ; mrs x2, ${text} ; ` +
            `msr ${text}, xzr ; mrs x3, ${text} ; msr ${text}, x1`,
        })),
      ],
      shape,
    );
  }
}

/** So many of a kind that the first stands for all. */
const REMOVED = /^(DBG[BW][VC]R[1-9]|PMEV\w+[1-9]_|S3_|ID_(ISAR|MMFR|AA64ISAR|AA64MMFR)|MVFR[12])/;
/** Bits of HCR_EL2 that concern registers. */
const REGISTER_BITS = [16, 17, 18, 20, 21, 26, 27, 28, 30];

/** Which registers and instructions each bit traps, from EL1 and EL0. */
const TRAPS: [string, (shape: Shape) => boolean, string][] = [
  ...REGISTER_BITS.map((bit) =>
    [`HCR bit ${bit}`, (s: Shape) => s.virtualization, hcr(bit)] as [
      string,
      (shape: Shape) => boolean,
      string,
    ]
  ),
  ["CPTR_EL2 ones", (s) => s.virtualization, "mov x0, #-1 ; msr cptr_el2, x0"],
  ["CPTR_EL3 ones", (s) => s.secure, "mov x0, #-1 ; msr cptr_el3, x0"],
  ...[5, 6, 7, 8, 9, 10, 11].map((bit) =>
    [
      `MDCR_EL2 bit ${bit}`,
      (s: Shape) => s.virtualization,
      `mov x0, #${6 | 1 << bit} ; msr mdcr_el2, x0`,
    ] as [string, (shape: Shape) => boolean, string]
  ),
  ["MDCR_EL3 ones", (s) => s.secure, "mov x0, #-1 ; msr mdcr_el3, x0"],
  ["CNTHCTL 0", (s) => s.virtualization, "msr cnthctl_el2, xzr"],
  ["HSTR ones", (s) => s.virtualization, "mov x0, #-1 ; msr hstr_el2, x0"],
  ["VPIDR", (s) => s.virtualization, "mov x0, #7 ; msr vpidr_el2, x0 ; msr vmpidr_el2, x0"],
  ["all of EL0", () => true, "mov x0, #-1 ; msr cntkctl_el1, x0 ; msr pmuserenr_el0, x0"],
];

for (const shape of SHAPES) {
  for (const el of levels(shape).filter((level) => level < topOf(shape))) {
    const experiments = TRAPS.filter(([, applies]) => applies(shape)).flatMap(
      ([name, , setup]): Experiment[] =>
        REGISTERS.filter(({ name }) => !REMOVED.test(name)).flatMap(({ name: register, text }) => [
          { name: `mrs ${register}, ${name}`, el, setup, code: `mrs x0, ${text}` },
          ...(READ_ONLY.test(register) ? [] : [{
            name: `msr ${register}, ${name}`,
            el,
            setup,
            code: `mrs x1, ${text} ; msr ${text}, x1`,
          }]),
        ]),
    );
    comparePrivileged(`registers that are trapped, at EL${el}`, experiments, shape);
  }
}

// ---- the two physical address spaces ----

/** Flash, Secure UART, GPIO and RAM, what follows them, and RAM. */
const PLACES = [
  "0x00000000",
  "0x03fffff8",
  "0x04000000",
  "0x09040018",
  "0x09041000",
  "0x090b0400",
  "0x0e000000",
  "0x0efffff8",
  "0x0f000000",
  "0x40000000",
  "0x48000000",
];
const SPACE_EXPERIMENTS = (el: Level, setup: string, name: string): Experiment[] =>
  PLACES.flatMap((place) => [
    { el, setup, name: `ldr ${place} ${name}`, code: `ldr x1, =${place} ; ldr w0, [x1]` },
    {
      el,
      setup,
      name: `str ${place} ${name}`,
      code: /^0x0[0349]|0x48/.test(place)
        ? "nop"
        : `ldr x1, =${place} ; mov w2, #77 ; ldr w3, [x1] ; str w2, [x1] ; ldr w0, [x1]`,
    },
    {
      el,
      setup,
      name: `br ${place} ${name}`,
      // The reference executes what it reads from these devices' registers.
      code: place.startsWith("0x090") ? "nop" : `ldr x1, =${place} ; br x1`,
    },
  ]);

for (const shape of SHAPES.filter(({ secure }) => secure)) {
  comparePrivileged(
    "Secure and Non-secure address space",
    levels(shape).flatMap((el) => [
      ...SPACE_EXPERIMENTS(el, scr(SCR), "Non-secure"),
      ...(el === 2 ? [] : SPACE_EXPERIMENTS(el, scr(SCR & ~1), "Secure")),
    ]),
    shape,
  );
}
