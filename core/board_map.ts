/** Where the devices of QEMU's `virt` board stand, and their interrupts (hw/arm/virt.c). */

/** Physical address of RAM. */
export const RAM_BASE = 0x4000_0000;

/** Where the devices stand. */
export const BASE = {
  flash: [0, 0x0400_0000],
  gicDistributor: 0x0800_0000,
  gicCpuInterface: 0x0801_0000,
  gicV2m: 0x0802_0000,
  gicHypervisorInterface: 0x0803_0000,
  gicVirtualCpuInterface: 0x0804_0000,
  its: 0x0808_0000,
  gicRedistributors: 0x080a_0000,
  uart: 0x0900_0000,
  rtc: 0x0901_0000,
  fwCfg: 0x0902_0000,
  gpio: 0x0903_0000,
  secureUart: 0x0904_0000,
  secureGpio: 0x090b_0000,
  virtio: 0x0a00_0000,
} as const;
/** Physical address of the UART that only Secure accesses find. */
export const SECURE_UART = BASE.secureUart;
export const FLASH_BANK_BYTES = 0x0400_0000;
/** Windows of the PCI Express host bridge: name, base, bytes. */
export const PCI_WINDOWS = [
  ["pci-memory", 0x1000_0000, 0x2eff_0000],
  ["pci-io", 0x3eff_0000, 0x1_0000],
] as const;
export const PCI_HIGH_MEMORY = ["pci-high-memory", 0x80_0000_0000, 0x80_0000_0000] as const;
export const PCI_CONFIGURATION = { base: 0x40_1000_0000, size: 0x1000_0000 };
/** The same on a board with nothing above 4 GiB. */
export const PCI_LOW_CONFIGURATION = { base: 0x3f00_0000, size: 0x100_0000 };

/** Shared interrupts; interrupt number minus 32. */
export const SPI = { uart: 1, rtc: 2, gpio: 7, virtio: 16, secureUart: 8, secureGpio: 0 } as const;
/** What the lines of the Secure GPIO controller do, from line 0. */
export const POWER_LINES = ["poweroff", "reset"] as const;
/** Line of the GPIO controller that the power key is at. */
export const POWER_KEY_LINE = 3;
/** Private interrupt of the performance monitors. */
export const MONITORS_INTERRUPT = 23;
export const FIRST_SPI = 32;
/** CPUs of a cluster: the targets that one write to GICD_SGIR or ICC_SGI1R_EL1 can name. */
export const CLUSTER = { 2: 8, 3: 16 } as const;
