import { assertEquals } from "@std/assert";
import { makeSmbios } from "./smbios.ts";

const hex = (bytes: Uint8Array) => bytes.toHex();

Deno.test("makeSmbios() gives the reference's files: 20 GiB and four CPUs", () => {
  const { anchor, tables } = makeSmbios(20 * 2 ** 30, 4);
  assertEquals(hex(anchor), "5f534d335f001803000001003f0100000000000000000000");
  // What the reference's fw_cfg held.
  const expected = [
    "011b0001010203000000000000000000000000000000000006000051454d550051454d55205669727475616c",
    "204d616368696e6500766972742d372e3200000316000301010200000303030200000000000000000051454d",
    "5500766972742d372e3200000430000401030102000000000000000003000000d007d0074101ffffffffffff",
    "0000000404040200010004000400040043505520300051454d5500766972742d372e32000010170010010306",
    "00004001feff020000000000000000000000112800110010feffffffffff0040090001000702000000020000",
    "000000000000000000000000000044494d4d20300051454d550000112801110010feffffffffff0010090001",
    "000702000000020000000000000000000000000000000044494d4d20310051454d550000200b002000000000",
    "00000000007f04007f0000",
  ];
  assertEquals(hex(tables), expected.join(""));
});

Deno.test("makeSmbios() has one memory device up to 16 GiB, with its size in MiB", () => {
  const { tables } = makeSmbios(100 * 2 ** 20, 1);
  assertEquals(tables.length, 0x10a);
  // Array of memory: 0x19000 KiB. Device: 0x64 MiB.
  assertEquals(hex(tables).includes("10170010010306009001"), true);
  assertEquals(hex(tables).includes("ffffffff640009"), true);
});
