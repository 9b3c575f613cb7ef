import { findRow } from "../../core/isa/decode_tree.ts";
import { isSupported } from "../../core/isa/table.ts";
import { disassemble } from "../../core/isa/disassemble.ts";
import {
  type BareCpu,
  CODE,
  type CpuSnapshot,
  dataWindow,
  expected,
  stateBefore,
  type Vector,
} from "./vectors.ts";

/** What became of a vector. */
export type Verdict = "passed" | "failed" | "unsupported";

/** Counts by verdict. */
export type Tally = Record<Verdict, number>;

/** The result of a file. */
export interface Report extends Tally {
  readonly classes: Record<string, Tally>;
  /** The first failures, in words. */
  readonly failures: string[];
}

const MAX_FAILURES = 20;

/**
 * Runs vectors and counts. A vector that does not pass is `unsupported` if one of its words is
 * listed in the instruction table as not supported; where UNDEFINED is what is expected of such a
 * word, it passes.
 */
export function runVectors(vectors: Iterable<Vector>, cpu: BareCpu): Report {
  const report: Report = { passed: 0, failed: 0, unsupported: 0, classes: {}, failures: [] };
  for (const vector of vectors) {
    const difference = runVector(vector, cpu);
    const verdict = difference === undefined
      ? "passed"
      : isUnsupported(vector)
      ? "unsupported"
      : "failed";
    report[verdict]++;
    const tally = report.classes[vector.c] ??= { passed: 0, failed: 0, unsupported: 0 };
    tally[verdict]++;
    if (verdict === "failed" && report.failures.length < MAX_FAILURES) {
      report.failures.push(`${describe(vector)}: ${difference}`);
    }
  }
  return report;
}

/** Runs one vector; what differs from what it expects, or undefined. */
function runVector(vector: Vector, cpu: BareCpu): string | undefined {
  const data = dataWindow();
  const want = expected(vector);
  try {
    const found = cpu.execute(stateBefore(vector), wordsOf(vector), data);
    if (found.undefined !== (vector.a.exc === "undef")) {
      return found.undefined ? "is UNDEFINED" : "is not UNDEFINED";
    }
    return difference({ state: found.state, data }, want);
  } catch (error) {
    return (error as Error).message;
  }
}

function wordsOf({ w }: Vector): number[] {
  return w.map((word) => parseInt(word, 16));
}

function isUnsupported(vector: Vector): boolean {
  return wordsOf(vector).some((word) => {
    const row = findRow(word);
    return row !== undefined && !isSupported(row);
  });
}

function describe(vector: Vector): string {
  const text = wordsOf(vector).map((word, i) => disassemble(word, BigInt(CODE + 4 * i)));
  return `${vector.c} ${vector.w.join(" ")} ${text.join("; ")}`;
}

/** The first register or byte of the data window that differs, in words. */
export function difference(
  found: { state: CpuSnapshot; data: Uint8Array },
  want: { state: CpuSnapshot; data: Uint8Array },
): string | undefined {
  return differingRegister(found.state, want.state) ?? differingByte(found.data, want.data);
}

function differingRegister(found: CpuSnapshot, want: CpuSnapshot): string | undefined {
  const differs = (name: string, a: bigint | number, b: bigint | number) =>
    a === b ? undefined : `${name} is 0x${a.toString(16)}, expected 0x${b.toString(16)}`;
  for (let n = 0; n < 31; n++) {
    if (found.x[n] !== want.x[n]) return differs(`X${n}`, found.x[n], want.x[n]);
  }
  for (let n = 0; n < 32; n++) {
    if (found.v[n] !== want.v[n]) return differs(`V${n}`, found.v[n], want.v[n]);
  }
  return differs("SP", found.sp, want.sp) ?? differs("PC", found.pc, want.pc) ??
    differs("NZCV", found.nzcv, want.nzcv) ?? differs("FPCR", found.fpcr, want.fpcr) ??
    differs("FPSR", found.fpsr, want.fpsr);
}

function differingByte(found: Uint8Array, want: Uint8Array): string | undefined {
  const at = found.findIndex((byte, i) => byte !== want[i]);
  return at < 0 ? undefined : `data byte ${at} is ${found[at]}, expected ${want[at]}`;
}
