/**
 * PSCI (Arm DEN 0022) as the board's firmware answers it: the reference's emulation, version 1.1.
 *
 * The reference takes every HVC as a PSCI call when HVC is the conduit, whatever its immediate;
 * an unknown function is NOT_SUPPORTED, never UNDEFINED.
 */

/** Power state of a CPU, as AFFINITY_INFO tells it. */
export type PowerState = "on" | "off" | "on-pending";

/** What PSCI needs of the machine. */
export interface PsciHost {
  /** Power state of the CPU with an affinity (MPIDR_EL1 without its RES1 bit), or undefined if there is none. */
  powerState(affinity: bigint): PowerState | undefined;
  /** Starts a CPU that is off: EL1h at `entry`, X0 = `contextId`, MMU off. */
  turnOn(affinity: bigint, entry: bigint, contextId: bigint): void;
}

/** What the machine does after a call: X0 gets `result`, or the CPU does not return. */
export type PsciAction =
  | { readonly kind: "return"; readonly result: bigint }
  /** X0 becomes 0 and the CPU waits for an interrupt. */
  | { readonly kind: "suspend" }
  | { readonly kind: "cpu-off" }
  | { readonly kind: "system-off" }
  | { readonly kind: "system-reset" };

/** Function identifiers. */
const PSCI_VERSION = 0x8400_0000n;
const CPU_SUSPEND = [0x8400_0001n, 0xc400_0001n, 0x95c1_ba5en];
const CPU_OFF = [0x8400_0002n, 0x95c1_ba5fn];
const CPU_ON = [0x8400_0003n, 0xc400_0003n, 0x95c1_ba60n];
const AFFINITY_INFO = [0x8400_0004n, 0xc400_0004n];
const MIGRATE_INFO_TYPE = 0x8400_0006n;
const SYSTEM_OFF = 0x8400_0008n;
const SYSTEM_RESET = 0x8400_0009n;
const PSCI_FEATURES = 0x8400_000an;

const IMPLEMENTED = new Set([
  PSCI_VERSION,
  ...CPU_SUSPEND,
  ...CPU_OFF,
  ...CPU_ON,
  ...AFFINITY_INFO,
  MIGRATE_INFO_TYPE,
  SYSTEM_OFF,
  SYSTEM_RESET,
  PSCI_FEATURES,
]);

const VERSION_1_1 = 0x1_0001n;
const MIGRATION_NOT_REQUIRED = 2n;
/** Bits of CPU_SUSPEND's power state that the reference refuses: affinity levels. */
const POWER_STATE_RESERVED = 0xfffe_0000n;
const POWER_STATE: Record<PowerState, bigint> = { "on": 0n, "off": 1n, "on-pending": 2n };

const SUCCESS = 0n;
const NOT_SUPPORTED = -1n;
const INVALID_PARAMETERS = -2n;
const ALREADY_ON = -4n;
const ON_PENDING = -5n;

/**
 * Answers a PSCI call.
 *
 * @param x X0 to X3; 32-bit functions look at all 64 bits, too, as the reference's do
 */
export function psciCall(host: PsciHost, x: readonly bigint[]): PsciAction {
  const [id, argument1, argument2, argument3] = x;
  if (id === PSCI_VERSION) return result(VERSION_1_1);
  if (id === MIGRATE_INFO_TYPE) return result(MIGRATION_NOT_REQUIRED);
  if (id === SYSTEM_OFF) return { kind: "system-off" };
  if (id === SYSTEM_RESET) return { kind: "system-reset" };
  if (CPU_OFF.includes(id)) return { kind: "cpu-off" };
  if (CPU_SUSPEND.includes(id)) {
    return argument1 & POWER_STATE_RESERVED ? result(INVALID_PARAMETERS) : { kind: "suspend" };
  }
  if (CPU_ON.includes(id)) return result(turnOn(host, argument1, argument2, argument3));
  if (AFFINITY_INFO.includes(id)) return result(affinityInfo(host, argument1, argument2));
  if (id === PSCI_FEATURES) return result(IMPLEMENTED.has(argument1) ? SUCCESS : NOT_SUPPORTED);
  return result(NOT_SUPPORTED);
}

function turnOn(host: PsciHost, affinity: bigint, entry: bigint, contextId: bigint): bigint {
  // An unaligned entry is refused before the CPU is looked at.
  if (entry & 3n) return INVALID_PARAMETERS;
  switch (host.powerState(affinity)) {
    case undefined:
      return INVALID_PARAMETERS;
    case "on":
      return ALREADY_ON;
    case "on-pending":
      return ON_PENDING;
    case "off":
      host.turnOn(affinity, entry, contextId);
      return SUCCESS;
  }
}

/** Levels above 0 are always on. */
function affinityInfo(host: PsciHost, affinity: bigint, level: bigint): bigint {
  if (level !== 0n) return SUCCESS;
  const state = host.powerState(affinity);
  return state ? POWER_STATE[state] : INVALID_PARAMETERS;
}

function result(value: bigint): PsciAction {
  return { kind: "return", result: BigInt.asUintN(64, value) };
}
