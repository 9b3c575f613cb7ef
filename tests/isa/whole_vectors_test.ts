import { assertEquals } from "@std/assert";
import { assemble } from "../../core/isa/assemble.ts";
import { MachineCpu } from "./bare_cpu.ts";
import { Random } from "./random_words.ts";
import { CODE, type CpuSnapshot, DATA_BYTES } from "./vectors.ts";

/** FPSR.IXC: with it set, whole vectors go through WebAssembly's own arithmetic where that is sure. */
const INEXACT = 0x10n;
const STATES = 60;

const OPERATIONS: readonly string[] = [
  ..."fadd fsub fmul fdiv fabd fmax fmin fmaxnm fminnm fmla fmls faddp".split(" "),
  ..."fcmeq fcmge fcmgt facge facgt".split(" "),
].map((mnemonic) => `${mnemonic} v0.T, v1.T, v2.T`).concat("fsqrt v0.T, v1.T");

/** A number whose exponent is near the middle, near one end, or anything. */
function randomNumber(random: Random, bits: 32 | 64): bigint {
  const [E, F] = bits === 32 ? [8, 23] : [11, 52];
  const most = 2 ** E - 1;
  const exponents = [most >> 1, most >> 1, most >> 1, most >> 2, 1, most - 1];
  const near = exponents[random.u32() % exponents.length] + random.u32() % 9 - 4;
  const exponent = random.u32() % 8 ? near : random.u32();
  const wide = BigInt(random.u32()) << 32n | BigInt(random.u32());
  // Few digits make results that are exact or lie half-way.
  const fraction = random.u32() % 3 ? wide : wide & (-1n << BigInt(F - random.u32() % 8));
  const biased = BigInt(Math.min(Math.max(exponent, 0), most));
  const sign = BigInt(random.u32() % 2) << BigInt(bits - 1);
  return sign | biased << BigInt(F) | BigInt.asUintN(F, fraction);
}

function randomState(random: Random, bits: 32 | 64): CpuSnapshot {
  const vector = () => {
    let all = 0n;
    for (let i = 0; i < 128 / bits; i++) all = all << BigInt(bits) | randomNumber(random, bits);
    return all;
  };
  return {
    x: Array(31).fill(0n),
    v: Array.from({ length: 32 }, vector),
    sp: 0n,
    pc: BigInt(CODE),
    nzcv: 0,
    fpcr: 0n,
    fpsr: 0n,
  };
}

Deno.test("whole vectors give what their elements give one by one", () => {
  const random = new Random(4711), cpu = new MachineCpu();
  const data = new Uint8Array(DATA_BYTES);
  for (const operation of OPERATIONS) {
    for (const [arrangement, bits] of [["4s", 32], ["2d", 64]] as const) {
      const text = operation.replaceAll("T", arrangement);
      const word = assemble(text);
      for (let n = 0; n < STATES; n++) {
        const before = randomState(random, bits);
        const slow = cpu.execute(before, [word], data).state;
        const fast = cpu.execute({ ...before, fpsr: INEXACT }, [word], data).state;
        assertEquals(fast.v[0], slow.v[0], text);
        assertEquals(fast.fpsr, slow.fpsr | INEXACT, text);
      }
    }
  }
});

/** Addend and factors whose sum is all but half-way between two numbers, or near underflow or zero. */
function fusedCases(bits: 32 | 64): (readonly [addend: number, a: number, b: number])[] {
  const digits = bits === 32 ? 24 : 53;
  const ulp = 2 ** (1 - digits), x = 2 ** -Math.floor(digits / 2), half = 2 ** -digits;
  const low = bits === 32 ? 2 ** -70 : 2 ** -520;
  return [
    // The product is half an ulp less 2^(2 - 2 * digits) of it, or more by x^3.
    [1 + ulp, 1 + ulp, half * (1 - ulp)],
    [1, 1 + x, half * (1 - x + x * x)],
    [1 + ulp, 1 + x, half * (1 - x + x * x)],
    [1, half, 1],
    [1 + ulp, half, 1],
    [low * low, low * (1 + ulp), low * (1 + 3 * ulp)],
    [-low * low, low * (1 + ulp), low * (1 + 3 * ulp)],
    [-0, -0, 1],
    [-0, 0, 1],
    [0, -0, 1],
    [-1, 1, 1],
    [-1 - 2 * ulp, 1 + ulp, 1 + ulp],
    [-1, 1 + ulp, 1 - ulp],
  ];
}

/** A vector with the number in all lanes. */
function filled(value: number, bits: 32 | 64): bigint {
  const view = new DataView(new ArrayBuffer(8));
  if (bits === 32) view.setFloat32(4, value);
  else view.setFloat64(0, value);
  let all = 0n;
  for (let i = 0; i < 128; i += bits) all = all << BigInt(bits) | view.getBigUint64(0);
  return all;
}

Deno.test("a fused product and sum is rounded once", () => {
  const random = new Random(4712), cpu = new MachineCpu();
  const data = new Uint8Array(DATA_BYTES);
  for (const [arrangement, bits] of [["4s", 32], ["2d", 64]] as const) {
    for (const mnemonic of ["fmla", "fmls"]) {
      const word = assemble(`${mnemonic} v0.T, v1.T, v2.T`.replaceAll("T", arrangement));
      for (const numbers of fusedCases(bits)) {
        for (const signs of [[1, 1], [-1, 1], [1, -1], [-1, -1]]) {
          const before = randomState(random, bits);
          before.v[0] = filled(numbers[0] * signs[0], bits);
          before.v[1] = filled(numbers[1] * signs[1], bits);
          before.v[2] = filled(numbers[2], bits);
          const slow = cpu.execute(before, [word], data).state;
          const fast = cpu.execute({ ...before, fpsr: INEXACT }, [word], data).state;
          assertEquals(fast.v[0], slow.v[0], `${mnemonic} ${arrangement} ${numbers} ${signs}`);
          assertEquals(fast.fpsr, slow.fpsr | INEXACT);
        }
      }
    }
  }
});
