import { assert } from "@std/assert";
import { sameBytes } from "./same_bytes.ts";

Deno.test("sameBytes() sees any byte that differs, wherever the arrays begin", () => {
  const bytes = Uint8Array.from({ length: 23 }, (_, i) => i);
  for (const [from, to] of [[0, 23], [0, 20], [1, 19], [3, 3]]) {
    const a = bytes.subarray(from, to);
    assert(sameBytes(a, a.slice()));
    for (let i = 0; i < a.length; i++) {
      const b = a.slice();
      b[i] ^= 0x80;
      assert(!sameBytes(a, b) && !sameBytes(b, a), `${from} ${i}`);
    }
  }
  assert(!sameBytes(bytes, bytes.subarray(1)));
});
