/** Mistakes in kernels of other designs than `guests/kernel.c`, with and without symbols. */
import { assert, assertEquals, assertMatch } from "@std/assert";
import { explain } from "../../replay/queries/explain.ts";
import { namesOf } from "../../replay/queries/explain_symbols.ts";
import { Session } from "../../replay/session.ts";
import { Symbolizer } from "../../replay/symbolizer.ts";
import { hasToolchain } from "../guests/toolchain.ts";
import { recordGuest } from "./record_guest.ts";

interface Expected {
  readonly cause: string;
  readonly first?: string;
  readonly level: number;
  readonly by?: string;
  readonly symbol: RegExp | null;
  readonly fix: RegExp | null;
}

const MAPPER = /^(map_rec|set_entry|kmain)/;

/** By kernel and mistake. */
const CASES: Readonly<Record<string, Readonly<Record<string, Expected>>>> = {
  granule64: {
    PXN: { cause: "pxn", level: 3, symbol: MAPPER, fix: /^clear PXN/ },
    ELW: { cause: "el0-writable", level: 3, symbol: MAPPER, fix: /^clear AP\[1\]/ },
    WXN: { cause: "wxn", level: 3, symbol: MAPPER, fix: /^set AP\[2\]/ },
    APTABLE: { cause: "table-attributes", level: 2, symbol: MAPPER, fix: /^clear APTable\[1\]/ },
    PXNTABLE: { cause: "table-attributes", level: 2, symbol: MAPPER, fix: /^clear PXNTable/ },
    BLOCK2: { cause: "block-encoding", level: 2, symbol: MAPPER, fix: /^clear bit 1/ },
    WRONG_GRANULE: {
      cause: "tcr-range",
      level: 0,
      by: "msr",
      symbol: /^mmu_on/,
      fix: /^TCR_EL1 = 0x200807516 instead of 0x200803516/,
    },
    NESTED: { cause: "not-mapped", level: 3, symbol: /^alloc_table|^map_rec/, fix: null },
    HANDLER: { cause: "not-mapped", level: 3, symbol: /^alloc_table|^map_rec/, fix: null },
    STALE_UNMAP: { cause: "stale-tlb", level: 3, symbol: MAPPER, fix: /TLBI VAE1IS/ },
    OVERWRITE: { cause: "undefined", level: -1, symbol: MAPPER, fix: null },
  },
  processes: {
    T1SZ: {
      cause: "vectors-not-installed",
      first: "tcr-range",
      level: 0,
      by: "reset",
      symbol: null,
      fix: /^TCR_EL1 = 0x2b5193519 instead of 0x2b5103519/,
    },
    USER_KERNEL_READ: { cause: "ap", level: 1, symbol: /^_start/, fix: /^set AP\[1\]/ },
    USER_WRITE_RO: { cause: "ap", level: 3, symbol: MAPPER, fix: /^clear AP\[2\]/ },
    USER_EXEC_DATA: { cause: "uxn", level: 3, symbol: MAPPER, fix: /^clear UXN/ },
    KERNEL_RUNS_USER: { cause: "pxn", level: 3, symbol: MAPPER, fix: /^clear PXN/ },
    KERNEL_USER_WRITABLE: { cause: "el0-writable", level: 3, symbol: MAPPER, fix: /^clear AP/ },
    ASID_REUSE: {
      cause: "stale-tlb",
      level: 1,
      by: "msr",
      symbol: /^switch_to/,
      fix: /TLBI ASIDE1IS for ASID 5/,
    },
    UNMAP_NO_TLBI: { cause: "stale-tlb", level: 3, symbol: MAPPER, fix: /TLBI VAE1IS/ },
    REMAP_NO_TLBI: { cause: "stale-tlb", level: 3, symbol: MAPPER, fix: /TLBI VAE1IS/ },
    FREED_TABLE: { cause: "not-mapped", level: 3, symbol: /^kmain/, fix: null },
  },
};

/** Compiles a kernel of `guests/` with its own linker script. */
function build(kernel: string, bug: string, level: string): Uint8Array {
  const guests = new URL("guests", import.meta.url).pathname;
  const file = Deno.makeTempFileSync({ prefix: "unboot-kernel-" });
  try {
    const { success, stderr } = new Deno.Command("aarch64-linux-gnu-gcc", {
      args: [
        ...[level, "-g", "-ffreestanding", "-nostdlib", "-static", "-mgeneral-regs-only"],
        ...["-fno-pie", "-no-pie", "-fno-stack-protector", "-mcmodel=large", "-Wno-array-bounds"],
        ...["-Wl,--build-id=none", `-DBUG_${bug}`, "-T", `${guests}/${kernel}.ld`],
        ...[`${guests}/${kernel}.c`, "-o", file],
      ],
    }).outputSync();
    assert(success, new TextDecoder().decode(stderr));
    return Deno.readFileSync(file);
  } finally {
    Deno.removeSync(file);
  }
}

function check(image: Uint8Array, expected: Expected, stripped: boolean): void {
  const { cause, first = cause, level, by = "store", symbol, fix } = expected;
  const trace = recordGuest(image, { stripped });
  const found = explain(new Session(trace));
  assert(found, "no fault found");
  assertEquals([found.cause, found.firstCause, found.level ?? -1], [cause, first, level]);
  assertEquals(found.writer?.by, by);
  if (fix) assertMatch(found.fix?.text ?? "", fix);
  else assertEquals(found.fix, null);
  if (symbol === null || stripped) return;
  const names = namesOf(trace, new Symbolizer(trace.symbols(), trace.lines()));
  assertMatch(names.name(found.writer!.pc!) ?? "", symbol);
}

for (const [kernel, bugs] of Object.entries(CASES)) {
  for (const [bug, expected] of Object.entries(bugs)) {
    Deno.test({
      name: `explain() names ${expected.cause} in the kernel ${kernel}: ${bug}`,
      ignore: !hasToolchain(),
      fn() {
        check(build(kernel, bug, "-O0"), expected, false);
        const optimised = build(kernel, bug, "-O2");
        for (const stripped of [false, true]) check(optimised, expected, stripped);
      },
    });
  }
}
