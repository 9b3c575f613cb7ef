import { atEl0, compareWithReference, type Experiment, LAB, labPage, named } from "./reference.ts";

// Loads and stores: alignment, ends of pages, exclusives, addresses where nothing is, permissions,
// compared with the reference byte for byte.

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
