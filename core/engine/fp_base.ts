import {
  both,
  c64,
  either,
  FPCR,
  fpcr,
  type FpFormat,
  FPSR,
  isNaN,
  isSignallingNaN,
  keep,
  magnitude,
  raise,
  ROUNDING,
  shiftRightJam,
  signBit,
} from "./fp_format.ts";
import {
  call,
  type Expression,
  type FunctionBuilder,
  type FunctionReference,
  i32,
  i64,
  type Local,
  op,
  select,
} from "./wasm/function_builder.ts";
import type { ModuleBuilder } from "./wasm/module_builder.ts";

/**
 * What every floating-point operation begins and ends with (Arm ARM J1, shared/functions/float):
 * FPUnpack()'s flush of denormalized operands, the NaNs, FPRound(). One set for each format.
 */
export interface FpBase extends FpFormat {
  /** `(a) → a`: flushed to a zero where FPCR says so, with IDC. */
  readonly flush: FunctionReference;
  /** `(a) → NaN`: FPProcessNaN(). */
  readonly processNaN: FunctionReference;
  /** `(a, b) → NaN`: FPProcessNaNs() where at least one is a NaN. */
  readonly processNaNs: FunctionReference;
  /** `(a, b, c) → NaN`: FPProcessNaNs3(), the same for three. */
  readonly processNaNs3: FunctionReference;
  /**
   * `(sign: i32, exponent: i32, significand: i64, rounding: i32) → i64`: FPRound() of significand *
   * 2^exponent, not zero. Bit 0 of the significand may stand for all that is below it, if there
   * are F + 2 bits above it.
   */
  readonly round: FunctionReference;
  /** The same as FPRoundCV(): of conversions, which heed FPCR.AHP and not FPCR.FZ16. */
  readonly roundConverted: FunctionReference;
}

/** Defines the set of one format. */
export function defineFpBase(m: ModuleBuilder, format: FpFormat): FpBase {
  const processNaN = defineProcessNaN(m, format);
  const round = defineRound(m, format, false);
  return {
    ...format,
    flush: defineFlush(m, format),
    processNaN,
    processNaNs: defineProcessNaNs(m, format, processNaN, 2),
    processNaNs3: defineProcessNaNs(m, format, processNaN, 3),
    round,
    roundConverted: format.bits === 16 ? defineRound(m, format, true) : round,
  };
}

function flushBit(format: FpFormat): number {
  return format.bits === 16 ? FPCR.fz16 : FPCR.fz;
}

function defineFlush(m: ModuleBuilder, format: FpFormat): FunctionReference {
  const { reference, body: f } = m.function(["i64"], "i64");
  const a = f.parameter(0);
  // Zero becomes the largest unsigned number.
  const below = op("i64.sub", magnitude(format, a), i64(1n));
  const denormal = op("i64.lt_u", below, c64(format.leading - 1n));
  f.if(denormal, () =>
    f.if(fpcr(flushBit(format)), () => {
      if (format.bits !== 16) raise(f, FPSR.idc);
      f.return(signBit(format, a));
    }));
  f.return(a);
  return reference;
}

function defineProcessNaN(m: ModuleBuilder, format: FpFormat): FunctionReference {
  const { reference, body: f } = m.function(["i64"], "i64");
  const a = f.parameter(0);
  f.if(op("i64.eqz", op("i64.and", a, c64(format.quiet))), () => raise(f, FPSR.ioc));
  f.if(fpcr(FPCR.dn), () => f.return(c64(format.defaultNaN)));
  f.return(op("i64.or", a, c64(format.quiet)));
  return reference;
}

/** The first signalling operand is taken, else the first quiet one. */
function defineProcessNaNs(
  m: ModuleBuilder,
  format: FpFormat,
  processNaN: FunctionReference,
  count: number,
): FunctionReference {
  const { reference, body: f } = m.function(Array(count).fill("i64"), "i64");
  const operands = Array.from({ length: count }, (_, n) => f.parameter(n));
  for (const is of [isSignallingNaN, isNaN]) {
    for (const a of operands) f.if(is(format, a), () => f.return(call(processNaN, a)));
  }
  f.unreachable();
  return reference;
}

/** Flushes operands. */
export function flushOperands(f: FunctionBuilder, base: FpBase, operands: readonly Local[]): void {
  f.if(fpcr(flushBit(base)), () => {
    for (const a of operands) f.set(a, call(base.flush, a));
  });
}

/** Begins an operation: flushes the operands and returns where one is a NaN. */
export function beginOperation(f: FunctionBuilder, base: FpBase, operands: readonly Local[]): void {
  flushOperands(f, base, operands);
  const process = [base.processNaN, base.processNaNs, base.processNaNs3][operands.length - 1];
  f.if(either(...operands.map((a) => isNaN(base, a))), () => f.return(call(process, ...operands)));
}

/** Returns the zero that an exact difference gives: negative only where rounding is downwards. */
export function returnZeroDifference(f: FunctionBuilder, base: FpFormat, rounding: Local): void {
  const isDown = op("i32.eq", rounding, i32(ROUNDING.negativeInfinity));
  f.return(select(c64(base.sign), i64(0n), isDown));
}

/** Whether FPRound() of a magnitude goes up, as an i32: `rest` is what lies below the last place. */
export function roundsUp(
  f: FunctionBuilder,
  rounding: Local,
  of: { sign: Local; isOdd: Expression; rest: Local; half: Expression },
): Local {
  const up = f.local("i32");
  const is = (mode: number) => op("i32.eq", rounding, i32(mode));
  const inexact = op("i64.ne", of.rest, i64(0n));
  const above = op("i64.gt_u", of.rest, of.half), tie = op("i64.eq", of.rest, of.half);
  f.set(up, i32(0));
  f.if(op("i32.eqz", rounding), () => f.set(up, either(above, both(tie, of.isOdd))));
  f.if(is(ROUNDING.positiveInfinity), () => f.set(up, both(inexact, op("i32.eqz", of.sign))));
  f.if(is(ROUNDING.negativeInfinity), () => f.set(up, both(inexact, of.sign)));
  f.if(is(ROUNDING.tieAway), () => f.set(up, either(above, tie)));
  return up;
}

function defineRound(m: ModuleBuilder, format: FpFormat, converts: boolean): FunctionReference {
  const { reference, body: f } = m.function(["i32", "i32", "i64", "i32"], "i64");
  const [sign, exponent, significand, rounding] = [0, 1, 2, 3].map((n) => f.parameter(n));
  const { fractionBits, bias } = format;
  const zeros = keep(f, op("i64.clz", significand));
  f.set(significand, op("i64.shl", significand, zeros));
  const above = op("i32.sub", i32(63 + bias), op("i32.wrap_i64", zeros));
  const biased = keep(f, op("i32.add", exponent, above));
  const signed = keep(f, op("i64.shl", op("i64.extend_i32_u", sign), i64(BigInt(format.bits - 1))));
  const flags = f.local("i32");
  f.if(op("i32.lt_s", biased, i32(1)), () => {
    if (!converts) {
      f.if(fpcr(flushBit(format)), () => {
        raise(f, FPSR.ufc);
        f.return(signed);
      });
    }
    const by = keep(f, op("i32.sub", i32(1), biased));
    shiftRightJam(f, significand, by);
    f.set(biased, i32(1));
    // Tininess is detected before rounding: underflow if what follows is inexact.
    f.set(flags, i32(FPSR.ufc));
  });
  const dropped = BigInt(63 - fractionBits);
  const rest = keep(f, op("i64.and", significand, c64((1n << dropped) - 1n)));
  f.set(significand, op("i64.shr_u", significand, i64(dropped)));
  const isOdd = op("i32.and", op("i32.wrap_i64", significand), i32(1));
  const half = c64(1n << (dropped - 1n));
  const up = roundsUp(f, rounding, { sign, isOdd, rest, half });
  const inexact = op("i64.ne", rest, i64(0n));
  f.set(flags, select(op("i32.or", flags, i32(FPSR.ixc)), i32(0), inexact));
  f.set(significand, op("i64.add", significand, op("i64.extend_i32_u", up)));
  const isJammed = both(op("i32.eq", rounding, i32(ROUNDING.odd)), inexact);
  f.set(significand, op("i64.or", significand, op("i64.extend_i32_u", isJammed)));
  finishRound(f, format, { sign, biased, significand, rounding, flags, signed, converts });
  return reference;
}

interface Rounded {
  readonly sign: Local;
  /** 1 or more; the significand tells by its leading bit whether the number is normal. */
  readonly biased: Local;
  readonly significand: Local;
  readonly rounding: Local;
  readonly flags: Local;
  readonly signed: Local;
  readonly converts: boolean;
}

/** Overflow, and the result put together. */
function finishRound(f: FunctionBuilder, format: FpFormat, of: Rounded): void {
  const { sign, biased, significand, rounding, flags, signed, converts } = of;
  const most = 2 ** format.exponentBits;
  f.if(op("i32.gt_s", biased, i32(most + 1)), () => f.set(biased, i32(most + 1)));
  const exponent = op("i64.extend_i32_u", op("i32.sub", biased, i32(1)));
  const packed = keep(
    f,
    op("i64.add", op("i64.shl", exponent, i64(BigInt(format.fractionBits))), significand),
  );
  if (converts) {
    f.if(fpcr(FPCR.ahp), () => {
      const largest = format.sign - 1n;
      f.if(op("i64.gt_u", packed, c64(largest)), () => {
        raise(f, FPSR.ioc);
        f.return(op("i64.or", signed, c64(largest)));
      });
      raise(f, flags);
      f.return(op("i64.or", signed, packed));
    });
  }
  f.if(op("i64.ge_u", packed, c64(format.infinity)), () => {
    raise(f, FPSR.ofc | FPSR.ixc);
    const is = (mode: number) => op("i32.eq", rounding, i32(mode));
    const toInfinity = either(
      op("i32.eqz", rounding),
      both(is(ROUNDING.positiveInfinity), op("i32.eqz", sign)),
      both(is(ROUNDING.negativeInfinity), sign),
      is(ROUNDING.tieAway),
    );
    const result = select(c64(format.infinity), c64(format.infinity - 1n), toInfinity);
    f.return(op("i64.or", signed, result));
  });
  f.if(flags, () => raise(f, flags));
  f.return(op("i64.or", signed, packed));
}
