/** The files that a guest reads through devices: firmware, flash, disks, and what firmware boots. */
import { nodeCrypto } from "../core/node_builtins.ts";
import {
  type BootPlan,
  checkFlashImage,
  firmwareItems,
  flashImages,
  type LoadOptions,
} from "../core/loader/mod.ts";
import { Flash } from "../core/devices/mod.ts";
import type { Machine } from "../core/machine.ts";
import {
  BLOCK_BYTES,
  type Media,
  type Medium,
  type MediumName,
  mediumOf,
  notedMedium,
} from "../core/medium.ts";
import type { ImageFile } from "../trace/mod.ts";
import { explain, readFile, writeFile } from "./files.ts";
import { openQcow2, QCOW2_MAGIC, type ReadAt } from "./qcow2_disk.ts";
import { UserError } from "./user_error.ts";

const SECTOR_BYTES = 512;
/** Behind the file of `--pflash`. */
const SAVE = ",save";
/** Formats of disk images that are not the disk's bytes, by their first bytes. */
const DISK_FORMATS: readonly (readonly [magic: string, name: string])[] = [
  ["KDMV", "VMDK"],
  ["vhdxfile", "VHDX"],
  ["conectix", "VHD"],
];
/** Options that name such files. */
export interface MediaOptions {
  readonly pflash: string | undefined;
  readonly disk: readonly string[];
}

/** A machine's media, and the files they are of for the trace's header. */
export interface GuestMedia {
  readonly media: Media;
  readonly files: readonly ImageFile[];
}

/**
 * Opens the media of a guest.
 *
 * @param boots what firmware boots, if there is firmware
 * @throws UserError or ImageError with one line
 */
export function openMedia(
  { pflash, disk }: MediaOptions,
  plan: BootPlan,
  boots: { image: Uint8Array | undefined; load: LoadOptions } | null,
): GuestMedia {
  const media: Media = {};
  const files: ImageFile[] = [];
  const [first, second] = flashImages(plan);
  if (first) media.flash0 = mediumOf(first);
  if (second) media.flash1 = mediumOf(second);
  if (pflash !== undefined) {
    if (second) throw new UserError(`Cannot use --pflash: the image has segments in that bank`);
    const { path } = flashFile(pflash);
    const bytes = readFile(path);
    checkFlashImage("Contents of --pflash", bytes);
    media.flash1 = mediumOf(bytes);
    files.push(described("pflash", path, media.flash1));
  }
  const items = boots ? firmwareItems(boots.image, boots.load) : {};
  for (const [name, bytes] of Object.entries(items)) media[name as MediumName] = mediumOf(bytes);
  disk.forEach((path, number) => {
    const medium = openDisk(path);
    media[`disk${number}`] = medium;
    files.push(described("disk", path, medium));
  });
  return { media, files };
}

/** The file that `--pflash` names, and whether what the guest wrote goes back into it. */
export function flashFile(value: string): { path: string; save: boolean } {
  const save = value.endsWith(SAVE);
  return { path: save ? value.slice(0, -SAVE.length) : value, save };
}

/**
 * Writes the second flash bank to the file of `--pflash F,save`, which is replaced as a whole.
 *
 * @throws UserError with one line
 */
export function saveFlash(value: string | undefined, { bus }: Machine["board"]): void {
  if (value === undefined) return;
  const { path, save } = flashFile(value);
  const bank = bus.devices.find(({ name }) => name === "flash1");
  if (!save || !(bank instanceof Flash)) return;
  const written = [...bank.written()];
  if (written.length === 0) return;
  const before = readFile(path);
  const size = Math.max(before.length, ...written.map(({ offset }) => offset + BLOCK_BYTES));
  const bytes = new Uint8Array(size);
  bytes.set(before);
  for (const block of written) bytes.set(block.bytes, block.offset);
  const real = explain("write", path, () => Deno.realPathSync(path));
  writeFile(`${real}.new`, bytes);
  explain("write", path, () => Deno.renameSync(`${real}.new`, real));
}

/** Has everything noted that a machine reads of its media. */
export function noteMedia(
  media: Media,
  note: (source: string, bytes: Uint8Array) => void,
): Media {
  return Object.fromEntries(
    Object.entries(media).map(([name, medium]) => {
      return [name, notedMedium(name, medium!, { note, whole: name.startsWith("flash") })];
    }),
  );
}

/** A disk image, raw or qcow2, as a medium that reads the file as it goes. */
function openDisk(path: string): Medium {
  const file = explain("read", path, () => Deno.openSync(path));
  const read = (offset: number, length: number) => {
    const bytes = new Uint8Array(length);
    return bytes.subarray(0, explain("read", path, () => readAt(file, offset, bytes)));
  };
  const start = String.fromCharCode(...read(0, 16));
  const format = DISK_FORMATS.find(([magic]) => start.startsWith(magic));
  if (format) {
    throw new UserError(
      `Cannot use ${path} as a disk: it is ${format[1]}, expected a raw or qcow2 image ` +
        `(qemu-img convert -O qcow2)`,
    );
  }
  const medium = start.startsWith(QCOW2_MAGIC)
    ? openQcow2(path, read)
    : rawDisk(explain("read", path, () => file.statSync()).size, read);
  const { size } = medium;
  if (size === 0 || size % SECTOR_BYTES !== 0) {
    throw new UserError(
      `Cannot use ${path} as a disk: it has ${size} bytes, expected sectors of 512`,
    );
  }
  return medium;
}

function rawDisk(size: number, read: ReadAt): Medium {
  return {
    size,
    block(number) {
      const block = new Uint8Array(BLOCK_BYTES);
      block.set(read(number * BLOCK_BYTES, BLOCK_BYTES));
      return block;
    },
  };
}

/** Gives how many bytes there were. */
function readAt(file: Deno.FsFile, offset: number, into: Uint8Array): number {
  file.seekSync(offset, Deno.SeekMode.Start);
  let done = 0;
  while (done < into.length) {
    const count = file.readSync(into.subarray(done));
    if (count === null) break;
    done += count;
  }
  return done;
}

function described(role: ImageFile["role"], path: string, medium: Medium): ImageFile {
  const hash = nodeCrypto().createHash("sha256");
  for (let number = 0; number * BLOCK_BYTES < medium.size; number++) {
    hash.update(medium.block(number).subarray(0, medium.size - number * BLOCK_BYTES));
  }
  const name = path.split(/[/\\]/).at(-1) || path;
  return { role, name, size: medium.size, sha256: new Uint8Array(hash.digest()) };
}
