import { largestGap, type SemihostingFiles, type SemihostingOptions } from "./devices/mod.ts";
import type { SemihostingKeys } from "./semihosting_keys.ts";
import type { CpuName } from "./cpu_models.ts";
import type { TranslateOptions } from "./engine/engine_options.ts";
import type { BootPlan } from "./loader/boot.ts";
import type { Media } from "./medium.ts";
import { RAM_BASE } from "./board_map.ts";
import { type VirtioDevices } from "./virt_board.ts";

/** 2000-01-01T00:00:00Z: what the real-time clock shows at `#0` if nothing else is said. */
export const DEFAULT_RTC = 946_684_800;

/** Why a guest stopped. */
export type EndReason =
  | "poweroff"
  | "reset"
  | "loop"
  | "halted"
  | "fault-storm"
  | "max-instructions"
  | "interrupted"
  | "disk-full"
  | "internal-error";

/** How a machine is made. */
export interface MachineOptions {
  /** Bytes of RAM, a multiple of 64 KiB, at most 3 GiB. */
  readonly memoryBytes: number;
  /** How many processors there are, 1 to 8; 1 if left out. */
  readonly cpus?: number;
  /** Whether executed runs are kept for the flow observer; without them it is a little faster. */
  readonly flow?: boolean;
  /** Whether stores are marked, see `Engine.storeMarks`; without it is a little faster. */
  readonly storeMarks?: boolean;
  /** Whether what instructions write to registers is kept, see `Engine.takeResults`; then nothing is translated. */
  readonly results?: boolean;
  /** When hot code is translated, null for never; nothing the guest or a trace can see depends on it. */
  readonly translate?: TranslateOptions | null;
  /** Virtual nanoseconds that each retired instruction takes; 1 if left out. */
  readonly nsPerInstruction?: number;
  /** Make what the reference lets pass fail as the architecture permits. */
  readonly strict?: boolean;
  /** Whether hazards are looked for; if left out, they are. Nothing else depends on it. */
  readonly hazards?: boolean;
  /** What the real-time clock shows at `#0`, in seconds since 1970; 2000-01-01T00:00:00Z if left out. */
  readonly rtc?: number;
  /** Synchronous exceptions that make a fault storm; 1,000 if left out. */
  readonly storm?: number;
  /** SYSTEM_RESETs that boot again before one ends the run; 0 if left out. */
  readonly reboots?: number;
  /** The processor has EL2. */
  readonly virtualization?: boolean | undefined;
  /** The processor has EL3, and the board a Secure address space. */
  readonly secure?: boolean | undefined;
  /** Version of the interrupt controller; 2 if left out. */
  readonly gic?: 2 | 3;
  /** A GICv3 has its ITS; it has if left out. */
  readonly its?: boolean | undefined;
  /** Some of the board is above 4 GiB; it is if left out. */
  readonly highmem?: boolean | undefined;
  /** Goes on where a loop would be proved: for a re-execution, whose end is known. */
  readonly endless?: boolean;
  /** The processor; a Cortex-A57 if left out. */
  readonly cpu?: CpuName;
  /** Extensions beyond Armv8.0-A, for example `FEAT_FP16`, in place of the processor's own. */
  readonly features?: ReadonlySet<string>;
  /** Answers HLT #0xf000; if left out, that is UNDEFINED. */
  readonly semihosting?: SemihostingOptions;
  /** Answers for the host's files; they are refused if left out. */
  readonly semihostingFiles?: SemihostingFiles | undefined;
  /** What was typed when the machine's run was recorded; if left out, what is typed now. */
  readonly semihostingKeys?: SemihostingKeys | undefined;
  /** Contents of flash, disks and fw_cfg's files; none if left out. */
  readonly media?: Media;
  /** Devices behind virtio transports, beside the disks; none if left out. */
  readonly virtio?: VirtioDevices;
}

/** What of a plan a boot needs. */
export type BootedImage = Pick<BootPlan, "segments" | "pc" | "x" | "bigEndian">;

/** What semihosting tells a guest, from what was loaded for it. */
export function semihostingOptions({ name, append, ranges, memory }: {
  name: string;
  append: string | undefined;
  ranges: readonly { address: number; length: number }[];
  memory: number;
}): SemihostingOptions {
  return {
    commandLine: append ? `${name} ${append}` : name,
    heap: largestGap(ranges, RAM_BASE, RAM_BASE + memory),
  };
}
