import { assert, assertEquals, assertThrows } from "@std/assert";
import { openTrace, TraceError } from "../../trace/mod.ts";
import { recordSynthetic, windowAnswers } from "../../trace/testing.ts";
import { KILLED_SHAPE, KILLED_WINDOW } from "./record_endlessly.ts";

const KILLS = 50;
const AT_ONCE = 5;
const WINDOWS = 60;
const script = new URL("record_endlessly.ts", import.meta.url).pathname;

/** Starts a recorder and kills it once its file has about `length` bytes; what the file then holds. */
async function killAt(path: string, length: number): Promise<Uint8Array> {
  const child = new Deno.Command(Deno.execPath(), {
    args: ["run", "--no-check", `--allow-write=${path}`, script, path],
    stdout: "null",
    stderr: "null",
  }).spawn();
  try {
    for (let waited = 0; waited < 30_000; waited += 2) {
      const { size } = await Deno.stat(path).catch(() => ({ size: 0 }));
      if (size > length) break;
      await new Promise((resolve) => setTimeout(resolve, 2));
    }
  } finally {
    child.kill("SIGKILL");
    await child.status;
  }
  return await Deno.readFile(path);
}

/** Checks what a killed recorder left; the position up to which it holds, or -1 before the prologue's end. */
function check(bytes: Uint8Array, whole: readonly string[], prologue: number): number {
  if (bytes.length < prologue) {
    assertThrows(() => openTrace(bytes), TraceError);
    return -1;
  }
  const trace = openTrace(bytes);
  assertEquals(trace.footer, null);
  assertEquals(trace.truncated?.position, trace.end);
  const cut = bytes.subarray(0, trace.windows[WINDOWS]?.offset ?? bytes.length);
  windowAnswers(openTrace(cut)).forEach((answer, i) => assert(answer === whole[i], `window ${i}`));
  return trace.end;
}

Deno.test(`a recorder killed ${KILLS} times leaves traces that answer as the whole one`, async () => {
  const { bytes } = recordSynthetic({ ...KILLED_SHAPE, steps: WINDOWS * KILLED_WINDOW }, 500);
  const trace = openTrace(bytes);
  const whole = windowAnswers(trace);
  const folder = await Deno.makeTempDir();
  // The prologue has some 84 KB; a few recorders are killed before its end.
  const lengths = Array.from({ length: KILLS }, (_, i) => (i < 3 ? i * 30_000 : 84_000 + i * 1500));
  const ends: number[] = [];
  try {
    await Promise.all(Array.from({ length: AT_ONCE }, async (_, worker) => {
      const path = `${folder}/${worker}.trace`;
      for (let length = lengths.pop(); length !== undefined; length = lengths.pop()) {
        ends.push(check(await killAt(path, length), whole, trace.windows[1].offset));
        await Deno.remove(path);
      }
    }));
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
  assertEquals(ends.length, KILLS);
  assert(Math.max(...ends) > 10 * KILLED_WINDOW, `ends: ${ends}`);
});
