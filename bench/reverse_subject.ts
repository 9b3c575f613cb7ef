/** What `reverse.ts` asks about: how it is recorded here, and how QEMU boots it. */
import { buildKernel } from "../kernel/build.ts";
import { qemuArguments } from "../tests/drivers/qemu.ts";
import { imageCases } from "../tests/guests/images/catalogue.ts";
import { recordImage, referenceArguments } from "../tests/guests/images/run_image.ts";
import { buildGuest, GUESTS } from "./build_guest.ts";

/** A guest to ask about. */
export interface Subject {
  /** QEMU's arguments, with `-icount` and what it says among them. */
  readonly qemu: readonly string[];
  /** Records it; gives the trace's path. */
  record(folder: string): Promise<Recorded>;
}

/** What recording took. */
export interface Recorded {
  readonly path: string;
  readonly milliseconds: number;
  readonly bytes: number;
  /** Most memory of the process, in bytes; null where it is not known. */
  readonly peak: number | null;
}

/**
 * `kernel` (the built-in one), a guest of `build_guest.ts`, or a boot of `deno task guests --images`.
 *
 * @param rounds see {@linkcode buildGuest}
 */
export async function subjectOf(name: string, folder: string, rounds?: number): Promise<Subject> {
  const boot = imageCases().find((boot) => boot.name === name);
  if (boot) {
    return {
      qemu: referenceArguments(boot),
      async record(folder) {
        const { trace, seconds } = await recordImage(boot);
        const path = `${folder}/trace.unboot`;
        await Deno.copyFile(trace, path);
        const { size: bytes } = await Deno.stat(path);
        return { path, milliseconds: seconds * 1000, bytes, peak: null };
      },
    };
  }
  if (name !== "kernel" && !GUESTS.some((guest) => guest === name)) {
    const names = ["kernel", ...GUESTS, ...imageCases().map((boot) => boot.name)];
    throw new Error(`Unknown guest "${name}": expected one of ${names.join(", ")}`);
  }
  const image = name === "kernel" ? `${folder}/kernel.elf` : await buildGuest(name, folder, rounds);
  if (name === "kernel") await Deno.writeFile(image, buildKernel().elf);
  return {
    qemu: qemuArguments(image),
    async record() {
      const path = `${folder}/trace.unboot`;
      const { milliseconds, bytes, peak } = JSON.parse(
        await runScript("run_ours.ts", image, "record", path),
      );
      return { path, milliseconds, bytes, peak };
    },
  };
}

/** Runs a script of this folder; gives what it printed. */
export async function runScript(name: string, ...args: string[]): Promise<string> {
  const { success, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", "--no-check", new URL(name, import.meta.url).pathname, ...args],
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
  }).output();
  if (!success) throw new Error(new TextDecoder().decode(stderr));
  return new TextDecoder().decode(stdout);
}
