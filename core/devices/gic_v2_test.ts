import { assertEquals } from "@std/assert";
import { GicV2 } from "./gic_v2.ts";
import { TestLine } from "./test_line.ts";

const GICD_SGIR = 0xf00, GICC_IAR = 0xc, GICC_EOIR = 0x10, GICC_RPR = 0x14, GICC_HPPIR = 0x18;
const GICC_DIR = 0x1000;

function make(cpuCount = 1, security = false) {
  const requester = { cpu: 0, secure: false };
  const lines = Array.from({ length: cpuCount }, () => ({
    irq: new TestLine(),
    fiq: new TestLine(),
    virtualIrq: new TestLine(),
    virtualFiq: new TestLine(),
  }));
  const gic = new GicV2({
    distributorBase: 0x800_0000,
    cpuInterfaceBase: 0x801_0000,
    virtualBases: { hypervisor: 0x803_0000, virtual: 0x804_0000 },
    lines,
    requester,
    security,
  });
  return {
    gic,
    lines,
    d: gic.distributor,
    c: gic.cpuInterface,
    as: (n: number) => requester.cpu = n,
    requester,
  };
}

/** Everything on, all priorities let through. */
function enable({ d, c, as, lines }: ReturnType<typeof make>) {
  d.write(0, 3, 4);
  for (let i = 0; i < 9; i++) d.write(0x100 + 4 * i, 0xffff_ffff, 4);
  lines.forEach((_, cpu) => {
    as(cpu);
    c.write(0, 1, 4);
    c.write(4, 0xff, 4);
  });
  as(0);
}

/** Distributor registers that the random test uses. */
const DISTRIBUTOR = [
  ...[0x000, 0x080, 0x100, 0x104, 0x108, 0x180, 0x184, 0x188, 0x200, 0x204, 0x280, 0x284, 0x300],
  ...[0x304, 0x380, 0x384, 0x400, 0x404, 0x41c, 0x420, 0x424, 0x800, 0x820, 0xc00, 0xc04, 0xc08],
  ...[0xf00, 0xf10, 0xf14, 0xf20, 0xf24, 0x004, 0x008, 0xfd0, 0x51c, 0x520, 0x11c, 0x120, 0x124],
];
/** CPU interface registers, more often those with side effects. */
const CPU_INTERFACE = [
  ...[0x00, 0x04, 0x08, 0x0c, 0x0c, 0x10, 0x14, 0x18, 0x1c, 0xd0, 0xe0, 0xfc, 0x1000, 0x10, 0x0c],
  ...[0x10, 0x0c],
];

/** xorshift32. */
function generator(): () => number {
  let state = 1;
  return () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return state >>> 0;
  };
}

/**
 * 30,000 random accesses and wire changes. The same program ran on the reference; the hash is that
 * of the 16,856 values it read.
 */
Deno.test("GicV2 answers random accesses as the reference", () => {
  const { gic, lines: [{ irq, fiq }], d, c } = make();
  const uart = gic.sharedLine(1), timer = gic.privateLine(0, 30);
  const random = generator();
  let hash = 0x811c9dc5, reads = 0, lastTaken = 0;
  const note = (value: number) => {
    reads++;
    for (const character of `${(value >>> 0).toString(16)}\n`) {
      hash = Math.imul(hash ^ character.charCodeAt(0), 0x01000193);
    }
  };
  d.write(0, 3, 4);
  c.write(0, 3, 4);
  c.write(4, 0xff, 4);
  for (let n = 0; n < 30_000; n++) {
    const operation = random() % 16, choice = random();
    let value = random();
    if (choice & 0x100) value &= random();
    if (choice & 0x200) value &= random() & random();
    const distributor = DISTRIBUTOR[(choice & 0xff) % DISTRIBUTOR.length];
    const cpuInterface = CPU_INTERFACE[(choice & 0xff) % CPU_INTERFACE.length];
    const setsSgi = (distributor & ~0xf) === 0xf20;
    switch (operation) {
      case 0:
      case 1:
      case 2:
        if (distributor === 0) value |= 3;
        // The reference aborts on an SGI that is pending from nobody.
        if (setsSgi) value |= 0x0101_0101;
        d.write(distributor, value >>> 0, 4);
        break;
      case 3:
      case 4:
        note(d.read(distributor, 4));
        break;
      case 5:
        note(d.read(distributor + (value & 3), 1));
        break;
      case 6:
        if (setsSgi) value |= 0x100;
        d.write(distributor + (value & 3), (value >>> 8) & 0xff, 1);
        break;
      case 7:
        if (cpuInterface === 0) value |= 3;
        if (cpuInterface === 4) value |= 0xc0;
        if (cpuInterface !== 0xd0 && cpuInterface !== 0xe0) c.write(cpuInterface, value >>> 0, 4);
        break;
      case 8:
      case 9:
        note(c.read(cpuInterface, 4));
        break;
      case 10: {
        const taken = c.read(GICC_IAR, 4);
        note(taken);
        if ((taken & 0x3ff) < 1020) lastTaken = taken;
        break;
      }
      case 11:
      case 12:
        c.write(GICC_EOIR, lastTaken, 4);
        break;
      case 13:
        timer.set((value & 1) === 1);
        break;
      case 14:
        uart.set((value & 1) === 1);
        break;
      default:
        note((irq.level ? 0x80 : 0) | (fiq.level ? 0x40 : 0));
        note(c.read(GICC_RPR, 4));
        note(c.read(GICC_HPPIR, 4));
    }
  }
  assertEquals([reads, hash >>> 0], [16_856, 0xca67cf0e]);
});

Deno.test("GicV2 signals a level-sensitive interrupt until its source is quiet", () => {
  const board = make();
  enable(board);
  const { gic, c, lines: [{ irq }] } = board;
  const wire = gic.sharedLine(1);
  wire.set(true);
  assertEquals([irq.level, c.read(GICC_HPPIR, 4), c.read(GICC_IAR, 4)], [true, 33, 33]);
  assertEquals([irq.level, c.read(GICC_IAR, 4)], [false, 1023]);
  c.write(GICC_EOIR, 33, 4);
  assertEquals(irq.level, true);
  wire.set(false);
  assertEquals(irq.level, false);
});

Deno.test("GicV2 lets a higher priority preempt and drops back afterwards", () => {
  const board = make();
  enable(board);
  const { gic, d, c, lines: [{ irq }] } = board;
  d.write(0x420 + 1, 0x80, 1);
  d.write(0x420 + 2, 0x40, 1);
  d.write(0x420 + 3, 0x80, 1);
  gic.sharedLine(1).set(true);
  assertEquals([c.read(GICC_IAR, 4), c.read(GICC_RPR, 4)], [33, 0x80]);
  gic.sharedLine(3).set(true);
  assertEquals(irq.level, false);
  gic.sharedLine(2).set(true);
  assertEquals([irq.level, c.read(GICC_IAR, 4), c.read(GICC_RPR, 4)], [true, 34, 0x40]);
  c.write(GICC_EOIR, 34, 4);
  assertEquals(c.read(GICC_RPR, 4), 0x80);
});

Deno.test("GicV2 separates priority drop and deactivation with EOImode", () => {
  const board = make();
  enable(board);
  const { gic, d, c, lines: [{ irq }] } = board;
  c.write(0, 0x201, 4);
  gic.sharedLine(1).set(true);
  c.read(GICC_IAR, 4);
  c.write(GICC_EOIR, 33, 4);
  assertEquals([c.read(GICC_RPR, 4), d.read(0x304, 4), irq.level], [0xff, 2, false]);
  c.write(GICC_DIR, 33, 4);
  assertEquals([d.read(0x304, 4), irq.level], [0, true]);
});

Deno.test("GicV2 sends SGIs between CPUs and tells the sender", () => {
  const board = make(2);
  enable(board);
  const { d, c, lines, as } = board;
  as(1);
  d.write(GICD_SGIR, (1 << 16) | 5, 4);
  assertEquals(lines.map(({ irq }) => irq.level), [true, false]);
  as(0);
  assertEquals(c.read(GICC_IAR, 4), (1 << 10) | 5);
  assertEquals(lines[0].irq.level, false);
  d.write(GICD_SGIR, (1 << 24) | 3, 4);
  assertEquals(lines.map(({ irq }) => irq.level), [false, true]);
});

Deno.test("GicV2 routes shared interrupts by target", () => {
  const board = make(2);
  enable(board);
  const { gic, d, lines } = board;
  gic.sharedLine(1).set(true);
  assertEquals(lines.map(({ irq }) => irq.level), [false, false]);
  d.write(0x821, 2, 1);
  assertEquals(lines.map(({ irq }) => irq.level), [false, true]);
  assertEquals(d.read(0x800, 4), 0x0101_0101);
});

Deno.test("GicV2 gives a guest the virtual interface, and its hypervisor the maintenance interrupt", () => {
  const { gic, d, lines: [line] } = make();
  const [h, v] = gic.virtual;
  h.write(0, 1 | 8, 4);
  h.write(8, 0xf800_0003, 4);
  assertEquals(d.read(0x200, 4), 1 << 25);
  h.write(0x104, 0x1000_0000 | (8 << 23) | 77, 4);
  assertEquals([line.virtualIrq.level, d.read(0x200, 4)], [true, 0]);
  assertEquals([v.read(GICC_HPPIR, 4), v.read(GICC_IAR, 4), v.read(GICC_RPR, 4)], [77, 77, 0x40]);
  assertEquals([line.virtualIrq.level, h.read(0x104, 4) >>> 28], [false, 2]);
  v.write(GICC_EOIR, 77, 4);
  assertEquals([h.read(0x30, 4), h.read(0x10, 4), v.read(GICC_RPR, 4)], [0xf, 8, 0xff]);
});

Deno.test("GicV2 hides group 0 from Non-secure accesses", () => {
  const { d, c, requester } = make(1, true);
  requester.secure = true;
  d.write(0x84, 2, 4);
  d.write(0x104, 3, 4);
  d.write(0x420, 0x9090, 4);
  c.write(4, 0xf0, 4);
  requester.secure = false;
  assertEquals([d.read(0x104, 4), d.read(0x84, 4), d.read(0x420, 4)], [2, 0, 0x2000]);
  assertEquals([c.read(4, 4), d.read(4, 4) & 0x400], [0xe0, 0x400]);
  c.write(4, 0x40, 4);
  requester.secure = true;
  assertEquals(c.read(4, 4), 0xa0);
});

Deno.test("GicV2 state survives save and restore", () => {
  const board = make();
  enable(board);
  board.gic.sharedLine(1).set(true);
  board.gic.privateLine(0, 27).set(true);
  board.c.read(GICC_IAR, 4);
  const copy = make();
  copy.d.restore(board.d.save());
  copy.c.restore(board.c.save());
  assertEquals([copy.d.save(), copy.c.save()], [board.d.save(), board.c.save()]);
  assertEquals(copy.lines[0].irq.level, board.lines[0].irq.level);
  copy.c.write(GICC_EOIR, 27, 4);
  assertEquals(copy.c.read(GICC_IAR, 4), 27);
});
