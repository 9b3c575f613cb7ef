import { assertEquals, assertThrows } from "@std/assert";
import { gzipSync } from "node:zlib";
import { gunzip, isGzip } from "./gzip.ts";
import { ImageError } from "./image_error.ts";

const DATA = new Uint8Array(10_000).map((_, index) => index * index);
const PACKED = new Uint8Array(gzipSync(DATA));

/** The packed data behind a header with the given flags and optional fields. */
function withHeader(flags: number, fields: number[]): Uint8Array {
  const header = [...PACKED.subarray(0, 3), flags, ...PACKED.subarray(4, 10), ...fields];
  return Uint8Array.of(...header, ...PACKED.subarray(10));
}

Deno.test("gunzip() unpacks a member", () => {
  assertEquals(isGzip(PACKED), true);
  assertEquals(gunzip(PACKED, DATA.length), DATA);
});

Deno.test("gunzip() passes over every optional header field", () => {
  const fields = [3, 0, 1, 2, 3, 0x61, 0x62, 0, 0x63, 0, 0xaa, 0xbb];
  assertEquals(gunzip(withHeader(0x1e, fields), 1e6), DATA);
});

Deno.test("gunzip() ignores what follows the member", () => {
  assertEquals(gunzip(Uint8Array.of(...PACKED, 9, 9, 9, 9, 9), 1e6), DATA);
});

Deno.test("gunzip() refuses more than the limit without unpacking it", () => {
  const bomb = gzipSync(new Uint8Array(64 * 1024 * 1024));
  const before = Deno.memoryUsage().rss;
  assertThrows(() => gunzip(bomb, 1 << 20), ImageError, "unpacks to more than 1048576 bytes");
  assertEquals(Deno.memoryUsage().rss - before < 32 * 1024 * 1024, true);
});

Deno.test("gunzip() refuses damage", () => {
  const flipped = PACKED.slice();
  flipped[flipped.length - 8] ^= 1;
  assertThrows(() => gunzip(flipped, 1e6), ImageError, "checksum or size at byte");
  assertThrows(
    () => gunzip(PACKED.subarray(0, PACKED.length >> 1), 1e6),
    ImageError,
    "gzip image: damaged",
  );
  assertThrows(() => gunzip(PACKED.subarray(0, -1), 1e6), ImageError, "4 bytes wanted");
  assertThrows(() => gunzip(PACKED.subarray(0, 5), 1e6), ImageError, "gzip image: 6 bytes wanted");
  assertThrows(() => gunzip(withHeader(0xe0, []), 1e6), ImageError, "flags are 0xe0");
});
