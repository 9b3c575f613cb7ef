/** Other people's images: what boots, and what is typed at it. */
import type { CpuName } from "../../../core/cpu_models.ts";
import { CACHE, fetchPackages } from "./fetch_images.ts";
import { makeFatDisk } from "./fat.ts";
import { makeInitramfs } from "./initramfs.ts";
import { makeXenTree } from "./xen_tree.ts";

/** A boot, on our machine and on the reference. Files are paths. */
export interface ImageCase {
  readonly name: string;
  /** What it shows, in words. */
  readonly about: string;
  readonly memory: string;
  readonly image?: string;
  readonly firmware?: string;
  readonly initrd?: string;
  readonly append?: string;
  readonly gic?: 2 | 3;
  /** The processor; a Cortex-A57 if left out. */
  readonly cpu?: CpuName;
  /** How many processors; 1 if left out. */
  readonly cpus?: number;
  /** The processor has EL2; has EL3. */
  readonly virtualization?: boolean;
  readonly secure?: boolean;
  readonly dtb?: string;
  /** Files that are put into RAM, and where. */
  readonly loads?: readonly { readonly path: string; readonly address: number }[];
  /** The board has a virtio console, a virtio source of random numbers. */
  readonly virtio?: boolean;
  /** Makes a disk anew; gives its path. */
  readonly disk?: () => string;
  /** A script for `--input`. */
  readonly input?: string;
  /** The script presses the power key. */
  readonly presses?: boolean;
}

/** Modules for a disk with ext4, in the order that they can be loaded in. */
const DISK_MODULES = [
  ...["drivers/virtio/virtio_mmio", "drivers/block/virtio_blk", "lib/crc16", "lib/libcrc32c"],
  ...["crypto/crc32c_generic", "fs/mbcache", "fs/jbd2/jbd2", "fs/ext4/ext4"],
];
/** Modules for a virtio console and random numbers. */
const VIRTIO_MODULES = [
  ...["drivers/virtio/virtio_mmio", "drivers/char/virtio_console"],
  "drivers/char/hw_random/virtio-rng",
];
/** Modules for the power key, and for programs that read keys. */
const KEY_MODULES = ["drivers/input/evdev", "drivers/input/keyboard/gpio_keys"];
const DISK_BYTES = 64 << 20;

/** Linux on several processors: work on each of them, one switched off and on again. */
const SMP_INIT = `uname -rm
cat /sys/devices/system/cpu/online
busybox grep -c ^processor /proc/cpuinfo
for cpu in 1 2 3 4 5 6 7 8; do (i=0; while [ $i -lt 500 ]; do i=$((i + 1)); done; echo $i > /done$cpu) & done
wait
cat /done*
echo 0 > /sys/devices/system/cpu/cpu1/online
cat /sys/devices/system/cpu/online
echo 1 > /sys/devices/system/cpu/cpu1/online
cat /sys/devices/system/cpu/online
ls /
poweroff -f
`;
const BOOT_INIT = `uname -rm
cat /proc/interrupts | while read number count rest; do echo $number $rest; done
ls /
poweroff -f
`;
const SHELL_INIT = "exec sh -i\n";
const DISK_INIT = `${DISK_MODULES.map((path) => `insmod /modules/${fileName(path)}`).join("\n")}
cat /proc/partitions
mount -t ext4 /dev/vda /mnt && echo mounted
echo hello > /mnt/file
dd if=/dev/zero of=/mnt/zeros bs=64k count=16 2>/dev/null
umount /mnt
mount -t ext4 /dev/vda /mnt
cat /mnt/file
md5sum /mnt/zeros
umount /mnt
poweroff -f
`;
const VIRTIO_INIT = `${VIRTIO_MODULES.map((path) => `insmod /modules/${fileName(path)}`).join("\n")}
cat /sys/class/misc/hw_random/rng_current
dd if=/dev/hwrng of=/mnt/random bs=64 count=4 2>/dev/null
ls -s /mnt/random
exec 3<>/dev/hvc0
echo type now >&3
read line <&3
echo got $line
exec 3>&-
poweroff -f
`;
const VIRTIO_INPUT = `after "type now" send "typed\r"
`;
/** Waits for the key to go down and up, shows type, code and value of each event, and is off. */
const KEY_INIT = `${KEY_MODULES.map((path) => `insmod /modules/${fileName(path)}`).join("\n")}
echo press now
for event in 1 2 3 4; do dd bs=24 count=1 2>/dev/null | dd bs=8 skip=2 2>/dev/null | busybox hexdump -C; done < /dev/input/event0
poweroff -f
`;
const KEY_INPUT = 'after "press now" press power\n';
const SHELL_INPUT = `after "/ # " send "echo $((6 * 7)); cat /proc/uptime > /dev/null\\r"
after "/ # " send "mkdir /tmp; cd /tmp; echo typed > x; cat x\\r"
after "# " send "poweroff -f\\r"
`;
const U_BOOT_INPUT = `after "stop autoboot" send ""
at 150ms send " "
after "=> " send "version\\r"
after "=> " send "bdinfo\\r"
after "=> " send "md.b 40000000 20\\r"
after "=> " send "poweroff\\r"
`;
const EDK2_INPUT = `after "any other key to continue." send "\\r"
after "Shell> " send "ver\\r"
after "Shell> " send "reset -s\\r"
`;

const GRUB_CONFIGURATION = `set timeout=1
menuentry "Linux" {
  echo "Loading Linux"
  linux /linux console=ttyAMA0
  initrd /initrd
}
menuentry "Halt" { halt }
`;
const GRUB_DISK_BYTES = 128 << 20;

/** Where Xen's modules are put. */
const XEN_GUEST = 0x5000_0000;
const XEN_RAMDISK = 0x5800_0000;

/** All of them; fetches what they need. */
export function imageCases(): ImageCase[] {
  const { kernel, uBoot, edk2 } = fetchPackages();
  const linux = { image: kernel, append: "console=ttyAMA0", memory: "256M" };
  return [
    {
      name: "linux",
      about: "Debian's kernel with busybox, to poweroff",
      ...linux,
      initrd: initramfs("boot", BOOT_INIT),
    },
    {
      name: "linux-gic3",
      about: "the same with GICv3 and its ITS",
      ...linux,
      gic: 3,
      initrd: initramfs("boot", BOOT_INIT),
    },
    {
      name: "linux-el2",
      about: "the same from EL2: KVM starts",
      ...linux,
      virtualization: true,
      initrd: initramfs("boot", BOOT_INIT),
    },
    ...([[4, 2], [4, 3], [8, 2], [8, 3]] as const).map(([cpus, gic]): ImageCase => ({
      name: `linux-smp${cpus}${gic === 3 ? "-gic3" : ""}`,
      about: `${cpus} CPUs, all at work, one off and on again, GICv${gic}`,
      ...linux,
      cpus,
      gic,
      initrd: initramfs("smp", SMP_INIT),
    })),
    {
      name: "linux-smp4-el2",
      about: "4 CPUs from EL2, GICv3: KVM starts on each",
      ...linux,
      cpus: 4,
      gic: 3,
      virtualization: true,
      initrd: initramfs("smp", SMP_INIT),
    },
    {
      name: "linux-vhe",
      about: "the same on max: the kernel stays at EL2 (FEAT_VHE)",
      ...linux,
      cpu: "max",
      virtualization: true,
      initrd: initramfs("boot", BOOT_INIT),
    },
    {
      name: "linux-shell",
      about: "the same with commands typed at its shell",
      ...linux,
      initrd: initramfs("shell", SHELL_INIT),
      input: SHELL_INPUT,
    },
    {
      name: "linux-disk",
      about: "ext4 on a virtio disk: mounted, written, read again",
      ...linux,
      initrd: initramfs("disk", DISK_INIT, DISK_MODULES),
      disk: makeDisk,
    },
    {
      name: "linux-virtio",
      about: "virtio console and random numbers: hvc0 and hwrng",
      ...linux,
      initrd: initramfs("virtio", VIRTIO_INIT, VIRTIO_MODULES),
      virtio: true,
      input: VIRTIO_INPUT,
    },
    {
      name: "linux-key",
      about: "the power key: gpio-keys sees it go down and up, and init powers off",
      ...linux,
      initrd: initramfs("key", KEY_INIT, KEY_MODULES),
      input: KEY_INPUT,
      presses: true,
    },
    {
      name: "u-boot",
      about: "U-Boot from flash, commands, poweroff",
      memory: "128M",
      firmware: uBoot,
      input: U_BOOT_INPUT,
    },
    {
      name: "u-boot-el2",
      about: "the same from EL2",
      memory: "128M",
      firmware: uBoot,
      virtualization: true,
      input: U_BOOT_INPUT,
    },
    {
      name: "edk2-shell",
      about: "EDK2 to the UEFI shell, commands, reset -s",
      memory: "256M",
      firmware: edk2,
      input: EDK2_INPUT,
    },
    {
      name: "edk2-linux",
      about: "EDK2 boots Debian's kernel through its EFI stub",
      ...linux,
      memory: "512M",
      firmware: edk2,
      initrd: initramfs("boot", BOOT_INIT),
    },
    {
      name: "grub-linux",
      about: "EDK2 starts GRUB from a disk, its menu Debian's kernel",
      memory: "512M",
      firmware: edk2,
      disk: makeGrubDisk,
    },
    ...([2, 3] as const).map(xenCase),
  ];
}

/** Xen with Debian's kernel as its first guest. */
function xenCase(gic: 2 | 3): ImageCase {
  const { xen, kernel } = fetchPackages();
  const ramdisk = initramfs("boot", BOOT_INIT);
  const dtb = `${CACHE}/xen-gic${gic}.dtb`;
  const tree = makeXenTree({
    memory: 2 ** 30,
    gic,
    xen: "console=dtuart dtuart=/pl011@9000000 dom0_mem=256M noreboot",
    guest: "console=hvc0",
    modules: [
      { kind: "kernel", address: XEN_GUEST, bytes: Deno.statSync(kernel).size },
      { kind: "ramdisk", address: XEN_RAMDISK, bytes: Deno.statSync(ramdisk).size },
    ],
  });
  Deno.writeFileSync(dtb, tree);
  return {
    name: `xen-gic${gic}`,
    about: `Xen at EL2 with Debian's kernel as its first guest, GICv${gic}`,
    image: xen,
    memory: "1G",
    gic,
    virtualization: true,
    dtb,
    loads: [{ path: kernel, address: XEN_GUEST }, { path: ramdisk, address: XEN_RAMDISK }],
  };
}

function initramfs(name: string, init: string, paths: readonly string[] = []): string {
  const { busybox, modules } = fetchPackages();
  const path = `${CACHE}/${name}.cpio`;
  const contents = paths.map((module) =>
    [fileName(module), Deno.readFileSync(`${modules}/kernel/${module}.ko`)] as const
  );
  const options = { busybox: Deno.readFileSync(busybox), init };
  Deno.writeFileSync(path, makeInitramfs({ ...options, modules: Object.fromEntries(contents) }));
  return path;
}

/** An empty ext4 file system, the same each time. */
function makeDisk(): string {
  const path = `${CACHE}/disk.img`;
  Deno.writeFileSync(path, new Uint8Array());
  Deno.truncateSync(path, DISK_BYTES);
  const uuid = "00000000-0000-4000-8000-000000000001";
  const { success, stderr } = new Deno.Command("mkfs.ext4", {
    args: ["-q", "-F", "-U", uuid, "-E", `hash_seed=${uuid},lazy_itable_init=0`, path],
    env: { E2FSPROGS_FAKE_TIME: "946684800" },
  }).outputSync();
  if (!success) throw new Error(`mkfs.ext4: ${new TextDecoder().decode(stderr)}`);
  return path;
}

/** A disk that firmware boots GRUB from, and GRUB Linux. */
function makeGrubDisk(): string {
  const { grub, kernel } = fetchPackages();
  const path = `${CACHE}/grub.img`;
  const disk = makeFatDisk(GRUB_DISK_BYTES, [
    { path: "EFI/BOOT/BOOTAA64.EFI", bytes: Deno.readFileSync(grub) },
    { path: "EFI/DEBIAN/GRUB.CFG", bytes: new TextEncoder().encode(GRUB_CONFIGURATION) },
    { path: "LINUX", bytes: Deno.readFileSync(kernel) },
    { path: "INITRD", bytes: Deno.readFileSync(initramfs("boot", BOOT_INIT)) },
  ]);
  Deno.writeFileSync(path, disk);
  return path;
}

function fileName(module: string): string {
  return `${module.split("/").at(-1)}.ko`;
}
