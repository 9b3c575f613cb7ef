/** Semihosting against the reference: the same console, which shows what each call answered. */
import { assertEquals } from "@std/assert";
import { Machine } from "../../core/machine.ts";
import { semihostingOptions } from "../../core/machine_options.ts";
import { program } from "../drivers/program.ts";
import { hasQemu, runQemu } from "../drivers/qemu.ts";

/** Prints the low four bits of each answer as a letter from A. */
const GUEST = program(`
start:  ldr x1, =text;    mov w0, #4;    hlt #0xf000
        ldr x1, =letter;  mov w0, #3;    hlt #0xf000
        ldr x20, =calls
next:   ldr x0, [x20]
        cbz x0, done
        ldr x1, [x20, #8]
        hlt #0xf000
        and x0, x0, #15
        add x0, x0, #65
        ldr x1, =letter
        strb w0, [x1]
        mov w0, #3
        hlt #0xf000
        add x20, x20, #16
        b next
done:   ldr x1, =room;    mov w0, #4;    hlt #0xf000
        ldr x1, =end;     mov w0, #0x20; hlt #0xf000
        b .
        .balign 8
calls:  .quad 1, input, 1, output, 1, errors, 1, missing, 0x13, 0, 1, long, 0x13, 0
        .quad 5, hello, 9, bad, 0x13, 0, 8, bad, 8, hello, 5, bad
        .quad 0x31, 0, 0x15, line, 0x15, short, 2, hello
        .quad 0x18, 0x60000000, 0x13, 0, 0
hello:  .quad 3, text, 3
bad:    .quad 77, text, 3
input:  .quad tt, 0, 3
output: .quad tt, 4, 3
errors: .quad tt, 8, 3
missing: .quad none, 0, 2
long:   .quad none, 0, 1
line:   .quad room, 64
short:  .quad room, 2
end:    .quad 0x20026, 7
text:   .asciz "ok\\n"
letter: .asciz "L"
tt:     .asciz ":tt"
none:   .asciz "no"
room:   .space 64
`);

/** Our console, and what the guest gave to EXIT. */
function run(): { console: string; exitCode: bigint | null } {
  const memory = 128 << 20;
  const name = "guest";
  const semihosting = semihostingOptions({ name, append: undefined, ranges: [], memory });
  const machine = new Machine({ memoryBytes: memory, semihosting });
  machine.boot(GUEST.plan());
  let console = "";
  machine.observer = {
    event: (event) => {
      if (event.kind === "console") console += String.fromCharCode(event.byte);
    },
  };
  assertEquals(machine.run(10_000), "poweroff");
  return { console, exitCode: machine.exitCode };
}

Deno.test({
  name: "semihosting answers as the reference does",
  ignore: !hasQemu(),
  async fn() {
    const qemu = await runQemu(GUEST.elf(), { extra: ["-semihosting"] });
    const { console, exitCode } = run();
    // The reference names the path of the image.
    const expected = qemu.errors.replace(/\/\S*unboot-qemu-\S+/, "guest").trimEnd();
    assertEquals(console.trimEnd(), expected);
    assertEquals([exitCode, qemu.code], [7n, 7]);
  },
});

Deno.test("semihostingOptions() finds the heap where the reference does: the largest gap", () => {
  const of = (...ranges: { address: number; length: number }[]) =>
    semihostingOptions({ name: "g", append: "a b", ranges, memory: 128 << 20 });
  // As the reference answered HEAPINFO for images at these addresses.
  assertEquals(of({ address: 0x4008_0000, length: 0xc8 }).heap, {
    base: 0x4008_00c8,
    limit: 0x4800_0000,
  });
  const tree = { address: 0x4000_0000, length: 0x10_0000 };
  assertEquals(of({ address: 0x4400_0000, length: 0xc8 }, tree).heap, {
    base: 0x4400_00c8,
    limit: 0x4800_0000,
  });
  assertEquals(of({ address: 0x4600_0000, length: 16 }, tree).heap.base, 0x4010_0000);
  assertEquals(of().commandLine, "g a b");
});

Deno.test("HLT is UNDEFINED without semihosting", () => {
  const machine = new Machine({ memoryBytes: 1 << 20 });
  const guest = program("start: hlt #0xf000\nb .", 0x4000_1000);
  machine.boot(guest.plan());
  const classes: bigint[] = [];
  machine.observer = {
    event: (event) => {
      if (event.kind === "exception") classes.push(event.esr >> 26n);
    },
  };
  machine.run(1);
  assertEquals(classes, [0n]);
});

/** HLT at EL1, which prints, then at EL0, where the handler prints the class of what it is taken with. */
const AT_EL0 = program(`
start:  ldr x0, =vectors; msr vbar_el1, x0
        ldr x1, =one;     mov w0, #4;    hlt #0xf000
        ldr x0, =el0;     msr elr_el1, x0
        mov x0, #0x3c0;   msr spsr_el1, x0
        eret
el0:    ldr x1, =one;     mov w0, #4;    hlt #0xf000
        b .
one:    .asciz "one"
        .org 0x40080800
vectors: .space 0x400
        mrs x0, esr_el1;  lsr x0, x0, #26; add x0, x0, #65
        ldr x1, =0x09000000; str w0, [x1]
        ldr x0, =0x84000008; hvc #0
`);

Deno.test({
  name: "HLT is UNDEFINED at EL0, semihosting or not, as on the reference",
  ignore: !hasQemu(),
  async fn() {
    const qemu = await runQemu(AT_EL0.elf(), { extra: ["-semihosting"] });
    assertEquals([qemu.text, qemu.errors.slice(0, 3)], ["A", "one"]);
    const memory = 128 << 20;
    const name = "guest";
    const semihosting = semihostingOptions({ name, append: undefined, ranges: [], memory });
    const machine = new Machine({ memoryBytes: memory, semihosting });
    machine.boot(AT_EL0.plan());
    let console = "";
    machine.observer = {
      event: (event) => {
        if (event.kind === "console") console += String.fromCharCode(event.byte);
      },
    };
    assertEquals([machine.run(1_000), console], ["poweroff", "oneA"]);
  },
});
