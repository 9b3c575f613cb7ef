/** Builds guests from C and assembly with the system's cross compiler. */

/** Programs and the arguments that make them compile for AArch64; clang links with GNU ld. */
const COMPILERS: Record<Compiler, readonly string[]> = {
  gcc: ["aarch64-linux-gnu-gcc"],
  clang: [
    ...[installed("clang") ? "clang" : "clang-14", "--target=aarch64-linux-gnu"],
    ...["-Wno-unknown-attributes", "-Wno-unknown-warning-option", "-Wno-gnu-alignof-expression"],
    ...["-Wno-unused-command-line-argument", "-Wno-error", "-w"],
  ],
};
const OBJCOPY = "aarch64-linux-gnu-objcopy";
const HERE = new URL(".", import.meta.url).pathname;

/** Sources that every guest is linked with; the linker drops what it does not use. */
const LIBRARY = [
  "start.S",
  "vectors.S",
  "console.c",
  "string.c",
  "power.c",
  "exception.c",
  "mmu.c",
];

/** Optimisation levels that a guest may be built at. */
export const LEVELS = ["-O0", "-O1", "-O2", "-O3", "-Os"] as const;
/** One of {@linkcode LEVELS}. */
export type Level = (typeof LEVELS)[number];

/** What file a guest becomes. `image` has the Linux header, `flat` none; `image.gz` is compressed. */
export type ImageKind = "elf" | "flat" | "image" | "image.gz";

/** Compilers that guests can be built with: LLVM's stands for what other languages compile to, too. */
export type Compiler = "gcc" | "clang";

/** How a guest is built. */
export interface BuildOptions {
  /** `gcc` if left out. */
  readonly compiler?: Compiler;
  /** Source, relative to this directory. */
  readonly source: string;
  readonly kind: ImageKind;
  readonly level: Level;
  /** Address it is linked at. */
  readonly base: number | bigint;
  /** Preprocessor definitions, `NAME` or `NAME=value`. */
  readonly defines: readonly string[];
  /** More arguments for the compiler. */
  readonly flags: readonly string[];
  /** A position-independent executable that relocates itself. */
  readonly relocates: boolean;
  /** The compiler may use vector registers, which are on from the start. */
  readonly simd?: boolean;
  /** The source is all there is: no start code, no library. */
  readonly bare: boolean;
}

/** Whether the cross compiler is installed. */
export function hasToolchain(compiler: Compiler = "gcc"): boolean {
  return installed(COMPILERS.gcc[0]) && installed(COMPILERS[compiler][0]);
}

function installed(program: string): boolean {
  try {
    return new Deno.Command(program, { args: ["--version"], stdout: "null", stderr: "null" })
      .outputSync().success;
  } catch {
    return false;
  }
}

/**
 * Compiles and links a guest.
 *
 * @returns the bytes of the image
 * @throws {Error} with what the compiler said
 */
export async function buildGuest(options: BuildOptions): Promise<Uint8Array> {
  const directory = Deno.makeTempDirSync({ prefix: "unboot-guest-" });
  try {
    const elf = `${directory}/guest.elf`;
    const [program, ...target] = COMPILERS[options.compiler ?? "gcc"];
    await run(program, [...compilerArguments(options), ...target, "-o", elf]);
    if (options.kind === "elf") return Deno.readFileSync(elf);
    const flat = `${directory}/guest.bin`;
    await run(OBJCOPY, ["-O", "binary", elf, flat]);
    const bytes = Deno.readFileSync(flat);
    return options.kind === "image.gz" ? await compress(bytes) : bytes;
  } finally {
    Deno.removeSync(directory, { recursive: true });
  }
}

function compilerArguments(options: BuildOptions): string[] {
  const { source, level, base, defines, flags, relocates, bare, kind, simd } = options;
  const implied = kind.startsWith("image") ? ["IMAGE_HEADER"] : [];
  if (relocates) implied.push("RELOCATE");
  const files = bare ? [source] : [...LIBRARY.map((file) => `lib/${file}`), source];
  return [
    ...[level, "-g", "-std=gnu11", "-Wall", "-Wextra", "-Werror", "-Wno-unused-parameter"],
    ...["-Wno-infinite-recursion"],
    ...["-ffreestanding", "-nostdlib", "-mno-outline-atomics"],
    ...(simd ? ["-DSIMD"] : ["-mgeneral-regs-only"]),
    ...["-ffunction-sections", "-fno-stack-protector", "-fno-asynchronous-unwind-tables"],
    ...(relocates ? ["-fpie", "-pie", "-Wl,--no-dynamic-linker"] : ["-fno-pie", "-static"]),
    ...[...implied, ...defines].map((name) => `-D${name}`),
    ...[`-I${HERE}lib`, "-Wl,--gc-sections", "-Wl,--build-id=none", "-Wl,-z,norelro"],
    ...["-Wl,--no-warn-rwx-segments", "-Wl,-z,max-page-size=4096", `-T${HERE}lib/guest.ld`],
    ...[`-Wl,--defsym=BASE=0x${base.toString(16)}`],
    ...(flags.some((flag) => flag.includes("LOAD="))
      ? []
      : [`-Wl,--defsym=LOAD=0x${base.toString(16)}`]),
    ...flags,
    ...files.map((file) => HERE + file),
    "-lgcc",
  ];
}

async function run(program: string, args: string[]): Promise<void> {
  const { success, stderr } = await new Deno.Command(program, { args }).output();
  if (!success) throw new Error(`${program} failed:\n${new TextDecoder().decode(stderr)}`);
}

async function compress(bytes: Uint8Array): Promise<Uint8Array> {
  const stream = new Blob([bytes as BlobPart]).stream().pipeThrough(new CompressionStream("gzip"));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}
