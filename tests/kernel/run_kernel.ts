import { buildKernel, type KernelOptions } from "../../kernel/mod.ts";
import { runQemu } from "../drivers/qemu.ts";

/** Directory of the consoles that the kernels must print. */
export const CONSOLES = new URL("../golden/consoles/", import.meta.url);

/** How long a kernel that never ends is given, counted from its last byte. */
const QUIET_MS = 1_000;

/** Boots the kernel on the reference machine. */
export async function runKernel(
  options: KernelOptions,
): Promise<{ text: string; isPoweredOff: boolean }> {
  const { text, end, code } = await runQemu(buildKernel(options).elf, { quietMs: QUIET_MS });
  return { text, isPoweredOff: end === "exit" && code === 0 };
}
