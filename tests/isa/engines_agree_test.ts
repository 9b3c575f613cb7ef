import { assertEquals } from "@std/assert";
import type { Row } from "../../core/isa/row.ts";
import { disassemble } from "../../core/isa/disassemble.ts";
import { findRow } from "../../core/isa/decode_tree.ts";
import { isSupported, ROWS } from "../../core/isa/table.ts";
import { ALL_FEATURES, MachineCpu } from "./bare_cpu.ts";
import { EvaluatorCpu } from "./evaluator_cpu.ts";
import { edges, FPCR_SETTINGS } from "./fp_cases.ts";
import { FORMATS } from "./fp_pseudocode.ts";
import { Random, wordsOf } from "./random_words.ts";
import { difference } from "./run_vectors.ts";
import {
  type BareCpu,
  CODE,
  CODE_BYTES,
  CODE_START,
  type CpuSnapshot,
  DATA,
  dataWindow,
} from "./vectors.ts";

/** Words per row and static choice. */
const WORDS = 4;
/** The same of floating point, which has more special cases. */
const FLOAT_WORDS = 24;

/** Values at which instructions have their special cases. */
const CORNERS = [0n, 1n, 0x7fff_ffffn, 0x8000_0000n, 0xffff_ffffn, 1n << 63n, (1n << 63n) - 1n];

function randomState(random: Random): CpuSnapshot {
  const wide = () => BigInt(random.u32()) << 32n | BigInt(random.u32());
  const value = () => {
    const kind = random.u32() % 8;
    if (kind < 2) return CORNERS[random.u32() % CORNERS.length];
    return kind < 4 ? BigInt.asUintN(64, -(wide() & 0xffn)) : wide();
  };
  return {
    x: Array.from({ length: 31 }, value),
    v: Array.from({ length: 32 }, () => value() << 64n | value()),
    sp: BigInt(DATA + 0x200),
    pc: BigInt(CODE),
    nzcv: random.u32() & 15,
    fpcr: 0n,
    fpsr: 0n,
  };
}

/** FPSR.IXC, with which whole vectors may take a shorter way. */
const INEXACT = 0x10n;
const EDGES = Object.values(FORMATS).map((format) => ({ bits: format.N, values: edges(format) }));

/** Vectors of floating-point numbers, and any setting of FPCR. */
function randomFloats(random: Random, state: CpuSnapshot): void {
  const { bits, values } = EDGES[random.u32() % EDGES.length];
  state.v.forEach((integers, n) => {
    let vector = 0n;
    for (let i = 0; i < 128 / bits; i++) {
      const value = random.u32() % 4
        ? values[random.u32() % values.length]
        : integers >> BigInt(i * bits) & (1n << BigInt(bits)) - 1n;
      vector |= value << BigInt(i * bits);
    }
    state.v[n] = vector;
  });
  if (random.u32() % 2) state.fpcr = FPCR_SETTINGS[random.u32() % FPCR_SETTINGS.length];
  if (random.u32() % 2) state.fpsr = INEXACT;
}

/** Points the base of a load or store into the data window, wherever its offset leads. */
function aim(row: Row, word: number, state: CpuSnapshot, random: Random): void {
  const n = (word >>> 5) & 31, m = (word >>> 16) & 31;
  if (/^(BR|BLR|RET)$/.test(row.name)) state.x[n] = BigInt(CODE + 4 * (random.u32() & 0xff));
  if (!/^(Load|Store|LD|ST|SWP|CAS)/.test(row.name) || n === 31) return;
  state.x[n] = BigInt(DATA + 0x200 + (random.u32() & 0x70));
  // A store beyond the window would be seen by later instructions of one engine only.
  if (/register offset/.test(row.name) && m !== 31) state.x[m] = BigInt(random.u32() & 15);
  if (/unsigned immediate/.test(row.name)) state.x[n] -= BigInt((word >>> 10) & 0xfff);
}

/** What an engine makes of a word; undefined where an access faulted. */
function outcome(cpu: BareCpu, before: CpuSnapshot, word: number) {
  const data = dataWindow();
  try {
    const { state } = cpu.execute(before, [word], data);
    return { state, data };
  } catch {
    return undefined;
  }
}

function isCode(pc: bigint): boolean {
  return pc >= CODE_START && pc < CODE_START + CODE_BYTES;
}

/** Rows whose effect is not only on registers and memory, or which the evaluator does not model. */
function isComparable(row: Row): boolean {
  return row.ends !== "exception" && row.ends !== "sequential" &&
    !/^(MRS|SYSL|WFE|WFI|SEV|DC ZVA|PAC|AUT|XPAC|B?L?RETA|BL?RA|LDRA)/.test(row.name);
}

Deno.test("the machine and evaluate() agree on random words of every row", () => {
  const random = new Random(20260722);
  const machine = new MachineCpu(ALL_FEATURES), evaluator = new EvaluatorCpu(ALL_FEATURES);
  let compared = 0, faulted = 0;
  for (const row of ROWS.filter(isSupported).filter(isComparable)) {
    const isFloat = /^(F(?!MOV)|[SU]CVTF)/.test(row.name);
    for (const word of wordsOf(row, isFloat ? FLOAT_WORDS : WORDS, random)) {
      // A special case of the row is a row of its own.
      if (findRow(word) !== row) continue;
      const state = randomState(random);
      if (isFloat) randomFloats(random, state);
      aim(row, word, state, random);
      const want = outcome(evaluator, state, word);
      if (!want || !isCode(want.state.pc)) {
        faulted++;
        continue;
      }
      compared++;
      const found = outcome(machine, state, word);
      const text = disassemble(word, BigInt(CODE));
      assertEquals(found ? difference(found, want) : "faults", undefined, text);
    }
  }
  assertEquals(compared > 3 * faulted, true, `${compared} compared, ${faulted} faulted`);
});
