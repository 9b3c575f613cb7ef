/** A table: every guest, how it is built, how it ends. */
import type { CpuName } from "../../core/cpu_models.ts";
import type { EndReason } from "../../core/machine.ts";
import { type BuildOptions, type ImageKind, type Level, LEVELS } from "./toolchain.ts";

/** A guest before it is built at one of its levels. */
export interface Guest extends Omit<BuildOptions, "level"> {
  /** Unique, for filters and messages. */
  readonly name: string;
  readonly levels: readonly Level[];
  /** How our machine ends it; null where only the bound on steps does. */
  readonly end: EndReason | null;
  /** The reference never ends it. */
  readonly hangs: boolean;
  /** Which exceptions must be equal. */
  readonly exceptions: "all" | "synchronous" | "none";
  /** Steps that our machine is given. */
  readonly steps: number;
  /** RAM in MiB. */
  readonly memory?: number | undefined;
  readonly append?: string | undefined;
  readonly initrd?: Uint8Array | undefined;
  /** Version of the interrupt controller, 2 if left out. */
  readonly gic?: 2 | 3;
  /** A GICv3 has its ITS; some of the board is above 4 GiB. */
  readonly its?: boolean;
  readonly highmem?: boolean;
  /** The processor; a Cortex-A57 if left out. */
  readonly cpu?: CpuName;
  /** How many processors; 1 if left out. */
  readonly cpus?: number;
  /** The processor has EL2; has EL3. */
  readonly virtualization?: boolean;
  readonly secure?: boolean;
  /** Devices behind virtio transports. */
  readonly virtio?: boolean;
  /** What is typed on the console. */
  readonly input?: string | undefined;
  /** Semihosting, with the files of a directory that has an empty folder. */
  readonly semihosting?: boolean;
  /** Bytes of a disk that holds a pattern. */
  readonly disk?: number;
  /** The reference has no ACPI tables, which our machine never has. */
  readonly withoutAcpi?: boolean;
  /** Behind this text the guest waits, each time, for the power key to be pressed. */
  readonly pressAfter?: string;
  /** Takes more than a second: only in the long form. */
  readonly slow?: boolean;
}

/** Address of guests that need no other. */
const BASE = 0x4020_0000;
const FLAT_BASE = 0x4008_0000;
const MOST_STEPS = 200_000_000;

/** A gzip'd tar archive: what a ramdisk usually is. */
const ARCHIVE = Deno.readFileSync(new URL("programs/archive.tar.gz", import.meta.url));

/** Fields of a guest that differ from the usual. */
type Draft = Partial<Guest> & {
  /** Turns the MMU on before main(). */
  mmu?: [page: number, bits: number];
  /** The same, for guests that do it themselves. */
  tables?: [page: number, bits: number];
  file?: string;
};

/** A guest that ends by itself. */
function program(name: string, draft: Draft = {}): Guest {
  const { mmu, tables = mmu, file = name, defines = [], ...rest } = draft;
  const kind: ImageKind = rest.kind ?? "elf";
  return {
    name,
    source: `programs/${file}.c`,
    kind,
    base: kind === "flat" ? FLAT_BASE : BASE,
    flags: [],
    relocates: false,
    bare: false,
    levels: LEVELS,
    end: "poweroff",
    hangs: false,
    exceptions: "all",
    steps: MOST_STEPS,
    ...rest,
    defines: [
      ...(mmu ? ["MMU"] : []),
      ...(tables ? [`MMU_PAGE=${tables[0]}`, `MMU_BITS=${tables[1]}`] : []),
      ...(kind.startsWith("image") && !defines.some((name) => name.startsWith("TEXT_OFFSET"))
        ? ["IMAGE_FLAGS=0xa", "TEXT_OFFSET=0"]
        : []),
      ...defines,
    ],
  };
}

/** Several processors; which is interrupted where is up to their turns. */
function smp(name: string, cpus: number, draft: Draft, defines: string[] = []): Guest {
  return program(name, {
    file: "smp",
    cpus,
    mmu: [12, 39],
    defines: [`CPUS=${cpus}`, ...(draft.gic === 3 ? ["GIC3"] : []), ...defines],
    levels: ["-O2"],
    exceptions: "none",
    slow: cpus !== 4 && draft.levels === undefined,
    ...draft,
  });
}

/** A guest that never gets anywhere. */
function broken(name: string, end: EndReason | null, draft: Draft = {}): Guest {
  const { file = name, ...rest } = draft;
  return program(name, {
    source: `broken/${file}.c`,
    end,
    hangs: true,
    steps: 20_000_000,
    ...rest,
  });
}

/** Granule, bits of the low range and of the high range. */
const GRANULES = [
  [12, 39, 39],
  [12, 48, 48],
  [12, 36, 40],
  [12, 31, 25],
  [14, 36, 36],
  [14, 47, 47],
  [14, 48, 48],
  [16, 42, 42],
  [16, 48, 48],
  [16, 36, 39],
] as const;

/** A kernel linked at the upper half of a space and loaded low. */
function upperHalf(page: number, bits: number): Draft {
  const high = 2n ** 64n - 2n ** BigInt(bits);
  return {
    tables: [page, bits],
    defines: [`HIGH=0x${high.toString(16)}UL`],
    base: high + BigInt(BASE),
    flags: [`-Wl,--defsym=LOAD=0x${BASE.toString(16)}`, "-Wno-array-bounds"],
  };
}

/** A stack that runs over the code being executed would end differently on the two. */
const LOW_STACK = { defines: ["LOW_STACK"] };

/** A broken guest that ends all the same. */
const ENDS = { hangs: false } as const;

/** Values of TTBR0; `works` where a machine with the tables in their right place goes on. */
const WRONG_TTBR: Record<string, Wrong> = {
  unaligned: { value: "((u64)identity.root | 0x800)", works: true },
  next: { value: "((u64)identity.root + 0x1000)" },
  device: { value: "0x09000000UL" },
  flash: { value: "0x0UL" },
  zeroes: { value: "0x45000000UL" },
  hole: { value: "0x50000000UL" },
  high: { value: "((u64)identity.root | 1UL << 45)" },
  cnp: { value: "((u64)identity.root | 1)", works: true },
};

/** Bits of TCR that are turned over. */
const WRONG_TCR: Record<string, Wrong> = {
  "t0sz-24": { value: "(25 ^ 24)" },
  "t0sz-16": { value: "(25 ^ 16)" },
  "t0sz-32": { value: "(25 ^ 32)", works: true },
  "t0sz-34": { value: "(25 ^ 34)" },
  "t0sz-39": { value: "(25 ^ 39)" },
  "t0sz-0": { value: "25" },
  "t0sz-63": { value: "(25 ^ 63)" },
  "granule-64k": { value: "(1UL << 14)" },
  "granule-16k": { value: "(2UL << 14)", works: true },
  "granule-3": { value: "(3UL << 14)", works: true },
  epd0: { value: "(1UL << 7)" },
  "ips-0": { value: "(4UL << 32)", works: true },
  "ips-7": { value: "(3UL << 32)", works: true },
  tbi: { value: "(1UL << 37)", works: true },
  a1: { value: "(1UL << 22)", works: true },
};

/** A wrong value that a guest is built with, and whether it gets along with it. */
interface Wrong {
  readonly value: string;
  readonly works?: boolean;
}

/** All of them. */
export const GUESTS: readonly Guest[] = [
  program("hello"),
  program("hello-flat", { file: "hello", kind: "flat" }),
  program("hello-image", { file: "hello", kind: "image" }),
  program("hello-image-gz", { file: "hello", kind: "image.gz" }),
  program("idregs"),
  program("sysreg_scan", { slow: true }),
  ...(["cortex-a35", "cortex-a53", "cortex-a72", "cortex-a76", "neoverse-n1"] as const).flatMap((
    cpu,
  ) => [
    program(`idregs-${cpu}`, { file: "idregs", cpu, levels: ["-O2"] }),
    program(`sysreg_scan-${cpu}`, { file: "sysreg_scan", cpu, levels: ["-O2"], slow: true }),
  ]),
  ...["HPD", "E0PD"].map((control) =>
    program(`permissions-${control.toLowerCase()}`, {
      file: "permissions",
      cpu: "max",
      tables: [12, 39],
      defines: [control],
      levels: ["-O2"],
      slow: true,
    })
  ),
  ...([[14, 36], [14, 47], [14, 48], [12, 48], [16, 42]] as const).map(([page, bits]) =>
    program(`granules-max-${page}-${bits}`, {
      file: "granules",
      cpu: "max",
      tables: [page, bits],
      defines: [`HIGH_BITS=${bits}`],
      levels: ["-O2"],
    })
  ),
  program("big_endian", { simd: true, levels: ["-O1"] }),
  program("big_endian-lse", {
    file: "big_endian",
    cpu: "max",
    simd: true,
    tables: [12, 39],
    flags: ["-march=armv8.1-a"],
    defines: ["LSE", "TABLES"],
    levels: ["-O1"],
  }),
  program("pauth", { cpu: "max", tables: [12, 39], levels: ["-O1", "-O2"] }),
  program("pan", { cpu: "max", tables: [12, 39], levels: ["-O1", "-O2"] }),
  program("sysreg_write"),
  ...(["cortex-a57", "cortex-a76"] as const).flatMap((cpu) => [
    program(`sysreg_high-el2-${cpu}`, {
      file: "sysreg_high",
      cpu,
      virtualization: true,
      levels: ["-O2"],
      exceptions: "none",
      slow: true,
    }),
    ...[false, true].map((virtualization) =>
      program(`sysreg_high-el3-${virtualization ? "el2-" : ""}${cpu}`, {
        file: "sysreg_high",
        cpu,
        virtualization,
        secure: true,
        gic: 3,
        defines: ["EL3"],
        levels: ["-O2"],
        exceptions: "none",
        slow: true,
      })
    ),
  ]),
  program("strings", { slow: true }),
  program("strings-mmu", { file: "strings", mmu: [12, 39], slow: true }),
  program("crc", { flags: ["-march=armv8-a+crc"] }),
  program("alignment", { flags: ["-mstrict-align"] }),
  program("printf"),
  program("heap", { slow: true }),
  program("sorting"),
  program("switches"),
  program("recursion"),
  program("wide"),
  program("digests"),
  program("atomics"),
  program("exceptions"),
  program("selfmod"),
  program("selfmod-lax", { file: "selfmod", defines: ["NO_MAINTENANCE"] }),
  ...GRANULES.map(([page, bits, high]) =>
    program(`granules-${page}-${bits}-${high}`, {
      file: "granules",
      tables: [page, bits],
      defines: [`HIGH_BITS=${high}`],
      levels: ["-O1", "-O2"],
      // The processor has no 16 KB granule: nothing is mapped once the MMU is on.
      ...(page === 14 ? { end: "loop", hangs: true } : {}),
    })
  ),
  program("permissions-4k", { file: "permissions", tables: [12, 39], slow: true }),
  program("permissions-64k", { file: "permissions", tables: [16, 42], slow: true }),
  program("el0_traps", { tables: [12, 48] }),
  program("tlb"),
  program("psci"),
  ...[2, 4, 8].map((cpus) => smp(`smp-${cpus}`, cpus, { levels: LEVELS })),
  ...[2, 4, 8].flatMap((cpus) => [
    smp(`smp-${cpus}-gic3`, cpus, { gic: 3 }),
    smp(`smp-${cpus}-lse`, cpus, { cpu: "max", gic: 3, flags: ["-march=armv8.1-a"] }),
    smp(`smp-${cpus}-el2`, cpus, { virtualization: true }, ["DROP", "PSCI_SMC"]),
    smp(`smp-${cpus}-el2-gic3`, cpus, { virtualization: true, gic: 3 }, ["DROP", "PSCI_SMC"]),
    smp(`smp-${cpus}-el3`, cpus, { secure: true, gic: 3 }, ["DROP", "EL3", "PARK", "PSCI_SMC"]),
  ]),
  program("psci-reset", { file: "psci", defines: ["RESET"], end: "reset" }),
  program("devicetree", { kind: "image" }),
  program("devicetree-initrd", {
    file: "devicetree",
    kind: "image.gz",
    memory: 256,
    append: "console=ttyAMA0 root=/dev/ram0 quiet",
    initrd: new TextEncoder().encode("what the ramdisk holds\n"),
  }),
  program("devicetree-1g", { file: "devicetree", kind: "flat", memory: 1024 }),
  program("devicetree-elf", { file: "devicetree" }),
  program("relocate-flat", { file: "relocate", kind: "flat", base: 0, relocates: true }),
  program("relocate-image", { file: "relocate", kind: "image", base: 0, relocates: true }),
  ...([[12, 48], [12, 39], [16, 42]] as const).map(([page, bits]) =>
    program(`kernel-${page}-${bits}`, { file: "kernel", ...upperHalf(page, bits) })
  ),
  program("kernel-preempt", {
    file: "kernel",
    ...upperHalf(12, 48),
    defines: ["HIGH=0xffff000000000000UL", "PREEMPT"],
  }),
  program("threads", { defines: ["TIMER_IRQ=27", "QUANTUM=500"] }),
  program("threads-mmu", {
    file: "threads",
    mmu: [12, 39],
    defines: ["TIMER_IRQ=30", "QUANTUM=300"],
  }),
  program("counter"),
  program("timers"),
  program("timer_poll"),
  program("gic"),
  program("gic3", { gic: 3 }),
  ...["idregs", "sysreg_scan", "sysreg_write", "probe_memory", "psci"].map((file) =>
    program(`${file}-gic3`, { file, gic: 3, slow: file === "sysreg_scan" })
  ),
  ...["devicetree", "probe_memory"].map((file) =>
    program(`${file}-low`, {
      file,
      kind: "image",
      gic: 3,
      its: false,
      highmem: false,
      levels: ["-O2"],
    })
  ),
  program("devicetree-gic3", { file: "devicetree", kind: "image", gic: 3 }),
  program("its", { gic: 3, exceptions: "synchronous" }),
  ...[1, 2].map((seed) =>
    program(`its_random-${seed}`, {
      file: "its_random",
      gic: 3,
      defines: [`SEED=0x243f6a8885a308d${seed}UL`, "ROUNDS=20000"],
      levels: ["-O2"],
      exceptions: "none",
    })
  ),
  ...[1, 2, 3].map((seed) =>
    program(`gic3_random-${seed}`, {
      file: "gic3_random",
      gic: 3,
      defines: [`SEED=0x9e3779b97f4a7c1${seed}UL`, "ROUNDS=30000"],
      levels: ["-O2"],
      exceptions: "none",
    })
  ),
  ...([2, 3] as const).map((gic) =>
    program(`gic_virtual-${gic}`, {
      file: "gic_virtual",
      gic,
      virtualization: true,
      defines: ["SEED=0x13198a2e03707344UL", "ROUNDS=20000", ...(gic === 3 ? ["GIC3"] : [])],
      levels: ["-O2"],
      exceptions: "none",
    })
  ),
  ...([2, 3] as const).map((gic) =>
    program(`gic_secure-${gic}`, {
      file: "gic_secure",
      gic,
      secure: true,
      end: "loop",
      hangs: true,
      defines: ["EL3", "SEED=0xa4093822299f31d0UL", "ROUNDS=20000", ...(gic === 3 ? ["GIC3"] : [])],
      levels: ["-O2"],
      exceptions: "none",
    })
  ),
  program("gic_secure-el2", {
    file: "gic_secure",
    gic: 3,
    secure: true,
    virtualization: true,
    end: "loop",
    hangs: true,
    defines: ["EL3", "WITH_EL2", "GIC3", "SEED=0x082efa98ec4e6c89UL", "ROUNDS=20000"],
    levels: ["-O2"],
    exceptions: "none",
  }),
  program("user_under_el2", { virtualization: true }),
  program("uart_irq"),
  program("rtc_alarm"),
  // When the key is pressed is up to the host.
  program("power_key", { pressAfter: "press now\n", exceptions: "synchronous" }),
  program("uart_input", {
    input: "1 2 +\n6 7 * 2 -\n100 7 /\n3 4 5 * +\n12345678901 1 -\nquit\n",
    // When a byte comes is up to the host.
    exceptions: "synchronous",
  }),
  program("probe_memory"),
  program("fp_lazy"),
  program("devices"),
  program("flash_random"),
  ...["RTC", "GPIO", "FW_CFG", "ECAM", "FLASH", "VIRTIO", "DISK"].map((device) =>
    program(`board_random-${device.toLowerCase()}`, {
      file: "board_random",
      defines: [`DEVICE=${device}`],
      withoutAcpi: device === "FW_CFG",
      ...device === "DISK" ? { disk: 200_000 * 512 } : {},
      exceptions: "none",
      levels: ["-O2"],
    })
  ),
  program("semihosting", { semihosting: true }),
  program("virtio", { virtio: true }),
  ...([
    ["console", 3, 31, 1000],
    ["console", 3, 31, 30],
    ["rng", 4, 30, 30],
    ["blk", 2, 31, 1000],
    ["blk", 2, 31, 30],
  ] as const).map(([name, id, slot, faults]) =>
    program(`virtio_random-${name}-${faults}`, {
      file: "virtio_random",
      ...name === "blk" ? { disk: 36 * 512 } : { virtio: true },
      defines: [
        ...[`DEVICE=${id}`, `SLOT_NUMBER=${slot}`, `FAULTS=${faults}`, "SEED=0x9e3779b97f4a7c15UL"],
        ...name === "console" ? [] : ["SLEEP=1"],
      ],
      levels: ["-O2"],
      exceptions: "none",
      // When the others answer is up to the host.
      slow: name !== "console",
    })
  ),
  program("virtio_input", { file: "virtio", virtio: true, defines: ["INPUT"], input: "abcdef" }),
  program("mmu_off"),
  program("selfmap"),
  program("trampoline"),
  program("archive", { kind: "image", initrd: ARCHIVE }),
  program("archive-elf", { file: "archive", kind: "flat", initrd: ARCHIVE, memory: 512 }),
  program("lisp"),
  program("lisp-mmu", { file: "lisp", mmu: [16, 42] }),
  program("pmu"),
  program("pmu_levels"),
  ...(["cortex-a76", "max"] as const).map((cpu) =>
    program(`pmu_long-${cpu}`, {
      file: "pmu_long",
      cpu,
      virtualization: true,
      defines: cpu === "max" ? [] : ["SHORT"],
      levels: ["-O2"],
    })
  ),
  ...["strings", "crc", "printf", "heap", "sorting", "switches", "recursion", "wide", "digests"]
    .map((file) =>
      program(`${file}-simd`, {
        file,
        simd: true,
        flags: file === "crc" ? ["-march=armv8-a+crc"] : [],
        levels: ["-O2", "-O3"],
        slow: file === "strings" || file === "heap",
      })
    ),
  program("floating", { simd: true, flags: ["-fno-math-errno"] }),
  program("hello-low", { file: "hello", base: 0x4000_0000 }),
  program("hello-512k", { file: "hello", base: 0x4008_0000 }),
  program("hello-high", { file: "hello", base: 0x47f0_0000 }),
  program("hello-64m", { file: "hello", base: 0x43e0_0000, memory: 64 }),
  program("hello-3g", { file: "hello", base: 0xf000_0000, memory: 3072 }),
  program("selfmod-3g", { file: "selfmod", base: 0xc800_0000, memory: 3072, slow: true }),
  program("recursion-3g", { file: "recursion", base: 0xfff0_0000, memory: 3072, slow: true }),
  program("hello-image-offset", {
    file: "hello",
    kind: "image",
    base: 0x4008_0000,
    defines: ["TEXT_OFFSET=0x80000", "IMAGE_FLAGS=0"],
  }),
  broken("forever", "loop"),
  broken("pxn", "loop"),
  broken("uxn_user", "fault-storm"),
  broken("no_vectors", "loop"),
  broken("no_vectors-mmu", "loop", { file: "no_vectors", tables: [12, 39] }),
  broken("block_encoding", "poweroff", ENDS),
  ...Object.entries(WRONG_TTBR).map(([name, where]) =>
    broken(`wrong_ttbr-${name}`, where.works ? "poweroff" : "loop", {
      file: "wrong_ttbr",
      defines: [`WHERE=${where.value}`, `TEXT="${name}"`],
      hangs: !where.works,
    })
  ),
  ...Object.entries(WRONG_TCR).map(([name, change]) =>
    broken(`wrong_tcr-${name}`, change.works ? "poweroff" : "loop", {
      file: "wrong_tcr",
      defines: [`CHANGE=${change.value}`],
      hangs: !change.works,
    })
  ),
  broken("unaligned_vbar", "fault-storm", { defines: ["OFFSET=0x800"] }),
  broken("unaligned_vbar-400", "loop", { file: "unaligned_vbar", defines: ["OFFSET=0x400"] }),
  broken("unaligned_vbar-420", "loop", { file: "unaligned_vbar", defines: ["OFFSET=0x420"] }),
  broken("stack_overflow", "fault-storm"),
  broken("stack_overflow_rom", "fault-storm", LOW_STACK),
  broken("faulting_handler", "interrupted", LOW_STACK),
  broken("null_call", "poweroff", ENDS),
  broken("null_call-mmu", "poweroff", { file: "null_call", tables: [12, 39], ...ENDS }),
  broken("endless_print", "interrupted"),
  broken("endless_same", "loop"),
  broken("wfi", "halted", { defines: ['HOW="wfi"'] }),
  broken("wfe", "loop", { file: "wfi", defines: ['HOW="wfe"'] }),
  broken("no_access_flag", "fault-storm"),
  broken("missing_tlbi", "poweroff", ENDS),
  broken("device_stack", "poweroff", ENDS),
  broken("jump_to_data", "poweroff", ENDS),
  broken("overwrites_itself-0", "loop", { file: "overwrites_itself", defines: ["FILL=0"] }),
  broken("overwrites_itself-91", "loop", { file: "overwrites_itself", defines: ["FILL=0x91"] }),
  broken("irq_storm", null),
  broken("deadlock", "loop"),
  broken("illegal_eret", "fault-storm"),
  broken("user_in_kernel_page", null),
  broken("wrong_uart", "fault-storm", LOW_STACK),
  broken("recursive_panic", "fault-storm", LOW_STACK),
  broken("undefined_fp", "fault-storm", LOW_STACK),
  broken("reset_loop", "reset", ENDS),
  broken("loads_dtb_null", "poweroff", ENDS),
  broken("tables_overwritten", "loop"),
  broken("wxn", "loop"),
  broken("user_writable_kernel", "loop"),
  broken("table_attributes-pxn", "loop", { file: "table_attributes", defines: ["BITS=(1UL<<59)"] }),
  broken("table_attributes-ro", "fault-storm", {
    file: "table_attributes",
    defines: ["BITS=(2UL<<61)"],
  }),
  broken("unmapped_uart", "fault-storm", LOW_STACK),
  ...[[1, 36], [2, 40], [3, 33], [3, 47]].map(([level, bit]) =>
    broken(`address_size-${level}-${bit}`, "poweroff", {
      file: "address_size",
      defines: [`LEVEL=${level}`, `BIT=${bit}`],
      ...ENDS,
    })
  ),
  broken("sp_zero", "fault-storm"),
];
