import { assertEquals, assertThrows } from "@std/assert";
import { flag, option, optionOr, parseOptions, repeated, suggestion } from "./options.ts";
import { UsageError } from "./user_error.ts";
import { count, oneOf, size, someOf, text, time, word64 } from "./values.ts";

const OPTIONS = {
  output: option("FILE", text, "", { short: "o" }),
  memory: optionOr("SIZE", size, "128M", ""),
  kind: repeated("KIND", someOf("a", "b"), "", { short: "k" }),
  "no-symbols": flag(""),
  json: flag(""),
};

function parse(...args: string[]) {
  return parseOptions(args, OPTIONS);
}

Deno.test("parseOptions() gives values, defaults and operands", () => {
  assertEquals(parse(), {
    values: { output: undefined, memory: 2 ** 27, kind: [], "no-symbols": false, json: false },
    operands: [],
  });
  assertEquals(parse("x", "-o", "f", "--memory=1G", "-k", "a,b", "--kind", "b", "--json", "7"), {
    values: {
      output: "f",
      memory: 2 ** 30,
      kind: [["a", "b"], ["b"]],
      "no-symbols": false,
      json: true,
    },
    operands: ["x", "7"],
  });
  assertEquals(parse("--no-symbols").values["no-symbols"], true);
});

Deno.test("parseOptions() takes values that begin with a dash, and leaves what is behind --", () => {
  assertEquals(parse("-o", "-").values.output, "-");
  assertEquals(parse("-o", "--json").values, { ...parse().values, output: "--json" });
  assertEquals(parse("--", "--json").operands, ["--json"]);
});

Deno.test("parseOptions() refuses what makes no sense", () => {
  const lines: [string[], string][] = [
    [["--memoy", "1"], "Unknown option --memoy: did you mean --memory?"],
    [["-x"], "Unknown option -x"],
    [["--output"], "Option --output needs a value: --output FILE"],
    [["--output="], "Option --output needs a value"],
    [["-o", "a", "-o", "b"], "Option --output is given 2 times, expected once"],
    [["--json=1"], 'Option --json takes no value, found "--json=1"'],
    [["--memory", "1T"], 'Option --memory: expected a size such as 128M or 1G, found "1T"'],
  ];
  for (const [args, message] of lines) assertThrows(() => parse(...args), UsageError, message);
});

Deno.test("value parsers read numbers, sizes, words and times", () => {
  assertEquals([size("4096"), size("64K"), size("0x10"), size("2g")], [4096, 65536, 16, 2 ** 31]);
  assertEquals([count("1_000"), count("200M"), count("0")], [1000, 2e8, 0]);
  assertEquals([word64("42"), word64("0xffff_ffff_ffff_ffff")], [42n, (1n << 64n) - 1n]);
  assertEquals(oneOf("a", "b")("b"), "b");
  assertEquals([time("2000-01-01T00:00:00Z"), time("2000-01-01"), time("7")], [
    946_684_800,
    946_684_800,
    7,
  ]);
  for (const wrong of ["", "x", "-1", "1.5", "1e3", "10_", "99999999999G"]) {
    assertThrows(() => size(wrong));
    assertThrows(() => count(wrong));
  }
  for (const wrong of ["", "x", "-1", "0x1_0000_0000_0000_0000"]) {
    assertThrows(() => word64(wrong));
  }
  for (const wrong of ["", "yesterday", "1969-01-01", "2200-01-01"]) {
    assertThrows(() => time(wrong));
  }
});

Deno.test("suggestion() names something near, or nothing", () => {
  assertEquals(suggestion("evnts", ["events", "dump"], ""), ": did you mean events?");
  assertEquals(suggestion("xyz", ["events", "dump"], ""), "");
});
