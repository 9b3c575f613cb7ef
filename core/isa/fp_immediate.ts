import type { Fields, Operand, Wide } from "./row.ts";

/** The eight bits of FMOV's immediate: sign, three bits of exponent, four of fraction. */

/** The number that they stand for. */
function valueOf(imm8: number): number {
  const exponent = (imm8 >> 4 & 7) ^ 4;
  const magnitude = (16 + (imm8 & 15)) / 16 * 2 ** (exponent - 3);
  return imm8 & 128 ? -magnitude : magnitude;
}

/** VFPExpandImm(): the bits of a number of that many bits, zeros above. */
export function expandImmediate(imm8: number, bits: 16 | 32 | 64): Wide {
  const exponentBits = bits === 16 ? 5 : bits === 32 ? 8 : 11;
  const high = imm8 >> 6 & 1;
  // NOT(b), b copied, and two bits of the immediate.
  const copies = high ? (1 << (exponentBits - 3)) - 1 : 0;
  const exponent = (high ^ 1) << (exponentBits - 1) | copies << 2 | imm8 >> 4 & 3;
  const word = ((imm8 >> 7) << exponentBits | exponent) * 16 + (imm8 & 15);
  // Sign, exponent and four bits of fraction are the highest bits of the number.
  const top = word * 2 ** (Math.min(bits, 32) - exponentBits - 5);
  return bits === 64 ? [0, top] : [top, 0];
}

/** The immediate as GNU's tools print it, for example `#1.250000000000000000e+00`. */
export function floatImmediate(
  imm8Of: (fields: Fields) => number,
  fieldsOf: (imm8: number) => Record<string, number>,
): Operand {
  return {
    format(f) {
      const [digits, exponent] = valueOf(imm8Of(f)).toExponential(18).split("e");
      return `#${digits}e${exponent[0]}${exponent.slice(1).padStart(2, "0")}`;
    },
    parse(text) {
      const match = /^#?([-+]?\d+(?:\.\d*)?(?:e[-+]?\d+)?)$/.exec(text ?? "");
      const value = Number(match?.[1] ?? NaN);
      for (let imm8 = 0; imm8 < 256; imm8++) if (valueOf(imm8) === value) return fieldsOf(imm8);
      return undefined;
    },
  };
}
