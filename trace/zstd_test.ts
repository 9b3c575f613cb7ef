import { assertEquals, assertThrows } from "@std/assert";
import { constants, zstdCompressSync } from "node:zlib";
import { Random } from "./synthetic_flow.ts";
import { joinBytes } from "./testing.ts";
import { TraceError } from "./trace_error.ts";
import { frameLength, packFrame, unpackFrame } from "./zstd.ts";

const EMPTY = new Uint8Array([0x28, 0xb5, 0x2f, 0xfd, 0x20, 0x00, 0x01, 0x00, 0x00]);

/** Bytes that pack to about half. */
function halfRandom(length: number): Uint8Array {
  const random = new Random(7);
  return Uint8Array.from({ length }, () => random.below(16));
}

Deno.test("packFrame() gives one frame, whatever the compressor appends", () => {
  const content = halfRandom(400_000);
  // The appended frame of Deno 2.9.6 appears at several of these lengths.
  for (let length = 150_000; length <= content.length; length += 4093) {
    const part = content.subarray(0, length);
    const packed = packFrame(part, 3)!;
    assertEquals(frameLength(packed), packed.length, `content of ${length} bytes`);
    assertEquals(packed.subarray(-EMPTY.length).every((byte, i) => byte === EMPTY[i]), false);
    assertEquals(unpackFrame(packed, length, "the test"), part);
  }
});

Deno.test("frameLength() ends before a second frame, for every form of header and block", () => {
  const contents = [
    new Uint8Array(0),
    new Uint8Array(300).fill(5),
    halfRandom(100),
    halfRandom(70_000),
    crypto.getRandomValues(new Uint8Array(5000)),
    new Uint8Array(600_000),
  ];
  for (const content of contents) {
    for (const checksum of [0, 1]) {
      for (const contentSize of [0, 1]) {
        const packed = new Uint8Array(zstdCompressSync(content, {
          params: {
            [constants.ZSTD_c_checksumFlag]: checksum,
            [constants.ZSTD_c_contentSizeFlag]: contentSize,
          },
        }));
        // Without what the compressor may have appended, see `packFrame()`.
        const frame = packed.subarray(0, frameLength(packed));
        assertEquals(frameLength(joinBytes([frame, EMPTY, frame])), frame.length);
        assertEquals(unpackFrame(frame, content.length, "the test"), content);
      }
    }
  }
});

Deno.test("unpackFrame() refuses anything but one whole frame", () => {
  const content = halfRandom(500);
  const frame = packFrame(content, 3)!;
  const fails = (body: Uint8Array, expected: string) =>
    assertThrows(() => unpackFrame(body, 500, "it"), TraceError, `Cannot unpack it: ${expected}`);
  const bytes = "expected 500 bytes of zstd, found";
  fails(joinBytes([frame, EMPTY]), `${bytes} 9 bytes behind its only frame`);
  fails(joinBytes([frame, new Uint8Array(1)]), `${bytes} 1 bytes behind its only frame`);
  fails(frame.subarray(0, frame.length - 1), `${bytes} a frame that is cut off`);
  fails(frame.subarray(0, 5), `${bytes} a frame that is cut off`);
  fails(frame.subarray(1), `${bytes} no zstd frame`);
  // A skippable frame.
  fails(new Uint8Array([0x50, 0x2a, 0x4d, 0x18, 0, 0, 0, 0]), `${bytes} no zstd frame`);
  const changed = (at: number, value: number) => frame.map((byte, i) => i === at ? value : byte);
  fails(changed(4, frame[4] | 1), `${bytes} a frame with a dictionary`);
  fails(new Uint8Array([...EMPTY.subarray(0, 4), 0, 0x70, 1, 0, 0]), `${bytes} a window of`);
  fails(new Uint8Array([...EMPTY.subarray(0, 6), 7, 0, 0]), `${bytes} a reserved zstd block`);
});
