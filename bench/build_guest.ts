/** The benchmark guests: bare-metal programs under `bench/guest/`, MMU and caches on. */
export const GUESTS = ["sha256", "heap", "bytecode", "flat", "pages", "matmul"] as const;

const COMPILER = "aarch64-linux-gnu-gcc";
const FLAGS = [
  "-O2",
  "-ffreestanding",
  "-nostdlib",
  "-static",
  "-fno-stack-protector",
  "-Wl,--build-id=none,--no-warn-rwx-segments",
];

/** Uses floating point. */
const FLOATING = "matmul";

/**
 * Compiles one guest to an ELF file in `folder`; gives its path.
 *
 * @param rounds how long it works, for those that can be told
 */
export async function buildGuest(name: string, folder: string, rounds?: number): Promise<string> {
  const source = (file: string) => new URL(`guest/${file}`, import.meta.url).pathname;
  const output = `${folder}/${name}.elf`;
  const { success, stderr } = await new Deno.Command(COMPILER, {
    args: [
      ...FLAGS,
      ...(rounds === undefined ? [] : [`-DROUNDS=${rounds}`]),
      ...(name === FLOATING ? [] : ["-mgeneral-regs-only"]),
      "-T",
      source("guest.ld"),
      "-o",
      output,
      source("start.S"),
      source(`${name}.c`),
    ],
    stdout: "null",
    stderr: "piped",
  }).output();
  if (!success) throw new Error(`Cannot compile ${name}: ${new TextDecoder().decode(stderr)}`);
  return output;
}
