import { assertEquals } from "@std/assert";
import { psciCall, type PsciHost } from "./psci.ts";

const MINUS = (n: bigint) => BigInt.asUintN(64, -n);

function host(states: ("on" | "off")[] = ["on"]): PsciHost & { started: bigint[][] } {
  const started: bigint[][] = [];
  return {
    started,
    powerState: (affinity) => states[Number(affinity)],
    turnOn: (...call) => started.push(call),
  };
}

function answer(id: bigint, ...args: bigint[]): bigint | string {
  const action = psciCall(host(), [id, args[0] ?? 0n, args[1] ?? 0n, args[2] ?? 0n]);
  return action.kind === "return" ? action.result : action.kind;
}

Deno.test("psciCall() answers as the reference on one CPU", () => {
  // Function, X1 to X3, X0 afterwards: measured.
  const measured: [bigint, bigint, bigint, bigint, bigint][] = [
    [0x8400_0000n, 0n, 0n, 0n, 0x1_0001n],
    [0x8400_0003n, 0n, 0n, 0n, MINUS(4n)],
    [0x8400_0004n, 0n, 0n, 0n, 0n],
    [0x8400_0005n, 0n, 0n, 0n, MINUS(1n)],
    [0x8400_0006n, 0n, 0n, 0n, 2n],
    [0x8400_0007n, 0n, 0n, 0n, MINUS(1n)],
    [0xc400_0000n, 0n, 0n, 0n, MINUS(1n)],
    [0xc400_0003n, 0n, 0x4040_0000n, 7n, MINUS(4n)],
    [0xc400_0003n, 1n, 0x4040_0000n, 7n, MINUS(2n)],
    [0xc400_0003n, 0x8000_0000n, 0x4040_0000n, 7n, MINUS(2n)],
    [0xc400_0003n, 0n, 0x4040_0001n, 7n, MINUS(2n)],
    [0xc400_0004n, 1n, 0n, 0n, MINUS(2n)],
    [0xc400_0004n, 0n, 1n, 0n, 0n],
    [0x8400_0004n, 77n, 3n, 0n, 0n],
    [0x8400_0001n, 0x2_0000n, 0n, 0n, MINUS(2n)],
    [0x95c1_ba60n, 0n, 0n, 0n, MINUS(4n)],
    [0x95c1_ba61n, 0n, 0n, 0n, MINUS(1n)],
    [0x8000_0000n, 0n, 0n, 0n, MINUS(1n)],
    [0n, 1n, 2n, 3n, MINUS(1n)],
    [0xffff_ffff_8400_0000n, 0n, 0n, 0n, MINUS(1n)],
  ];
  for (const [id, x1, x2, x3, x0] of measured) {
    assertEquals([id, x1, answer(id, x1, x2, x3)], [id, x1, x0]);
  }
});

Deno.test("psciCall() lists its features as the reference", () => {
  const present = [0, 1, 2, 3, 4, 6, 8, 9, 10].map((n) => 0x8400_0000n + BigInt(n));
  const also = [0xc400_0001n, 0xc400_0003n, 0xc400_0004n, 0x95c1_ba5en, 0x95c1_ba5fn, 0x95c1_ba60n];
  const candidates = [
    ...Array.from({ length: 32 }, (_, n) => 0x8400_0000n + BigInt(n)),
    ...Array.from({ length: 24 }, (_, n) => 0xc400_0000n + BigInt(n)),
    ...[0x95c1_ba5en, 0x95c1_ba5fn, 0x95c1_ba60n, 0x95c1_ba61n, 0x8000_0000n],
  ];
  const found = candidates.filter((id) => answer(0x8400_000an, id) === 0n);
  assertEquals(found, [...present, ...also]);
});

Deno.test("psciCall() stops CPUs and the system", () => {
  assertEquals(answer(0x8400_0008n), "system-off");
  assertEquals(answer(0x8400_0009n), "system-reset");
  assertEquals(answer(0x8400_0002n), "cpu-off");
  assertEquals(answer(0x8400_0001n, 0x1_0000n), "suspend");
});

Deno.test("psciCall() starts a CPU that is off", () => {
  const two = host(["on", "off"]);
  const on = psciCall(two, [0xc400_0003n, 1n, 0x4040_0000n, 7n]);
  assertEquals([on, two.started], [{ kind: "return", result: 0n }, [[1n, 0x4040_0000n, 7n]]]);
  assertEquals(psciCall(two, [0xc400_0004n, 1n, 0n, 0n]), { kind: "return", result: 1n });
});
