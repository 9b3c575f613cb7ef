import { assertEquals } from "@std/assert";
import { makeLinuxImage } from "../../tests/loader/make_elf.ts";
import { parseLinuxHeader } from "./linux_image.ts";

Deno.test("parseLinuxHeader() reads text offset, size and flags", () => {
  const image = makeLinuxImage(64, { textOffset: 0x80000n, imageSize: 0x123000n, flags: 0xfn });
  assertEquals(parseLinuxHeader(image), {
    textOffset: 0x80000n,
    imageSize: 0x123000n,
    bigEndian: true,
    pageSize: 65536,
    anywhere: true,
  });
  const old = makeLinuxImage(64, { textOffset: 0x80000n, imageSize: 0n, flags: 0n });
  assertEquals(parseLinuxHeader(old)?.pageSize, null);
});

Deno.test("parseLinuxHeader() returns null without the magic, or without a byte behind it", () => {
  const image = makeLinuxImage(64, { textOffset: 0n, imageSize: 1n });
  assertEquals(parseLinuxHeader(image.subarray(0, 60)), null);
  assertEquals(parseLinuxHeader(image.subarray(0, 61))?.imageSize, 1n);
  image[56] ^= 1;
  assertEquals(parseLinuxHeader(image), null);
});
