import { defineCryptoHelpers } from "./crypto_helpers.ts";
import { defineFpHelpers } from "./fp_helpers.ts";
import { defineSimdFpHelpers } from "./simd_fp_helpers.ts";
import { defineSimdHelpers } from "./simd_helpers.ts";
import { defineStructureHelpers } from "./simd_structure_helpers.ts";
import type { ModuleBuilder } from "./wasm/module_builder.ts";
import { type FunctionReference, i32, i64, op, select } from "./wasm/function_builder.ts";

/**
 * The shared pure functions that rows call by `Ops.helper`: what would make a handler too large to
 * be written into each. Given a module that is being built, defines them in it.
 */
export function defineHelpers(m: ModuleBuilder): Map<string, FunctionReference> {
  const floats = new Map(defineFpHelpers(m));
  return new Map([
    ["crc32", defineCrc(m, 0xedb88320n)],
    ["crc32c", defineCrc(m, 0x82f63b78n)],
    ...defineSimdHelpers(m),
    ...defineStructureHelpers(m),
    ...defineCryptoHelpers(m),
    ...floats,
    ...defineSimdFpHelpers(m, floats),
  ]);
}

/**
 * `(accumulator: i32, value: i64, bits: i32) → i32`: the CRC of the lower `bits` of `value` (8 to
 * 64), low bit first, with the bit-reversed polynomial.
 *
 * The manual reverses the operands and divides; here the division runs from the low end instead.
 */
function defineCrc(m: ModuleBuilder, polynomial: bigint): FunctionReference {
  const { reference, body: f } = m.function(["i32", "i64", "i32"], "i32");
  const [accumulator, value, bits] = [0, 1, 2].map((n) => f.parameter(n));
  const rest = f.local("i64");
  const unused = op("i64.extend_i32_u", op("i32.sub", i32(64), bits));
  const message = op("i64.and", value, op("i64.shr_u", i64(-1n), unused));
  f.set(rest, op("i64.xor", op("i64.extend_i32_u", accumulator), message));
  f.loop((next) => {
    for (let bit = 0; bit < 8; bit++) {
      const shifted = op("i64.shr_u", rest, i64(1n));
      const isOne = op("i32.wrap_i64", op("i64.and", rest, i64(1n)));
      f.set(rest, op("i64.xor", shifted, select(i64(polynomial), i64(0n), isOne)));
    }
    f.set(bits, op("i32.sub", bits, i32(8)));
    f.branchIf(next, bits);
  });
  f.return(op("i32.wrap_i64", rest));
  return reference;
}
