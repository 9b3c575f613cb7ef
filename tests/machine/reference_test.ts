import { SYSTEM_REGISTERS } from "../../core/sysregs_table.ts";
import { atEl0, compareWithReference, type Experiment, LAB, labPage } from "./reference.ts";

// Exceptions, faults and exclusives, compared with the reference byte for byte.

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

function named(codes: readonly string[], wrap = (code: string) => code): Experiment[] {
  return codes.map((code) => ({ name: code, code: wrap(code) }));
}

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

// ---- alignment ----

const ACCESSES = [
  "ldrb w0, [x1]",
  "ldrh w0, [x1]",
  "strh w0, [x1]",
  "ldr w0, [x1]",
  "str w0, [x1]",
  "ldr x0, [x1]",
  "str x0, [x1]",
  "ldp x0, x2, [x1]",
  "stp x0, x2, [x1]",
  "ldp w0, w2, [x1]",
  "ldpsw x0, x2, [x1]",
  "ldnp x0, x2, [x1]",
  "ldr q0, [x1]",
  "str q0, [x1]",
  "ldp q0, q1, [x1]",
  "stp d0, d1, [x1]",
  "ldr h0, [x1]",
  "ldtr x0, [x1]",
  "sttr w0, [x1]",
  "ldxr x0, [x1]",
  "ldxr w0, [x1]",
  "ldxrh w0, [x1]",
  "ldxrb w0, [x1]",
  "ldxp x0, x2, [x1]",
  "ldxp w0, w2, [x1]",
  "ldaxr x0, [x1]",
  "stxr w0, x2, [x1]",
  "stlxr w0, w2, [x1]",
  "stxp w0, x2, x3, [x1]",
  "ldar x0, [x1]",
  "ldarh w0, [x1]",
  "stlr x0, [x1]",
  "stlrh w0, [x1]",
  "ldr x0, [x1], #3",
  "str x0, [x1, #5]!",
  "dc zva, x1",
];
const FP_ON = "mov x0, #0x300000 ; msr cpacr_el1, x0 ; mov x0, #0";

function aligned(addresses: readonly string[], setting: string): Experiment[] {
  return addresses.flatMap((address) =>
    ACCESSES.map((code) => ({
      name: `${code} at ${address}`,
      code: `${FP_ON} ; ${setting} ; mov x0, #0 ; ldr x1, =${address} ; ${code}`,
    }))
  );
}

const UNALIGNED = ["0x40300001", "0x40300004", "0x40300008", "0x4030003c", "0x40300ffd"];
const CHECKED = "orr x0, x20, #2 ; msr sctlr_el1, x0 ; isb";
const UNCHECKED = "msr sctlr_el1, x20 ; isb";
compareWithReference("alignment, MMU off", aligned(UNALIGNED, UNCHECKED));
compareWithReference("alignment, MMU off, SCTLR.A", aligned(UNALIGNED, CHECKED));
const UNALIGNED_MAPPED = UNALIGNED.map((address) => address.replace("0x4", "0x8"));
compareWithReference("alignment, Normal memory", aligned(UNALIGNED_MAPPED, UNCHECKED), {
  mmu: true,
});
compareWithReference("alignment, Normal memory, SCTLR.A", aligned(UNALIGNED_MAPPED, CHECKED), {
  mmu: true,
});
const IN_LAB = [23, 16, 24].flatMap((page) =>
  [0xff1, 0xff8, 0xffc, 0xfff].map((offset) => `0x${(LAB + page * 4096 + offset).toString(16)}`)
);
compareWithReference("Device memory and the ends of pages", aligned(IN_LAB, UNCHECKED), {
  mmu: true,
});
compareWithReference("Device memory and the ends of pages, SCTLR.A", aligned(IN_LAB, CHECKED), {
  mmu: true,
});

compareWithReference(
  "what a refused access over the end of a page leaves",
  [16, 24].flatMap((page) =>
    ["str x2, [x1]", "stp x2, x3, [x1]", "str q0, [x1]", "stp q0, q1, [x1]", "stp w2, w3, [x1]"]
      .flatMap((code) =>
        [4, 8, 12, 16, 20].map((before) => ({
          name: `${code}, ${before} bytes before the end of page ${page}`,
          code: `${FP_ON} ; mov x2, #-1 ; mov x3, #-1 ; fmov d0, x2 ; fmov d1, x2
        ldr x13, =0x${(LAB + page * 4096 + 0xfe0).toString(16)}
        stp xzr, xzr, [x13] ; stp xzr, xzr, [x13, #16]
        add x1, x13, #${32 - before} ; adr x15, 1f ; mov x14, x27 ; mov x27, x15 ; mov x23, #1
        ${code}
1:      mov x27, x14 ; mov x23, #0 ; ldp x0, x1, [x13] ; ldp x2, x3, [x13, #16]`,
        }))
      )
  ),
  { mmu: true },
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

// ---- exclusives ----

const AT = "ldr x1, =0x40300040 ; str xzr, [x1] ; str xzr, [x1, #8]";
compareWithReference(
  "exclusives",
  named(
    [
      "ldxr x2, [x1] ; stxr w0, x3, [x1]",
      "mov w0, #7 ; stxr w0, x3, [x1]",
      "ldxr x2, [x1] ; clrex ; stxr w0, x3, [x1]",
      "ldxr x2, [x1] ; stxr w0, x3, [x1] ; stxr w0, x3, [x1]",
      "ldxr x2, [x1] ; add x1, x1, #8 ; stxr w0, x3, [x1]",
      "ldxr x2, [x1] ; add x1, x1, #8 ; stxr w0, x3, [x1] ; sub x1, x1, #8 ; stxr w3, x3, [x1]",
      "ldxr x2, [x1] ; stxr w0, w3, [x1]",
      "ldxr w2, [x1] ; stxr w0, x3, [x1]",
      "ldxrb w2, [x1] ; stxrh w0, w3, [x1]",
      "ldxr x2, [x1] ; str xzr, [x1] ; stxr w0, x3, [x1]",
      "ldxr x2, [x1] ; mov x3, #9 ; str x3, [x1] ; stxr w0, x3, [x1]",
      "ldxr x2, [x1] ; mov x3, #9 ; str x3, [x1] ; str xzr, [x1] ; stxr w0, x3, [x1] ; ldr x2, [x1]",
      "ldxp x2, x3, [x1] ; mov x3, #5 ; stxp w0, x3, x3, [x1] ; ldp x2, x3, [x1]",
      "ldxp w2, w3, [x1] ; mov x3, #5 ; stxp w0, w3, w3, [x1] ; ldr x2, [x1]",
      "ldxp x2, x3, [x1] ; mov x3, #5 ; str x3, [x1, #8] ; stxp w0, x3, x3, [x1]",
      "ldxp w2, w3, [x1] ; stxr w0, x3, [x1]",
      "ldxr x2, [x1] ; stxp w0, w3, w3, [x1]",
      "ldxr x2, [x1] ; stxp w0, x3, x3, [x1]",
      "ldxr x2, [x1] ; ldxr x2, [x1] ; stxr w0, x3, [x1]",
      "ldxr x2, [x1] ; ldr x2, [x1] ; dmb ish ; stlxr w0, x3, [x1]",
      "ldaxr x2, [x1] ; stlxr w0, x3, [x1]",
      "ldxr x2, [x1] ; adr x14, 1f ; msr elr_el1, x14 ; mov x14, #0x3c5 ; msr spsr_el1, x14 ; eret ; 1: stxr w0, x3, [x1]",
    ],
    (code) => `${AT} ; mov x3, #3 ; ${code}`,
  ),
);

// ---- physical addresses where nothing is ----

const NOWHERE = [
  "0x48000000",
  "0x47ffffff",
  "0x47fffffc",
  "0x08050000",
  "0x09000003",
  "0x09001000",
  "0x0904f000",
  "0x30000000",
  "0x10000000000",
  "0x100000000000",
  "0x0100000000000000",
  "0x8000000000000000",
  "0xfffffffffffffffc",
];
const PLAIN_ACCESSES = [
  "ldrb w0, [x1]",
  "ldr x0, [x1]",
  "str w0, [x1]",
  "ldp x0, x2, [x1]",
  "stp x0, x2, [x1]",
  "ldr q0, [x1]",
  "ldtr x0, [x1]",
  "br x1",
  "dc zva, x1",
];
compareWithReference(
  "physical addresses where nothing is",
  NOWHERE.flatMap((address) =>
    PLAIN_ACCESSES.filter((code) => !(address.startsWith("0x090") && /^(br|dc)/.test(code))).map((
      code,
    ) => ({
      name: `${code} at ${address}`,
      code: `${FP_ON} ; ldr x1, =${address} ; ${code}`,
    }))
  ),
);

// ---- permissions ----

function pages(setting: string): Experiment[] {
  return Array.from({ length: 32 }, (_, page) => page).flatMap((page) => {
    const address = LAB + page * 4096;
    const at = (offset: number) => `ldr x1, =0x${(address + offset).toString(16)}`;
    const codes: Record<string, string> = {
      "EL1 read": `${at(0)} ; ldr x2, [x1] ; mov x2, #1`,
      "EL1 write": `${at(0x40)} ; str wzr, [x1]`,
      "EL1 execute": `${at(0)} ; blr x1`,
      LDTR: `${at(0)} ; ldtr x2, [x1] ; mov x2, #1`,
      STTR: `${at(0x40)} ; sttr wzr, [x1]`,
      STXR: `${at(0x40)} ; ldxr x2, [x1] ; stxr w3, x2, [x1]`,
      "EL0 read": atEl0(`${at(0)} ; ldr x2, [x1] ; mov x2, #1`, true),
      "EL0 write": atEl0(`${at(0x40)} ; str wzr, [x1]`, true),
      "EL0 execute": atEl0(`${at(0x10)} ; br x1`, true),
      "AT S1E0W": `${at(0)} ; at s1e0w, x1 ; mrs x0, par_el1`,
      "AT S1E1R": `${at(0)} ; at s1e1r, x1 ; mrs x0, par_el1`,
      "DC ZVA": `${at(0x40)} ; dc zva, x1`,
      "IC IVAU": `${at(0)} ; ic ivau, x1`,
    };
    return Object.entries(codes).filter(([what]) =>
      // Executing a device's registers and writing to the console prove nothing.
      page !== 22 || what.startsWith("AT")
    ).map(([what, code]) => ({
      name: `${what}: page ${page}, ${labPage(page).text}, ${setting}`,
      code: `${setting} ; isb ; tlbi vmalle1 ; dsb sy ; isb ; mov x0, #0 ; ${code}`,
    }));
  });
}
compareWithReference("permissions", pages("msr sctlr_el1, x20"), { mmu: true });
compareWithReference("permissions with WXN", pages("orr x0, x20, #0x80000 ; msr sctlr_el1, x0"), {
  mmu: true,
});
