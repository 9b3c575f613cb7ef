import { assertEquals, assertThrows } from "@std/assert";
import { code, makeElf, makeSymbols } from "../../tests/loader/make_elf.ts";
import { isElf, parseElf } from "./elf.ts";
import { ImageError } from "./image_error.ts";

const LOOP = code([0x14000000], 64);

function valid(): Uint8Array<ArrayBuffer> {
  const symbols = makeSymbols([
    { name: "_start", address: 0x40400000n, size: 8, type: 2 },
    { name: "table", address: 0xffff000040400020n, size: 16, type: 1 },
    { name: "label", address: 0x40400004n, size: 0, type: 0 },
    { name: "$x", address: 0x40400000n, size: 0, type: 0 },
    { name: "$d.3", address: 0x40400000n, size: 0, type: 0 },
    { name: "file.c", address: 0n, size: 0, type: 4, section: 0xfff1 },
    { name: "elsewhere", address: 0n, size: 0, type: 0, section: 0 },
  ], 2);
  return makeElf(0x40400000n, [{ address: 0x40400000n, bytes: LOOP, memorySize: 0x1000n }], [
    { name: ".note", type: 7, bytes: Uint8Array.of(1, 2, 3) },
    ...symbols,
  ]);
}

function patched(patch: (view: DataView) => void): Uint8Array {
  const file = valid();
  patch(new DataView(file.buffer));
  return file;
}

Deno.test("parseElf() reads entry, segments, sections and symbols", () => {
  const elf = parseElf(valid());
  assertEquals(elf.type, "executable");
  assertEquals(elf.entry, 0x40400000n);
  assertEquals(elf.segments, [{
    index: 0,
    virtualAddress: 0x40400000n,
    physicalAddress: 0x40400000n,
    bytes: LOOP,
    memorySize: 0x1000n,
    executable: true,
  }]);
  assertEquals(elf.sections.map(({ name }) => name), [
    "",
    ".note",
    ".symtab",
    ".strtab",
    ".shstrtab",
  ]);
  assertEquals(elf.section(".note"), Uint8Array.of(1, 2, 3));
  assertEquals(elf.section(".text"), null);
  assertEquals(elf.symbols(), [
    { name: "_start", address: 0x40400000n, size: 8, type: "function" },
    { name: "table", address: 0xffff000040400020n, size: 16, type: "object" },
    { name: "label", address: 0x40400004n, size: 0, type: "none" },
  ]);
});

Deno.test("parseElf() accepts a file without sections", () => {
  const elf = parseElf(makeElf(0n, [{ address: 0n, bytes: LOOP }]));
  assertEquals(elf.sections, []);
  assertEquals(elf.symbols(), []);
});

Deno.test("isElf() looks at the magic only", () => {
  assertEquals(isElf(valid()), true);
  assertEquals(isElf(Uint8Array.of(0x7f, 0x45, 0x4c)), false);
  assertEquals(isElf(new Uint8Array(64)), false);
});

const BAD: [string, Uint8Array, string][] = [
  [
    "a truncated header",
    valid().subarray(0, 63),
    "ELF header: file has 63 bytes, expected at least 64",
  ],
  [
    "a 32-bit file",
    patched((v) => v.setUint8(4, 1)),
    "ELF header: file is 32-bit, expected 64-bit",
  ],
  ["no byte order", patched((v) => v.setUint8(5, 3)), "data encoding is 3, expected 1 or 2"],
  ["a wrong version", patched((v) => v.setUint8(6, 9)), "version is 9, expected 1"],
  ["x86-64", patched((v) => v.setUint16(18, 62, true)), "machine is 62 (x86-64), expected 183"],
  ["an object file", patched((v) => v.setUint16(16, 1, true)), "relocatable object (ET_REL)"],
  ["a core dump", patched((v) => v.setUint16(16, 4, true)), "core dump (ET_CORE)"],
  ["an unknown type", patched((v) => v.setUint16(16, 99, true)), "type 99; expected an executable"],
  [
    "a wrong header size",
    patched((v) => v.setUint16(54, 32, true)),
    "header size is 32, expected 56",
  ],
  ["too many segments", patched((v) => v.setUint16(56, 60000, true)), "ELF program header table"],
  [
    "a program header table past the end",
    patched((v) => v.setBigUint64(32, 0x10000n, true)),
    "ELF program header table: needs 56 bytes at byte 65536",
  ],
  [
    "an offset of 2^63",
    patched((v) => v.setBigUint64(40, 1n << 63n, true)),
    "0x8000000000000000 at byte 40 is past the end of any file",
  ],
  [
    "segment data past the end",
    patched((v) => v.setBigUint64(64 + 8, 0x10000n, true)),
    "ELF program header 0 (segment data): needs 64 bytes at byte 65536",
  ],
  [
    "a file size above the memory size",
    patched((v) => v.setBigUint64(64 + 40, 10n, true)),
    "ELF program header 0: file size 64 is larger than memory size 10",
  ],
  [
    "a bad name table",
    patched((v) => v.setUint16(62, 77, true)),
    "section name table is section 77",
  ],
];

for (const [name, file, message] of BAD) {
  Deno.test(`parseElf() refuses ${name}`, () => {
    const { message: line } = assertThrows(() => parseElf(file), ImageError, message);
    assertEquals(line.includes("\n"), false);
  });
}

Deno.test("parseElf() refuses contents of a section past the end when they are asked for", () => {
  const file = valid();
  const view = new DataView(file.buffer);
  const table = Number(view.getBigUint64(40, true));
  view.setBigUint64(table + 64 + 32, 0x100000n, true);
  const elf = parseElf(file);
  assertThrows(() => elf.section(".note"), ImageError, "ELF section .note: needs 1048576 bytes");
});

Deno.test("parseElf() takes counts that do not fit from section header 0", () => {
  const file = valid();
  const view = new DataView(file.buffer);
  const table = Number(view.getBigUint64(40, true));
  view.setBigUint64(table + 32, BigInt(view.getUint16(60, true)), true);
  view.setUint32(table + 40, view.getUint16(62, true), true);
  view.setUint32(table + 44, view.getUint16(56, true), true);
  [56, 62].forEach((at) => view.setUint16(at, 0xffff, true));
  view.setUint16(60, 0, true);
  const elf = parseElf(file);
  assertEquals(elf.segments.length, 1);
  assertEquals(elf.sections.at(-1)?.name, ".shstrtab");
});
