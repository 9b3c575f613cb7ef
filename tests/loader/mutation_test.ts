/**
 * Damaged images: whatever the bytes are, a loader gives a plan or one line of ImageError, in
 * bounded time and memory.
 */
import { assert, assertEquals } from "@std/assert";
import { gzipSync } from "node:zlib";
import {
  DeviceTree,
  ImageError,
  loadImage,
  makeDeviceTree,
  parseLines,
  REFERENCE_DEVICES,
} from "../../core/loader/mod.ts";
import { code, makeElf, makeLinuxImage, makeSymbols } from "./make_elf.ts";
import { makeLines4, makeLines5 } from "./make_lines.ts";

const MIB = 1024 * 1024;
const memory = 16 * MIB;
/** Mutations per input. */
const ROUNDS = 2000;
/** Bound of a single call in milliseconds; a slow shared machine needs some room. */
const TIME_LIMIT = 2000;
const MEMORY_LIMIT = 256 * MIB;

/** A small generator of numbers, the same in every run (xorshift32). */
class Random {
  #state: number;

  constructor(seed: number) {
    this.#state = seed;
  }

  below(bound: number): number {
    this.#state ^= this.#state << 13;
    this.#state ^= this.#state >>> 17;
    this.#state ^= this.#state << 5;
    return (this.#state >>> 0) % bound;
  }
}

/** Values that break careless arithmetic. */
const NASTY = [0, 1, 0x7f, 0x80, 0xff, 0xffff, 0x7fffffff, 0x80000000, 0xfffffff0, 0xffffffff];

/** Returns the bytes with one to four changes, or cut, or with a piece repeated. */
function mutate(bytes: Uint8Array, random: Random): Uint8Array {
  let result = bytes.slice();
  for (let count = 1 + random.below(4); count > 0; count--) {
    const at = random.below(result.length);
    const kind = random.below(8);
    if (kind < 3) result[at] ^= 1 << random.below(8);
    else if (kind < 5) result[at] = random.below(256);
    else if (kind < 7) {
      const size = [1, 2, 4, 8][random.below(4)];
      const value = NASTY[random.below(NASTY.length)];
      for (let i = 0; i < size && at + i < result.length; i++) {
        result[at + i] = i < 4 ? value >>> (8 * i) : random.below(2) * 255;
      }
    } else if (random.below(2) === 0) result = result.slice(0, Math.max(at, 1));
    else {
      const piece = result.slice(at, at + 64);
      result = Uint8Array.of(...result.subarray(0, at), ...piece, ...result.subarray(at));
    }
  }
  return result;
}

function sampleElf(): Uint8Array {
  const address = 0x40400000;
  const { line, lineStrings } = makeLines5(address);
  const lines = Uint8Array.of(...line, ...makeLines4(address + 32));
  const segments = [
    { address: BigInt(address), bytes: code([0x14000000], 64), memorySize: 0x2000n },
    { address: 0x40410000n, bytes: new Uint8Array(100), flags: 6 },
  ];
  return makeElf(BigInt(address), segments, [
    { name: ".debug_line", type: 1, bytes: lines },
    { name: ".debug_line_str", type: 1, bytes: lineStrings },
    ...makeSymbols([{ name: "_start", address: BigInt(address), size: 4, type: 2 }], 3),
  ]);
}

const image = makeLinuxImage(3000, { textOffset: 0n, imageSize: 0x30000n });
const tree = makeDeviceTree({ memory, devices: REFERENCE_DEVICES }).write();
const { line, lineStrings } = makeLines5(0x40400000);

const INPUTS: [string, Uint8Array, (bytes: Uint8Array) => unknown][] = [
  ["an ELF file", sampleElf(), (bytes) => loadImage(bytes, { memory })],
  ["an Image", image, (bytes) => loadImage(bytes, { memory })],
  ["a gzip'd Image", gzipSync(image), (bytes) => loadImage(bytes, { memory })],
  ["a gzip bomb", gzipSync(new Uint8Array(64 * MIB)), (bytes) => loadImage(bytes, { memory })],
  ["a device tree", tree, (bytes) => loadImage(image, { memory, dtb: bytes })],
  ["a device tree, alone", tree, (bytes) => DeviceTree.read(bytes).write()],
  [
    "a line table of version 4",
    makeLines4(0x40400000),
    (bytes) => parseLines({ line: bytes, lineStrings, strings: null }),
  ],
  [
    "a line table of version 5",
    line,
    (bytes) => parseLines({ line: bytes, lineStrings, strings: null }),
  ],
  [
    "names of a line table",
    lineStrings,
    (bytes) => parseLines({ line, lineStrings: bytes, strings: null }),
  ],
];

INPUTS.forEach(([name, bytes, load], index) => {
  Deno.test(`the loader bears mutations of ${name}`, () => {
    load(name === "a gzip bomb" ? gzipSync(code([0x14000000])) : bytes);
    const random = new Random(0x9e3779b9 + index);
    const rss = Deno.memoryUsage().rss;
    let refused = 0;
    for (let round = 0; round < ROUNDS; round++) {
      const damaged = mutate(bytes, random);
      const start = performance.now();
      const message = refusal(load, damaged);
      assert(performance.now() - start < TIME_LIMIT, `round ${round} is slow`);
      if (message === null) continue;
      refused++;
      assertEquals(message.includes("\n"), false, message);
    }
    assert(Deno.memoryUsage().rss - rss < MEMORY_LIMIT, "takes too much memory");
    assert(refused > 0, "no mutation was refused");
  });
});

/** The message of the ImageError, or null. Any other error fails the test. */
function refusal(load: (bytes: Uint8Array) => unknown, bytes: Uint8Array): string | null {
  try {
    load(bytes);
    return null;
  } catch (error) {
    if (error instanceof ImageError) return error.message;
    throw error;
  }
}
