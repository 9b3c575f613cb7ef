/** What is typed at a guest that asks semihosting for it: on the reference, here, and in a trace. */
import { assertEquals } from "@std/assert";
import { runCli, withFolder } from "../commands/run_cli.ts";
import { program } from "../drivers/program.ts";
import { hasQemu, runQemu } from "../drivers/qemu.ts";

/** READC three times; each byte is printed. The reference needs room below the stack pointer. */
const READC = `
        ldr x1, =prompt;  mov w0, #4;    hlt #0xf000
        mov w19, #3
one:    mov x1, #0;       mov w0, #7;    hlt #0xf000
        ldr x1, =letter
        strb w0, [x1]
        mov w0, #3;       hlt #0xf000
        subs w19, w19, #1
        b.ne one`;
/** READ from `:tt`, twice; what was read is printed behind what is left, as a letter. */
const READ = `
        ldr x1, =open;    mov w0, #1;    hlt #0xf000
        ldr x1, =read;    str x0, [x1]
        mov w19, #2
part:   ldr x1, =prompt;  mov w0, #4;    hlt #0xf000
        ldr x1, =read;    mov w0, #6;    hlt #0xf000
        add w0, w0, #65
        ldr x1, =letter
        strb w0, [x1]
        mov w0, #3;       hlt #0xf000
        ldr x1, =room;    mov w0, #4;    hlt #0xf000
        ldr x1, =room;    str xzr, [x1]
        subs w19, w19, #1
        b.ne part`;

function guest(...parts: readonly string[]) {
  return program(`
start:  ldr x1, =stack;   mov sp, x1
${parts.join("\n")}
        ldr x1, =end;     mov w0, #0x20; hlt #0xf000
        b .
        .balign 8
open:   .quad tt, 0, 3
read:   .quad 0, room, 4
end:    .quad 0x20026, 0
room:   .space 64
stack:
prompt: .asciz "?"
letter: .asciz "L"
tt:     .asciz ":tt"
`);
}
const SCRIPT = 'after "?" send "abc"\nafter "?" send "defg"\nat 2ms send "hijk"\n';
const PRINTED = { readc: "?abc", read: "?Adefg?Ahijk" };

Deno.test({
  name: "semihosting gives the reference's guest what is typed",
  ignore: !hasQemu(),
  async fn() {
    // READC takes it from the chardev, READ from standard input.
    const alone = ["-serial", "null", "-monitor", "none"];
    const readc = await runQemu(guest(READC).elf(), {
      extra: [
        ...["-chardev", "stdio,id=terminal", ...alone],
        ...["-semihosting-config", "enable=on,chardev=terminal"],
      ],
      input: new TextEncoder().encode("abcd"),
    });
    // The reference (7.2) answers each READC with the byte before: it looks before it has stored.
    assertEquals(readc.text, "?\0ab");
    const read = await runQemu(guest(READ).elf(), {
      extra: [...alone, "-semihosting"],
      input: new TextEncoder().encode("defghijk"),
    });
    assertEquals(read.errors, PRINTED.read);
  },
});

Deno.test("record gives a guest what is typed by semihosting, and verify needs nobody to type", async () => {
  await withFolder(async (folder) => {
    const image = `${folder}/guest.elf`, trace = `${folder}/t.unboot`, script = `${folder}/script`;
    Deno.writeFileSync(image, guest(READC, READ).elf());
    Deno.writeTextFileSync(script, SCRIPT);
    const record = (...more: string[]) =>
      runCli(["record", image, "-o", trace, "--semihosting", "--json", ...more]);
    const { status, out, err } = await record("--input", script);
    assertEquals([status, err.includes(PRINTED.readc + PRINTED.read)], [0, true], out + err);
    assertEquals((await runCli(["verify", trace])).status, 0);
    // It waited until 2 ms.
    const info = JSON.parse((await runCli(["info", trace, "--json"])).out);
    assertEquals(info.instructions < 1000, true);
    // Where nobody types there is nothing: READC fails, READ reads no byte.
    const silent = await record();
    const letters = silent.err.replace(/[^?A-Z]/g, "");
    assertEquals([silent.status, letters.endsWith("??E?E")], [0, true], silent.err);
  });
});
