/**
 * Archives in cpio's "newc" format, as Linux unpacks them for its first file system
 * (Documentation/driver-api/early-userspace/buffer-format.rst). The same entries give the same
 * bytes: no times, no owners, inode numbers by order.
 */

/** A file of an archive. */
export interface CpioEntry {
  /** Path without a leading slash. */
  readonly name: string;
  /** File type and permissions, as `st_mode`. */
  readonly mode: number;
  /** Contents; the target of a symbolic link. */
  readonly bytes?: Uint8Array;
  /** Device number of a character device. */
  readonly device?: { readonly major: number; readonly minor: number };
}

/** `st_mode` of what an initial ramdisk holds. */
export const MODE = {
  directory: 0o040755,
  program: 0o100755,
  link: 0o120777,
  console: 0o020600,
} as const;

/** The archive with these entries. */
export function makeCpio(entries: readonly CpioEntry[]): Uint8Array<ArrayBuffer> {
  const parts: Uint8Array[] = [];
  entries.forEach((entry, index) => parts.push(...encode(entry, index + 1)));
  parts.push(...encode({ name: "TRAILER!!!", mode: 0 }, 0));
  const bytes = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    bytes.set(part, at);
    at += part.length;
  }
  return bytes;
}

function encode({ name, mode, bytes, device }: CpioEntry, inode: number): Uint8Array[] {
  const content = bytes ?? new Uint8Array();
  const path = new TextEncoder().encode(`${name}\0`);
  const fields = [
    ...[inode, mode, 0, 0, 1, 0, content.length],
    ...[0, 0, device?.major ?? 0, device?.minor ?? 0, path.length, 0],
  ];
  const header = "070701" + fields.map((field) => field.toString(16).padStart(8, "0")).join("");
  return [padded([new TextEncoder().encode(header), path]), padded([content])];
}

/** The parts one behind the other, filled up to a multiple of four bytes. */
function padded(parts: readonly Uint8Array[]): Uint8Array {
  const length = parts.reduce((sum, part) => sum + part.length, 0);
  const result = new Uint8Array(Math.ceil(length / 4) * 4);
  let at = 0;
  for (const part of parts) {
    result.set(part, at);
    at += part.length;
  }
  return result;
}
