/** The initial ramdisk of the Linux guests: busybox, and an `init` that a test gives. */
import { type CpioEntry, makeCpio, MODE } from "./cpio.ts";

/** Commands that are links to busybox. */
const APPLETS =
  "sh mount umount cat echo ls uname poweroff reboot sync dd insmod md5sum sleep mkdir".split(" ");

/** Mounts what a shell expects; the console is on the standard streams already. */
const SETUP = `#!/bin/sh
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t devtmpfs dev /dev
`;

/** What is in the ramdisk. */
export interface InitramfsOptions {
  /** The static busybox program. */
  readonly busybox: Uint8Array;
  /** Shell commands that `init` runs once the file systems are mounted. */
  readonly init: string;
  /** Kernel modules by file name, put into `/modules`. */
  readonly modules?: Readonly<Record<string, Uint8Array>>;
}

/** The archive, not packed. */
export function makeInitramfs(
  { busybox, init, modules = {} }: InitramfsOptions,
): Uint8Array<ArrayBuffer> {
  const directory = (name: string): CpioEntry => ({ name, mode: MODE.directory });
  const text = (value: string) => new TextEncoder().encode(value);
  return makeCpio([
    ...["bin", "dev", "proc", "sys", "mnt", "modules"].map(directory),
    { name: "dev/console", mode: MODE.console, device: { major: 5, minor: 1 } },
    { name: "bin/busybox", mode: MODE.program, bytes: busybox },
    ...APPLETS.map((name) => ({ name: `bin/${name}`, mode: MODE.link, bytes: text("busybox") })),
    { name: "init", mode: MODE.program, bytes: text(SETUP + init) },
    ...Object.entries(modules).map(([name, bytes]) => ({
      name: `modules/${name}`,
      mode: MODE.program,
      bytes,
    })),
  ]);
}
