import { fail } from "@std/assert";

/**
 * Fails at the first byte that differs. For long arrays, where `assertEquals` would take gigabytes
 * to show the difference.
 */
export function assertSameBytes(actual: Uint8Array, expected: Uint8Array, what = "bytes"): void {
  const length = Math.min(actual.length, expected.length);
  for (let i = 0; i < length; i++) {
    if (actual[i] === expected[i]) continue;
    fail(
      `${what}: byte ${i} is 0x${actual[i].toString(16)}, expected 0x${expected[i].toString(16)}`,
    );
  }
  if (actual.length !== expected.length) {
    fail(`${what}: ${actual.length} bytes, expected ${expected.length}`);
  }
}
