/** What works in the reference and may hang on hardware, made on purpose and made right. */
import { assertEquals } from "@std/assert";
import { program } from "../drivers/program.ts";
import { Watched } from "./watched.ts";

/** Maps the first two GB one to one with blocks of level 1; X0 is the table, X1 a block of RAM. */
const TABLES = `
  ldr x0, =0x40200000; mov x1, #0x401; str x1, [x0]
  ldr x1, =0x40000705; str x1, [x0, #8]
`;
const REGISTERS = `
  ldr x2, =0x803519; msr tcr_el1, x2; mov x2, #0xff00; msr mair_el1, x2; msr ttbr0_el1, x0
`;
const ON = "mrs x3, sctlr_el1; orr x3, x3, #1; msr sctlr_el1, x3";
const START = `${TABLES}; dsb sy; ${REGISTERS}; isb; ${ON}; isb; ldr x4, =0x80300000`;
/** Maps RAM at 2 GB, too, and uses that. */
const MAP_ALIAS = "str x1, [x0, #16]";
const ALIAS = `${MAP_ALIAS}; dsb ishst; isb; ldr x5, [x4]`;
/** Another table, which has RAM at 2 GB from the start. */
const OTHER_TABLE = `
  ldr x7, =0x40201000; mov x8, #0x401; str x8, [x7]; str x1, [x7, #8]; str x1, [x7, #16]; dsb sy
`;
const TLBI = "dsb sy; dropped: tlbi vmalle1; dsb sy; isb";
const TLBI_VA = "dsb sy; lsr x9, x4, #12; dropped: tlbi vae1, x9; dsb sy; isb";
const OTHER_ADDRESS = "ldr x6, =0x705; str x6, [x0, #16]";

const CASES: Record<string, readonly [text: string, ...hazards: string[]]> = {
  "tables stored, ordered, switched on": [START],
  "no DSB between the stores of a table and its use": [
    `${TABLES}; ${REGISTERS}; isb; ${ON}; used: isb`,
    "descriptor-without-dsb 0x40200008 at used",
  ],
  "a DSB for loads does not order stores": [
    `${TABLES}; dsb ld; ${REGISTERS}; isb; ${ON}; used: isb`,
    "descriptor-without-dsb 0x40200008 at used",
  ],
  "a store beside the descriptor after the DSB": [
    `${TABLES}; dsb sy; str x1, [x0, #0x100]; ${REGISTERS}; isb; ${ON}; isb`,
  ],
  "a new mapping without DSB": [
    `${START}; ${MAP_ALIAS}; isb; used: ldr x5, [x4]`,
    "descriptor-without-dsb 0x40200010 at used",
  ],
  "a new mapping with DSB": [`${START}; ${ALIAS}`],

  "an output address changed, then TLBI": [
    `${START}; ${ALIAS}; ${OTHER_ADDRESS}; ${TLBI}`,
    "break-before-make 0x40200010 at dropped",
  ],
  "an output address changed, then TLBI by address": [
    `${START}; ${ALIAS}; ${OTHER_ADDRESS}; ${TLBI_VA}`,
    "break-before-make 0x40200010 at dropped",
  ],
  "an output address changed and never invalidated": [
    // A write of MAIR empties the reference's TLB, and ours.
    `${START}; ${ALIAS}; ${OTHER_ADDRESS}; dsb sy; ldr x9, =0x44ff00; msr mair_el1, x9; isb; used: ldr x5, [x4]`,
    "break-before-make 0x40200010 at used",
  ],
  "memory type changed": [
    `${START}; ${ALIAS}; mov x6, x1; eor x6, x6, #4; str x6, [x0, #16]; ${TLBI_VA}`,
    "break-before-make 0x40200010 at dropped",
  ],
  "permissions changed": [
    `${START}; ${ALIAS}; mov x6, x1; orr x6, x6, #0x80; str x6, [x0, #16]; ${TLBI_VA}`,
  ],
  "break before make": [
    `${START}; ${ALIAS}; str xzr, [x0, #16]; ${TLBI_VA}; ${OTHER_ADDRESS}; dsb sy; isb; ldr x5, [x4]`,
  ],
  "a table that is not in use is rewritten": [
    `${START}; ${OTHER_TABLE}; ${ALIAS}; msr ttbr0_el1, x7; isb; ${OTHER_ADDRESS}; ${TLBI}`,
  ],

  "TTBR0 written and not synchronised": [
    `${START}; ${OTHER_TABLE}; msr ttbr0_el1, x7; used: ldr x5, [x4]`,
    "sysreg-without-isb 0x80300000 at used",
  ],
  "TTBR0 written and synchronised": [
    `${START}; ${OTHER_TABLE}; msr ttbr0_el1, x7; isb; ldr x5, [x4]`,
  ],
  "a use that both tables serve alike": [
    `${START}; ${OTHER_TABLE}; ldr x4, =0x40300000; msr ttbr0_el1, x7; ldr x5, [x4]`,
  ],
  "the MMU on and not synchronised": [
    `${TABLES}; ${MAP_ALIAS}; dsb sy; ${REGISTERS}; isb; ldr x4, =0x80300000; ${ON}; used: ldr x5, [x4]`,
    "sysreg-without-isb 0x80300000 at used",
  ],
  "vectors set and used at once": [
    "adr x0, vectors; msr vbar_el1, x0; used: svc #0",
    "sysreg-without-isb VECTOR at used",
  ],
  "vectors set, synchronised and used": ["adr x0, vectors; msr vbar_el1, x0; isb; svc #0"],
  "FP enabled and used at once": [
    "mov x0, #0x300000; msr cpacr_el1, x0; used: fmov d0, x0; fmov d1, x0",
    "sysreg-without-isb used at used",
  ],
  "FP enabled, synchronised and used": [
    "mov x0, #0x300000; msr cpacr_el1, x0; isb; fmov d0, x0; fmov d1, x0",
  ],
};

for (const [name, [text, ...expected]] of Object.entries(CASES)) {
  Deno.test(`hazards: ${name}`, () => {
    const guest = program(`
      ${text}
      done: ldr w0, =0x84000008; hvc #0
      .balign 2048
      vectors: b done; .space 508; b done
    `);
    const watched = new Watched().boot(guest);
    watched.machine.run(100_000);
    assertEquals(watched.machine.ended, "poweroff");
    const found = watched.events.flatMap((event) =>
      event.kind === "hazard" ? [[event.hazard, event.address, event.pc] as const] : []
    );
    const label = (address: bigint, names: readonly string[]) =>
      names.find((name) => text.includes(`${name}:`) && guest.address(name) === Number(address));
    assertEquals(
      found.map(([hazard, address, pc]) => {
        const inVectors = Number(address) - guest.address("vectors");
        const what = inVectors >= 0 && inVectors < 2048
          ? "VECTOR"
          : label(address, ["used"]) ?? `0x${address.toString(16)}`;
        return `${hazard} ${what} at ${label(pc, ["used", "dropped"])}`;
      }),
      expected,
    );
  });
}
