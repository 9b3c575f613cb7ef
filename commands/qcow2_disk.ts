/**
 * Disk images in QEMU's qcow2 format (docs/interop/qcow2.txt of QEMU), versions 2 and 3, for
 * reading: plain, zero and compressed clusters (deflate, zstd). What needs a second file — a backing
 * file, external data — is refused, and so are encrypted images.
 */
import { nodeZlib } from "../core/node_builtins.ts";
import { BLOCK_BYTES, type Medium } from "../core/medium.ts";
import { UserError } from "./user_error.ts";

/** First bytes of such a file: `QFI` and 0xfb. */
export const QCOW2_MAGIC = "QFI\xfb";

/** Offsets in the header; numbers are big-endian. */
const HEADER = {
  version: 4,
  backing: 8,
  clusterBits: 20,
  size: 24,
  encryption: 32,
  l1Entries: 36,
  l1Table: 40,
  incompatible: 72,
  compression: 104,
} as const;
const HEADER_BYTES = 112;
/** Bits of incompatible features that change how clusters are found. */
const EXTERNAL_DATA = 4n, COMPRESSION_TYPE = 8n, UNDERSTOOD = 1n | COMPRESSION_TYPE;
const CLUSTER_BITS = { least: 9, most: 21 } as const;
/** Bytes of the first-level table that are read. */
const MOST_L1_BYTES = 32 << 20;
/** Bits of entries. */
const OFFSET = 0x00ff_ffff_ffff_fe00n, COMPRESSED = 1n << 62n, ZEROS = 1n;
const SECTOR = 512;
/** Clusters and tables that are remembered. */
const MOST_REMEMBERED = 64;

/** Reads bytes of the file; short at its end. */
export type ReadAt = (offset: number, length: number) => Uint8Array;

/**
 * The disk in an image.
 *
 * @param name of the file, for errors
 * @throws UserError with one line
 */
export function openQcow2(name: string, readAt: ReadAt): Medium {
  return new Qcow2(name, readAt);
}

class Qcow2 implements Medium {
  readonly size: number;
  readonly #name: string;
  readonly #readAt: ReadAt;
  readonly #clusterBits: number;
  readonly #zstd: boolean;
  readonly #l1: BigUint64Array;
  readonly #tables = new Map<number, BigUint64Array>();
  readonly #clusters = new Map<number, Uint8Array>();

  constructor(name: string, readAt: ReadAt) {
    this.#name = name;
    this.#readAt = readAt;
    const header = view(this.#exactly(0, HEADER_BYTES));
    const version = header.getUint32(HEADER.version);
    if (version !== 2 && version !== 3) throw this.#refused(`version ${version}, expected 2 or 3,`);
    const features = version === 3 ? header.getBigUint64(HEADER.incompatible) : 0n;
    if (header.getBigUint64(HEADER.backing) !== 0n) throw this.#refused("a backing file");
    if (header.getUint32(HEADER.encryption) !== 0) throw this.#refused("encryption");
    if (features & EXTERNAL_DATA) throw this.#refused("an external data file");
    if (features & ~UNDERSTOOD) throw this.#refused(`features 0x${features.toString(16)}`);
    this.#zstd = (features & COMPRESSION_TYPE) !== 0n && header.getUint8(HEADER.compression) === 1;
    this.#clusterBits = header.getUint32(HEADER.clusterBits);
    const { least, most } = CLUSTER_BITS;
    if (this.#clusterBits < least || this.#clusterBits > most) {
      throw this.#refused(`clusters of 2^${this.#clusterBits} bytes`);
    }
    this.size = Number(header.getBigUint64(HEADER.size));
    const entries = header.getUint32(HEADER.l1Entries);
    const reach = entries * 2 ** (2 * this.#clusterBits - 3);
    if (entries * 8 > MOST_L1_BYTES || this.size > reach) throw this.#refused("a bad table");
    this.#l1 = this.#table(Number(header.getBigUint64(HEADER.l1Table)), entries);
  }

  block(number: number): Uint8Array {
    const block = new Uint8Array(BLOCK_BYTES);
    const clusterBytes = 1 << this.#clusterBits;
    const end = Math.min(BLOCK_BYTES, this.size - number * BLOCK_BYTES);
    for (let done = 0; done < end;) {
      const offset = number * BLOCK_BYTES + done;
      const at = offset % clusterBytes;
      const length = Math.min(end - done, clusterBytes - at);
      const cluster = this.#cluster(Math.floor(offset / clusterBytes));
      if (cluster) block.set(cluster.subarray(at, at + length), done);
      done += length;
    }
    return block;
  }

  /** The content of a cluster of the disk; undefined for zeros. */
  #cluster(number: number): Uint8Array | undefined {
    const entries = 1 << (this.#clusterBits - 3);
    const table = Number((this.#l1[Math.floor(number / entries)] ?? 0n) & OFFSET);
    if (table === 0) return undefined;
    const l2 = remembered(this.#tables, table, () => this.#table(table, entries));
    const entry = l2[number % entries];
    if (entry & COMPRESSED) return remembered(this.#clusters, number, () => this.#inflate(entry));
    const offset = Number(entry & OFFSET);
    if (entry & ZEROS || offset === 0) return undefined;
    return remembered(this.#clusters, number, () => this.#exactly(offset, 1 << this.#clusterBits));
  }

  #inflate(entry: bigint): Uint8Array {
    const offsetBits = BigInt(62 - (this.#clusterBits - 8));
    const offset = Number(BigInt.asUintN(Number(offsetBits), entry));
    const sectors = Number((entry & (COMPRESSED - 1n)) >> offsetBits) + 1;
    const packed = this.#readAt(offset, sectors * SECTOR - offset % SECTOR);
    const maxOutputLength = 1 << this.#clusterBits;
    try {
      return this.#zstd
        ? nodeZlib().zstdDecompressSync(packed.subarray(0, zstdLength(packed)), { maxOutputLength })
        : nodeZlib().inflateRawSync(packed, { maxOutputLength });
    } catch {
      throw this.#refused(`a compressed cluster at ${offset} that cannot be unpacked`);
    }
  }

  #table(offset: number, entries: number): BigUint64Array {
    const bytes = view(this.#exactly(offset, entries * 8));
    return BigUint64Array.from({ length: entries }, (_, n) => bytes.getBigUint64(8 * n));
  }

  /** The last cluster of a file may be cut off: what is missing is zero. */
  #exactly(offset: number, length: number): Uint8Array {
    const bytes = this.#readAt(offset, length);
    if (bytes.length === length) return bytes;
    const whole = new Uint8Array(length);
    whole.set(bytes);
    return whole;
  }

  #refused(what: string): UserError {
    return new UserError(
      `Cannot use ${this.#name} as a disk: the qcow2 image has ${what} ` +
        `(qemu-img convert makes one without)`,
    );
  }
}

/** Bytes of the zstd frame at the beginning, which padding follows (RFC 8878, 3.1.1). */
function zstdLength(bytes: Uint8Array): number {
  const descriptor = bytes[4];
  const single = (descriptor >> 5) & 1;
  const sizeBytes = [single, 2, 4, 8][descriptor >> 6];
  let at = 5 + (single ? 0 : 1) + [0, 1, 2, 4][descriptor & 3] + sizeBytes;
  for (let last = 0; !last && at + 3 <= bytes.length;) {
    const header = bytes[at] | (bytes[at + 1] << 8) | (bytes[at + 2] << 16);
    last = header & 1;
    const isRun = ((header >> 1) & 3) === 1;
    at += 3 + (isRun ? 1 : header >> 3);
  }
  return at + (descriptor & 4 ? 4 : 0);
}

function remembered<T>(known: Map<number, T>, key: number, make: () => T): T {
  const found = known.get(key);
  if (found) return found;
  if (known.size >= MOST_REMEMBERED) known.delete(known.keys().next().value!);
  const made = make();
  known.set(key, made);
  return made;
}

function view(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
}
