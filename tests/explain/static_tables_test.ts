/** Tables that stand ready in the image, with mistakes in a descriptor or in the registers. */
import { assert, assertEquals, assertMatch } from "@std/assert";
import { explain } from "../../replay/queries/explain.ts";
import { Session } from "../../replay/session.ts";
import { type Program, program } from "../drivers/program.ts";
import { recordPlan } from "./record_guest.ts";

interface Tables {
  readonly code: string;
  /** Second descriptor of level 1, and the first two of level 2. */
  readonly one?: string;
  readonly two?: string;
  readonly root?: string;
  readonly tcr?: string;
  readonly sctlr?: string;
}

/** An MMU turned on over static tables: 39 bits, the first 16 pages of the program in level 3. */
function kernel({ code, one = "l2 + 3", two = "l3 + 3, 0", ...registers }: Tables): Program {
  const { root = "l1", tcr = "0x200803519", sctlr = "0x30d00801" } = registers;
  const pages = Array.from({ length: 16 }, (_, i) => `.quad ${0x4008_0707 + i * 4096}`);
  return program(`
start:  ldr x0, =vectors ; msr vbar_el1, x0 ; ldr x0, =${root} ; msr ttbr0_el1, x0
        ldr x0, =${tcr} ; msr tcr_el1, x0 ; mov x0, #0xff00 ; msr mair_el1, x0 ; isb
        ldr x0, =${sctlr} ; msr sctlr_el1, x0 ; isb
        ${code}
        b .
        .ltorg
        .balign 0x800
vectors: .space 0x200
        b .
        .balign 0x1000
l1:     .quad 0x60000000000701, ${one}
        .space 0xff0
l2:     .quad ${two}
        .space 0xff0
l3:     .space 0x400
        ${pages.join("\n        ")}
        .space 0xb80
`);
}

const CASES: Readonly<Record<string, readonly [Tables, string, number, string, RegExp | null]>> = {
  "a block with bit 1 set": [
    { code: "ldr x1, =0x40200000 ; ldr x2, [x1]", two: "l3 + 3, 0x40200707" },
    "block-encoding",
    2,
    "loader",
    /^clear bit 1/,
  ],
  "a table with bit 1 clear": [
    { code: "nop", one: "l2 + 1" },
    "block-encoding",
    1,
    "loader",
    /^set bit 1/,
  ],
  "an output address beyond IPS": [
    {
      code: "ldr x1, =0x40200000 ; ldr x2, [x1]",
      two: "l3 + 3, 0x140200705",
      tcr: "0x3519",
    },
    "address-size",
    2,
    "loader",
    /^clear the address bits from 32 up of the level 2/,
  ],
  "TTBR that names a lower table": [
    { code: "nop", root: "l2" },
    "ttbr",
    1,
    "msr",
    /^TTBR0_EL1 = 0x40081000/,
  ],
  "TTBR beyond physical memory": [
    { code: "nop", root: "l1 + 0x100000000000" },
    "ttbr",
    0,
    "msr",
    /^TTBR0_EL1 = 0x40081000/,
  ],
  "TTBR where there is no RAM": [
    { code: "nop", root: "0x30000000" },
    "ttbr",
    1,
    "msr",
    /^TTBR0_EL1 = 0x40081000/,
  ],
  "a table where there is no RAM": [
    { code: "nop", one: "0x30000003" },
    "address-size",
    1,
    "loader",
    null,
  ],
  "T0SZ of another level": [
    { code: "nop", tcr: "0x200803510" },
    "tcr-range",
    0,
    "msr",
    /^TCR_EL1 = 0x200803519 instead of 0x200803510/,
  ],
  "T0SZ that the processor does not have": [
    { code: "nop", tcr: "0x200803528" },
    "tcr-range",
    0,
    "msr",
    null,
  ],
  "WXN over writable code": [
    { code: "nop", sctlr: "0x30d80801" },
    "wxn",
    3,
    "loader",
    /^set AP\[2\]/,
  ],
};

for (const [name, [tables, cause, level, by, fix]] of Object.entries(CASES)) {
  Deno.test(`explain() names ${cause} in static tables: ${name}`, () => {
    const plan = kernel(tables).plan();
    const found = explain(new Session(recordPlan({ ...plan, kind: "elf" }, {})));
    assert(found, "no fault found");
    assertEquals([found.cause, found.level, found.writer?.by], [cause, level, by]);
    if (fix) assertMatch(found.fix?.text ?? "", fix);
    else assertEquals(found.fix, null);
  });
}
