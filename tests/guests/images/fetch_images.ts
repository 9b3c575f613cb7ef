/**
 * Fetches the packages that the images come from, with apt, into a folder that git ignores.
 *
 *     deno run -A tests/guests/images/fetch_images.ts
 *
 * Nothing is installed and apt's own state is left alone: the arm64 package lists are kept beside
 * the packages. It needs apt-get, apt-cache and dpkg-deb, and the machine's sources of Debian.
 */

/** Where packages and what was made of them are kept. */
export const CACHE: string = new URL("../../../out/images", import.meta.url).pathname;

/** Paths of what the guests are made of. */
export interface Packages {
  /** Linux `Image`. */
  readonly kernel: string;
  /** Folder of its modules, with `kernel/` in it. */
  readonly modules: string;
  readonly busybox: string;
  readonly uBoot: string;
  readonly edk2: string;
  /** GRUB as an EFI program with all its modules. */
  readonly grub: string;
  readonly xen: string;
}

/** Metapackages of the kernel and of Xen, and the other packages. */
const KERNEL = "linux-image-arm64";
const XEN = "xen-system-arm64";
const OTHERS = ["busybox-static", "u-boot-qemu", "qemu-efi-aarch64", "grub-efi-arm64-bin"];

/** Whether everything is there already, or can be fetched on this machine. */
export function canFetch(): boolean {
  return findPackages() !== null ||
    ["apt-get", "apt-cache", "dpkg-deb"].every((program) => run(program, ["--version"]) !== null);
}

/**
 * Fetches and unpacks what is missing.
 *
 * @throws Error with what apt said
 */
export function fetchPackages(): Packages {
  const known = findPackages();
  if (known) return known;
  const apt = `${CACHE}/apt`;
  for (const folder of ["lists/partial", "cache/archives/partial"]) {
    Deno.mkdirSync(`${apt}/${folder}`, { recursive: true });
  }
  const options = [
    ...["APT::Architecture=arm64", "APT::Architectures=arm64", `Dir::State=${apt}`],
    ...[`Dir::Cache=${apt}/cache`, "Dir::State::status=/dev/null", "Acquire::Languages=none"],
  ].flatMap((option) => ["-o", option]);
  must("apt-get", [...options, "-qq", "update"]);
  const behind = (meta: string, pattern: RegExp) => {
    const name = pattern.exec(must("apt-cache", [...options, "depends", meta]))?.[1];
    if (!name) throw new Error(`apt knows no package behind ${meta}`);
    return name;
  };
  const kernel = behind(KERNEL, /Depends: (linux-image-\S+-arm64)\b/);
  const xen = behind(XEN, /Depends: (xen-hypervisor-\S+-arm64)\b/);
  must("apt-get", [...options, "-qq", "download", kernel, xen, ...OTHERS], apt);
  for (const { name } of Deno.readDirSync(apt)) {
    if (name.endsWith(".deb")) must("dpkg-deb", ["-x", `${apt}/${name}`, `${CACHE}/root`]);
  }
  const found = findPackages();
  if (!found) throw new Error(`The packages in ${apt} do not hold what was expected`);
  return found;
}

function findPackages(): Packages | null {
  const root = `${CACHE}/root`;
  const version = entries(`${root}/boot`).find((name) => name.startsWith("vmlinuz-"))?.slice(8);
  const xen = entries(`${root}/boot`).find((name) => /^xen-[\d.]+-arm64$/.test(name));
  const paths = {
    kernel: `${root}/boot/vmlinuz-${version}`,
    modules: `${root}/lib/modules/${version}`,
    busybox: `${root}/bin/busybox`,
    uBoot: `${root}/usr/lib/u-boot/qemu_arm64/u-boot.bin`,
    edk2: `${root}/usr/share/qemu-efi-aarch64/QEMU_EFI.fd`,
    grub: `${root}/usr/lib/grub/arm64-efi/monolithic/grubaa64.efi`,
    xen: `${root}/boot/${xen}`,
  };
  return Object.values(paths).every(exists) ? paths : null;
}

function entries(folder: string): string[] {
  return exists(folder) ? [...Deno.readDirSync(folder)].map(({ name }) => name) : [];
}

function exists(path: string): boolean {
  try {
    Deno.statSync(path);
    return true;
  } catch {
    return false;
  }
}

/** Standard output of a program; null if it is missing or fails. */
function run(program: string, args: string[], cwd?: string): string | null {
  try {
    const { success, stdout } = new Deno.Command(program, { args, ...(cwd ? { cwd } : {}) })
      .outputSync();
    return success ? new TextDecoder().decode(stdout) : null;
  } catch {
    return null;
  }
}

function must(program: string, args: string[], cwd?: string): string {
  const output = run(program, args, cwd);
  if (output === null) throw new Error(`${program} ${args.at(-1)} failed`);
  return output;
}

if (import.meta.main) {
  for (const [name, path] of Object.entries(fetchPackages())) console.log(name, path);
}
