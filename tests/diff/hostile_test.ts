import { assertEquals, assertMatch } from "@std/assert";
import { diff } from "../../replay/queries/diff.ts";
import { findingWords } from "../../replay/queries/diff_words.ts";
import { hasToolchain, type Level } from "../guests/toolchain.ts";
import { recordZoo } from "./zoo.ts";

const COMMON: Readonly<Record<string, RegExp>> = {
  MAIR: /^MAIR_EL1 write: 0xff00 in A, 0x44 in B$/,
  IPS: /^TCR_EL1 write: 0x200803519 in A, 0x803519 in B$/,
  ISB: /^ISB missing in B$/,
  TLBI: /^TLBI VMALLE1 missing in B$/,
  SH: /^descriptor store: level [23], .*\(SH: 11 in A, 0?1?0? in B\)$/,
  NG: /^descriptor store: level [23], .*\(nG: 0 in A, 1 in B\)$/,
  AP: /^descriptor store: level [23], .*\(AP: 0 in A, 10 in B\)$/,
  PA: /^descriptor store: level [23], .*\(the address\)$/,
  VECTOR: /^VBAR_EL1 write: 0x\w+( <vectors>)? in A, 0x\w+( <\S+>)? in B$/,
  IRQ: /^flow: at \S+ B executes `msr daifclr, #0x2`, A never does$/,
  POINTER:
    /^exception only in B: data abort, write: level [12] translation fault, address 0x1[48]$/,
};

/** Tables by macro in .data, one entry made at run time. */
const MACRO: Readonly<Record<string, RegExp>> = {
  ...COMMON,
  AF: /^descriptor store: level 3, .*\(AF: 1 in A, 0 in B\)$/,
  UXN: /^descriptor store: level 3, .*\(UXN: 1 in A, 0 in B\)$/,
  OFF_BY_ONE: /^descriptor store \(level 3, VA 0x40213000: .*\) missing in B$/,
  LENGTH: /^store to .*: 4096 bytes of 0x0 in A, 4608 bytes of 0x0 in B$/,
};

/** Constructors, objects with tables of functions, a heap. */
const OBJECTS: Readonly<Record<string, RegExp>> = {
  ...COMMON,
  TTBR: /^TTBR0_EL1 write: 0x\w+( <tables>)? in A, 0x\w+( <tables\+0x1000>)? in B$/,
  LENGTH: /^store to .*: 32 bytes of 0x0 in A, 96 bytes of 0x0 in B$/,
};

/** 64 KB granule, a program at EL0. */
const GRANULE: Readonly<Record<string, RegExp>> = {
  UXN: /^descriptor store: level 3, VA 0x40300000: .*\(UXN: 0 in A, 1 in B\)$/,
  AP: /^descriptor store: level 3, VA 0x40300000: .*\(AP: 1 in A, 0 in B\)$/,
  AF: /^descriptor store: level 3, VA 0x40310000: .*\(AF: 1 in A, 0 in B\)$/,
  PA: /^descriptor store: level 3, VA 0x40300000: .*\(the address\)$/,
  OFF_BY_ONE: /^descriptor store \(level 3, VA 0x403f0000: .*\) missing in B$/,
  GRANULE: /^TCR_EL1 write: 0x200807519 in A, 0x200803519 in B$/,
  TTBR: /^TTBR0_EL1 write: 0x\w+( <tables\+0x10000>)? in A, 0x\w+( <tables>)? in B$/,
  SPSR: /^SPSR_EL1 write: 0x3c0 in A, 0x3c5 in B$/,
};

const KERNELS: readonly (readonly [string, Level, Readonly<Record<string, RegExp>>])[] = [
  ["macro_tables.S", "-O2", MACRO],
  ["constructors.c", "-O2", OBJECTS],
  ["granule64.c", "-O2", GRANULE],
];

for (const [source, level, mistakes] of KERNELS) {
  for (const stripped of [false, true]) {
    Deno.test({
      name: `diff() tells the mistakes of ${source}${stripped ? " without symbols" : ""}`,
      ignore: !hasToolchain(),
      async fn() {
        const record = (defines: string[]) => recordZoo({ source, level, defines }, { stripped });
        const good = await record([]);
        for (const [bug, what] of Object.entries(mistakes)) {
          const { first, relation } = diff(good, await record([`BUG_${bug}`]));
          assertMatch(first ? findingWords(relation, first) : "none", what, bug);
        }
        for (const words of ["1", "1100"]) {
          const pad = source.endsWith(".S") ? `PAD=${words}` : `PAD="${words}"`;
          assertEquals(diff(good, await record([pad])).first, null, pad);
        }
      },
    });
  }
}
