/** A guest in machine code that gives a trace of everything: interrupts, levels, several windows. */
import { assertEquals } from "@std/assert";
import { runCli } from "../commands/run_cli.ts";

/** A guest with timer interrupts, calls, SVC at two levels, undefined instructions and stores. */
export async function recordBusyGuest(folder: string): Promise<string> {
  await Deno.writeFile(`${folder}/busy.bin`, busyGuest());
  const trace = `${folder}/busy.unboot`;
  const args = ["--console", "none", "--max-instructions", "9M"];
  const { status, err } = await runCli(["record", `${folder}/busy.bin`, "-o", trace, ...args]);
  assertEquals(status, 3, err);
  return trace;
}

/**
 * Device interrupts are on while `main` runs. It calls `straight`, makes an SVC and stores; every
 * 32nd time it also runs into an undefined instruction, prints a byte, and makes an SVC from EL0.
 */
function busyGuest(): Uint8Array<ArrayBuffer> {
  const view = new DataView(new ArrayBuffer(0x1000 + 1001 * 4));
  const put = (offset: number, words: number[]) =>
    words.forEach((word, i) => view.setUint32(offset + 4 * i, word, true));
  put(0, [
    0x10004001, // adr x1, vectors
    0xd518c001, // msr vbar_el1, x1
    0xd5033fdf, // isb
    0xd2a10001, // mov x1, #0x8000000: the interrupt controller
    0x52800022, // mov w2, #1
    0xb9000022, // str w2, [x1]
    0x52a80002, // mov w2, #0x40000000
    0xb9010022, // str w2, [x1, #256]
    0xd2a10021, // mov x1, #0x8010000
    0x52801fe2, // mov w2, #0xff
    0xb9000422, // str w2, [x1, #4]
    0x52800022, // mov w2, #1
    0xb9000022, // str w2, [x1]
    0xd280fa02, // mov x2, #2000
    0xd51be202, // msr cntp_tval_el0, x2
    0xd2800022, // mov x2, #1
    0xd51be222, // msr cntp_ctl_el0, x2
    // main, at 0x44
    0xd50342ff, // msr daifclr, #2
    0x91000673, // add x19, x19, #1
    0x940003ed, // bl straight
    0xd40000e1, // svc #7
    0xd2a82014, // mov x20, #0x41000000
    0x92401e60, // and x0, x19, #0xff
    0x8b002294, // add x20, x20, x0, lsl #8
    0xf9000293, // str x19, [x20]
    0x92401260, // and x0, x19, #0x1f
    0xb5fffee0, // cbnz x0, main
    0x00000001, // udf #1
    0xd2a12002, // mov x2, #0x9000000: the console
    0x52800824, // mov w4, #0x41
    0xb9000044, // str w4, [x2]
    0xd50342df, // msr daifset, #2
    0x10000080, // adr x0, user
    0xd5184020, // msr elr_el1, x0
    0xd518401f, // msr spsr_el1, xzr
    0xd69f03e0, // eret
    // user, at 0x90
    0xd4000121, // svc #9
    // sync, at 0x94: undefined instructions are skipped, SVC #9 returns to main at EL1
    0xd5385210, // mrs x16, esr_el1
    0xd35afe11, // lsr x17, x16, #26
    0xb4000131, // cbz x17, skip
    0x92403e10, // and x16, x16, #0xffff
    0xf100261f, // cmp x16, #9
    0x540000a1, // b.ne out
    0x10fffcd0, // adr x16, main
    0xd5184030, // msr elr_el1, x16
    0xd28000b0, // mov x16, #5
    0xd5184010, // msr spsr_el1, x16
    0xd69f03e0, // out: eret
    0xd5384030, // skip: mrs x16, elr_el1
    0x91001210, // add x16, x16, #4
    0xd5184030, // msr elr_el1, x16
    0xd69f03e0, // eret
    // irq, at 0xd0
    0xd2a10030, // mov x16, #0x8010000
    0xb9400e11, // ldr w17, [x16, #12]
    0xb9001211, // str w17, [x16, #16]
    0xd280fa10, // mov x16, #2000
    0xd51be210, // msr cntp_tval_el0, x16
    0xd69f03e0, // eret
  ]);
  // vectors, at 0x800
  put(0xa00, [0x17fffda5]); // b sync
  put(0xa80, [0x17fffd94]); // b irq
  put(0xc00, [0x17fffd25]); // b sync
  put(0xc80, [0x17fffd14]); // b irq
  // straight: add x3, x3, #1, a thousand times; ret
  put(0x1000, [...new Array<number>(1000).fill(0x91000463), 0xd65f03c0]);
  return new Uint8Array(view.buffer);
}
