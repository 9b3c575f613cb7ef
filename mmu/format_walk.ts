/**
 * Prints a walk the way the built-in kernel's `debug_walk` does.
 */

import * as descriptor from "./descriptor.ts";
import type { Stage2Fault, WalkFault } from "./fault.ts";
import type { Regime } from "./regime.ts";
import type { Walk, WalkStep } from "./walk.ts";

/**
 * The lines of a walk, without a newline at the end; behind each level those that `notes` gives.
 *
 * @example
 * ```text
 * [walk] Translating 0x40400000:
 *   L0 [0]: 0x0000000040517003
 *     -> VALID | TABLE | AF=0 | UXN=0 | PXN=0
 *     -> Next table at 0x40517000
 * ```
 */
export function formatWalk(
  walk: Walk,
  regime: Regime,
  vaHi: number,
  vaLo: number,
  notes: (step: WalkStep) => readonly string[] = () => [],
): string {
  const { granuleLog2 } = regime.ranges[walk.range];
  const va = BigInt(vaHi) << 32n | BigInt(vaLo);
  const lines = [`[walk] Translating ${hex(va)}:`];
  for (const step of walk.steps) {
    const { lo, hi } = step;
    const value = (BigInt(hi) << 32n | BigInt(lo)).toString(16).padStart(16, "0");
    lines.push(
      `  L${step.level} [${step.index}]: 0x${value}`,
      `    -> ${flags(step, isGuarded(walk, step))}`,
    );
    if (descriptor.isValid(lo) && descriptor.isTableOrPage(lo) && step.level < 3) {
      lines.push(`    -> Next table at ${hex(descriptor.outputAddress(lo, hi, granuleLog2))}`);
    }
    lines.push(...notes(step).map((note) => `    -> ${note}`));
  }
  if (walk.leaf !== null) {
    const { base, sizeLog2, level } = walk.leaf;
    const offset = Number(BigInt.asUintN(sizeLog2, va));
    const what = level === 3 ? "page" : `${size(sizeLog2)} block`;
    lines.push(
      `    -> Translates to ${hex(base + offset)} (${what} @ ${hex(base)} + offset ${hex(offset)})`,
    );
  }
  if (walk.fault !== null) lines.push(`    -> ${describeFault(walk.fault)}`);
  return lines.join("\n");
}

function flags({ lo, hi }: WalkStep, guarded: boolean): string {
  if (!descriptor.isValid(lo)) return "INVALID";
  return [
    "VALID",
    descriptor.isTableOrPage(lo) ? "TABLE" : "BLOCK",
    `AF=${descriptor.accessFlag(lo) ? 1 : 0}`,
    `UXN=${descriptor.uxn(hi)}`,
    `PXN=${descriptor.pxn(hi)}`,
    ...(guarded ? ["GP"] : []),
  ].join(" | ");
}

/** Whether a step is the leaf, and its page guarded. */
function isGuarded({ leaf }: Walk, { level }: WalkStep): boolean {
  return leaf !== null && leaf.guarded && leaf.level === level;
}

const TRANSLATION_CAUSES = {
  "txsz": "TxSZ is out of range",
  "hole": "the address is in neither TTBR's range",
  "walks-disabled": "walks are disabled by EPD",
  "e0pd": "E0PD keeps EL0 off",
  "invalid": "the descriptor is invalid",
  "reserved": "the descriptor is reserved",
};

/** One line that says what fault a walk ended with. */
export function describeFault(fault: WalkFault): string {
  switch (fault.kind) {
    case "translation":
      return `Translation fault at level ${fault.level}: ${TRANSLATION_CAUSES[fault.cause]}`;
    case "address-size":
      return `Address size fault at level ${fault.level}: ${hex(fault.address)} in ${
        fault.cause === "ttbr" ? "TTBR" : "the descriptor"
      }`;
    case "access-flag":
      return `Access flag fault at level ${fault.level}`;
    case "unsupported-atomic-update":
      return `Unsupported atomic update at level ${fault.level}: the descriptor is not in RAM`;
    case "stage2":
      return describeStage2(fault);
    case "external-abort-on-walk":
      return `External abort at level ${fault.level}: nothing answers at ${hex(fault.address)}`;
  }
}

function describeStage2({ fault, ipa, onWalk }: Stage2Fault): string {
  const what = fault.kind === "permission"
    ? `Permission fault at level ${fault.level}: ${fault.reason}`
    : describeFault(fault);
  const where = onWalk ? "the stage 1 table at IPA" : "IPA";
  return `Stage 2, ${where} ${hex(ipa)}: ${what}`;
}

/** 2^21 as `2 MB`. */
function size(log2: number): string {
  const unit = Math.floor(log2 / 10);
  return `${1 << log2 - 10 * unit} ${["bytes", "KB", "MB", "GB", "TB"][unit]}`;
}

function hex(value: number | bigint): string {
  return `0x${value.toString(16)}`;
}
