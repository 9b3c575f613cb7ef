/** Nodes of the device tree for what only Secure software finds: hw/arm/virt.c with `secure=on`. */
import { SECURE_RAM } from "../memory/physical_spaces.ts";
import type { TreeNode } from "./flattened_tree.ts";

const SPI = 0;
const LEVEL_HIGH = 4;
const BANK = 0x0400_0000;

/** The first flash bank is Secure, the second is not. */
export function addSplitFlash(root: TreeNode): void {
  const secure = root.add("secflash@0").set("compatible", "cfi-flash");
  hide(secure.set("reg", [0, 0, 0, BANK]).set("bank-width", [4]));
  const flash = root.add(`flash@${BANK.toString(16)}`).set("compatible", "cfi-flash");
  flash.set("reg", [0, BANK, 0, BANK]).set("bank-width", [4]);
}

/** Secure RAM and the Secure UART, which is the Secure software's console. */
export function addSecureMemoryAndUart(root: TreeNode, clock: number): void {
  const memory = root.add(`secram@${SECURE_RAM.base.toString(16)}`).set("device_type", "memory");
  hide(memory.set("reg", [0, SECURE_RAM.base, 0, SECURE_RAM.bytes]));
  const uart = root.add("pl011@9040000").set("compatible", ["arm,pl011", "arm,primecell"]);
  uart.set("reg", [0, 0x0904_0000, 0, 0x1000]).set("interrupts", [SPI, 8, LEVEL_HIGH]);
  hide(uart.set("clocks", [clock, clock]).set("clock-names", ["uartclk", "apb_pclk"]));
  root.child("secure-chosen")?.set("stdout-path", "/pl011@9040000");
}

/** The Secure GPIO controller, by which firmware switches the machine off. */
export function addSecureGpio(root: TreeNode, clock: number, phandle: number): void {
  const gpio = root.add("pl061@90b0000").set("reg", [0, 0x090b_0000, 0, 0x1000]);
  gpio.set("compatible", ["arm,pl061", "arm,primecell"]).set("#gpio-cells", [2]);
  gpio.set("gpio-controller", null).set("interrupts", [SPI, 0, LEVEL_HIGH]);
  hide(gpio.set("clocks", [clock]).set("clock-names", "apb_pclk").set("phandle", [phandle]));
  for (const [line, what] of ["poweroff", "restart"].entries()) {
    const node = root.add(`gpio-${what}`).set("compatible", `gpio-${what}`);
    hide(node.set("gpios", [phandle, line, 0]));
  }
}

function hide(node: TreeNode): void {
  node.set("status", "disabled").set("secure-status", "okay");
}
