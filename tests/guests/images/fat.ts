/**
 * Disks with a FAT16 file system, as firmware boots from (Microsoft's "FAT: General Overview of
 * On-Disk Format", 1.03). No partition table; the same files give the same bytes: one time for all.
 */

/** A file of a disk: its path is of names that fit into 8 and 3 characters, such as `EFI/BOOT/A.EFI`. */
export interface FatFile {
  readonly path: string;
  readonly bytes: Uint8Array;
}

const SECTOR = 512;
const SECTORS_PER_CLUSTER = 8;
const CLUSTER = SECTOR * SECTORS_PER_CLUSTER;
const RESERVED_SECTORS = 1;
const ROOT_ENTRIES = 512;
const ENTRY = 32;
/** Fewer clusters would be FAT12, more FAT32. */
const LEAST_CLUSTERS = 4085;
const MOST_CLUSTERS = 65524;
const DIRECTORY = 0x10;
const ARCHIVE = 0x20;
const LAST_CLUSTER = 0xffff;
/** 2000-01-01. */
const DATE = (20 << 9) | (1 << 5) | 1;

/** A folder while the disk is made. */
interface Folder {
  readonly folders: Map<string, Folder>;
  readonly files: Map<string, Uint8Array>;
}

/**
 * A disk that holds these files.
 *
 * @param bytes its size
 * @throws Error if they do not fit, or if so large a disk cannot be FAT16
 */
export function makeFatDisk(bytes: number, files: readonly FatFile[]): Uint8Array<ArrayBuffer> {
  const disk = new FatDisk(bytes);
  const root: Folder = { folders: new Map(), files: new Map() };
  for (const { path, bytes } of files) {
    const names = path.split("/");
    let folder = root;
    for (const name of names.slice(0, -1)) {
      const inner = folder.folders.get(name) ?? { folders: new Map(), files: new Map() };
      folder.folders.set(name, inner);
      folder = inner;
    }
    folder.files.set(names.at(-1)!, bytes);
  }
  disk.fillRoot(root);
  return disk.bytes;
}

class FatDisk {
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly #view: DataView;
  readonly #clusters: number;
  readonly #fatSectors: number;
  readonly #firstData: number;
  #next = 2;

  constructor(bytes: number) {
    this.bytes = new Uint8Array(bytes);
    this.#view = new DataView(this.bytes.buffer);
    const sectors = bytes / SECTOR;
    this.#clusters = Math.floor(sectors / SECTORS_PER_CLUSTER);
    if (this.#clusters < LEAST_CLUSTERS || this.#clusters > MOST_CLUSTERS) {
      throw new Error(`Cannot make a FAT16 disk of ${bytes} bytes`);
    }
    this.#fatSectors = Math.ceil((this.#clusters + 2) * 2 / SECTOR);
    this.#firstData = (RESERVED_SECTORS + this.#fatSectors) * SECTOR + ROOT_ENTRIES * ENTRY;
    this.#bootSector(sectors);
    this.#link(0, 0xfff8);
    this.#link(1, LAST_CLUSTER);
  }

  fillRoot(root: Folder): void {
    const entries = this.#entries(root, null);
    if (entries.length > ROOT_ENTRIES * ENTRY) throw new Error("The root folder is too full");
    this.bytes.set(entries, this.#firstData - ROOT_ENTRIES * ENTRY);
  }

  #bootSector(sectors: number): void {
    const view = this.#view;
    this.bytes.set([0xeb, 0x3c, 0x90, ...new TextEncoder().encode("UNBOOT  ")], 0);
    view.setUint16(11, SECTOR, true);
    view.setUint8(13, SECTORS_PER_CLUSTER);
    view.setUint16(14, RESERVED_SECTORS, true);
    // One table: nothing here is ever repaired.
    view.setUint8(16, 1);
    view.setUint16(17, ROOT_ENTRIES, true);
    view.setUint16(19, sectors < 65536 ? sectors : 0, true);
    view.setUint8(21, 0xf8);
    view.setUint16(22, this.#fatSectors, true);
    view.setUint32(32, sectors < 65536 ? 0 : sectors, true);
    view.setUint8(36, 0x80);
    view.setUint8(38, 0x29);
    view.setUint32(39, 0x12345678, true);
    this.bytes.set(new TextEncoder().encode("UNBOOT     FAT16   "), 43);
    view.setUint16(510, 0xaa55, true);
  }

  /** The entry of a cluster in the table. */
  #link(cluster: number, value: number): void {
    this.#view.setUint16(RESERVED_SECTORS * SECTOR + cluster * 2, value, true);
  }

  /** Takes clusters for so many bytes. Gives the first, 0 for none. */
  #take(bytes: number): number {
    const count = Math.ceil(bytes / CLUSTER);
    if (count === 0) return 0;
    const first = this.#next;
    this.#next += count;
    if (this.#at(this.#next) > this.bytes.length) throw new Error("The disk is full");
    for (let n = first; n < this.#next; n++) {
      this.#link(n, n + 1 < this.#next ? n + 1 : LAST_CLUSTER);
    }
    return first;
  }

  #at(cluster: number): number {
    return this.#firstData + (cluster - 2) * CLUSTER;
  }

  /** A folder's entries, after all that is in it was put down. `self` is null for the root. */
  #entries(folder: Folder, self: { cluster: number; parent: number } | null): Uint8Array {
    const entries: Uint8Array[] = [];
    if (self) {
      entries.push(entry(".".padEnd(11), DIRECTORY, self.cluster, 0));
      entries.push(entry("..".padEnd(11), DIRECTORY, self.parent, 0));
    }
    for (const [name, inner] of folder.folders) {
      const cluster = this.#take(ENTRY * (2 + inner.folders.size + inner.files.size));
      const bytes = this.#entries(inner, { cluster, parent: self?.cluster ?? 0 });
      this.bytes.set(bytes, this.#at(cluster));
      entries.push(entry(shortName(name), DIRECTORY, cluster, 0));
    }
    for (const [name, bytes] of folder.files) {
      const cluster = this.#take(bytes.length);
      if (cluster > 0) this.bytes.set(bytes, this.#at(cluster));
      entries.push(entry(shortName(name), ARCHIVE, cluster, bytes.length));
    }
    const result = new Uint8Array(entries.length * ENTRY);
    entries.forEach((bytes, n) => result.set(bytes, n * ENTRY));
    return result;
  }
}

function entry(name: string, attributes: number, cluster: number, bytes: number): Uint8Array {
  const result = new Uint8Array(ENTRY);
  const view = new DataView(result.buffer);
  result.set(new TextEncoder().encode(name), 0);
  view.setUint8(11, attributes);
  view.setUint16(16, DATE, true);
  view.setUint16(18, DATE, true);
  view.setUint16(24, DATE, true);
  view.setUint16(26, cluster, true);
  view.setUint32(28, bytes, true);
  return result;
}

/** A name as folders hold it: 8 and 3 capitals, filled up with spaces. */
function shortName(name: string): string {
  const match = /^([A-Z0-9_]{1,8})(?:\.([A-Z0-9_]{1,3}))?$/.exec(name.toUpperCase());
  if (!match) throw new Error(`${name} is no name of 8 and 3 characters`);
  return match[1].padEnd(8) + (match[2] ?? "").padEnd(3);
}
