import { assemble } from "../../core/isa/assemble.ts";
import type { BootPlan } from "../../core/loader/mod.ts";
import { program } from "../drivers/program.ts";

/**
 * A guest that tries what can go wrong: random code at EL0 in 4,096 virtual pages over 32 physical
 * ones, which writes over itself through aliases, crosses pages, jumps anywhere, faults and calls.
 * Its kernel skips what faults, remaps pages with and without TLBI, changes ASIDs, renews pages of
 * code from pristine copies, and is interrupted by a timer. It never ends.
 */

/** Where EL0's pages are mapped: 16 MiB of pages, then the same memory again as 2 MiB blocks. */
const WINDOW = 0x1_0000_0000;
const WINDOW_PAGES = 4096;
/** Physical pages that EL0 sees, and pristine copies of them. */
const POOL = 0x4060_0000, PRISTINE = 0x4080_0000, POOL_PAGES = 32;
const TABLES = 0x4010_0000;

/** xorshift32. */
export class Random {
  #state: number;

  constructor(seed: number) {
    this.#state = (seed * 2654435761 ^ 0x9e3779b9) >>> 0 || 1;
  }

  /** A number below `limit`. */
  below(limit: number): number {
    let s = this.#state;
    s ^= s << 13;
    s ^= s >>> 17;
    s ^= s << 5;
    this.#state = s >>> 0;
    return Math.floor(this.#state / 2 ** 32 * limit);
  }

  /** One of a list. */
  of<T>(list: readonly T[]): T {
    return list[this.below(list.length)];
  }
}

/** Prints a hash of everything that EL0 can see at an exception, ESR, ELR and FAR; counts down. */
const REPORT = `
        msr tpidr_el1, x0 ; ldr x0, =saved
        ${
  Array.from({ length: 15 }, (_, n) => `stp x${2 * n + 1}, x${2 * n + 2}, [x0, #${16 * n + 8}]`)
    .join(" ; ")
}
        mrs x1, tpidr_el1 ; str x1, [x0]
        mrs x1, sp_el0 ; mrs x2, spsr_el1 ; stp x1, x2, [x0, #248]
        mrs x1, tpidr_el0 ; mrs x2, elr_el1 ; stp x1, x2, [x0, #264]
        mrs x9, esr_el1 ; lsr x1, x9, #26 ; cmp x1, #7 ; csel x9, xzr, x9, eq
        cmp x1, #0 ; csel x9, xzr, x9, eq              // FP is trapped, or not known here at all
        mrs x10, far_el1 ; stp x9, x10, [x0, #280]
        mov x1, #37 ; mov x8, #0
hash:   ldr x3, [x0], #8 ; eor x8, x3, x8, ror #13 ; add x8, x8, x8, lsl #3
        subs x1, x1, #1 ; b.ne hash
        mov x0, x8 ; bl print ; mov x0, x9 ; bl print ; mrs x0, elr_el1 ; bl print
        mov x0, x10 ; bl print
        ldr x2, =UART ; mov w1, #10 ; str w1, [x2]
        ldr x1, =left ; ldr x2, [x1] ; subs x2, x2, #1 ; str x2, [x1] ; b.eq off
        ldr x0, =saved
        ${
  Array.from({ length: 15 }, (_, n) => `ldp x${2 * n + 1}, x${2 * n + 2}, [x0, #${16 * n + 8}]`)
    .join(" ; ")
}
        ldr x0, [x0]
`;
const REPORT_DATA = `
print:  mov x1, #60 ; ldr x2, =UART
digit:  lsr x3, x0, x1 ; and x3, x3, #15 ; cmp x3, #10 ; add x4, x3, #48 ; add x3, x3, #87
        csel x3, x4, x3, lo ; str w3, [x2] ; subs x1, x1, #4 ; b.pl digit
        mov w3, #32 ; str w3, [x2] ; ret
        // hashes the memory of EL0, too
off:    ldr x0, =POOL ; mov x1, #0x4000 ; mov x8, #0
byte:   ldr x3, [x0], #8 ; eor x8, x3, x8, ror #13 ; add x8, x8, x8, lsl #3
        subs x1, x1, #1 ; b.ne byte
        mov x0, x8 ; bl print
        ldr x0, =0x84000008 ; hvc #0
        .balign 8
left:   .quad COUNT
saved:  .space 512
`;

const kernel = (reports: number) => `
        .equ COUNT, ${reports}
        .equ UART, 0x09000000
        .equ GICD, 0x08000000
        .equ GICC, 0x08010000
        .equ WINDOW, 0x100000000
        .equ POOL, 0x40600000
        .equ PRISTINE, 0x40800000
        .equ TABLE_1, 0x40100000
        .equ LEAVES, 0x40103000
start:  ldr x0, =vectors ; msr vbar_el1, x0
        ldr x0, =stack ; mov sp, x0
        ldr x0, =TABLE_1 ; msr ttbr0_el1, x0
        ldr x0, =0x0000001000803519 ; msr tcr_el1, x0     // T0SZ 25, EPD1, ASID 16 bits
        ldr x0, =0x44ff ; msr mair_el1, x0
        ldr x0, =${
  reports ? "0x04c499bd" : "0x04c5d9bd"
} ; msr sctlr_el1, x0  // M, SA, UCI, DZE, UCT, nTWI...
        isb
        ldr x0, =GICD ; mov w1, #1 ; str w1, [x0]
        ldr w1, =0x08000000 ; str w1, [x0, #0x100]        // interrupt 27
        ldr x0, =GICC ; mov w1, #0xff ; str w1, [x0, #4] ; mov w1, #1 ; str w1, [x0]
        ${reports ? "b enter" : ""}
        mov x0, #300 ; msr cntv_tval_el0, x0 ; mov x0, #1 ; msr cntv_ctl_el0, x0
        ldr x0, =0x303 ; msr cntkctl_el1, x0
        mov x0, #0x300000 ; msr cpacr_el1, x0
enter:  ldr x20, =WINDOW
        msr elr_el1, x20 ; msr spsr_el1, xzr ; eret

        // x0 = the next random number; x1 to x4 are lost
next:   ldr x1, =seed ; ldr x0, [x1]
        eor x0, x0, x0, lsl #13 ; eor x0, x0, x0, lsr #7 ; eor x0, x0, x0, lsl #17
        str x0, [x1] ; ret

sync:   ${reports ? REPORT : ""}
        stp x0, x1, [sp, #-64]! ; stp x2, x3, [sp, #16] ; stp x4, x5, [sp, #32] ; str x30, [sp, #48]
        bl next
        mrs x1, esr_el1 ; lsr x2, x1, #26
        cmp x2, #0x15 ; b.eq call
        cmp x2, #0x20 ; b.eq jump
        cmp x2, #0x22 ; b.eq jump
        mrs x3, elr_el1 ; add x3, x3, #4 ; msr elr_el1, x3
        tst x0, #0x1f ; b.ne done
jump:   and x3, x0, #0xfffffc ; ldr x4, =WINDOW ; add x3, x3, x4
        msr elr_el1, x3
        ${reports ? "b renew" : ""}
done:   ldr x20, =WINDOW
        ldr x30, [sp, #48] ; ldp x4, x5, [sp, #32] ; ldp x2, x3, [sp, #16] ; ldp x0, x1, [sp], #64
        eret

call:   and x2, x1, #7
        and x3, x0, #0xfff                                // page of the window
        cmp x2, #1 ; b.eq remap
        cmp x2, #2 ; b.eq remap
        cmp x2, #3 ; b.eq space
        cmp x2, #4 ; b.eq all
        cmp x2, #5 ; b.eq page
        cmp x2, #6 ; b.eq asid
        b done
remap:  ldr x4, =LEAVES
        lsr x5, x0, #16 ; and x5, x5, #0x1f ; lsl x5, x5, #12 ; ldr x1, =POOL ; add x5, x5, x1
        lsr x1, x0, #24 ; and x4, x1, #0x800 ; orr x5, x5, x4 ; and x1, x1, #0xc0 ; orr x5, x5, x1 ; ldr x4, =LEAVES   // nG, AP
        lsr x1, x0, #36 ; tst x1, #3 ; b.eq unmapped ; mov x1, #0x703 ; orr x5, x5, x1
unmapped: lsr x1, x0, #40 ; and x1, x1, #0x0060000000000000 ; orr x5, x5, x1
        str x5, [x4, x3, lsl #3]
        ${reports ? "" : "cmp x2, #2 ; b.eq done"}
page:   ldr x4, =WINDOW ; lsr x4, x4, #12 ; add x4, x4, x3
        dsb ish ; tlbi vaae1is, x4 ; dsb ish ; isb ; b done
all:    tlbi vmalle1 ; dsb ish ; isb ; b done
asid:   lsl x4, x0, #48 ; tlbi aside1, x4 ; b done
space:  ldr x4, =TABLE_1 ; and x5, x0, #3 ; bfi x4, x5, #48, #16 ; msr ttbr0_el1, x4 ; isb ; b done

irq:    stp x0, x1, [sp, #-64]! ; stp x2, x3, [sp, #16] ; stp x4, x5, [sp, #32] ; str x30, [sp, #48]
        ldr x0, =GICC ; ldr w5, [x0, #0xc]
        bl next
        and x1, x0, #0x3f ; add x1, x1, #10 ; msr cntv_tval_el0, x1
        ldr x1, =GICC ; str w5, [x1, #0x10]
        mov w1, #46 ; ldr x2, =UART ; str w1, [x2]
        tst x0, #0x800 ; b.ne jump
renew:  tst x0, #0x700 ; b.ne done
        lsr x1, x0, #20 ; and x1, x1, #0x1f ; lsl x1, x1, #12     // renew a page
        ldr x2, =POOL ; add x2, x2, x1 ; ldr x3, =PRISTINE ; add x3, x3, x1
        mov x1, #256
copy:   ldp x4, x5, [x3], #16 ; stp x4, x5, [x2], #16 ; subs x1, x1, #1 ; b.ne copy
        b done
        .ltorg
        .balign 8
seed:   .quad SEED
        ${reports ? REPORT_DATA : ""}

        .balign 0x800
vectors: b .
        .org vectors + 0x200
        b .
        .org vectors + 0x400
        b sync
        .org vectors + 0x480
        b irq
        .org vectors + 0x800
        .space 0x1000
stack:
`;

/**
 * The guest of a seed. The same seed gives the same guest.
 *
 * @param reports if given, there are no interrupts, every change of a translation is made known by
 * TLBI, and the kernel prints what it sees at every exception and powers off after so many
 */
export function tortureGuest(seed: number, reports = 0): BootPlan {
  const random = new Random(seed);
  const start = `.equ SEED, 0x${(random.below(2 ** 31) + 1).toString(16)}deadbeef\n`;
  const plan = program(start + kernel(reports)).plan();
  const code = poolCode(random);
  const segment = (address: number, bytes: Uint8Array) => (
    { name: "guest", address, bytes, zeroTo: address + bytes.length }
  );
  return {
    ...plan,
    segments: [
      ...plan.segments,
      segment(TABLES, tables(random)),
      segment(POOL, code),
      segment(PRISTINE, code),
    ],
  };
}

/** Level 1, two of level 2, and the leaves. */
function tables(random: Random): Uint8Array {
  const words = new BigUint64Array(3 * 512 + WINDOW_PAGES);
  const BLOCK = 0x701n, DEVICE = 0x405n, TABLE = 3n, EL0 = 0x40n, UXN = 1n << 54n;
  words[0] = DEVICE | UXN | 1n << 53n;
  words[1] = BigInt(0x4000_0000) | BLOCK | UXN;
  words[WINDOW / 2 ** 30] = BigInt(TABLES + 0x1000) | TABLE;
  for (let i = 0; i < WINDOW_PAGES / 512; i++) {
    words[512 + i] = BigInt(TABLES + 0x3000 + 4096 * i) | TABLE;
    words[512 + 8 + i] = BigInt(POOL) | BLOCK | EL0 | (i & 1 ? 0x800n : 0n);
  }
  for (let page = 0; page < WINDOW_PAGES; page++) {
    const physical = BigInt(POOL + 4096 * random.below(POOL_PAGES));
    const isMapped = random.below(16) !== 0;
    const access = random.of([EL0, EL0, EL0, 0xc0n, 0n]);
    const global = random.below(2) ? 0x800n : 0n;
    const never = random.below(8) === 0 ? UXN : 0n;
    words[3 * 512 + page] = isMapped ? physical | 0x703n | access | global | never : 0n;
  }
  return new Uint8Array(words.buffer);
}

function poolCode(random: Random): Uint8Array {
  const phrases = Array.from({ length: 600 }, () => phrase(random));
  const words = new Uint32Array(POOL_PAGES * 1024);
  for (let at = 0; at < words.length;) {
    for (const word of random.of(phrases)) if (at < words.length) words[at++] = word;
  }
  return new Uint8Array(words.buffer);
}

const ARITHMETIC = ["add", "sub", "and", "orr", "eor", "bic", "adds", "subs", "ands"];
const ACCESSES = [
  "ldr xA, [x16]",
  "str xA, [x16]",
  "str xA, [x16]",
  "ldrb wA, [x16]",
  "strb wA, [x16]",
  "strh wA, [x16, #2]",
  "str wA, [x16, #4]",
  "ldp xA, xB, [x16]",
  "stp xA, xB, [x16]",
  "stp xA, xB, [x16, #-16]!",
  "ldr q1, [x16]",
  "str q1, [x16]",
  "stp q1, q2, [x16]",
  "ldrsw xA, [x16], #8",
  "ldxr xA, [x16]",
  "ldxr wA, [x16]",
  "stxr w15, xA, [x16]",
  "ldxp xA, xB, [x16]",
  "stxp w15, xA, xB, [x16]",
  "stlr xA, [x16]",
  "dc zva, x16",
  "dc cvau, x16",
  "ic ivau, x16",
];
const BRANCHES = [
  "b TARGET",
  "bl TARGET",
  "b.ne TARGET",
  "b.lo TARGET",
  "b.ge TARGET",
  "cbz xA, TARGET",
  "cbnz wA, TARGET",
  "tbz xA, #3, TARGET",
  "tbnz xA, #40, TARGET",
];
const OTHERS = [
  "mrs xA, cntvct_el0",
  "mrs xA, nzcv",
  "msr nzcv, xA",
  "mrs xA, tpidr_el0",
  "msr tpidr_el0, xA",
  "mrs xA, sctlr_el1",
  "ret xA",
  "nop",
  "dsb sy",
  "isb",
  "clrex",
  "wfi",
  "brk #7",
  "hvc #1",
];

/** A few instructions that do one thing. */
function phrase(random: Random): number[] {
  const register = () => String(random.below(15));
  const fill = (text: string) =>
    text.replace(/(?<=[xw])A/g, register()).replace(/(?<=[xw])B/g, String(8 + random.below(7)));
  const kind = random.below(20);
  if (kind < 7) {
    return [
      assemble(fill(`${random.of(ARITHMETIC)} xA, x${register()}, xB, lsl #${random.below(20)}`)),
    ];
  }
  if (kind < 8) return [assemble(`mov x${register()}, #${random.below(65536)}`)];
  if (kind < 14) {
    const aligned = random.below(4) ? ["and x16, x16, #0xfffffffffffffff0"] : [];
    const mask = random.of(["0xffffff", "0x1ffffff", "0xffff"]);
    return [
      `and x16, x${register()}, #${mask}`,
      "add x16, x16, x20",
      ...aligned,
      fill(random.of(ACCESSES)),
    ].map((line) => assemble(line));
  }
  if (kind < 17) {
    const distance = 4 * random.of([2, 3, 5, 9, 17, 60, -3, -20, 300, -300]);
    const at = 0x10000n;
    return [
      assemble(
        fill(random.of(BRANCHES)).replace("TARGET", `0x${(0x10000 + distance).toString(16)}`),
        at,
      ),
    ];
  }
  if (kind < 18) {
    return [
      `and x17, x${register()}, #0x1fffffc`,
      "add x17, x17, x20",
      random.of(["br x17", "blr x17"]),
    ]
      .map((line) => assemble(line));
  }
  if (kind < 19) return [assemble(`svc #${random.below(8)}`)];
  return [assemble(fill(random.of(OTHERS)))];
}
