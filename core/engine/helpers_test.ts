import { assertEquals } from "@std/assert";
import { ModuleBuilder } from "./wasm/module_builder.ts";
import { defineHelpers } from "./helpers.ts";

type Crc = (accumulator: number, value: bigint, bits: number) => number;

function build(): Record<string, Crc> {
  const m = new ModuleBuilder();
  m.importMemory("engine", "memory", 1);
  for (const [name, reference] of defineHelpers(m)) m.export(name, reference);
  const memory = new WebAssembly.Memory({ initial: 0x20 });
  const instance = new WebAssembly.Instance(new WebAssembly.Module(m.build()), {
    engine: { memory },
  });
  return instance.exports as Record<string, Crc>;
}

/** The checksum of "123456789", `bits` at a time and the last byte alone. */
function check(crc: Crc, bits: number): number {
  const bytes = new TextEncoder().encode("123456789");
  const view = new DataView(bytes.buffer);
  let value = -1;
  for (let at = 0; at < 8; at += bits / 8) {
    // What is above the bits asked for must not matter.
    const rest = view.getBigUint64(0, true) >> BigInt(8 * at);
    value = crc(value, rest, bits);
  }
  return ~crc(value, BigInt(bytes[8]) | 0xabcd00n, 8) >>> 0;
}

Deno.test("the crc32 helper has the check value of CRC-32", () => {
  for (const bits of [8, 16, 32, 64]) assertEquals(check(build().crc32, bits), 0xcbf43926);
});

Deno.test("the crc32c helper has the check value of CRC-32C", () => {
  for (const bits of [8, 16, 32, 64]) assertEquals(check(build().crc32c, bits), 0xe3069283);
});
