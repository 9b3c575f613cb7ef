import { assertEquals } from "@std/assert";
import { KnownAddresses } from "./known_addresses.ts";
import { CpuState, SLOT } from "./state.ts";

Deno.test("KnownAddresses.of() asks again for another record, and where its page is mapped elsewhere", () => {
  const state = new CpuState(new ArrayBuffer(SLOT.end));
  let asked = 0;
  const engine = {
    state,
    get pc() {
      asked++;
      return state.get64(SLOT.pcBase) + BigInt(state.get32(SLOT.record) >>> 2);
    },
  };
  const known = new KnownAddresses();
  const addressAt = (record: number, base: bigint) => {
    state.set32(SLOT.record, record);
    state.set64(SLOT.pcBase, base);
    return known.of(engine);
  };
  const high = 0xffff_0000_0000_0000n;
  assertEquals(addressAt(0x40000, 0x1000n), 0x11000n);
  assertEquals(addressAt(0x40000, 0x1000n), 0x11000n);
  assertEquals(asked, 1);
  assertEquals(addressAt(0x40000, high), high + 0x10000n);
  assertEquals(addressAt(0x41000, high), high + 0x10400n);
  assertEquals(addressAt(0x40000, 0x1000n), 0x11000n);
  assertEquals(asked, 4);
});
