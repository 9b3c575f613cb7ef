import { randomInteger } from "../../mmu/_testing.ts";
import { comparePrivileged, type Experiment } from "../machine/privileged.ts";

// Walks of both stages compared with the reference: random tables and registers, asked by AT.

const ASKED = ["s12e1r", "s12e1w", "s12e0r", "s12e0w", "s1e1r", "s1e0w"];
/** Where tables are; each a page. */
const FIRST = 0x4600_0000, SECOND = 0x4601_0000;
const ADDRESSES = [0x1000n, 0x4000_0000n, 0x4020_3000n, 0x7f_c000_0000n, 0x80_0000_1000n];

/**
 * Without bytes such as 0x44 and 0x0c: where stage 2 is Device memory and stage 1 is not, or the
 * other way round, the reference (7.2) takes the low half of the Normal one for a kind of Device.
 */
const MAIR = 0xff_fb_04_00_bb_4f_04_b7n;

function hex(value: bigint | number): string {
  return `0x${value.toString(16)}`;
}

/** A word-wise store of descriptors at the start of their tables, and where it is needed of the index. */
function store(address: number, value: bigint): string {
  return `ldr x4, =${hex(address)} ; ldr x5, =${hex(value)} ; str x5, [x4]`;
}

/** @param kept hardware keeps the access flag and the dirty state now and then; what it wrote is in x3 */
function makeCase(n: number, kept = false): Experiment {
  const random = randomInteger(n * 7919 + 1);
  const one = <T>(...choices: T[]): T => choices[random(choices.length)];
  const chance = (percent: number) => random(100) < percent;
  const granule = one(12, 12, 12, 16);
  const granule2 = one(12, 12, 12, 16);
  const stride = granule - 3, stride2 = granule2 - 3;
  const tsz1 = one(16, 25, 25, 32);
  const ps2 = one(0, 1, 2, 3, 4, 5);
  const pa = [32, 36, 40, 42, 44, 44][ps2];
  const t0sz2 = chance(80)
    ? 64 - Math.min(pa, one(32, 36, 39, 40, 42, 44))
    : one(16, 20, 24, 30, 35);
  const sl0 = chance(85) ? bestStart(64 - t0sz2, granule2) : one(0, 1, 2, 3);
  const va = one(...ADDRESSES) & (1n << BigInt(64 - tsz1)) - 1n;
  const lines: string[] = [];
  const dirtyModifier = () => kept && chance(50) ? 1n << 51n : 0n;
  const keeps = (at: bigint) => kept ? BigInt(random(4)) << at : 0n;
  const leafBits = () =>
    BigInt(one(0, 1, 2, 3)) << 6n | BigInt(one(0, 2, 3)) << 8n |
    (chance(92) ? 1n << 10n : 0n) | BigInt(random(2)) << 11n | BigInt(random(8)) << 2n;
  const high = () => BigInt(chance(15) ? 1 : 0) << 54n | BigInt(chance(15) ? 1 : 0) << 53n;
  // Stage 1: one descriptor of each level on the way, the last one a page or an earlier block.
  const ipa = one(0x4100_0000n, 0x4620_0000n, 0x8000_0000n, 0x1_0000_0000n, 0x4100_3000n);
  const start1 = 4 - Math.ceil((64 - tsz1 - granule) / stride);
  for (let level = start1; level <= 3; level++) {
    const shift = granule + stride * (3 - level);
    const top = level === start1 ? 64 - tsz1 : shift + stride;
    const index = Number(va >> BigInt(shift) & (1n << BigInt(top - shift)) - 1n);
    const table = FIRST + 0x1_0000 * 2 * level;
    const next = BigInt(FIRST + 0x1_0000 * 2 * (level + 1));
    const block = level > 0 && level < 3 && chance(20);
    const type = chance(4) ? BigInt(random(3)) : level === 3 || !block ? 3n : 1n;
    const value = level === 3 || block
      ? ipa >> BigInt(shift) << BigInt(shift) | leafBits() | high() | dirtyModifier() | type
      : next | (chance(10) ? BigInt(random(32)) << 59n : 0n) | type;
    lines.push(store(table + 8 * index, value));
    if (block) break;
  }
  // Stage 2: block maps of the gigabytes where the tables and the output of stage 1 are.
  const start2 = granule2 === 12 ? 2 - sl0 : 3 - sl0;
  if (start2 >= 0 && start2 <= 3) lines.push(...second(start2));
  function second(start: number): string[] {
    const out: string[] = [];
    const inputs = [BigInt(FIRST), ipa];
    inputs.forEach((input, which) => {
      for (let level = start; level <= 3; level++) {
        const shift = granule2 + stride2 * (3 - level);
        const top = level === start ? 64 - t0sz2 : shift + stride2;
        if (top <= shift) return;
        const index = Number(input >> BigInt(shift) & (1n << BigInt(top - shift)) - 1n);
        const table = SECOND + 0x20_0000 + 0x4_0000 * (level === start ? 0 : level + which * 4);
        const next = BigInt(SECOND + 0x20_0000 + 0x4_0000 * (level + 1 + which * 4));
        const block = level === 2 || level === 1 && granule2 === 12 && chance(50);
        const good = which === 0 && chance(90);
        const access = good ? 3n : BigInt(one(0, 1, 2, 3, 3, 3));
        const type = !good && chance(5) ? BigInt(random(3)) : level === 3 || !block ? 3n : 1n;
        const value = level === 3 || block
          ? input >> BigInt(shift) << BigInt(shift) | access << 6n |
            BigInt(good ? 15 : random(16)) << 2n | BigInt(one(0, 2, 3)) << 8n |
            (good && !kept || chance(kept ? 60 : 92) ? 1n << 10n : 0n) | dirtyModifier() |
            (chance(20) ? 1n << 54n : 0n) | type
          : next | type;
        if (8 * index < 0x4_0000) out.push(store(table + 8 * index, value));
        if (block) break;
      }
    });
    return out;
  }
  const tcr = BigInt(tsz1) | BigInt(granule === 12 ? 0 : 1) << 14n | 1n << 23n | 2n << 30n |
    25n << 16n | BigInt(one(1, 2, 4, 5)) << 32n | keeps(39n);
  const vtcr = BigInt(t0sz2) | BigInt(sl0) << 6n | BigInt(granule2 === 12 ? 0 : 1) << 14n |
    BigInt(ps2) << 16n | 1n << 31n | keeps(21n);
  const hcr = 1n << 31n | 1n | (chance(10) ? 1n << 12n : 0n) | (chance(15) ? 4n : 0n);
  const sctlr = 0x30d0_0800n | (chance(85) ? 1n : 0n) | (chance(20) ? 1n << 19n : 0n) |
    (chance(50) ? 1n << 12n : 0n);
  const registers: [string, bigint][] = [
    ["hcr_el2", hcr],
    ["vtcr_el2", vtcr],
    ["vttbr_el2", BigInt(SECOND + 0x20_0000) | BigInt(random(256)) << 48n],
    ["tcr_el1", tcr],
    ["ttbr0_el1", BigInt(FIRST + 0x1_0000 * 2 * Math.max(0, start1))],
    ["mair_el1", MAIR],
    ["sctlr_el1", sctlr],
  ];
  const address = sctlr & 1n ? va : ipa;
  const written = kept
    ? lines.map((line) => line.replace(/ldr x5, =.*/, "ldr x5, [x4] ; eor x3, x5, x3, ror #7"))
    : [];
  const undo = lines.map((line) => line.replace(/ldr x5, =.*; str x5/, "str xzr"));
  return {
    name: `case ${n}: ${registers.map(([name, value]) => `${name} ${hex(value)}`).join(" ")} ` +
      `address ${hex(address)} ${lines.map((l) => l.replace("str x5, [x4]", "")).join("")}`,
    el: 2,
    code: `
        ${lines.join("\n")}
        ${registers.map(([name, value]) => `ldr x4, =${hex(value)} ; msr ${name}, x4`).join("\n")}
        dsb sy ; tlbi alle1 ; dsb sy ; isb
        ldr x1, =${hex(address)}
        at ${one(...ASKED)}, x1 ; isb ; mrs x0, par_el1 ; ${withoutLevel(0)}
        at ${one(...ASKED)}, x1 ; isb ; mrs x2, par_el1 ; ${withoutLevel(2)}
        mov x3, #0 ; ${written.join("\n")}
        ${undo.join("\n")}
        mov x1, #0 ; msr sctlr_el1, xzr ; msr hcr_el2, xzr ; isb`,
  };
}

/**
 * Clears the level of PAR_EL1 where stage 2 failed for a stage 1 descriptor: the reference (7.2)
 * gives the level of stage 1, where the manual has that of stage 2.
 */
function withoutLevel(n: number): string {
  return `and x4, x${n}, x${n}, lsr #8 ; and x4, x4, #1 ; lsl x5, x4, #1 ; orr x5, x5, x4, lsl #2 ;
        bic x${n}, x${n}, x5`;
}

/** A start level that SL0 can name and the input size needs. */
function bestStart(inputSize: number, granule: number): number {
  const level = 4 - Math.ceil((inputSize - granule) / (granule - 3));
  return (granule === 12 ? 2 : 3) - Math.max(level, granule === 12 ? 0 : 1);
}

for (const part of [0, 1]) {
  comparePrivileged(
    `two stages of translation, part ${part}`,
    Array.from({ length: 1000 }, (_, n) => makeCase(1000 * part + n)),
    { virtualization: true, secure: false },
  );
}

comparePrivileged(
  "two stages of translation whose flags hardware keeps",
  Array.from({ length: 1000 }, (_, n) => makeCase(5000 + n, true)),
  { virtualization: true, secure: false, cpu: "max" },
);

// ---- what a hypervisor is told of its guest's accesses ----

const STAGE_2 = 0x4620_0000;
/** From 0x80000000: read-only, nothing, no access flag, write-only, never executed, block of 2 MiB next to a hole, and by level. */
const DESCRIPTORS: [number, bigint][] = [
  [1, 0x4000_07fdn],
  [2, 0x4000_077dn],
  [3, 0n],
  [4, 0x4000_03fdn],
  [5, 0x4000_07bdn],
  [6, 0x40_0000_4000_07fdn],
  [7, 0x4621_0003n],
  [8, 0x4000_0000_07fdn],
  [9, 0x20_0000_4000_07fdn],
  [10, 0x60_0000_4000_07fdn],
];
const TOUCHES = [
  "ldr x0, [x1]",
  "ldr w0, [x1]",
  "ldrb w3, [x1, #1]",
  "ldrsb x3, [x1]",
  "ldrsb w3, [x1]",
  "ldrsh x3, [x1]",
  "ldrsw x4, [x1, #8]",
  "str x5, [x1, #16]",
  "strb wzr, [x1]",
  "strh w6, [x1]",
  "ldr x0, [x1], #8",
  "str x0, [x1, #8]!",
  "ldr x0, [x1, x2]",
  "ldur x0, [x1, #3]",
  "ldtr x0, [x1]",
  "sttr w0, [x1]",
  "ldp x0, x3, [x1]",
  "stp w0, w3, [x1]",
  "ldxr x0, [x1]",
  "stxr w0, x3, [x1]",
  "ldar x0, [x1]",
  "stlr w0, [x1]",
  "ldr q0, [x1]",
  "str d0, [x1]",
  "dc zva, x1",
  "dc civac, x1",
  "at s1e1r, x1 ; mrs x0, par_el1",
  "br x1",
];
const PLACES = [
  "0x80001008",
  "0xc0000010",
  "0x100000ff8",
  "0x140000020",
  "0x180000000",
  "0x1c0000000",
  "0x1c0200000",
  "0x200000000",
  "0x240000000",
  "0x280000000",
  "0x8000000000",
  "0x40000000000",
];
const MAP = `
        ldr x4, =${hex(STAGE_2)}
        ${
  DESCRIPTORS.map(([n, value]) => `ldr x5, =${hex(value)} ; str x5, [x4, #${8 * n}]`).join("\n")
}
        ldr x4, =0x46210000 ; ldr x5, =0x400007fd ; str x5, [x4]
        ldr x4, =${hex(STAGE_2)} ; msr vttbr_el2, x4 ; ldr x4, =0x80023559 ; msr vtcr_el2, x4
        ldr x4, =0x80000001 ; msr hcr_el2, x4 ; tlbi alle1 ; dsb sy`;
for (const cpu of ["cortex-a57", "max"] as const) {
  comparePrivileged(
    "faults of stage 2",
    ([1, 0] as const).flatMap((el) =>
      PLACES.flatMap((place) =>
        TOUCHES.filter((code) => el === 1 || !/^(at|dc)/.test(code)).map((code) => ({
          name: `${code} at ${place}`,
          el,
          setup: MAP,
          code: `ldr x1, =${place} ; ${code}`,
        }))
      )
    ),
    { virtualization: true, secure: false, cpu },
  );
}
