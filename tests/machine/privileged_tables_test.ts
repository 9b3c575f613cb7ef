import { comparePrivileged, type Experiment, type Shape } from "./privileged.ts";

// Translation tables of EL3, EL2, EL2&0 and the Secure EL1&0 regime with random attributes: what
// they permit, where they lead, and what AT says, compared with the reference.

const SHAPE: Shape = { virtualization: true, secure: true, cpu: "max" };
const COUNT = 500;

interface RegimeUnderTest {
  readonly name: string;
  /** Levels that it rules. */
  readonly levels: readonly (0 | 1 | 2 | 3)[];
  /** Suffix of its registers. */
  readonly el: 1 | 2 | 3;
  /** TCR has the form of TCR_EL1. */
  readonly two: boolean;
  readonly secure: boolean;
  /** HCR_EL2 beside RW. */
  readonly hcr: bigint;
}

const REGIMES: readonly RegimeUnderTest[] = [
  { name: "EL3", levels: [3], el: 3, two: false, secure: false, hcr: 0n },
  { name: "EL2", levels: [2], el: 2, two: false, secure: false, hcr: 0n },
  { name: "EL2&0", levels: [0, 2], el: 2, two: true, secure: false, hcr: 0x4_0800_0000n },
  { name: "Secure EL1&0", levels: [0, 1], el: 1, two: true, secure: true, hcr: 0n },
  { name: "EL1&0", levels: [0, 1], el: 1, two: true, secure: false, hcr: 0n },
];

type Random = (bits: number) => number;

/** A generator of bits that is the same for everybody. */
function generator(seed: number): Random {
  let state = seed;
  return (bits) => {
    state = Math.imul(state ^ state >>> 15, 0x2c1b_3c6d) + 0x9e37_79b9 | 0;
    return (Math.imul(state ^ state >>> 13, 0x297a_2d39) >>> 7) & (1 << bits) - 1;
  };
}

/** RAM of both spaces, of the Secure one alone, and nothing. */
const PLACES = [0x4620_0000n, 0x4620_0000n, 0x0e00_0000n, 0x4800_0000n];

/** A block (at level 2) or a page. */
function leaf(random: Random, isPage: boolean): bigint {
  const place = PLACES[random(2)] + (isPage ? BigInt(random(2)) << 12n : 0n);
  const low = (random(3) ? 0x400 : 0) | random(4) << 8 | random(2) << 6 | (random(2) ? 0 : 0x20) |
    (random(2) ? 0 : 4) | (random(4) ? isPage ? 3 : 1 : random(2));
  const high = BigInt(random(2) & random(2)) << 53n | BigInt(random(4) ? 0 : 1) << 50n;
  return place | BigInt(low) | high;
}

/** A table descriptor; NSTable, APTable, UXNTable and PXNTable are rare. */
function table(random: Random, address: number): bigint {
  const attributes = random(1) ? 0 : random(5) & random(5);
  return BigInt(address) | 3n | BigInt(attributes) << 59n;
}

function store(at: number, value: bigint): string {
  return `ldr x1, =0x${value.toString(16)} ; str x1, [x0, #${at}]`;
}

/** Level 1 at 0x46000000: devices, RAM, and from 2 GB what is under test. */
function tables(random: Random, readOnly: boolean): string {
  return [
    "ldr x0, =0x46000000",
    store(0, 0x705n),
    store(8, readOnly ? 0x4000_0781n : 0x4000_0701n),
    store(16, table(random, 0x4600_1000)),
    "ldr x0, =0x46001000",
    store(0, leaf(random, false)),
    store(8, table(random, 0x4600_2000)),
    "ldr x0, =0x46002000",
    store(0, leaf(random, true)),
    store(8, leaf(random, true)),
  ].join(" ; ");
}

function setup(random: Random, { el, two, secure, hcr }: RegimeUnderTest): string {
  const writeNever = el !== 3 && random(2) === 0;
  const sctlr = 0x30d0_1801n | (writeNever ? 1n << 19n : 0n);
  const hierarchyOff = random(3) ? 0n : two ? 1n << 41n : 1n << 24n;
  const tcr = (two ? 0x2_0080_3519n : 0x8082_3519n) | hierarchyOff;
  const scr = 0x3_0500n | (secure ? 0n : 1n) | (random(2) ? 0n : 0x200n);
  const write = (name: string, value: bigint) =>
    `ldr x0, =0x${value.toString(16)} ; msr ${name}, x0`;
  return [
    tables(random, writeNever),
    `ldr x0, =0x46000000 ; msr ttbr0_el${el}, x0`,
    write(`tcr_el${el}`, tcr),
    write(`mair_el${el}`, 0xffn),
    write("scr_el3", scr),
    write("hcr_el2", 0x8000_0000n | hcr),
    "dsb sy ; tlbi alle1 ; tlbi alle2 ; tlbi alle3 ; dsb sy ; isb",
    write(`sctlr_el${el}`, sctlr),
    "isb",
  ].join("\n");
}

/** Of the block, the page, its neighbour, and a table's hole. */
const ADDRESSES = ["0x80000000", "0x80200000", "0x80201000", "0x80202000"];

function experiment(random: Random, n: number): Experiment {
  const regime = REGIMES[random(8) % REGIMES.length];
  const el = regime.levels[random(4) % regime.levels.length];
  const address = `mov x1, #${ADDRESSES[random(2)].replace(/1000$|2000$/, "0000")}`;
  const page = random(2) ? 0 : 4096;
  const at = `${address} ; add x1, x1, #${page}`;
  const kind = `s1e${regime.hcr ? 2 : el}`;
  const pan = random(2) ? "" : "msr pan, #1 ; ";
  const codes = el === 0 ? ["ldr x2, [x1]", "str x1, [x1]", "br x1"] : [
    "ldr x2, [x1]",
    "str x1, [x1]",
    "br x1",
    `at ${kind}r, x1 ; mrs x0, par_el1`,
    "ldtr x2, [x1]",
  ]
    .concat([`at ${kind}w, x1 ; mrs x0, par_el1`, "sttr x1, [x1]"]);
  const code = codes[random(6) % codes.length];
  return {
    name: `${n}: ${regime.name}, ${code}`,
    el,
    setup: setup(random, regime),
    code: `${at} ; ${el === 0 ? "" : pan}${code}`,
  };
}

// ---- both stages ----

/** MAIR bytes: Device, Non-cacheable, Write-Through, Write-Back with and without hints. */
const TYPES = [0x00n, 0xeen, 0xbbn, 0xffn, 0x0cn, 0x4fn, 0xa4n, 0x44n];
const WALK_PROTECTION = 4n, FORCED = 1n << 46n;

/** What AT S12E1R says of memory's type, with HCR_EL2.FWB and PTW and without. */
function bothStages(random: Random, n: number): Experiment {
  const forced = random(1) === 1;
  // Without FWB the reference (7.2) takes half of Normal Non-cacheable for Device-nGnRE.
  const type = TYPES[forced ? random(3) : random(2)];
  const second = (0x4000_07c1n & ~0x33cn) | BigInt(random(4) << 2) | BigInt(random(2) << 8);
  const hcr = 0x8000_0001n | (forced ? FORCED : 0n) | (random(3) ? 0n : WALK_PROTECTION);
  const write = (name: string, value: bigint) =>
    `ldr x0, =0x${value.toString(16)} ; msr ${name}, x0`;
  return {
    name: `${n}: MAIR ${type.toString(16)}, stage 2 ${second.toString(16)}, HCR ${
      hcr.toString(16)
    }`,
    el: 2,
    setup: [
      `ldr x0, =0x46000000 ; ${store(8, 0x4000_0701n)}`,
      `ldr x0, =0x46003000 ; ${store(8, second)}`,
      write("ttbr0_el1", 0x4600_0000n),
      write("vttbr_el2", 0x4600_3000n),
      write("tcr_el1", 0x2_0080_3519n),
      write("vtcr_el2", 0x8002_3559n),
      write("mair_el1", type),
      write("scr_el3", 0x3_0501n),
      write("hcr_el2", hcr),
      "dsb sy ; tlbi alle1 ; dsb sy",
      write("sctlr_el1", 0x30d0_1801n),
    ].join("\n"),
    code: "mov x1, #0x40000000 ; at s12e1r, x1 ; mrs x0, par_el1",
  };
}

const random = generator(7);
comparePrivileged(
  "tables of every regime",
  Array.from({ length: COUNT }, (_, n) => experiment(random, n)),
  SHAPE,
);
comparePrivileged(
  "types of memory by both stages",
  Array.from({ length: COUNT }, (_, n) => bothStages(random, n)),
  SHAPE,
);
