import { assertEquals, assertThrows } from "@std/assert";
import { POWER_KEY } from "../core/input_source.ts";
import { parseInputScript, ScriptInput } from "./input_script.ts";
import { UserError } from "./user_error.ts";

const text = (value: string) => new TextEncoder().encode(value);

Deno.test("parseInputScript() reads what is typed, after what and when", () => {
  const script = '# login\n\nsend "a\\r"\nafter "ok\\"" send "\\x03"\n  at 1.5s send "\\e[A"\n';
  assertEquals(parseInputScript(script, "s"), [
    { bytes: text("a\r") },
    { after: text('ok"'), bytes: Uint8Array.of(3) },
    { at: 1_500_000_000, bytes: text("\x1b[A") },
  ]);
});

Deno.test("ScriptInput presses the power key in its turn", () => {
  const script = 'after "$" press power\nat 2us press power\nsend "x"';
  const input = new ScriptInput(parseInputScript(script, "s"));
  assertEquals([input.nextTime(), input.pressesPower], [Infinity, true]);
  input.sent(36);
  assertEquals([input.nextTime(), input.take(), input.done], [0, POWER_KEY, 1]);
  assertEquals([input.nextTime(), input.open, input.take()], [2000, true, POWER_KEY]);
  assertEquals([input.pressesPower, input.take(), input.done], [false, 120, 3]);
});

Deno.test("parseInputScript() refuses other lines in one line", () => {
  for (
    const [script, message] of [
      ["send a", "Cannot read s, line 1: expected [after"],
      ['\nafter "" send "b"', "line 2: expected a text behind after"],
      ['send "\\q"', 'line 1: expected \\r \\n \\t \\e \\" \\\\ or \\xHH, found \\q'],
      ['at 5 send "x"', "line 1: expected [after"],
      ["press reset", "line 1: expected [after"],
    ]
  ) {
    assertThrows(() => parseInputScript(script, "s"), UserError, message);
  }
});

/** Has a guest print something; gives what is typed then. */
function print(input: ScriptInput, output: string, time = 0): string {
  for (const byte of text(output)) input.sent(byte);
  let typed = "";
  while (input.nextTime() <= time) typed += String.fromCharCode(input.take());
  return typed;
}

Deno.test("ScriptInput types a line once the guest has printed its text since the last", () => {
  const input = new ScriptInput(parseInputScript(
    'after "aab" send "1"\nafter "$ " send "2"\nat 3us send "3"\nafter "!" send ""\nsend "4"',
    "s",
  ));
  assertEquals(print(input, "aa"), "");
  assertEquals(input.open, false);
  assertEquals(print(input, "ab$"), "1");
  assertEquals(print(input, " "), "");
  assertEquals(print(input, "$ "), "2");
  assertEquals(input.open, true);
  assertEquals(input.waitUntil({ position: 1, from: 5, to: 9000 }), 3000);
  assertEquals(print(input, "", 2999), "");
  assertEquals(print(input, "", 3000), "3");
  assertEquals(print(input, "!"), "4");
  assertEquals([input.done, input.open, input.nextTime()], [5, false, Infinity]);
});
