/**
 * The device tree of the board, as QEMU 7.2 generates it for `virt` (`-machine dumpdtb`).
 *
 * Only devices that exist in this machine get a node: a guest must not be told of a device that
 * does not answer. Phandles are always numbered as if every device existed, so that a node that is
 * there equals the reference's. Nodes and properties are made in the reference's order; with every
 * device switched on the blob equals the reference's except for padding behind strings, which is
 * zero here and holds leftovers of earlier edits there.
 */
import { addSecureGpio, addSecureMemoryAndUart, addSplitFlash } from "./secure_nodes.ts";
import { DeviceTree, type TreeNode } from "./flattened_tree.ts";
import { ImageError } from "./image_error.ts";

/** Devices whose nodes can be switched off. The rest (memory, CPUs, PSCI, timer, clock) is always there. */
export type TreeDevice =
  | "flash"
  | "gic"
  | "gic_msi"
  | "pmu"
  | "pl011"
  | "pl031"
  | "pcie"
  | "pl061"
  | "virtio_mmio"
  | "fw_cfg"
  | "platform_bus";

/** Every device of the reference. */
export const REFERENCE_DEVICES: readonly TreeDevice[] = [
  "flash",
  "gic",
  "gic_msi",
  "pmu",
  "pl011",
  "pl031",
  "pcie",
  "pl061",
  "virtio_mmio",
  "fw_cfg",
  "platform_bus",
];

/** Devices that this machine has. A device that is added to the machine is added here. */
export const PRESENT_DEVICES: readonly TreeDevice[] = REFERENCE_DEVICES;

/** Header field `totalsize` of the generated blob: the room that the reference leaves for edits. */
export const DEVICE_TREE_SIZE = 0x100000;

/** Physical address of the first byte of RAM. */
export const RAM_BASE = 0x4000_0000;

/** What the tree describes. */
export interface DeviceTreeOptions {
  /** Bytes of RAM. */
  memory: number;
  /** Kernel command line; none if left out or empty. */
  bootargs?: string | undefined;
  /** Physical addresses of the initial ramdisk: first byte, and first byte behind it. */
  initrd?: { start: number; end: number } | undefined;
  /** Number of CPUs, default 1. */
  cpus?: number | undefined;
  /** `compatible` of the CPUs, default `arm,cortex-a57`. */
  cpuCompatible?: string | undefined;
  /** Version of the interrupt controller, default 2. */
  gic?: 2 | 3 | undefined;
  /** A GICv3 has its ITS; it has if left out. */
  its?: boolean | undefined;
  /** Some of the board is above 4 GiB; it is if left out. */
  highmem?: boolean | undefined;
  /** EL2 exists: PSCI is called by SMC, and the interrupt controller has its virtual part. */
  virtualization?: boolean | undefined;
  /** EL3 exists: flash is split, and there are Secure devices. */
  secure?: boolean | undefined;
  /** No firmware answers PSCI: the guest itself starts at its level. */
  noFirmware?: boolean | undefined;
  /** Values of `/chosen` for guests that want randomness: 8 and 32 bytes. */
  seeds?: { kaslr: Uint8Array; rng: Uint8Array } | undefined;
  /** Devices that get a node, default {@linkcode PRESENT_DEVICES}. */
  devices?: readonly TreeDevice[] | undefined;
}

/** Interrupt specifier: type, and flags (device tree binding of the Arm GIC). */
const SPI = 0;
const PPI = 1;
const EDGE_RISING = 1;
const LEVEL_HIGH = 4;

/** First phandle that the reference gives. */
const FIRST_PHANDLE = 0x8000;
/** CPUs per affinity level 0: the width of a GICv2 target list, or of a GICv3 SGI list. */
const CLUSTER_SIZE = { 2: 8, 3: 16 };

/** Number and spacing of the virtio-mmio slots. */
const VIRTIO_SLOTS = 32;
const VIRTIO_SLOT_SIZE = 0x200;

/** Options with defaults filled in, and the phandles that nodes refer to. */
interface Board {
  tree: DeviceTree;
  root: TreeNode;
  options: DeviceTreeOptions;
  cpus: number;
  gic: 2 | 3;
  /** Flags of a per-CPU interrupt. GICv2 has the target CPUs in bits 15:8. */
  ppiFlags: number;
  phandle: { clock: number; gic: number; msi: number; gpio: number; cpu(index: number): number };
  has(device: TreeDevice): boolean;
}

/** Returns the board's tree. Write it with `write(DEVICE_TREE_SIZE)`. */
export function makeDeviceTree(options: DeviceTreeOptions): DeviceTree {
  const board = makeBoard(options);
  const { root } = board;
  root.set("compatible", "linux,dummy-virt").set("#address-cells", [2]).set("#size-cells", [2]);
  root.set("model", "linux,dummy-virt");
  addChosen(board);
  if (options.secure) root.add("secure-chosen");
  addClock(board);
  addTimer(board);
  addCpus(board);
  const { clock, gpio } = board.phandle;
  if (board.has("flash")) options.secure ? addSplitFlash(root) : addFlash(board);
  if (board.has("gic")) addInterruptController(board);
  if (board.has("pmu")) {
    const pmu = root.add("pmu").set("compatible", "arm,armv8-pmuv3");
    pmu.set("interrupts", [PPI, 7, board.ppiFlags]);
  }
  if (board.has("pl011")) addUart(board);
  if (options.secure) addSecureMemoryAndUart(root, clock);
  if (board.has("pl031")) addRealTimeClock(board);
  if (board.has("pcie")) addPcie(board);
  if (board.has("pl061")) addGpio(board);
  if (options.secure) addSecureGpio(root, clock, gpio + 1);
  if (board.has("virtio_mmio")) addVirtioSlots(board);
  if (board.has("fw_cfg")) {
    const node = root.add("fw-cfg@9020000").set("compatible", "qemu,fw-cfg-mmio");
    node.set("reg", [0, 0x0902_0000, 0, 0x18]).set("dma-coherent", null);
  }
  if (board.has("platform_bus")) addPlatformBus(board);
  describeBoot(board.tree, options);
  return board.tree;
}

/**
 * Adds what the boot loader knows to a tree, generated or given by the user: memory (in place of
 * any memory node), command line, initial ramdisk, and PSCI (in place of any).
 */
export function describeBoot(tree: DeviceTree, options: DeviceTreeOptions): void {
  const { root } = tree;
  const others = root.children.filter(({ name }) => !/^(memory(@.*)?|psci)$/.test(name));
  root.children.splice(0, root.children.length, ...others);
  const memory = root.add(`memory@${RAM_BASE.toString(16)}`).set("device_type", "memory");
  memory.set("reg", [
    ...cells(RAM_BASE, cellCount(root, "#address-cells")),
    ...cells(options.memory, cellCount(root, "#size-cells")),
  ]);
  const chosen = root.child("chosen") ?? root.add("chosen");
  if (options.bootargs) chosen.set("bootargs", options.bootargs);
  if (options.initrd !== undefined) {
    chosen.set("linux,initrd-start", [options.initrd.start]);
    chosen.set("linux,initrd-end", [options.initrd.end]);
  }
  if (options.noFirmware) return;
  const psci = root.add("psci");
  psci.set("compatible", ["arm,psci-1.0", "arm,psci-0.2", "arm,psci"]);
  psci.set("method", options.virtualization ? "smc" : "hvc");
  psci.set("cpu_suspend", [0xc400_0001]).set("cpu_off", [0x8400_0002]);
  psci.set("cpu_on", [0xc400_0003]).set("migrate", [0xc400_0005]);
}

/** Cells per address or size below the root: 1 or 2. */
function cellCount(root: TreeNode, property: string): number {
  const value = root.get(property);
  const count = value?.length === 4 ? new DataView(value.buffer, value.byteOffset).getUint32(0) : 0;
  if (count === 1 || count === 2) return count;
  throw new ImageError(`Device tree: ${property} of the root is ${count}, expected 1 or 2`);
}

/** A number as big-endian cells. RAM ends below 2^32, so one cell always suffices. */
function cells(value: number, count: number): number[] {
  return count === 1 ? [value] : [Math.floor(value / 2 ** 32), value >>> 0];
}

function makeBoard(options: DeviceTreeOptions): Board {
  const tree = new DeviceTree();
  const cpus = options.cpus ?? 1;
  const gic = options.gic ?? 2;
  const devices = new Set(options.devices ?? PRESENT_DEVICES);
  const hasIts = options.its ?? true;
  if (gic === 3 && !hasIts) devices.delete("gic_msi");
  const firstCpu = FIRST_PHANDLE + 1;
  return {
    tree,
    root: tree.root,
    options,
    cpus,
    gic,
    ppiFlags: gic === 2 ? (((1 << cpus) - 1) << 8) | LEVEL_HIGH : LEVEL_HIGH,
    phandle: {
      clock: FIRST_PHANDLE,
      // The reference makes the last CPU's node first.
      cpu: (index) => firstCpu + cpus - 1 - index,
      gic: firstCpu + cpus,
      msi: firstCpu + cpus + 1,
      gpio: firstCpu + cpus + (gic === 3 && !hasIts ? 1 : 2),
    },
    has: (device) => devices.has(device),
  };
}

function addChosen({ root, options }: Board): void {
  const chosen = root.add("chosen");
  if (options.seeds === undefined) return;
  chosen.set("kaslr-seed", options.seeds.kaslr).set("rng-seed", options.seeds.rng);
}

function addClock({ root, phandle }: Board): void {
  const clock = root.add("apb-pclk").set("compatible", "fixed-clock").set("#clock-cells", [0]);
  clock.set("clock-frequency", [24_000_000]).set("clock-output-names", "clk24mhz");
  clock.set("phandle", [phandle.clock]);
}

function addTimer({ root, ppiFlags }: Board): void {
  const timer = root.add("timer").set("compatible", ["arm,armv8-timer", "arm,armv7-timer"]);
  timer.set("always-on", null);
  // Secure physical, non-secure physical, virtual, hypervisor timer.
  timer.set("interrupts", [13, 14, 11, 10].flatMap((line) => [PPI, line, ppiFlags]));
}

function addCpus({ root, cpus, gic, options, phandle }: Board): void {
  const node = root.add("cpus").set("#address-cells", [1]).set("#size-cells", [0]);
  for (let index = cpus - 1; index >= 0; index--) {
    const cpu = node.add(`cpu@${index}`).set("device_type", "cpu");
    cpu.set("compatible", options.cpuCompatible ?? "arm,cortex-a57");
    if (cpus > 1) cpu.set("enable-method", "psci");
    const cluster = CLUSTER_SIZE[gic];
    cpu.set("reg", [(Math.floor(index / cluster) << 8) | index % cluster]);
    cpu.set("phandle", [phandle.cpu(index)]);
  }
  const cores = node.add("cpu-map").add("socket0").add("cluster0");
  for (let index = cpus - 1; index >= 0; index--) {
    cores.add(`core${index}`).set("cpu", [phandle.cpu(index)]);
  }
}

function addFlash({ root }: Board): void {
  const flash = root.add("flash@0").set("compatible", "cfi-flash");
  flash.set("reg", [0, 0, 0, 0x0400_0000, 0, 0x0400_0000, 0, 0x0400_0000]).set("bank-width", [4]);
}

function addInterruptController(board: Board): void {
  const { root, gic, options, phandle } = board;
  root.set("interrupt-parent", [phandle.gic]);
  const node = root.add("intc@8000000").set("#interrupt-cells", [3]);
  node.set("interrupt-controller", null).set("#address-cells", [2]).set("#size-cells", [2]);
  node.set("ranges", null);
  const distributor = [0, 0x0800_0000, 0, 0x1_0000];
  if (gic === 3) {
    node.set("compatible", "arm,gic-v3").set("#redistributor-regions", [1]);
    node.set("reg", [...distributor, 0, 0x080a_0000, 0, 0x00f6_0000]);
  } else {
    node.set("compatible", "arm,cortex-a15-gic");
    const virtualPart = [0, 0x0803_0000, 0, 0x1_0000, 0, 0x0804_0000, 0, 0x1_0000];
    node.set("reg", [
      ...distributor,
      ...[0, 0x0801_0000, 0, 0x1_0000],
      ...(options.virtualization ? virtualPart : []),
    ]);
  }
  if (options.virtualization) node.set("interrupts", [PPI, 9, LEVEL_HIGH]);
  node.set("phandle", [phandle.gic]);
  if (board.has("gic_msi")) addMessageInterrupts(node, board);
}

function addMessageInterrupts(controller: TreeNode, { gic, phandle }: Board): void {
  if (gic === 3) {
    const its = controller.add("its@8080000").set("compatible", "arm,gic-v3-its");
    its.set("msi-controller", null).set("#msi-cells", [1]).set("reg", [
      0,
      0x0808_0000,
      0,
      0x2_0000,
    ]);
    its.set("phandle", [phandle.msi]);
  } else {
    const frame = controller.add("v2m@8020000").set("compatible", "arm,gic-v2m-frame");
    frame.set("msi-controller", null).set("reg", [0, 0x0802_0000, 0, 0x1000]);
    frame.set("phandle", [phandle.msi]);
  }
}

function addUart({ root, phandle }: Board): void {
  const uart = root.add("pl011@9000000").set("compatible", ["arm,pl011", "arm,primecell"]);
  uart.set("reg", [0, 0x0900_0000, 0, 0x1000]).set("interrupts", [SPI, 1, LEVEL_HIGH]);
  uart.set("clocks", [phandle.clock, phandle.clock]).set("clock-names", ["uartclk", "apb_pclk"]);
  root.child("chosen")?.set("stdout-path", "/pl011@9000000");
}

function addRealTimeClock({ root, phandle }: Board): void {
  const rtc = root.add("pl031@9010000").set("compatible", ["arm,pl031", "arm,primecell"]);
  rtc.set("reg", [0, 0x0901_0000, 0, 0x1000]).set("interrupts", [SPI, 2, LEVEL_HIGH]);
  rtc.set("clocks", [phandle.clock]).set("clock-names", "apb_pclk");
}

function addPcie({ root, phandle, has, options: { highmem = true } }: Board): void {
  const node = root.add("pcie@10000000").set("compatible", "pci-host-ecam-generic");
  node.set("device_type", "pci").set("#address-cells", [3]).set("#size-cells", [2]);
  node.set("linux,pci-domain", [0]).set("bus-range", [0, highmem ? 0xff : 0xf]).set(
    "dma-coherent",
    null,
  );
  if (has("gic_msi")) node.set("msi-map", [0, phandle.msi, 0, 0x1_0000]);
  node.set("reg", highmem ? [0x40, 0x1000_0000, 0, 0x1000_0000] : [0, 0x3f00_0000, 0, 0x100_0000]);
  const io = [0x0100_0000, 0, 0, 0, 0x3eff_0000, 0, 0x1_0000];
  const memory = [0x0200_0000, 0, 0x1000_0000, 0, 0x1000_0000, 0, 0x2eff_0000];
  const highMemory = highmem ? [0x0300_0000, 0x80, 0, 0x80, 0, 0x80, 0] : [];
  node.set("ranges", [...io, ...memory, ...highMemory]).set("#interrupt-cells", [1]);
  const map: number[] = [];
  for (let slot = 0; slot < 4; slot++) {
    for (let pin = 0; pin < 4; pin++) {
      // Pins are rotated by the slot number over the four lines from SPI 3.
      const line = 3 + (pin + slot) % 4;
      map.push(slot << 11, 0, 0, pin + 1, phandle.gic, 0, 0, SPI, line, LEVEL_HIGH);
    }
  }
  node.set("interrupt-map", map).set("interrupt-map-mask", [3 << 11, 0, 0, 7]);
}

function addGpio({ root, phandle }: Board): void {
  const gpio = root.add("pl061@9030000").set("reg", [0, 0x0903_0000, 0, 0x1000]);
  gpio.set("compatible", ["arm,pl061", "arm,primecell"]).set("#gpio-cells", [2]);
  gpio.set("gpio-controller", null).set("interrupts", [SPI, 7, LEVEL_HIGH]);
  gpio.set("clocks", [phandle.clock]).set("clock-names", "apb_pclk");
  gpio.set("phandle", [phandle.gpio]);
  const key = root.add("gpio-keys").set("compatible", "gpio-keys").add("poweroff");
  key.set("label", "GPIO Key Poweroff").set("linux,code", [116]).set("gpios", [phandle.gpio, 3, 0]);
}

function addVirtioSlots({ root }: Board): void {
  for (let slot = VIRTIO_SLOTS - 1; slot >= 0; slot--) {
    const base = 0x0a00_0000 + slot * VIRTIO_SLOT_SIZE;
    const node = root.add(`virtio_mmio@${base.toString(16)}`).set("compatible", "virtio,mmio");
    node.set("reg", [0, base, 0, VIRTIO_SLOT_SIZE]);
    node.set("interrupts", [SPI, 16 + slot, EDGE_RISING]).set("dma-coherent", null);
  }
}

function addPlatformBus({ root, phandle }: Board): void {
  const bus = root.add("platform-bus@c000000");
  bus.set("compatible", ["qemu,platform", "simple-bus"]).set("#size-cells", [1]);
  bus.set("#address-cells", [1]).set("ranges", [0, 0, 0x0c00_0000, 0x0200_0000]);
  bus.set("interrupt-parent", [phandle.gic]);
}
