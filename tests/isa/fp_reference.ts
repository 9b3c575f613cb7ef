/**
 * Floating-point instructions on `qemu-aarch64 -cpu max`, to compare the functions with: the other
 * side of `fp_reference.c`.
 */

/** An instruction that shows one function with some of its operands fixed. */
export interface Instruction {
  /** The function, for example `FPAdd64`. */
  readonly name: string;
  /** What the function's operands behind the numbers are. */
  readonly fixed: readonly bigint[];
  /** How many operands vary: they are in v0, v1, v2, and the first in x0. */
  readonly count: number;
  readonly assembly: string;
  /** The function's result from what the instruction left. */
  readonly result: (outcome: Outcome) => bigint;
}

/** What an instruction left: v3, x1, N Z C V as bits 3 to 0, FPSR without NZCV. */
export interface Outcome {
  readonly vector: bigint;
  readonly general: bigint;
  readonly nzcv: bigint;
  readonly fpsr: number;
}

/** An instruction with operands and FPCR. */
export interface ReferenceCase {
  readonly instruction: Instruction;
  readonly operands: readonly bigint[];
  readonly fpcr: bigint;
}

const COMPILER = "aarch64-linux-gnu-gcc", EMULATOR = "qemu-aarch64";
const SUFFIX: Readonly<Record<string, string>> = { 16: "h", 32: "s", 64: "d" };

const vector = ({ vector }: Outcome) => vector;
const general = ({ general }: Outcome) => general;

function entry(
  name: string,
  count: number,
  assembly: string,
  fixed: readonly number[] = [],
  result: Instruction["result"] = vector,
): Instruction {
  return { name, count, assembly, fixed: fixed.map(BigInt), result };
}

const BINARY = {
  FPAdd: "fadd",
  FPSub: "fsub",
  FPMul: "fmul",
  FPMulX: "fmulx",
  FPDiv: "fdiv",
  FPMax: "fmax",
  FPMin: "fmin",
  FPMaxNum: "fmaxnm",
  FPMinNum: "fminnm",
  FPRecipStepFused: "frecps",
  FPRSqrtStepFused: "frsqrts",
};
const UNARY = {
  FPSqrt: "fsqrt",
  FPRecipEstimate: "frecpe",
  FPRSqrtEstimate: "frsqrte",
  FPRecpX: "frecpx",
};
const COMPARE = { FPCompareEQ: "fcmeq", FPCompareGE: "fcmge", FPCompareGT: "fcmgt" };
/** The letters of FCVTNS, FRINTN and their like, by rounding mode. */
const MODES = ["n", "p", "m", "z", "a"];

/** Instructions for every function of a format of so many bits. */
function* ofFormat(bits: string): Generator<Instruction> {
  const [v0, v1, v2, v3] = [0, 1, 2, 3].map((n) => SUFFIX[bits] + n);
  for (const [name, mnemonic] of Object.entries(BINARY)) {
    yield entry(name + bits, 2, `${mnemonic} ${v3}, ${v0}, ${v1}`);
  }
  for (const [name, mnemonic] of Object.entries(UNARY)) {
    yield entry(name + bits, 1, `${mnemonic} ${v3}, ${v0}`);
  }
  yield entry(`FPMulAdd${bits}`, 3, `fmadd ${v3}, ${v1}, ${v2}, ${v0}`);
  const bit = ({ vector }: Outcome) => vector & 1n, nzcv = ({ nzcv }: Outcome) => nzcv;
  for (const [name, mnemonic] of Object.entries(COMPARE)) {
    yield entry(name + bits, 2, `${mnemonic} ${v3}, ${v0}, ${v1}`, [], bit);
  }
  yield entry(`FPCompare${bits}`, 2, `fcmp ${v0}, ${v1}`, [0], nzcv);
  yield entry(`FPCompare${bits}`, 2, `fcmpe ${v0}, ${v1}`, [1], nzcv);
  for (const [n, mode] of MODES.entries()) {
    yield entry(`FPRoundInt${bits}`, 1, `frint${mode} ${v3}, ${v0}`, [n, 0]);
  }
  yield entry(`FPRoundInt${bits}`, 1, `frinti ${v3}, ${v0}`, [-1, 0]);
  yield entry(`FPRoundInt${bits}`, 1, `frintx ${v3}, ${v0}`, [-1, 1]);
  for (const size of bits === "16" ? [] : [32, 64]) {
    yield entry(`FPRoundIntSized${bits}`, 1, `frint${size}x ${v3}, ${v0}`, [-1, size]);
    yield entry(`FPRoundIntSized${bits}`, 1, `frint${size}z ${v3}, ${v0}`, [3, size]);
  }
  for (const to of Object.keys(SUFFIX)) {
    const assembly = `fcvt ${SUFFIX[to]}3, ${v0}`;
    if (to !== bits) yield entry(`FPConvert${bits}to${to}`, 1, assembly, [-1]);
  }
  yield* fixedPoint(bits);
}

/** Conversions to and from integers and fixed-point numbers. */
function* fixedPoint(bits: string): Generator<Instruction> {
  const v0 = `${SUFFIX[bits]}0`, v3 = `${SUFFIX[bits]}3`;
  const to = `FPToFixed${bits}`, from = `FixedToFP${bits}`;
  for (const [unsigned, letter] of ["s", "u"].entries()) {
    for (const [size, x] of [[32, "w"], [64, "x"]] as const) {
      for (const [n, mode] of MODES.entries()) {
        const assembly = `fcvt${mode}${letter} ${x}1, ${v0}`;
        yield entry(to, 1, assembly, [0, unsigned, n, size], general);
      }
      yield entry(from, 1, `${letter}cvtf ${v3}, ${x}0`, [0, unsigned, -1, size]);
      for (const fbits of [1, 7, 31, 32, 64].filter((n) => n <= size)) {
        const fixed = [fbits, unsigned, 3, size];
        yield entry(to, 1, `fcvtz${letter} ${x}1, ${v0}, #${fbits}`, fixed, general);
        const assembly = `${letter}cvtf ${v3}, ${x}0, #${fbits}`;
        yield entry(from, 1, assembly, [fbits, unsigned, -1, size]);
      }
    }
    // On vector registers an integer is as large as the number. QEMU 7.2 leaves bits above those
    // of a half that FCVTZS writes.
    const low = ({ vector }: Outcome) => BigInt.asUintN(Number(bits), vector);
    for (const fbits of [1, Number(bits)]) {
      const assembly = `fcvtz${letter} ${v3}, ${v0}, #${fbits}`;
      yield entry(to, 1, assembly, [fbits, unsigned, 3, Number(bits)], low);
      const back = `${letter}cvtf ${v3}, ${v0}, #${fbits}`;
      yield entry(from, 1, back, [fbits, unsigned, -1, Number(bits)]);
    }
  }
}

/** All instructions. */
export const INSTRUCTIONS: readonly Instruction[] = [
  ...Object.keys(SUFFIX).flatMap((bits) => [...ofFormat(bits)]),
  entry("FPConvert64to32", 1, "fcvtxn s3, d0", [5]),
  entry("UnsignedRecipEstimate", 1, "urecpe v3.2s, v0.2s", [], (o) => o.vector & 0xffff_ffffn),
  entry("UnsignedRSqrtEstimate", 1, "ursqrte v3.2s, v0.2s", [], (o) => o.vector & 0xffff_ffffn),
  entry("FPConvertBF32", 1, "bfcvt h3, s0"),
  entry("BFDotAdd32", 3, "mov v3.16b, v0.16b\n bfdot v3.2s, v1.4h, v2.4h"),
  entry("FPToFixedJS64", 1, "fjcvtzs w1, d0", [], (o) => o.general | (o.nzcv >> 2n & 1n) << 32n),
];

/** The program that is missing for a comparison, if one is. */
export function missingProgram(): string | undefined {
  return [COMPILER, EMULATOR].find((name) => {
    try {
      const command = new Deno.Command(name, {
        args: ["--version"],
        stdout: "null",
        stderr: "null",
      });
      return !command.outputSync().success;
    } catch {
      return true;
    }
  });
}

/** Runs cases, in their order. */
export async function runOnReference(cases: readonly ReferenceCase[]): Promise<Outcome[]> {
  const folder = Deno.makeTempDirSync({ prefix: "unboot-fp-" });
  try {
    const program = build(folder);
    const bytes = new DataView(new ArrayBuffer(32 * cases.length));
    cases.forEach(({ instruction, operands, fpcr }, i) => {
      bytes.setUint32(32 * i, INSTRUCTIONS.indexOf(instruction), true);
      bytes.setUint32(32 * i + 4, Number(fpcr), true);
      operands.forEach((x, n) => bytes.setBigUint64(32 * i + 8 + 8 * n, x, true));
    });
    Deno.writeFileSync(`${folder}/cases`, new Uint8Array(bytes.buffer));
    const shell = `exec ${EMULATOR} -cpu max ${program} < ${folder}/cases`;
    const { success, stdout, stderr } = await new Deno.Command("sh", { args: ["-c", shell] })
      .output();
    if (!success) throw new Error(`${EMULATOR}: ${new TextDecoder().decode(stderr)}`);
    return readOutcomes(stdout);
  } finally {
    Deno.removeSync(folder, { recursive: true });
  }
}

function readOutcomes(stdout: Uint8Array): Outcome[] {
  const bytes = new DataView(stdout.buffer, stdout.byteOffset, stdout.byteLength);
  return Array.from({ length: bytes.byteLength / 24 }, (_, i) => ({
    vector: bytes.getBigUint64(24 * i, true),
    general: bytes.getBigUint64(24 * i + 8, true),
    fpsr: bytes.getUint32(24 * i + 16, true),
    nzcv: BigInt(bytes.getUint32(24 * i + 20, true) >>> 28),
  }));
}

function build(folder: string): string {
  const labels = INSTRUCTIONS.map((_, i) => `instruction${i}`);
  const source = [
    ".arch armv8.5-a+fp16+bf16",
    ".text",
    ...INSTRUCTIONS.map(({ assembly }, i) => `${labels[i]}: ${assembly}\n ret`),
    ".data\n.balign 8\n.global instruction_table\ninstruction_table:",
    ...labels.map((label) => `.quad ${label}`),
    `.section .note.GNU-stack,"",@progbits`,
  ].join("\n");
  const table = `${folder}/table.s`, program = `${folder}/program`;
  Deno.writeTextFileSync(table, `${source}\n`);
  const main = new URL("fp_reference.c", import.meta.url).pathname;
  const { success } = new Deno.Command(COMPILER, {
    args: ["-O1", "-static", "-o", program, main, table],
    stderr: "inherit",
  }).outputSync();
  if (!success) throw new Error(`${COMPILER} cannot compile ${main}`);
  return program;
}
