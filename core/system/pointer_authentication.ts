/**
 * What instructions of FEAT_PAuth do to a pointer (Arm ARM D8.8; AddPAC(), Auth() and Strip() in J1,
 * shared/functions/pac). As on the reference's `max`: QARMA5, no FEAT_PAuth2, no FEAT_FPAC, so that
 * a pointer that fails to authenticate becomes one that cannot be used.
 */

import type { AddressRange, Regime } from "../../mmu/regime.ts";
import { MODIFIER, POINTER_OPERATIONS } from "../isa/pointer_authentication.ts";
import { type ExceptionLevels, HCR, isEl2Enabled, isInHost, SCR, scrOf } from "../privilege.ts";
import { computePac } from "./qarma.ts";
import type { CpuState } from "../state.ts";
import type { SystemException } from "./system_context.ts";
import { slotOf } from "./sysregs.ts";

const KEYS = ["APIA", "APIB", "APDA", "APDB", "APGA"].map((key) => ({
  high: slotOf(`${key}KeyHi_EL1`),
  low: slotOf(`${key}KeyLo_EL1`),
}));
const GENERIC_KEY = 4;
/** SCTLR_ELx.EnIA, EnIB, EnDA, EnDB. */
const ENABLES = [1n << 31n, 1n << 30n, 1n << 27n, 1n << 13n];
const EC_POINTER = 9;
/** Operations on pointers to instructions. */
const OF_CODE = /^(X?PAC|AUT)I/;
const BIT_55 = 1n << 55n;
const HCR_EL2 = slotOf("HCR_EL2");

/** The processor as these instructions see it. */
export interface PointerContext {
  readonly state: CpuState;
  readonly levels: ExceptionLevels;
  /** SCTLR of the current EL. */
  readonly control: bigint;
  /** The current regime. */
  readonly regime: Regime;
}

/**
 * Does one operation.
 *
 * @param argument number in {@linkcode POINTER_OPERATIONS}, and from bit 8 the modifier's register
 * @returns the pointer, or the trap
 */
export function authenticatePointer(
  context: PointerContext,
  argument: number,
  pointer: bigint,
): bigint | SystemException {
  const operation = argument & 0xff, name = POINTER_OPERATIONS[operation];
  const modifier = modifierOf(context.state, argument >> 8);
  const isCode = OF_CODE.test(name);
  const range = pointerRange(context.regime, pointer, isCode);
  if (name === "XPACI" || name === "XPACD") return original(pointer, range);
  if (name !== "PACGA" && !(context.control & ENABLES[operation & 3])) return pointer;
  const trap = trapOf(context);
  if (trap) return trap;
  const { high, low } = keyOf(context.state, name === "PACGA" ? GENERIC_KEY : operation & 3);
  if (name === "PACGA") return computePac(pointer, modifier, high, low) & 0xffff_ffff_0000_0000n;
  const compute = (value: bigint) => computePac(value, modifier, high, low);
  if (operation < 4) return signed(pointer, range, compute);
  return authenticated(pointer, range, compute, operation & 1);
}

function modifierOf(state: CpuState, register: number): bigint {
  if (register === MODIFIER.zero) return 0n;
  return register === MODIFIER.sp ? state.sp : state.x(register);
}

function keyOf(state: CpuState, key: number): { high: bigint; low: bigint } {
  const { high, low } = KEYS[key];
  return { high: state.get64(high), low: state.get64(low) };
}

/** What a pointer's place says of its bits. */
type PointerRange = Pick<AddressRange, "inputSize" | "topByteIgnored">;

/** TBID has a say in pointers to instructions. */
function pointerRange({ ranges }: Regime, pointer: bigint, isCode: boolean): PointerRange {
  const range = ranges[ranges.length === 2 && pointer & BIT_55 ? 1 : 0];
  const { inputSize, topByteIgnored, codeTopByteIgnored } = range;
  return { inputSize, topByteIgnored: isCode ? codeTopByteIgnored : topByteIgnored };
}

function mask(from: number, to: number): bigint {
  return (1n << BigInt(to)) - (1n << BigInt(from));
}

/** The bits of a pointer that hold its code, bit 55 among them. */
function codeBits({ inputSize, topByteIgnored }: PointerRange): bigint {
  return mask(inputSize, topByteIgnored ? 56 : 64);
}

/** The pointer with bit 55 in place of the code. */
function original(pointer: bigint, range: PointerRange): bigint {
  const bits = codeBits(range);
  return pointer & BIT_55 ? pointer | bits : pointer & ~bits;
}

/** AddPAC(). */
function signed(
  pointer: bigint,
  range: PointerRange,
  compute: (value: bigint) => bigint,
): bigint {
  const { inputSize, topByteIgnored } = range;
  const bits = codeBits(range), top = topByteIgnored ? 56 : 64;
  const isUpper = (pointer >> (topByteIgnored ? 55n : 63n) & 1n) !== 0n;
  let code = compute(isUpper ? pointer | bits : pointer & ~bits);
  const found = pointer & bits;
  if (found !== 0n && found !== bits) code ^= 1n << BigInt(top - 2);
  const kept = topByteIgnored ? ~mask(inputSize, 56) : mask(0, inputSize);
  return BigInt.asUintN(64, pointer & kept) | code & bits & ~BIT_55 | (isUpper ? BIT_55 : 0n);
}

/** Auth(). */
function authenticated(
  pointer: bigint,
  range: PointerRange,
  compute: (value: bigint) => bigint,
  keyB: number,
): bigint {
  const good = original(pointer, range);
  if (((compute(good) ^ pointer) & codeBits(range) & ~BIT_55) === 0n) return good;
  const at = range.topByteIgnored ? 53n : 61n;
  return good & ~(3n << at) | BigInt(keyB ? 2 : 1) << at;
}

/** TrapPACUse(): EL2 and EL3 may keep pointer authentication for themselves. */
function trapOf({ state, levels }: PointerContext): SystemException | undefined {
  const { el } = state;
  const trapped = el < 2 && isEl2Enabled(state, levels) && !isInHost(state, levels, el);
  if (trapped && !(state.get64(HCR_EL2) & HCR.API)) return { ec: EC_POINTER, iss: 0, target: 2 };
  if (el < 3 && levels.el3 && !(scrOf(state, levels) & SCR.API)) {
    return { ec: EC_POINTER, iss: 0, target: 3 };
  }
  return undefined;
}
