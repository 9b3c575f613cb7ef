import { SYSTEM_REGISTERS } from "../../core/system/sysregs_table.ts";
import { atEl0, compareWithReference, type Experiment, named } from "./reference.ts";

// Exceptions, returns, interrupts, traps and misaligned SP and PC, compared with the reference
// byte for byte.

const CALLS = [
  "svc #0x1234",
  "hvc #0",
  "hvc #0xffff",
  "smc #0",
  "brk #0x55",
  "hlt #0",
  "hlt #0xf000",
  ".inst 0",
  ".inst 0x0000dead",
  ".inst 0xffffffff",
  "dcps1",
  "dcps2 #3",
  "dcps3",
  "drps",
  "nop",
  "yield",
  "sev",
  "sevl",
  "wfe",
  "hint #42",
  "clrex",
  "isb",
  "dsb sy",
  "dmb ish",
  "sys #3, c7, c4, #5, x0",
  "sysl x0, #0, c7, c0, #0",
];

compareWithReference("exceptions that instructions ask for, at EL1", named(CALLS));
compareWithReference(
  "exceptions that instructions ask for, at EL1 with SP_EL0",
  named(CALLS, (code) => `msr spsel, #0 ; ${code} ; msr spsel, #1`),
);
for (const mmu of [false, true]) {
  compareWithReference(
    `exceptions that instructions ask for, at EL0, MMU ${mmu ? "on" : "off"}`,
    named([...CALLS, "eret"], (code) => atEl0(code, mmu)),
    { mmu },
  );
}

// ---- returns ----

const RETURNS: Experiment[] = [];
for (let mode = 0; mode < 32; mode++) {
  // 0x10 is AArch32 at EL0, which this machine does not have.
  if (mode === 0x10) continue;
  for (const bits of [0, 0x10_0000, 0xf000_0000, 0x60_0000]) {
    const spsr = (0x3c0 + mode + bits) >>> 0;
    RETURNS.push({
      name: `SPSR 0x${spsr.toString(16)}`,
      code: `
        ldr x0, =0x${spsr.toString(16)} ; msr spsr_el1, x0 ; adr x0, 1f ; msr elr_el1, x0
        mov x1, #5 ; eret
        mov x1, #6
1:      mov x2, #8 ; svc #0x21`,
    });
  }
}
compareWithReference("exception returns", RETURNS);
compareWithReference(
  "exception returns from SP_EL0",
  RETURNS.map(({ name, code }) => ({ name, code: `msr spsel, #0 ; ${code}` })),
);

const ILLEGAL_TO: Experiment[] = ["0x200", "0x40080001", "0x40080002", "0x1000000000000"].flatMap(
  (target) =>
    [0x3c0, 0x3c4, 0x3c5, 0x3c8, 0x1003c0].map((spsr) => ({
      name: `to ${target} with SPSR 0x${spsr.toString(16)}`,
      code: `ldr x0, =${target} ; msr elr_el1, x0 ; ldr x0, =${spsr} ; msr spsr_el1, x0 ; eret`,
    })),
);
compareWithReference("exception returns to where nothing can be fetched", ILLEGAL_TO);
compareWithReference("exception returns to where nothing can be fetched, MMU on", ILLEGAL_TO, {
  mmu: true,
});

// ---- interrupts ----

const SEND = `
        ldr x9, =0x08000000 ; mov w8, #1 ; str w8, [x9] ; str w8, [x9, #0x100]
        ldr x10, =0x08010000 ; mov w8, #0xff ; str w8, [x10, #4] ; mov w8, #1 ; str w8, [x10]
        ldr w8, =0x02000000 ; str w8, [x9, #0xf00]
`;
/** Ends the interrupt, before the report's code of the next experiment begins. */
const DONE = `
        ldr x10, =0x08010000 ; ldr w8, [x10, #0xc] ; str w8, [x10, #0x10]
        cmp w8, #0
`;
compareWithReference(
  "interrupts",
  [
    ["masked", `${SEND} mrs x0, isr_el1 ; nop`],
    ["unmasked", `${SEND} msr daifclr, #2 ; mov x1, #1 ; mov x2, #2`],
    ["unmasked by MSR DAIF", `${SEND} mov x0, #0x340 ; msr daif, x0 ; mov x1, #1`],
    ["unmasked with SP_EL0", `${SEND} msr spsel, #0 ; msr daifclr, #2 ; mov x1, #1`],
    ["FIQ unmasked only", `${SEND} msr daifclr, #1 ; mov x1, #1`],
    ["sent while unmasked", `msr daifclr, #2 ; ${SEND} mov x1, #1 ; mov x2, #2`],
    [
      "unmasked by ERET to EL0",
      `${SEND} adr x0, 1f ; msr elr_el1, x0 ; msr spsr_el1, xzr ; mov x0, #3 ; eret ; 1: svc #1`,
    ],
    [
      "unmasked by ERET to EL1",
      `${SEND} adr x0, 1f ; msr elr_el1, x0 ; mov x0, #5 ; msr spsr_el1, x0 ; eret ; 1: svc #1`,
    ],
    [
      "unmasked by an illegal return",
      `${SEND} adr x0, 1f ; msr elr_el1, x0 ; mov x0, #8 ; msr spsr_el1, x0 ; eret ; 1: svc #1`,
    ],
    ["WFI with one pending", `${SEND} wfi ; mov x1, #4`],
    ["WFI with one pending, unmasked", `msr daifclr, #2 ; ${SEND} wfi ; mov x1, #4`],
  ].flatMap(([name, code]) => [{ name, code }, { name: `after: ${name}`, code: DONE }]),
);

// ---- EL0 and the system registers ----

const SETTINGS: Record<string, string> = {
  "nothing allowed": "ldr x0, =0x30d00800 ; msr sctlr_el1, x0 ; msr cntkctl_el1, xzr",
  "all allowed": `ldr x0, =0x34d0da00 ; msr sctlr_el1, x0 ; mov x0, #0x3ff ; msr cntkctl_el1, x0
        mov x0, #15 ; msr pmuserenr_el0, x0`,
};
for (const [setting, code] of Object.entries(SETTINGS)) {
  const registers = SYSTEM_REGISTERS.filter(({ encoding }) => encoding >> 15).map(
    ({ encoding }) => {
      const [op0, op1, crn, crm, op2] = [
        encoding >> 14,
        encoding >> 11 & 7,
        encoding >> 7 & 15,
        encoding >> 3 & 15,
        encoding & 7,
      ];
      return `s${op0}_${op1}_c${crn}_c${crm}_${op2}`;
    },
  );
  compareWithReference(
    `system registers at EL0, ${setting}`,
    [...new Set(registers)].flatMap((register) => [
      { name: `read ${register}`, code: atEl0(`mrs x1, ${register} ; mov x1, #0`, false) },
      { name: `write ${register}`, code: atEl0(`msr ${register}, x1`, false) },
    ]).map(({ name, code: access }) => ({ name, code: `${code} ; mov x0, #0 ; ${access}` })),
  );
  compareWithReference(
    `system instructions at EL0, ${setting}`,
    named(
      [
        "ic ivau, x1",
        "ic iallu",
        "dc cvac, x1",
        "dc cvau, x1",
        "dc civac, x1",
        "dc ivac, x1",
        "dc zva, x1",
        "tlbi vmalle1",
        "at s1e0r, x1",
        "msr daifset, #15",
        "msr daifclr, #0",
        "msr spsel, #1",
        "mrs x0, daif",
        "mrs x0, currentel",
        "mrs x0, nzcv",
        "mrs x0, dczid_el0",
        "wfi",
        "wfe",
      ],
      (access) => `${code} ; ldr x1, =0x40300000 ; ${atEl0(access, false)}`,
    ).map(({ name, code }) => ({ name, code })),
  );
}

// ---- FP/SIMD ----

const FP = ["fmov d0, x0", "ldr q0, [x13]", "str d1, [x13]", "mrs x0, fpcr", "msr fpsr, xzr"];
compareWithReference(
  "traps of FP/SIMD",
  [0, 1, 2, 3].flatMap((enabled) => {
    const set = `mov x0, #${enabled} << 20`.replace(`${enabled} << 20`, String(enabled << 20));
    const setting = `${set} ; msr cpacr_el1, x0 ; isb ; ldr x13, =0x40300000 ; mov x0, #1`;
    return FP.flatMap((code) => [
      { name: `FPEN ${enabled}, EL1: ${code}`, code: `${setting} ; ${code}` },
      { name: `FPEN ${enabled}, EL0: ${code}`, code: `${setting} ; ${atEl0(code, false)}` },
      {
        name: `FPEN ${enabled}, EL1, base not mapped: ${code}`,
        code: `${setting} ; mov x13, #0x0100000000000000 ; ${code}`,
      },
    ]);
  }),
);

// ---- the stack pointer and the program counter ----

compareWithReference(
  "misaligned SP and PC",
  [
    ...[1, 8].flatMap((offset) =>
      [
        "ldr x0, [sp]",
        "str x0, [sp, #8]",
        "ldp x0, x1, [sp], #16",
        "ldxr x0, [sp]",
        "add x0, sp, #1",
      ]
        .map((code) => ({
          name: `SP + ${offset}: ${code}`,
          code: `sub sp, sp, #${offset} ; mov x0, #0 ; ${code} ; mov x0, #0`,
        }))
    ),
    ...[1, 2, 3].flatMap((offset) =>
      ["br x0", "blr x0", "ret x0"].flatMap((code) => [
        { name: `${code} + ${offset}`, code: `adr x0, 1f + ${offset} ; ${code} ; 1: nop` },
        {
          name: `EL0: ${code} + ${offset}`,
          code: atEl0(`adr x0, 1f + ${offset} ; ${code} ; 1: nop`, false),
        },
      ])
    ),
  ],
);
