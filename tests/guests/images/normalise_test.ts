import { assertEquals } from "@std/assert";
import { makeCpio, MODE } from "./cpio.ts";
import { compareConsoles, normalise } from "./normalise.ts";

Deno.test("compareConsoles() leaves the times of kernel messages out, and nothing else", () => {
  assertEquals(compareConsoles("[    0.123456] a\r\nb\n", "[    1.000000] a\nb\n"), []);
  assertEquals(compareConsoles("a\nb", "a\nc"), ['line 2: "b", the reference has "c"']);
  assertEquals(compareConsoles("a", "a\n"), ["1 lines, the reference has 2"]);
  assertEquals(normalise("[    0.1] a").lines, ["[    0.1] a"]);
});

Deno.test("compareConsoles() bounds how many lines may match a pattern", () => {
  const random = "[    0.000001] random: crng init done\n";
  const lines = "x\n".repeat(49);
  assertEquals(compareConsoles(lines + random, lines + random), []);
  assertEquals(compareConsoles(random, random), [
    "1 of 2 lines match patterns, at most 2% may",
  ]);
});

Deno.test("compareConsoles() lets lines of other threads stand elsewhere with several CPUs", () => {
  const audit =
    "[    0.100000] audit: type=2000 audit(0.012:1): state=initialized audit_enabled=0 res=1\n";
  const ours = `${"x\n".repeat(60)}${audit}`, reference = `${audit}${"x\n".repeat(60)}`;
  assertEquals(compareConsoles(ours, reference, true), []);
  assertEquals(compareConsoles(ours, reference).length, 2);
  // It must come as often.
  assertEquals(compareConsoles(ours, reference + audit, true).length, 1);
});

Deno.test("makeCpio() pads names and contents to four bytes", () => {
  const archive = makeCpio([{ name: "init", mode: MODE.program, bytes: Uint8Array.of(1) }]);
  const text = new TextDecoder("latin1").decode(archive);
  assertEquals(
    text.slice(0, 54),
    "070701" + "00000001" + "000081ed" + "0".repeat(16) + "00000001" +
      "00000000",
  );
  assertEquals([text.indexOf("init\0"), text.indexOf("\x01"), text.indexOf("070701", 1)], [
    110,
    116,
    120,
  ]);
  assertEquals(archive.length % 4, 0);
});
