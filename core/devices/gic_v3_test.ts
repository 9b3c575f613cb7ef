import { assertEquals } from "@std/assert";
import { GicV3 } from "./gic_v3.ts";
import type { IccAccess } from "./gic_v3_cpu_interface.ts";
import { TestLine } from "./test_line.ts";

const MEMORY_BASE = 0x4000_0000;
const FRAME = 0x2_0000;
/** Registers of the second frame of a redistributor. */
const IGROUPR0 = 0x1_0080, ISENABLER0 = 0x1_0100, ISPENDR0 = 0x1_0200, IPRIORITYR = 0x1_0400;
const PROPBASER = 0x70, PENDBASER = 0x78;
const TABLES = {
  configuration: MEMORY_BASE,
  pending: [MEMORY_BASE + 0x2_0000, MEMORY_BASE + 0x4_0000],
  devices: MEMORY_BASE + 0x6_0000,
  collections: MEMORY_BASE + 0x6_1000,
  events: MEMORY_BASE + 0x6_2000,
  queue: MEMORY_BASE + 0x6_4000,
} as const;
const VALID = 1n << 63n;

/** Non-secure EL1 of a processor without EL2. */
const EL1: IccAccess = {
  el: 1,
  secureBelowEl3: false,
  imo: false,
  fmo: false,
  irqToEl3: false,
  fiqToEl3: false,
};
/** EL1 under a hypervisor that has the virtual interface in place of the physical one. */
const GUEST: IccAccess = { ...EL1, imo: true, fmo: true };
const EL2: IccAccess = { ...EL1, el: 2 };

function make(cpuCount = 1, security = false) {
  const requester = { cpu: 0, secure: false };
  const lines = Array.from({ length: cpuCount }, () => ({
    irq: new TestLine(),
    fiq: new TestLine(),
    virtualIrq: new TestLine(),
    virtualFiq: new TestLine(),
  }));
  const bytes = new Uint8Array(0x8_0000);
  const isInside = (address: number, length: number) =>
    address >= MEMORY_BASE && address + length <= MEMORY_BASE + bytes.length;
  const gic = new GicV3({
    distributorBase: 0x800_0000,
    redistributorBase: 0x80a_0000,
    itsBase: 0x808_0000,
    lines,
    // The last CPU is in a cluster of its own.
    affinities: lines.map((_, cpu) => cpu === 3 ? 0x100 : cpu),
    requester,
    security,
    memory: {
      read: (address, length) => {
        const from = address - MEMORY_BASE;
        return isInside(address, length) ? bytes.subarray(from, from + length) : undefined;
      },
      write: (address, data) => {
        if (!isInside(address, data.length)) return false;
        bytes.set(data, address - MEMORY_BASE);
        return true;
      },
    },
  });
  const [distributor, redistributors, its] = gic.devices;
  const icc = gic.interfaces;
  const read = (cpu: number, name: string, access = EL1) => Number(icc[cpu].read(name, access));
  const write = (cpu: number, name: string, value: number | bigint, access = EL1) =>
    icc[cpu].write(name, BigInt(value), access);
  const levels = () => lines.map(({ irq }) => irq.level);
  return {
    ...{ gic, lines, bytes, distributor, redistributors, its, requester },
    ...{ icc, read, write, levels },
  };
}

/** Everything on and in group 1, all priorities let through. */
function enabled(cpuCount = 1) {
  const board = make(cpuCount);
  const { distributor, redistributors, write } = board;
  distributor.write(0, 2, 4);
  for (let i = 1; i < 9; i++) {
    distributor.write(0x80 + 4 * i, ~0, 4);
    distributor.write(0x100 + 4 * i, ~0, 4);
  }
  for (let cpu = 0; cpu < cpuCount; cpu++) {
    redistributors.write(cpu * FRAME + IGROUPR0, ~0, 4);
    redistributors.write(cpu * FRAME + ISENABLER0, ~0, 4);
    write(cpu, "ICC_PMR_EL1", 0xff);
    write(cpu, "ICC_IGRPEN1_EL1", 1);
  }
  return board;
}

/** Tables for two CPUs, an enabled ITS, event `n` of device 0 as LPI 8192 + n in collection 0. */
function withIts() {
  const board = enabled(2);
  const { redistributors, its, bytes } = board;
  let queued = 0;
  const command = (...words: bigint[]) => {
    const view = new DataView(bytes.buffer);
    words.forEach((word, i) =>
      view.setBigUint64(TABLES.queue - MEMORY_BASE + queued + 8 * i, word, true)
    );
    queued += 32;
    its.writeLong!(0x88, queued, 0);
  };
  bytes.fill(0xa1, 0, 8);
  for (const [cpu, pending] of TABLES.pending.entries()) {
    redistributors.writeLong!(cpu * FRAME + PROPBASER, TABLES.configuration | 15, 0);
    redistributors.writeLong!(cpu * FRAME + PENDBASER, pending, 0);
    redistributors.write(cpu * FRAME, 1, 4);
  }
  its.writeLong!(0x100, TABLES.devices, 0x8000_0000);
  its.writeLong!(0x108, TABLES.collections, 0x8000_0000);
  its.writeLong!(0x80, TABLES.queue, 0x8000_0000);
  its.write(0, 1, 4);
  command(8n, 3n, BigInt(TABLES.events) | VALID, 0n);
  command(9n, 0n, 0n | VALID, 0n);
  command(9n, 0n, 1n | (1n << 16n) | VALID, 0n);
  for (let n = 0n; n < 4n; n++) command(10n, n | ((8192n + n) << 32n), 0n, 0n);
  return { ...board, command };
}

Deno.test("GicV3 signals a level-sensitive interrupt until its source is quiet", () => {
  const { gic, read, write, lines: [{ irq }] } = enabled();
  const wire = gic.sharedLine(1);
  wire.set(true);
  assertEquals([irq.level, read(0, "ICC_HPPIR1_EL1"), read(0, "ICC_IAR1_EL1")], [true, 33, 33]);
  assertEquals([irq.level, read(0, "ICC_IAR1_EL1")], [false, 1023]);
  write(0, "ICC_EOIR1_EL1", 33);
  assertEquals(irq.level, true);
  wire.set(false);
  assertEquals(irq.level, false);
});

Deno.test("GicV3 lets a higher priority preempt and drops back afterwards", () => {
  const { gic, distributor, read, write, lines: [{ irq }] } = enabled();
  distributor.write(0x420, 0x8040_8000, 4);
  gic.sharedLine(1).set(true);
  assertEquals([read(0, "ICC_IAR1_EL1"), read(0, "ICC_RPR_EL1")], [33, 0x80]);
  gic.sharedLine(3).set(true);
  assertEquals(irq.level, false);
  gic.sharedLine(2).set(true);
  assertEquals([irq.level, read(0, "ICC_IAR1_EL1"), read(0, "ICC_RPR_EL1")], [true, 34, 0x40]);
  write(0, "ICC_EOIR1_EL1", 34);
  assertEquals(read(0, "ICC_RPR_EL1"), 0x80);
});

Deno.test("GicV3 routes shared interrupts by affinity", () => {
  const { gic, distributor, levels } = enabled(4);
  const wire = gic.sharedLine(8);
  wire.set(true);
  assertEquals(levels(), [true, false, false, false]);
  distributor.writeLong!(0x6000 + 8 * 40, 2, 0);
  assertEquals(levels(), [false, false, true, false]);
  distributor.writeLong!(0x6000 + 8 * 40, 0x100, 0);
  assertEquals(levels(), [false, false, false, true]);
  distributor.writeLong!(0x6000 + 8 * 40, 5, 0);
  assertEquals(levels(), [false, false, false, false]);
});

Deno.test("GicV3 sends SGIs to a list, to a cluster and to all others", () => {
  const { write, read, levels, redistributors } = enabled(4);
  write(1, "ICC_SGI1R_EL1", (5n << 24n) | 0b101n);
  assertEquals(levels(), [true, false, true, false]);
  assertEquals([read(0, "ICC_IAR1_EL1"), read(2, "ICC_IAR1_EL1")], [5, 5]);
  write(0, "ICC_SGI1R_EL1", (6n << 24n) | (1n << 16n) | 1n);
  assertEquals(levels(), [false, false, false, true]);
  write(1, "ICC_SGI1R_EL1", (7n << 24n) | (1n << 40n));
  const pending = [0, 1, 2, 3].map((cpu) => redistributors.read(cpu * FRAME + ISPENDR0, 4));
  assertEquals(pending, [0x80, 0, 0x80, 0xc0]);
});

Deno.test("GicV3 banks private interrupts per CPU", () => {
  const { gic, redistributors, levels, read } = enabled(2);
  redistributors.write(FRAME + IPRIORITYR + 27, 0x20, 1);
  gic.privateLine(1, 27).set(true);
  assertEquals(levels(), [false, true]);
  assertEquals([read(1, "ICC_IAR1_EL1"), read(1, "ICC_RPR_EL1")], [27, 0x20]);
  assertEquals([redistributors.read(IPRIORITYR + 24, 4), redistributors.read(8, 4) & 0x10], [0, 0]);
  assertEquals(redistributors.read(FRAME + 8, 4) & 0x10, 0x10);
});

Deno.test("GicV3 hides Secure interrupts from Non-secure accesses", () => {
  const { distributor, requester } = make(1, true);
  requester.secure = true;
  distributor.write(0x84, 2, 4);
  distributor.write(0x104, 3, 4);
  distributor.write(0x420, 0x8080, 2);
  distributor.write(0x420, 0x9090, 4);
  requester.secure = false;
  assertEquals([distributor.read(0x104, 4), distributor.read(0x84, 4)], [2, 0]);
  assertEquals(distributor.read(0x420, 4), 0x2000);
  distributor.write(0x184, 3, 4);
  requester.secure = true;
  assertEquals(distributor.read(0x104, 4), 1);
});

Deno.test("GicV3 gives a guest the virtual interface, and its hypervisor the maintenance interrupt", () => {
  const { read, write, icc, lines: [line], redistributors } = enabled();
  write(0, "ICH_HCR_EL2", 1 | 8, EL2);
  write(0, "ICH_VMCR_EL2", 0xff00_0002n, EL2);
  assertEquals(redistributors.read(ISPENDR0, 4), 1 << 25);
  const entry = (1n << 62n) | (1n << 60n) | (0x40n << 48n) | 77n;
  write(0, "ICH_LR2_EL2", entry, EL2);
  assertEquals([line.virtualIrq.level, redistributors.read(ISPENDR0, 4)], [true, 0]);
  assertEquals(read(0, "ICC_HPPIR1_EL1", GUEST), 77);
  assertEquals(read(0, "ICC_IAR1_EL1", GUEST), 77);
  assertEquals([line.virtualIrq.level, read(0, "ICC_RPR_EL1", GUEST)], [false, 0x40]);
  assertEquals(read(0, "ICC_RPR_EL1"), 0xff);
  assertEquals(icc[0].read("ICH_LR2_EL2", EL2) >> 62n, 2n);
  write(0, "ICC_EOIR1_EL1", 77, GUEST);
  assertEquals([read(0, "ICH_ELRSR_EL2", EL2), read(0, "ICH_MISR_EL2", EL2)], [0xf, 8]);
});

Deno.test("GicV3 state survives save and restore", () => {
  const board = withIts();
  board.gic.sharedLine(1).set(true);
  board.its.write(0x1_0040, 2, 4);
  board.read(0, "ICC_IAR1_EL1");
  board.write(0, "ICH_LR1_EL2", 0x1234_5678_9abc_def0n, EL2);
  const copy = make(2);
  copy.bytes.set(board.bytes);
  board.gic.devices.forEach((device, i) => copy.gic.devices[i].restore(device.save()));
  assertEquals(
    copy.gic.devices.map((device) => device.save()),
    board.gic.devices.map((device) => device.save()),
  );
  assertEquals(copy.levels(), board.levels());
  for (const { write } of [board, copy]) write(0, "ICC_EOIR1_EL1", 33);
  assertEquals(copy.read(0, "ICC_IAR1_EL1"), board.read(0, "ICC_IAR1_EL1"));
  copy.its.write(0x1_0040, 1, 4);
  assertEquals(copy.read(0, "ICC_HPPIR1_EL1"), 8192 + 1);
});

Deno.test("Its turns messages into LPIs of the collection's CPU", () => {
  const { its, read, write, levels, bytes, command } = withIts();
  const isPending = (cpu: number) => bytes[TABLES.pending[cpu] - MEMORY_BASE + 1024];
  its.write(0x1_0040, 1, 4);
  assertEquals([levels(), isPending(0)], [[true, false], 2]);
  assertEquals([read(0, "ICC_IAR1_EL1"), isPending(0)], [8193, 0]);
  write(0, "ICC_EOIR1_EL1", 8193);
  command(1n, 1n, 1n, 0n);
  its.write(0x1_0040, 1, 4);
  assertEquals([levels(), read(1, "ICC_HPPIR1_EL1")], [[false, true], 8193]);
});

Deno.test("Its moves what is pending with MOVI and MOVALL", () => {
  const { its, levels, read, command } = withIts();
  its.write(0x1_0040, 0, 4);
  its.write(0x1_0040, 2, 4);
  command(1n, 0n, 1n, 0n);
  assertEquals([read(0, "ICC_HPPIR1_EL1"), read(1, "ICC_HPPIR1_EL1")], [8194, 8192]);
  command(14n, 0n, 0n, 1n << 16n);
  assertEquals([levels(), read(0, "ICC_HPPIR1_EL1")], [[false, true], 1023]);
});

Deno.test("Its stalls at a command whose table is no memory, and at no other error", () => {
  const { its, command } = withIts();
  const pointer = () => {
    const into = new Uint32Array(2);
    its.readLong!(0x90, into);
    return into[0];
  };
  const before = pointer();
  command(3n | (77n << 32n), 0n, 0n, 0n);
  assertEquals(pointer(), before + 32);
  command(8n, 3n, 0x3_0000_0000n | VALID, 0n);
  command(3n, 0n, 0n, 0n);
  assertEquals(pointer(), before + 64 | 1);
});
