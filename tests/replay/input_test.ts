/** Traces of guests that were typed at, and that run from flash: executed again without either. */
import { assertEquals } from "@std/assert";
import { parseInputScript, ScriptInput } from "../../commands/input_script.ts";
import { noteMedia } from "../../commands/guest_media.ts";
import { Machine } from "../../core/machine.ts";
import { mediumOf, type Note } from "../../core/medium.ts";
import { Session, verify } from "../../replay/mod.ts";
import { openTrace, Recorder, type Trace } from "../../trace/mod.ts";
import { MemorySink } from "../../trace/testing.ts";
import { program } from "../drivers/program.ts";

const MEMORY = 1 << 20;

/** Turns the GIC on for one shared interrupt of 32 to 63; uses X1 and W2. */
function enableInterrupt(interrupt: number): string {
  return `ldr x1, =0x08000000
        mov w2, #1
        str w2, [x1]
        mov w2, #${1 << (interrupt - 32)}
        str w2, [x1, #0x104]
        ldr x1, =0x08010000
        mov w2, #0xff
        str w2, [x1, #4]
        mov w2, #1
        str w2, [x1]`;
}

/**
 * Stands in flash; asks, echoes what is typed until a full stop, waits by WFI for the UART's
 * interrupt in between, and powers off.
 */
const GUEST = program(
  `
start:  ldr x10, =0x09000000
        ${enableInterrupt(33)}
        mov w2, #0x10
        str w2, [x10, #0x38]
        mov w2, #63
        str w2, [x10]
wait:   wfi
more:   ldr w3, [x10, #0x18]
        tbnz w3, #4, wait
        ldr w3, [x10]
        str w3, [x10]
        cmp w3, #46
        b.ne more
        ldr x0, =0x84000008
        hvc #0
`,
  0x1000,
);

const SCRIPT = 'after "?" send "a"\nat 2ms send "bc"\nafter "c" send "."';

/** Stands in flash; waits until the power key is pressed, then until it is not, and powers off. */
const KEY_GUEST = program(
  `
start:  ldr x10, =0x09030000
down:   ldr w3, [x10, #0x3fc]
        cbz w3, down
        ${enableInterrupt(39)}
        mov w2, #8
        str w2, [x10, #0x41c]
        str w2, [x10, #0x410]
        wfi
        ldr w3, [x10, #0x3fc]
        cbnz w3, .
        ldr x0, =0x84000008
        hvc #0
`,
  0x1000,
);

/** A trace of the guest, and what it printed. */
function record(
  guest = GUEST,
  typed = SCRIPT,
): { trace: Trace; console: string; machine: Machine } {
  const sink = new MemorySink();
  const notes: Parameters<Note>[] = [];
  const flash = new Uint8Array(0x2000);
  flash.set(guest.bytes, guest.base);
  const media = noteMedia({ flash0: mediumOf(flash) }, (...note) => notes.push(note));
  const machine = new Machine({ memoryBytes: MEMORY, flow: true, media });
  machine.boot({ segments: [], pc: BigInt(guest.entry), x: [] });
  const recorder = new Recorder(machine, sink, {
    recordedAt: "2000-01-01T00:00:00.000Z",
    recorder: "test",
    machine: { board: "virt" },
    options: {},
    image: { name: "guest", kind: "firmware", describe: "", pc: 0n, files: [], warnings: [] },
    symbols: [],
    lines: [],
    windowSteps: 16,
  });
  machine.inputObserver = (source, bytes) => recorder.input(source, bytes);
  for (const note of notes) recorder.input(...note);
  machine.input = new ScriptInput(parseInputScript(typed, "script"));
  let console = "";
  machine.observer = {
    event: (event) => {
      recorder.event(event);
      if (event.kind === "console") console += String.fromCharCode(event.byte);
    },
  };
  assertEquals(recorder.run(10_000).reason, "poweroff");
  return { trace: openTrace(sink.bytes), console, machine };
}

Deno.test("verify() needs neither the script nor the flash image of a recording", () => {
  const { trace, console, machine } = record();
  assertEquals(console, "?abc.");
  // The wait for 2 ms was skipped.
  assertEquals(machine.time.nanoseconds > 2e6 && machine.time.nanoseconds < 2.01e6, true);
  assertEquals(verify(trace).difference, null);
});

Deno.test("verify() needs nobody to press the power key again", () => {
  const { trace, machine } = record(KEY_GUEST, "at 5us press power");
  const [{ position, bytes }] = [...trace.inputs()].filter(({ source }) => source === "power");
  assertEquals([position, bytes.length], [5000, 0]);
  assertEquals(Math.floor(machine.time.nanoseconds / 1e6), 100);
  assertEquals(verify(trace).difference, null);
});

Deno.test("Session.seek() comes to the same moment from every keyframe, inputs around it", () => {
  const { trace } = record();
  const forwards = new Session(trace);
  const states: string[] = [];
  const plain = (_: string, value: unknown) => typeof value === "bigint" ? `${value}` : value;
  for (let at = 0; at <= trace.end; at++) {
    forwards.seek(at);
    states.push(JSON.stringify(forwards.state(), plain));
  }
  const backwards = new Session(trace);
  for (let at = trace.end; at >= 0; at--) {
    backwards.seek(at);
    assertEquals(JSON.stringify(backwards.state(), plain), states[at], `#${at}`);
  }
  for (const { number, end } of trace.windows) {
    const jumping = new Session(trace);
    jumping.loadKeyframe(number);
    assertEquals(JSON.stringify(jumping.state(), plain), states[end], `window ${number}`);
  }
});
