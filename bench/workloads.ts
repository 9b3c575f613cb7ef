/** What `deno task bench` runs: a name, and for each mode a way to run it once. */
import { QEMU_PROGRAM, qemuArguments } from "../tests/drivers/qemu.ts";
import { imageCases } from "../tests/guests/images/catalogue.ts";
import { canFetch } from "../tests/guests/images/fetch_images.ts";
import { bootReference, recordImage } from "../tests/guests/images/run_image.ts";
import { buildGuest } from "./build_guest.ts";

/** One run. */
export interface Measurement {
  readonly milliseconds: number;
  /** Of our modes. */
  readonly instructions?: number;
  /** Bytes of the trace. */
  readonly bytes?: number;
  /** Milliseconds up to the first instruction of the guest, of the process itself. */
  readonly startup?: number;
}

/** The modes, in the order in which they run. */
export const MODES = ["run", "record", "qemu", "icount", "rr"] as const;
/** See {@linkcode MODES}: ours without and with a trace, QEMU without and with icount, and recording. */
export type Mode = (typeof MODES)[number];

/** A thing to run in every mode that it has. */
export interface Workload {
  readonly name: string;
  readonly modes: Partial<Record<Mode, () => Promise<Measurement>>>;
}

const OURS = new URL("run_ours.ts", import.meta.url).pathname;
/** A guest that powers off with its first instructions: `mov w0, #0x84000008; hvc #0`. */
const EMPTY_GUEST = new Uint32Array([0x52b08000, 0x11002000, 0xd4000002, 0x14000000]);
/** Boots of whole systems. */
const IMAGES = ["linux", "u-boot", "edk2-shell"];

/** What the reference takes to start and to end. */
export async function emptyWorkload(folder: string): Promise<Workload> {
  const image = `${folder}/empty.bin`;
  await Deno.writeFile(image, new Uint8Array(EMPTY_GUEST.buffer));
  return guestWorkload("empty", image, folder);
}

/** A program of `bench/guest/`. */
export async function compiledWorkload(name: string, folder: string): Promise<Workload> {
  return guestWorkload(name, await buildGuest(name, folder), folder);
}

/** The boots of whole systems; none where their images cannot be had. */
export function imageWorkloads(folder: string): Workload[] {
  if (!canFetch()) return [];
  const wanted = imageCases().filter(({ name }) => IMAGES.includes(name));
  return wanted.map((boot) => {
    const reference = (icount: string | null) => async () => ({
      milliseconds: (await bootReference(boot, icount)).seconds * 1000,
    });
    return {
      name: boot.name,
      modes: {
        record: async () => {
          const { instructions, seconds, trace } = await recordImage(boot);
          const { size: bytes } = await Deno.stat(trace);
          return { milliseconds: seconds * 1000, instructions, bytes };
        },
        qemu: reference(null),
        icount: reference("shift=0,sleep=off"),
        rr: reference(`shift=0,rr=record,rrfile=${folder}/rr.bin`),
      },
    };
  });
}

function guestWorkload(name: string, image: string, folder: string): Workload {
  const withoutIcount = qemuArguments(image);
  withoutIcount.splice(withoutIcount.indexOf("-icount"), 2);
  const recorded = ["-icount", `shift=0,rr=record,rrfile=${folder}/rr.bin`];
  return {
    name,
    modes: {
      run: () => ours(image, "run", ""),
      record: () => ours(image, "record", `${folder}/bench.unboot`),
      qemu: () => qemu(withoutIcount),
      icount: () => qemu(qemuArguments(image)),
      rr: () => qemu([...withoutIcount, ...recorded]),
    },
  };
}

async function ours(image: string, mode: string, trace: string): Promise<Measurement> {
  const { stdout, success, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", OURS, image, mode, trace],
    stdout: "piped",
    stderr: "piped",
  }).output();
  if (!success) throw new Error(new TextDecoder().decode(stderr));
  return JSON.parse(new TextDecoder().decode(stdout));
}

async function qemu(args: string[]): Promise<Measurement> {
  const start = performance.now();
  await new Deno.Command(QEMU_PROGRAM, { args, stdin: "null", stdout: "null", stderr: "null" })
    .output();
  return { milliseconds: performance.now() - start };
}
