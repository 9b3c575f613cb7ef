import { assert, assertEquals, assertMatch } from "@std/assert";
import { explain, type Explanation } from "../../replay/queries/explain.ts";
import { explanationText } from "../../replay/queries/explain_text.ts";
import { namesOf } from "../../replay/queries/explain_symbols.ts";
import { instructionAt } from "../../replay/queries/writers_instruction.ts";
import { Session } from "../../replay/session.ts";
import { Symbolizer } from "../../replay/symbolizer.ts";
import type { Trace } from "../../trace/mod.ts";
import { buildKernel } from "../../kernel/build.ts";
import { buildGuest, hasToolchain, type Level } from "../guests/toolchain.ts";
import { recordGuest } from "./record_guest.ts";

/** A mistake of `guests/kernel.c` and what must be said about it. */
interface Expected {
  readonly cause: string;
  readonly first?: string;
  readonly level?: number | null;
  readonly by?: string;
  /** Of the writer. */
  readonly symbol?: RegExp;
  /** Of the smallest change; null if there must be none. */
  readonly fix?: RegExp | null;
  readonly levels?: readonly Level[];
  readonly strict?: boolean;
  readonly defines?: readonly string[];
}

const ALL: readonly Level[] = ["-O0", "-O1", "-O2"];
const STORE = "store";
const MAPPER = /^page_map|^map_kernel|^main/;

const CASES: Readonly<Record<string, Expected>> = {
  PXN: { cause: "pxn", level: 3, by: STORE, symbol: MAPPER, fix: /clear PXN/, levels: ALL },
  LATE_VECTORS: {
    cause: "vectors-not-installed",
    first: "pxn",
    level: 3,
    by: "reset",
    fix: /clear PXN/,
    levels: ALL,
  },
  BLOCK_ENCODING: {
    cause: "block-encoding",
    level: 2,
    by: STORE,
    symbol: MAPPER,
    fix: /clear bit 1/,
    levels: ALL,
  },
  TABLE_AS_BLOCK: { cause: "block-encoding", level: 2, by: STORE, fix: /set bit 1/ },
  PAGE_ENCODING: { cause: "block-encoding", level: 3, by: STORE, fix: /set bit 1/ },
  DATA_TABLE: { cause: "ap", level: 3, by: "loader", fix: /clear AP\[2\]/, levels: ALL },
  MEMCPY: { cause: "ap", level: 3, by: STORE, symbol: /copy_bytes|main/, levels: ALL },
  STP: { cause: "ap", level: 3, by: STORE, symbol: /store_pair|main/ },
  DC_ZVA: { cause: "not-mapped", level: 3, by: "dc-zva", symbol: /zero_block/, fix: /map it/ },
  HIGH_ALIAS: { cause: "ap", level: 3, by: STORE, symbol: /protect/ },
  STALE_CODE: { cause: "stale-tlb", level: 3, by: STORE, fix: /TLBI/, levels: ALL },
  STALE_POINTER: { cause: "stale-tlb", level: 3, by: STORE, fix: /TLBI/, levels: ALL },
  STALE_PERMISSION: { cause: "stale-tlb", by: STORE, strict: true },
  RECURSIVE: { cause: "not-mapped", level: 3, symbol: /new_table/, fix: null },
  HANDLER_FAULTS: { cause: "ap", level: 3, by: STORE, levels: ALL },
  STORM: { cause: "not-mapped", level: 2, by: STORE, levels: ALL },
  AFTER_HANDLED: { cause: "ap", level: 3, by: STORE, levels: ALL },
  ONLY_HANDLED: { cause: "not-mapped", level: 1 },
  READ_ONLY: { cause: "ap", level: 3, by: STORE },
  UNPRIVILEGED: { cause: "ap", level: 2, fix: /set AP\[1\]/ },
  TABLE_ATTRIBUTES: { cause: "table-attributes", level: 2, fix: /clear PXNTable/ },
  EL0_WRITABLE: { cause: "el0-writable", level: 3, fix: /clear AP\[1\]/ },
  EL0_EXECUTE: { cause: "uxn", level: 3, fix: /clear UXN/ },
  EL0_READ: { cause: "ap", fix: /set AP\[1\]/ },
  WXN: { cause: "wxn", level: 3, fix: /set AP\[2\]/ },
  ACCESS_FLAG: { cause: "access-flag", level: 3, fix: /set AF/ },
  ADDRESS_SIZE: { cause: "address-size", level: 3, fix: /clear the address bits from 44/ },
  NO_PAGE: { cause: "not-mapped", level: 3, fix: /map it/ },
  UNMAPPED: { cause: "not-mapped", level: 1 },
  HOLE: { cause: "tcr-range", level: 0, by: "msr", symbol: /enable_mmu|main/ },
  EPD: { cause: "tcr-range", level: 0, by: "msr", fix: /TCR_EL1/ },
  NONE: { cause: "tcr-range", by: "msr", fix: /TCR_EL1/, defines: ["T0SZ=25UL"] },
  TABLE_WIPED: { cause: "not-mapped", level: 0, by: STORE, symbol: /wipe/, levels: ALL },
  TTBR_LOWER: { cause: "ttbr", by: "msr", fix: /TTBR0_EL1 = 0x40800000/ },
  TTBR_UNALIGNED: { cause: "ttbr", by: "msr", fix: /TTBR0_EL1 = 0x40800000/ },
  TTBR_EMPTY: { cause: "ttbr", by: "msr", fix: /TTBR0_EL1 = 0x40800000/ },
  TTBR_VARIABLE: { cause: "ttbr", by: "msr" },
  TTBR_HIGH: { cause: "ttbr", by: "msr" },
  EXTERNAL: { cause: "external-abort", by: STORE },
  ALIGNMENT: { cause: "alignment", by: "msr" },
  DEVICE_ALIGNMENT: { cause: "device-alignment", strict: true },
  SP_ALIGNMENT: { cause: "sp-alignment", strict: true },
  PC_ALIGNMENT: { cause: "pc-alignment" },
  FP: { cause: "fp-trapped", by: "reset" },
  UNDEFINED: { cause: "undefined", by: "loader" },
};

/** Builds and records `guests/kernel.c` with a mistake. */
async function recordBug(bug: string, level: Level, expected: Expected): Promise<Trace> {
  const image = await buildGuest({
    source: "../explain/guests/kernel.c",
    kind: "elf",
    level,
    base: 0x4008_0000,
    defines: [`BUG_${bug}`, ...expected.defines ?? []],
    flags: ["-Wno-array-bounds", "-Wno-unused-function", "-Wno-unused-variable"],
    relocates: false,
    bare: true,
  });
  return recordGuest(image, { strict: expected.strict ?? false });
}

function check(trace: Trace, expected: Expected): Explanation {
  const found = explain(new Session(trace));
  assert(found, "no fault found");
  const { cause, first = cause, level, by, symbol, fix } = expected;
  assertEquals([found.cause, found.firstCause], [cause, first]);
  if (level !== undefined) assertEquals(found.level, level);
  if (by !== undefined) assertEquals(found.writer?.by, by);
  const symbols = new Symbolizer(trace.symbols(), trace.lines());
  if (symbol) assertMatch(symbols.name(found.writer!.pc!) ?? "", symbol);
  if (fix) assertMatch(found.fix?.text ?? "", fix);
  if (fix === null) assertEquals(found.fix, null);
  const text = explanationText(found, {
    symbols: namesOf(trace, symbols),
    instruction: (position) => instructionAt(trace, position),
  });
  assertMatch(text, new RegExp(`^Cause: ${cause}: `, "m"));
  return found;
}

for (const [bug, expected] of Object.entries(CASES)) {
  Deno.test({
    name: `explain() names ${expected.cause} in a C kernel: ${bug}`,
    ignore: !hasToolchain(),
    async fn() {
      for (const level of expected.levels ?? ["-O1"]) {
        check(await recordBug(bug, level, expected), expected);
      }
    },
  });
}

Deno.test("explain() names the built-in kernel's bugs", () => {
  const symbol = /^page_map/;
  check(recordGuest(buildKernel({ bug: "pxn" }).elf), {
    cause: "pxn",
    level: 3,
    by: "store",
    symbol,
  });
  const late = recordGuest(buildKernel({ bug: "late-vectors" }).elf);
  const found = check(late, { cause: "vectors-not-installed", first: "pxn", by: "reset" });
  assertEquals(found.writer!.position, 0);
  const { writer } = check(recordGuest(buildKernel({ bug: "block-encoding" }).elf), {
    cause: "block-encoding",
    level: 2,
    by: "store",
    symbol,
  });
  assertEquals(writer!.new! & 3n, 3n);
});

Deno.test("explain() at a position takes the fault there, or the outermost being handled", () => {
  const trace = recordGuest(buildKernel({ bug: "pxn" }).elf);
  const session = new Session(trace);
  const first = trace.footer!.detail.firstFault as number;
  assertEquals(explain(session, first + 1)?.event.position, first + 1);
  assertEquals(explain(session, trace.end)?.event.position, first);
  assertEquals(explain(session, 0)?.event.position, first);
});

Deno.test("explain() finds nothing in a boot without faults", () => {
  assertEquals(explain(new Session(recordGuest(buildKernel({}).elf))), undefined);
});

Deno.test({
  name: "explain() gives every writer of a descriptor that was copied byte by byte",
  ignore: !hasToolchain(),
  async fn() {
    const found = check(await recordBug("MEMCPY", "-O1", CASES.MEMCPY), CASES.MEMCPY);
    assertEquals(found.writers.length, 8);
    assertEquals(found.writers[0].bytes, [7]);
    assertEquals(found.writer!.new! & 0xffn, 0x87n);
  },
});

Deno.test({
  name: "explain() shows both walks where the TLB is stale",
  ignore: !hasToolchain(),
  async fn() {
    const { diagnosis } = check(
      await recordBug("STALE_CODE", "-O1", CASES.STALE_CODE),
      CASES.STALE_CODE,
    );
    assertEquals(diagnosis.walk!.at(-1)!.descriptor & 0xffff_f000n, 0x40c0_0000n);
    assertEquals(diagnosis.now!.at(-1)!.descriptor & 0xffff_f000n, 0x4008_0000n);
  },
});

Deno.test("explain() needs no symbols", () => {
  const { elf } = buildKernel({ bug: "block-encoding" });
  const trace = recordGuest(elf, { stripped: true });
  assertEquals(trace.symbols(), []);
  check(trace, { cause: "block-encoding", level: 2, by: "store" });
});

Deno.test({
  name: "explain() names code at its load address in a kernel linked high",
  ignore: !hasToolchain(),
  async fn() {
    const HIGH = 0xffff_0000_0000_0000n;
    const image = await buildGuest({
      source: "../explain/guests/high.c",
      kind: "elf",
      level: "-O1",
      base: HIGH + 0x4020_0000n,
      defines: [
        "MMU_PAGE=12",
        "MMU_BITS=48",
        `HIGH=0x${HIGH.toString(16)}UL`,
      ],
      flags: ["-Wl,--defsym=LOAD=0x40200000", "-Wno-array-bounds"],
      relocates: false,
      bare: false,
    });
    const trace = recordGuest(image, { memory: 128 * 2 ** 20 });
    const found = check(trace, { cause: "pxn", by: "store" });
    assert(found.writer!.pc! < HIGH);
    const names = namesOf(trace, new Symbolizer(trace.symbols(), []));
    assertMatch(names.name(found.writer!.pc!) ?? "", /^map_at|^map_range/);
  },
});
