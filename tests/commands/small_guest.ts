import { assemble } from "../../core/isa/assemble.ts";
import { code, makeElf, makeSymbols } from "../loader/make_elf.ts";

/** Where the small guests run. */
const BASE = 0x4010_0000;
const VECTORS = BASE + 0x800;
const SAME_LEVEL_SYNC = 0x200;
const HANDLER = VECTORS + SAME_LEVEL_SYNC;
const HANDLER_END = HANDLER + 7 * 4;

/** Sets vectors, prints `hi`, makes a call, loads from nowhere, and powers off. */
const BOOT = [
  `adr x0, ${VECTORS}`,
  "msr vbar_el1, x0",
  "isb",
  "movz x1, #0x900, lsl #16",
  "mov w2, #0x68",
  "str w2, [x1]",
  "mov w2, #0x69",
  "str w2, [x1]",
  "mov w2, #0xa",
  "str w2, [x1]",
  "svc #0x7",
  "movz x4, #0x1, lsl #32",
  "ldr x3, [x4, #8]",
  "tlbi vmalle1",
  "dsb sy",
  "movz w0, #0x8",
  "movk w0, #0x8400, lsl #16",
  "hvc #0x0",
];

/** Returns behind the instruction that faulted, or to the one behind a call. */
const HANDLE = [
  "mrs x10, esr_el1",
  "lsr x10, x10, #26",
  "cmp x10, #0x15",
  `b.eq ${HANDLER_END - 4}`,
  "mrs x11, elr_el1",
  "add x11, x11, #0x4",
  "msr elr_el1, x11",
];

/** A pseudo random number generator: never ends, and never repeats a state soon. */
const SPIN = [
  "mov x0, #0x1",
  "eor x0, x0, x0, lsl #13",
  "eor x0, x0, x0, lsr #7",
  "eor x0, x0, x0, lsl #17",
  `b ${BASE + 4}`,
];

/** An ELF file with symbols that does a bit of everything in 30 instructions and powers off. */
export function smallGuest(): Uint8Array<ArrayBuffer> {
  const bytes = code(words(BOOT, BASE), HANDLER_END - BASE);
  const handler = HANDLE.with(3, `b.eq ${HANDLER_END}`);
  const all = new Uint8Array(bytes.length + 4);
  all.set(bytes);
  all.set(code(words([...handler, "eret"], HANDLER)), HANDLER - BASE);
  return elf(all, [
    { name: "_start", address: BigInt(BASE), size: BOOT.length * 4, type: 2 },
    { name: "handle_sync", address: BigInt(HANDLER), size: 32, type: 2 },
  ]);
}

/** An ELF file that runs until it is stopped. */
export function endlessGuest(): Uint8Array<ArrayBuffer> {
  return elf(code(words(SPIN, BASE)), [
    { name: "spin", address: BigInt(BASE), size: SPIN.length * 4, type: 2 },
  ]);
}

/** An ELF file that prints for ever, without coming back to a state. */
export function noisyGuest(): Uint8Array<ArrayBuffer> {
  const text = ["movz x1, #0x900, lsl #16", "str w1, [x1]", "add x0, x0, #0x1", `b ${BASE + 4}`];
  return elf(code(words(text, BASE)), []);
}

/** An ELF file that fills memory with random numbers: what no trace makes small. */
export function randomGuest(): Uint8Array<ArrayBuffer> {
  const text = [SPIN[0], "movz x1, #0x4200, lsl #16", ...SPIN.slice(1, 4), "str x0, [x1], #8"];
  return elf(code(words([...text, `b ${BASE + 8}`], BASE)), []);
}

/** An ELF file that sends `s` by the UART of EL3, which only Secure accesses find. */
export function secureGuest(): Uint8Array<ArrayBuffer> {
  const text = ["movz x1, #0x904, lsl #16", "mov w0, #0x73", "str w0, [x1]", `b ${BASE + 12}`];
  return elf(code(words(text, BASE)), []);
}

/** An ELF file whose handler of an abort reads a register that there is not. */
export function unknownRegisterGuest(): Uint8Array<ArrayBuffer> {
  const text = [`adr x0, ${BASE}`, "msr vbar_el1, x0", "movz x1, #0x6000, lsl #16", "ldr x2, [x1]"];
  const handler = Array.from({ length: 128 - text.length }, () => "nop");
  return elf(code(words([...text, ...handler, "mrs x0, s3_0_c11_c0_0"], BASE)), []);
}

/** An ELF file of one instruction. */
export function oneInstruction(text: string): Uint8Array<ArrayBuffer> {
  return elf(code(words([text], BASE)), []);
}

function words(lines: readonly string[], base: number): number[] {
  return lines.map((line, i) => assemble(line, BigInt(base + 4 * i)));
}

function elf(
  bytes: Uint8Array<ArrayBuffer>,
  symbols: Parameters<typeof makeSymbols>[0],
): Uint8Array<ArrayBuffer> {
  return makeElf(BigInt(BASE), [{ address: BigInt(BASE), bytes }], makeSymbols(symbols, 1));
}
