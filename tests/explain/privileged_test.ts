/** Faults at EL2 and EL3, and those that stage 2 makes for a guest at EL1. */
import { assert, assertEquals, assertMatch } from "@std/assert";
import type { MachineOptions } from "../../core/machine.ts";
import { explain, type Explanation } from "../../replay/queries/explain.ts";
import { explanationText } from "../../replay/queries/explain_text.ts";
import { namesOf } from "../../replay/queries/explain_symbols.ts";
import { instructionAt } from "../../replay/queries/writers_instruction.ts";
import { walkAt } from "../../replay/queries/walk_at.ts";
import { Session } from "../../replay/session.ts";
import { Symbolizer } from "../../replay/symbolizer.ts";
import { type Program, program } from "../drivers/program.ts";
import { recordPlan } from "./record_guest.ts";

/**
 * EL2 maps for its guest, in blocks of 2 MiB from IPA 0x4000_0000: its own memory; read-only;
 * never executed; nothing; without the access flag; write-only; a block with bit 1 set. The guest
 * at EL1 then runs `guest`, and `again` behind a call of EL2, which runs `called` for it.
 */
function hypervisor(guest: string, { again = "", called = "", vttbr = "first" } = {}): Program {
  return program(`
start:  ldr x0, =vectors ; msr vbar_el2, x0
        ldr x5, =first + 8 ; ldr x6, =second + 3 ; bl map
        ldr x5, =second
        ldr x6, =0x400007fd ; bl map
        ldr x6, =0x4020077d ; bl map
        ldr x6, =0x400000004007fd ; add x6, x6, #0 ; bl map
        mov x6, #0 ; bl map
        ldr x6, =0x408003fd ; bl map
        ldr x6, =0x40a007bd ; bl map
        ldr x6, =0x40c007ff ; bl map
        ldr x0, =${vttbr} ; msr vttbr_el2, x0 ; ldr x0, =0x80023559 ; msr vtcr_el2, x0
        ldr x0, =0x80000001 ; msr hcr_el2, x0
        ldr x0, =guest ; msr elr_el2, x0 ; mov x0, #0x3c5 ; msr spsr_el2, x0
        isb ; eret
map:    str x6, [x5], #8 ; ret
guest:  ${guest}
        hvc #1
        ${again}
        b .
        .ltorg
        .balign 0x800
vectors: b . ; .space 0x1fc ; b . ; .space 0x1fc
        mrs x9, esr_el2 ; lsr x9, x9, #26 ; cmp x9, #0x16 ; b.ne stop
        ${called}
        eret
stop:   b .
        .ltorg
        .balign 0x1000
first:  .space 0x1000
second: .space 0x1000
empty:  .space 0x1000
stage1: .quad 0x40000701, 0x40000705
        .space 0xff0
`);
}

interface Expected {
  readonly cause: string;
  readonly first?: string;
  readonly level?: number | null;
  readonly by?: string;
  /** Label before the writer's instruction. */
  readonly writer?: string;
  readonly fix?: RegExp | null;
  readonly text: RegExp;
  readonly ipa?: number;
}

function check(guest: Program, expected: Expected, options: Partial<MachineOptions>): Explanation {
  const session = new Session(recordPlan({ ...guest.plan(), kind: "elf" }, options));
  const found = explain(session);
  assert(found, "no fault found");
  const { cause, first = cause, level, by, writer, fix, text, ipa } = expected;
  const words = explanationText(found, {
    symbols: namesOf(session.trace, new Symbolizer([], [])),
    instruction: (position) => instructionAt(session.trace, position),
  });
  assertEquals([found.cause, found.firstCause], [cause, first], words);
  assertMatch(words, text);
  if (level !== undefined) assertEquals(found.level, level, words);
  if (by !== undefined) assertEquals(found.writer?.by, by, words);
  if (writer !== undefined) assertEquals(found.writer?.pc, BigInt(guest.address(writer)), words);
  if (fix) assertMatch(found.fix?.text ?? "", fix);
  if (fix === null) assertEquals(found.fix, null);
  if (ipa !== undefined) {
    assertEquals(found.diagnosis.ipa, ipa);
    session.seek(found.event.position + 1);
    const { HPFAR_EL2 } = session.state().cpus[0].system;
    assertEquals(Number(HPFAR_EL2 >> 4n << 12n), ipa - ipa % 4096);
  }
  return found;
}

const VIRTUAL = { virtualization: true };
const MAPPER = { by: "store", writer: "map", level: 2 };

const CASES: Readonly<Record<string, readonly [Program, Expected]>> = {
  "a write of what is read-only": [
    hypervisor("ldr x1, =0x40200010 ; ldr x2, [x1] ; str x2, [x1]"),
    {
      cause: "permission-stage2",
      ...MAPPER,
      fix: /^set S2AP\[1\] \(bit 7\) of the stage 2 level 2/,
      text: /at stage 2, IPA 0x40200010 may not be written: S2AP\[1\] is clear/,
      ipa: 0x4020_0010,
    },
  ],
  "a read of what is write-only": [
    hypervisor("ldr x1, =0x40a00000 ; str x2, [x1] ; ldr x2, [x1]"),
    {
      cause: "permission-stage2",
      ...MAPPER,
      fix: /^set S2AP\[0\]/,
      text: /may not be read: S2AP\[0\] is clear/,
      ipa: 0x40a0_0000,
    },
  ],
  "a branch to what is never executed": [
    hypervisor("ldr x1, =0x40400000 ; br x1"),
    {
      cause: "permission-stage2",
      ...MAPPER,
      fix: /^clear XN \(bit 54\) of the stage 2 level 2/,
      text: /may not be executed: XN is set/,
      ipa: 0x4040_0000,
    },
  ],
  "an address that is not mapped": [
    hypervisor("ldr x1, =0x40612340 ; ldr x2, [x1]"),
    {
      cause: "not-mapped-stage2",
      ...MAPPER,
      fix: /^map it: with the stage 2 level 2 descriptor at /,
      text: /does not map IPA 0x40612340: the level 2 descriptor is invalid/,
      ipa: 0x4061_2340,
    },
  ],
  "the access flag": [
    hypervisor("ldr x1, =0x40800000 ; ldr x2, [x1]"),
    {
      cause: "access-flag",
      ...MAPPER,
      fix: /^set AF \(bit 10\) of the stage 2 level 2/,
      text: /at stage 2, IPA 0x40800000 has the access flag, AF, clear/,
    },
  ],
  "a block with bit 1 set": [
    hypervisor("ldr x1, =0x40c00000 ; ldr x2, [x1]"),
    {
      cause: "block-encoding",
      ...MAPPER,
      fix: /^clear bit 1 \(table or page\) of the stage 2 level 2/,
      text: /at stage 2: a block descriptor has bit 1 set/,
    },
  ],
  "an address outside of T0SZ": [
    hypervisor("mov x1, #0x8000000000 ; ldr x2, [x1]"),
    {
      cause: "not-mapped-stage2",
      by: "msr",
      text: /0x8000000000 is outside the 39 bits that T0SZ gives/,
    },
  ],
  "a wrong VTTBR_EL2": [
    hypervisor("nop", { vttbr: "empty" }),
    {
      cause: "not-mapped-stage2",
      by: "msr",
      text: /that it names is empty[^]*Who wrote VTTBR_EL2/,
    },
  ],
  "a stage 1 table that is not mapped": [
    hypervisor(`ldr x1, =0x40600000 ; msr ttbr0_el1, x1 ; mov x1, #0x19 ; msr tcr_el1, x1
      mov x1, #1 ; msr sctlr_el1, x1 ; isb ; nop`),
    {
      cause: "not-mapped-stage2",
      ...MAPPER,
      text: /IPA 0x40600008 \(of a stage 1 descriptor\)/,
      ipa: 0x4060_0008,
    },
  ],
  "an address that stage 1 maps and stage 2 does not": [
    hypervisor(`ldr x1, =stage1 ; msr ttbr0_el1, x1 ; mov x1, #0x19 ; msr tcr_el1, x1
      mov x1, #0xff ; msr mair_el1, x1 ; mov x1, #1 ; msr sctlr_el1, x1 ; isb
      ldr x1, =0x600000 ; ldr x2, [x1]`),
    {
      cause: "not-mapped-stage2",
      ...MAPPER,
      ipa: 0x4060_0000,
      text: /\n {2}L1 .*\n {2}stage 2 L1/,
    },
  ],
  "stage 1 of the guest, where stage 2 permits": [
    hypervisor(`ldr x1, =stage1 ; msr ttbr0_el1, x1 ; mov x1, #0x19 ; msr tcr_el1, x1
      mov x1, #0xff ; msr mair_el1, x1 ; mov x1, #1 ; msr sctlr_el1, x1 ; isb
      movz x1, #0x8000, lsl #16 ; ldr x2, [x1]`),
    {
      cause: "vectors-not-installed",
      first: "not-mapped",
      level: 1,
      by: "reset",
      text: /because VBAR_EL1/,
    },
  ],
  "a translation that EL2 changed without TLBI": [
    hypervisor("ldr x1, =0x40200000 ; ldr x2, [x1]", {
      called: `ldr x5, =second + 8 ; ldr x6, =0x40e007fd ; bl map
        ldr x5, =0x40e00000 ; mov x6, #0x40000000 ; str x6, [x5]`,
      again: "ldr x3, [x1] ; br x3",
    }),
    {
      cause: "stale-tlb",
      by: "store",
      writer: "map",
      fix: /TLBI IPAS2E1IS/,
      text: /the TLB still holds/,
    },
  ],
};

for (const [name, [guest, expected]] of Object.entries(CASES)) {
  Deno.test(`explain() under a hypervisor: ${name}`, () => void check(guest, expected, VIRTUAL));
}

/** A program at the highest EL, with its tables on, that runs `code` in the end. */
function monitor(el: 2 | 3, code: string, vectors = true): Program {
  return program(`
start:  ${vectors ? `ldr x0, =vectors ; msr vbar_el${el}, x0` : "nop"}
        ldr x5, =table ; ldr x6, =0x701 ; bl map ; ldr x6, =0x40000705 ; bl map
        ldr x6, =0x40000000000705 ; bl map ; ldr x6, =0x40000785 ; bl map
        ldr x0, =table ; msr ttbr0_el${el}, x0 ; mov x0, #0x19 ; msr tcr_el${el}, x0
        mov x0, #0xff00 ; msr mair_el${el}, x0 ; movz x0, #0x30c5, lsl #16 ; movk x0, #0x0831
        msr sctlr_el${el}, x0 ; isb
        ${code}
        b .
map:    str x6, [x5], #8 ; ret
        .ltorg
        .balign 0x800
vectors: .space 0x200
        b .
        .balign 0x1000
table:  .space 0x1000
`);
}

const OWN: Readonly<Record<string, readonly [string, Expected]>> = {
  "nothing mapped": [
    "mov x1, #0x100000000 ; ldr x2, [x1]",
    { cause: "not-mapped", level: 1, text: /the level 1 descriptor is invalid/ },
  ],
  "XN": [
    "movz x1, #0x8000, lsl #16 ; br x1",
    {
      cause: "uxn",
      level: 1,
      by: "store",
      writer: "map",
      fix: /clear/,
      text: /XN is set: .* EL\d/,
    },
  ],
  "read-only": [
    "movz x1, #0xc000, lsl #16 ; str x1, [x1]",
    { cause: "ap", level: 1, by: "store", writer: "map", fix: /clear AP\[2\]/, text: /AP/ },
  ],
};

for (const el of [2, 3] as const) {
  const shape = el === 2 ? VIRTUAL : { secure: true };
  for (const [name, [code, expected]] of Object.entries(OWN)) {
    Deno.test(`explain() in the regime of EL${el}: ${name}`, () => {
      check(monitor(el, code), expected, shape);
    });
  }
  Deno.test(`explain() names vectors-not-installed at EL${el}`, () => {
    const expected = {
      cause: "vectors-not-installed",
      first: "ap",
      by: "reset",
      text: new RegExp(`because VBAR_EL${el} was never written since reset`),
    };
    check(monitor(el, OWN["read-only"][0], false), expected, shape);
  });
}

Deno.test("explain() names the register that traps FP to EL2", () => {
  const guest = hypervisor("mov x1, #0x300000 ; msr cpacr_el1, x1 ; hvc #2 ; fmov d0, x1", {
    called: "mov x0, #0x400 ; msr cptr_el2, x0 ; isb",
  });
  const found = check(guest, {
    cause: "fp-trapped",
    by: "msr",
    fix: /^clear CPTR_EL2\.TFP/,
    text: /CPTR_EL2\.TFP traps FP/,
  }, VIRTUAL);
  assertEquals(found.event.toEl, 2);
});

Deno.test("explain() says what an illegal exception return asked for", () => {
  const back = "ldr x0, =vectors ; msr vbar_el1, x0 ; ldr x0, =guest ; msr elr_el1, x0";
  const modes: [string, RegExp][] = [
    ["0x1d0", /asks for AArch32, which this machine does not have/],
    ["0x1c9", /asks for EL2, which is above EL1/],
    ["0x1c7", /asks for mode 0x7, which is reserved/],
  ];
  for (const [mode, text] of modes) {
    const guest = hypervisor(`${back} ; mov x0, #${mode} ; msr spsr_el1, x0 ; eret`);
    check(guest, { cause: "undefined", text }, VIRTUAL);
  }
});

Deno.test("walkAt() goes through both stages; the TLB agrees until EL2 changes its tables", () => {
  const guest = hypervisor("ldr x1, =0x40200000 ; ldr x2, [x1]", {
    called: "ldr x5, =second + 8 ; ldr x6, =0x40e007fd ; bl map",
    again: "nop",
  });
  const session = new Session(recordPlan({ ...guest.plan(), kind: "elf" }, VIRTUAL));
  const [call] = session.trace.events({ kinds: new Set(["exception"]) });
  session.seek(call.position);
  const before = walkAt(session, 0x4020_0018n);
  assertEquals([before.walk, before.pa, before.differences], [null, 0x4020_0018, []]);
  assertEquals(before.second?.steps.map(({ level }) => level), [1, 2]);
  assertEquals(before.fill?.translation?.ipa, 0x4020_0000);
  session.seek(session.trace.end);
  const after = walkAt(session, 0x4020_0018n);
  assertEquals([after.pa, after.differences], [0x4020_0018, ["address"]]);
});

// ---- EL2 as a host (FEAT_VHE) and guarded pages (FEAT_BTI) ----

/** Sets HCR_EL2.E2H and TGE and the regime EL2&0 with tables at both ends, and runs `code` at EL2. */
function host(code: string): Program {
  return program(`
start:  ldr x0, =vectors ; msr vbar_el2, x0 ; ldr x0, =0x488000000 ; msr hcr_el2, x0 ; isb
        ldr x0, =low ; msr ttbr0_el1, x0 ; ldr x0, =high ; msr ttbr1_el1, x0
        ldr x0, =0x280193519 ; msr tcr_el1, x0
        mov x0, #0xff ; msr mair_el1, x0 ; mov x0, #0x300000 ; msr cpacr_el1, x0
        isb ; mrs x0, sctlr_el1 ; orr x0, x0, #1 ; msr sctlr_el1, x0 ; isb
        ${code}
        b .
        .ltorg
        .balign 0x800
vectors: .space 0x200
        b .
        .balign 0x1000
low:    .quad 0x401, 0x4000040000701
        .space 0xff0
high:   .space 0x1000
`);
}

const HOST = { virtualization: true, cpu: "max" } as const;

Deno.test("explain() names a host's upper table by TTBR1_EL2's walk", () => {
  const found = check(host("movn x1, #0x7f, lsl #32 ; ldr x2, [x1]"), {
    cause: "not-mapped",
    level: 1,
    text: /no translation: the level 1 descriptor is invalid/,
  }, HOST);
  assertEquals([found.event.fromEl, found.event.toEl], [2, 2]);
});

Deno.test("explain() names CPTR_EL2.FPEN where a host traps FP", () => {
  check(host("msr cpacr_el1, xzr ; isb ; fmov d0, x1"), {
    cause: "fp-trapped",
    by: "msr",
    fix: /^set CPTR_EL2\.FPEN/,
    text: /CPTR_EL2\.FPEN traps FP/,
  }, HOST);
});

Deno.test("explain() names a branch to what is no target of it", () => {
  check(host("adr x1, target ; blr x1 ; b . \ntarget: nop"), {
    cause: "branch-target",
    text: /BLR to an instruction of a guarded page that is no target of BLR/,
  }, HOST);
});
