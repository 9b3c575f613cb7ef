import { disassemble } from "../../../core/isa/disassemble.ts";
import { MachineCpu } from "../bare_cpu.ts";
import { Random } from "../random_words.ts";
import { difference } from "../run_vectors.ts";
import { CODE, CODE_BYTES, CODE_START, type CpuSnapshot, dataWindow } from "../vectors.ts";
import { type CaseChoice, makeCases } from "./cases.ts";
import { BATCH, type Case, type CaseOutcome, ReferenceCpu } from "./reference_cpu.ts";

/** What a run compares. */
export interface FuzzOptions extends CaseChoice {
  /** QEMU's name of the processor. */
  readonly cpu: string;
  readonly count: number;
  readonly seed: number;
  /** Ends after so many words that differ. */
  readonly maxDifferences: number;
  readonly progress?: (compared: number) => void;
}

/** A case that differs, made as simple as it can be. */
export interface Difference {
  readonly case: Case;
  /** In one line. */
  readonly text: string;
}

/** Result of a run. */
export interface FuzzReport {
  readonly compared: number;
  readonly retired: number;
  readonly undefined: number;
  readonly faults: number;
  readonly differences: readonly Difference[];
}

/** Compares random instructions here and on `qemu-aarch64`. */
export async function fuzz(options: FuzzOptions): Promise<FuzzReport> {
  const { cpu, count, seed, features, maxDifferences, progress } = options;
  await using reference = new ReferenceCpu(cpu);
  const machine = new MachineCpu(features);
  const counts = { compared: 0, retired: 0, undefined: 0, fault: 0 };
  const differences = new Map<string, Difference>();
  const cases = makeCases(options, new Random(seed));
  while (counts.compared < count && differences.size < maxDifferences) {
    const batch = Array.from({ length: BATCH }, () => cases.next().value as Case);
    const wanted = await reference.run(batch);
    for (const [i, one] of batch.entries()) {
      counts.compared++;
      counts[wanted[i].kind]++;
      if (compare(one, runHere(machine, one), wanted[i]) === undefined) continue;
      const shrunk = await shrink(one, machine, reference);
      // One of each instruction is enough.
      const name = disassemble(one.word, BigInt(CODE)).split(" ")[0];
      if (!differences.has(name)) differences.set(name, shrunk);
    }
    progress?.(counts.compared);
  }
  const { compared, retired, undefined: none, fault: faults } = counts;
  return { compared, retired, undefined: none, faults, differences: [...differences.values()] };
}

function runHere(machine: MachineCpu, { word, state }: Case): CaseOutcome {
  const data = dataWindow();
  try {
    const found = machine.execute(state, [word], data);
    if (found.undefined) return { kind: "undefined" };
    // The word behind it cannot be fetched.
    if (!isCode(found.state.pc)) return { kind: "fault" };
    return { kind: "retired", state: found.state, data };
  } catch (error) {
    if (/^takes an exception of class/.test((error as Error).message)) return { kind: "fault" };
    throw error;
  }
}

function isCode(pc: bigint): boolean {
  return pc >= CODE_START && pc < CODE_START + CODE_BYTES;
}

/**
 * FCVTZS (scalar, fixed-point) of half precision: QEMU 7.2 leaves the sign in bits 31:16 of the
 * register, which the manual's V[d] = 16 bits clears.
 */
function isWrongThere(word: number): boolean {
  return ((word & 0xfff0_fc00) >>> 0) === 0x5f10_fc00;
}

function withoutUpperBits<T extends { readonly state: CpuSnapshot }>(word: number, wanted: T): T {
  const { state } = wanted;
  const v = state.v.with(word & 31, state.v[word & 31] & 0xffffn);
  return { ...wanted, state: { ...state, v } };
}

/** What differs, or undefined. */
function compare(
  { word }: Case,
  found: CaseOutcome,
  wanted: CaseOutcome,
): string | undefined {
  const text = () => `${word.toString(16).padStart(8, "0")} ${disassemble(word, BigInt(CODE))}`;
  if (found.kind !== wanted.kind) return `${text()}: ${found.kind}, expected ${wanted.kind}`;
  if (found.kind !== "retired" || wanted.kind !== "retired") return undefined;
  const what = difference(found, isWrongThere(word) ? withoutUpperBits(word, wanted) : wanted);
  return what === undefined ? undefined : `${text()}: ${what}`;
}

/** Sets one register after the other to zero, as long as the outcomes still differ. */
async function shrink(
  original: Case,
  machine: MachineCpu,
  reference: ReferenceCpu,
): Promise<Difference> {
  let state = original.state;
  const differs = async (candidate: CpuSnapshot) => {
    const one = { word: original.word, state: candidate };
    const [wanted] = await reference.run([one]);
    return compare(one, runHere(machine, one), wanted);
  };
  let text = await differs(state) ?? "differs only behind the instructions before it";
  const attempt = async (candidate: CpuSnapshot) => {
    const still = await differs(candidate);
    if (still === undefined) return;
    text = still;
    state = candidate;
  };
  for (let n = 0; n < 31; n++) {
    if (state.x[n] !== 0n) await attempt({ ...state, x: state.x.with(n, 0n) });
  }
  for (let n = 0; n < 32; n++) {
    if (state.v[n] === 0n) continue;
    await attempt({ ...state, v: state.v.with(n, 0n) });
    for (const lane of [64n, 32n, 96n, 0n]) {
      const mask = (lane % 64n === 0n ? (1n << 64n) - 1n : 0xffff_ffffn) << lane;
      if (state.v[n] & mask) await attempt({ ...state, v: state.v.with(n, state.v[n] & ~mask) });
    }
  }
  if (state.fpcr) await attempt({ ...state, fpcr: 0n });
  if (state.fpsr) await attempt({ ...state, fpsr: 0n });
  if (state.nzcv) await attempt({ ...state, nzcv: 0 });
  return { case: { word: original.word, state }, text: `${text}\n  ${describe(state)}` };
}

/** The registers that are not zero. */
function describe({ x, v, fpcr, fpsr, nzcv }: CpuSnapshot): string {
  const hex = (value: bigint) => `0x${value.toString(16)}`;
  const parts = [
    ...x.map((value, n) => value && `x${n}=${hex(value)}`),
    ...v.map((value, n) => value && `v${n}=${hex(value)}`),
    fpcr && `fpcr=${hex(fpcr)}`,
    fpsr && `fpsr=${hex(fpsr)}`,
    nzcv && `nzcv=${nzcv}`,
  ];
  return `with ${parts.filter(Boolean).join(" ")}`;
}
