/** Builds and records the kernels of `guests/`, with mistakes and without. */
import type { Trace } from "../../trace/mod.ts";
import { recordGuest, type RecordOptions } from "../explain/record_guest.ts";
import { buildGuest, type Compiler, type Level } from "../guests/toolchain.ts";

/** A kernel in C. */
export interface Zoo {
  readonly source: string;
  readonly level: Level;
  readonly compiler?: Compiler;
  readonly defines?: readonly string[];
  readonly flags?: readonly string[];
}

const HIGH = 0xffff_0000_0000_0000n;

/** Builds a kernel. */
export function buildZoo(
  { source, level, compiler = "gcc", defines = [], flags = [] }: Zoo,
): Promise<Uint8Array> {
  const isHigh = source === "upper_half.c";
  return buildGuest({
    source: `../diff/guests/${source}`,
    kind: "elf",
    level,
    compiler,
    base: isHigh ? HIGH + 0x4020_0000n : 0x4020_0000,
    defines: isHigh ? [...defines, "MMU_PAGE=12", "MMU_BITS=48", `HIGH=${HIGH}UL`] : defines,
    flags: [
      ...flags,
      ...isHigh ? ["-Wl,--defsym=LOAD=0x40200000"] : [],
      "-Wno-array-bounds",
      "-Wno-unused-const-variable",
    ],
    relocates: false,
    bare: !isHigh,
  });
}

/** Builds a kernel and records its boot. */
export async function recordZoo(zoo: Zoo, options: RecordOptions = {}): Promise<Trace> {
  const image = await buildZoo(zoo);
  const memory = zoo.source === "upper_half.c" ? { memory: 128 * 2 ** 20 } : {};
  return recordGuest(image, { windowSteps: 1 << 20, ...memory, ...options });
}
