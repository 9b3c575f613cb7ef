import { assertEquals } from "@std/assert";
import {
  type Access,
  denialReason,
  packPermissions,
  type PermissionFields,
  permissionMask,
} from "./permissions.ts";

const NONE: PermissionFields = { ap: 0, uxn: 0, pxn: 0, apTable: 0, uxnTable: 0, pxnTable: 0 };

/** `rwx` of EL0 then EL1. */
function text(fields: Partial<PermissionFields>, wxn = false): string {
  const mask = permissionMask(packPermissions({ ...NONE, ...fields }), wxn);
  return [..."rwxrwx"].map((letter, i) => (mask >> i & 1) ? letter : "-").join("");
}

function reason(fields: Partial<PermissionFields>, access: Access, el: number, wxn = false) {
  return denialReason(packPermissions({ ...NONE, ...fields }), wxn, access, el);
}

Deno.test("permissionMask() follows AP, and AP = 01 implies PXN", () => {
  assertEquals([0, 1, 2, 3].map((ap) => text({ ap })), ["--xrwx", "rwxrw-", "--xr-x", "r-xr-x"]);
});

Deno.test("permissionMask() follows UXN for EL0 and PXN for EL1", () => {
  assertEquals(text({ ap: 3, uxn: 1 }), "r--r-x");
  assertEquals(text({ ap: 3, pxn: 1 }), "r-xr--");
});

Deno.test("permissionMask() makes what is writable never executable with WXN", () => {
  const masks = [0, 1, 2, 3].map((ap) => text({ ap }, true));
  assertEquals(masks, ["--xrw-", "rw-rw-", "--xr-x", "r-xr-x"]);
});

Deno.test("permissionMask() restricts AP by APTable before anything follows from it", () => {
  assertEquals(text({ ap: 1, apTable: 1 }), "--xrwx", "no EL0 access, so no implied PXN");
  assertEquals(text({ ap: 1, apTable: 2 }), "r-xr-x", "read-only, so no implied PXN");
  assertEquals(text({ ap: 1, apTable: 3 }), "--xr-x");
  assertEquals(text({ ap: 1, apTable: 2 }, true), "r-xr-x");
});

Deno.test("permissionMask() adds UXNTable and PXNTable", () => {
  assertEquals(text({ ap: 3, uxnTable: 1 }), "r--r-x");
  assertEquals(text({ ap: 3, pxnTable: 1 }), "r-xr--");
});

Deno.test("permissionMask() agrees with the pseudocode for all fields", () => {
  for (let i = 0; i < 512; i++) {
    const wxn = i >= 256;
    let ap2 = (i & 2) !== 0, ap1 = (i & 1) !== 0;
    if (i & 32) ap2 = true;
    if (i & 16) ap1 = false;
    const xn = (i & 4 | i & 64) !== 0, pxn = (i & 8 | i & 128) !== 0;
    const userWrite = ap1 && !ap2, privilegedWrite = !ap2;
    const userNever = xn || userWrite && wxn;
    const privilegedNever = pxn || privilegedWrite && wxn || userWrite;
    const bits = [ap1, userWrite, !userNever, true, privilegedWrite, !privilegedNever];
    const expected = bits.reduce((mask, bit, n) => mask | Number(bit) << n, 0);
    assertEquals(permissionMask(i & 255, wxn), expected, `${i}`);
  }
});

Deno.test("denialReason() names the leaf's field before a table's", () => {
  assertEquals(reason({ pxn: 1, pxnTable: 1 }, 2, 1), "pxn");
  assertEquals(reason({ pxnTable: 1 }, 2, 1), "table-attributes");
  assertEquals(reason({ uxn: 1 }, 2, 0), "uxn");
  assertEquals(reason({ uxnTable: 1 }, 2, 0), "table-attributes");
  assertEquals(reason({ ap: 1 }, 2, 1), "el0-writable");
  assertEquals(reason({}, 2, 1, true), "wxn");
  assertEquals(reason({ ap: 1 }, 2, 0, true), "wxn");
  assertEquals(reason({ ap: 2 }, 1, 1), "ap");
  assertEquals(reason({ apTable: 2 }, 1, 1), "table-attributes");
  assertEquals(reason({}, 0, 0), "ap");
  assertEquals(reason({ ap: 1, apTable: 1 }, 0, 0), "table-attributes");
  assertEquals(reason({ ap: 3 }, 1, 0), "ap");
});

Deno.test("denialReason() is null exactly where the mask permits", () => {
  for (let packed = 0; packed < 256; packed++) {
    for (const wxn of [false, true]) {
      for (let bit = 0; bit < 6; bit++) {
        const denied = denialReason(packed, wxn, bit % 3 as Access, bit < 3 ? 0 : 1) !== null;
        assertEquals(denied, (permissionMask(packed, wxn) >> bit & 1) === 0);
      }
    }
  }
});
