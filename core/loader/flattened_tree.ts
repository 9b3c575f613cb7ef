/**
 * Flattened device trees (Devicetree Specification 0.4, chapter 5): an editable tree, its writer
 * and its reader.
 *
 * The reference builds its tree by editing a blob with libfdt, whose insertions put a new property
 * before the other properties and a new node before the other nodes, and append each new name to
 * the strings block unless it is already the tail of one there. This tree inserts the same way, so
 * that the same edits in the same order give the same bytes.
 */
import { ImageError } from "./image_error.ts";

const FDT_MAGIC = 0xd00dfeed;
const FDT_BEGIN_NODE = 1;
const FDT_END_NODE = 2;
const FDT_PROP = 3;
const FDT_NOP = 4;
const FDT_END = 9;
const HEADER_SIZE = 40;
/** Where the memory reservation block starts: the header, padded as libfdt pads it. */
const RESERVE_OFFSET = 48;
/** One empty entry ends the memory reservation block. */
const RESERVE_ENTRY = 16;
/** Longest property name accepted in a tree that was read; the specification allows 31. */
const NAME_LIMIT = 1024;
/** Size of the strings block up to which a name is also searched as the tail of another. */
const SEARCH_LIMIT = 65536;
/** Deepest nesting accepted in a tree that was read. */
const DEPTH_LIMIT = 64;

/** A property value: cells (32-bit numbers), a string, a list of strings, bytes, or nothing. */
export type TreeValue = number[] | string | string[] | Uint8Array | null;

/** A node of a device tree. */
export class TreeNode {
  /** Name with unit address, for example `cpu@0`; empty for the root. */
  readonly name: string;
  /** Properties in blob order. */
  readonly properties: { name: string; value: Uint8Array }[] = [];
  /** Child nodes in blob order. */
  readonly children: TreeNode[] = [];
  #tree: DeviceTree;

  /** Nodes are made by {@linkcode DeviceTree} and {@linkcode TreeNode.add}. */
  constructor(tree: DeviceTree, name: string) {
    this.#tree = tree;
    this.name = name;
  }

  /** Adds a child node, before the others. */
  add(name: string): TreeNode {
    const child = new TreeNode(this.#tree, name);
    this.children.unshift(child);
    return child;
  }

  /** Sets a property: in place if it exists, else before the others. Returns this node. */
  set(name: string, value: TreeValue): this {
    const bytes = encode(value);
    const old = this.properties.find((property) => property.name === name);
    if (old !== undefined) old.value = bytes;
    else {
      this.#tree.intern(name);
      this.properties.unshift({ name, value: bytes });
    }
    return this;
  }

  /** The value of a property, or null. */
  get(name: string): Uint8Array | null {
    return this.properties.find((property) => property.name === name)?.value ?? null;
  }

  /** The child of that name (with unit address), or null. */
  child(name: string): TreeNode | null {
    return this.children.find((child) => child.name === name) ?? null;
  }
}

/** A device tree. */
export class DeviceTree {
  /** The root node. */
  readonly root: TreeNode = new TreeNode(this, "");
  /** Reserved memory: `[address, size]` in bytes. */
  readonly reserved: [bigint, bigint][] = [];
  #strings = "";
  #offsets = new Map<string, number>();

  /** Returns the offset of a property name (Latin-1) in the strings block, appending it if needed. */
  intern(name: string): number {
    const known = this.#offsets.get(name);
    if (known !== undefined) return known;
    // Only a large foreign tree exceeds the limit; there the search would take quadratic time.
    const tail = this.#strings.length < SEARCH_LIMIT ? this.#strings.indexOf(name + "\0") : -1;
    const offset = tail < 0 ? this.#strings.length : tail;
    if (tail < 0) this.#strings += name + "\0";
    this.#offsets.set(name, offset);
    return offset;
  }

  /**
   * Writes the blob (version 17).
   *
   * @param totalSize value of the header's field and length of the result, in bytes, or undefined for the smallest
   * @throws ImageError when the tree does not fit
   */
  write(totalSize?: number): Uint8Array {
    const words: number[] = [];
    this.#writeNode(this.root, words);
    words.push(FDT_END);
    const structOffset = RESERVE_OFFSET + RESERVE_ENTRY * (this.reserved.length + 1);
    const stringsOffset = structOffset + words.length * 4;
    const needed = stringsOffset + this.#strings.length;
    const total = totalSize ?? needed;
    if (needed > total) {
      throw new ImageError(`Device tree: needs ${needed} bytes, expected at most ${total}`);
    }
    const blob = new Uint8Array(total);
    const view = new DataView(blob.buffer);
    const header = [FDT_MAGIC, total, structOffset, stringsOffset, RESERVE_OFFSET, 17, 16, 0];
    header.push(this.#strings.length, words.length * 4);
    header.forEach((value, index) => view.setUint32(index * 4, value));
    this.reserved.forEach(([address, size], index) => {
      view.setBigUint64(RESERVE_OFFSET + RESERVE_ENTRY * index, address);
      view.setBigUint64(RESERVE_OFFSET + RESERVE_ENTRY * index + 8, size);
    });
    words.forEach((word, index) => view.setUint32(structOffset + index * 4, word));
    blob.set(latin1(this.#strings), stringsOffset);
    return blob;
  }

  #writeNode(node: TreeNode, words: number[]): void {
    words.push(FDT_BEGIN_NODE);
    pushWords(words, latin1(node.name + "\0"));
    for (const { name, value } of node.properties) {
      words.push(FDT_PROP, value.length, this.intern(name));
      pushWords(words, value);
    }
    for (const child of node.children) this.#writeNode(child, words);
    words.push(FDT_END_NODE);
  }

  /**
   * Reads a blob.
   *
   * @throws ImageError saying what is wrong and where
   */
  static read(blob: Uint8Array): DeviceTree {
    return new TreeReader(blob).read();
  }
}

/** Reads one blob. Every offset is checked; nesting is bounded. */
class TreeReader {
  #blob: Uint8Array;
  #view: DataView;
  #offset = 0;
  #structEnd = 0;
  #strings: Uint8Array = new Uint8Array(0);

  constructor(blob: Uint8Array) {
    this.#blob = blob;
    this.#view = new DataView(blob.buffer, blob.byteOffset, blob.byteLength);
  }

  read(): DeviceTree {
    const length = this.#blob.length;
    if (length < HEADER_SIZE) {
      throw new ImageError(`Device tree: file has ${length} bytes, expected at least 40`);
    }
    const magic = this.#view.getUint32(0);
    if (magic !== FDT_MAGIC) {
      throw new ImageError(
        `Device tree: magic is 0x${magic.toString(16)} at byte 0, expected 0xd00dfeed`,
      );
    }
    const version = this.#view.getUint32(20);
    const compatible = this.#view.getUint32(24);
    if (version < 17 || compatible > 17) {
      throw new ImageError(`Device tree: version is ${version}, expected 17`);
    }
    const total = this.#view.getUint32(4);
    if (total > length) {
      throw new ImageError(
        `Device tree: total size ${total} is past the end of the file (${length} bytes)`,
      );
    }
    const strings = this.#view.getUint32(12);
    this.#strings = this.#range("strings block", strings, this.#view.getUint32(32), total);
    this.#offset = this.#view.getUint32(8);
    this.#structEnd = this.#offset +
      this.#range("structure block", this.#offset, this.#view.getUint32(36), total).length;
    const tree = new DeviceTree();
    this.#readReserved(tree, total);
    this.#readRoot(tree);
    return tree;
  }

  #range(what: string, offset: number, size: number, total: number): Uint8Array {
    if (offset + size > total) {
      throw new ImageError(
        `Device tree: ${what} needs ${size} bytes at byte ${offset}, but it ends at byte ${total}`,
      );
    }
    return this.#blob.subarray(offset, offset + size);
  }

  #readReserved(tree: DeviceTree, total: number): void {
    for (let at = this.#view.getUint32(16);; at += RESERVE_ENTRY) {
      this.#range("memory reservation block", at, RESERVE_ENTRY, total);
      const address = this.#view.getBigUint64(at);
      const size = this.#view.getBigUint64(at + 8);
      if (address === 0n && size === 0n) return;
      tree.reserved.push([address, size]);
    }
  }

  #readRoot(tree: DeviceTree): void {
    const open: TreeNode[] = [];
    for (;;) {
      const at = this.#offset;
      const token = this.#word();
      if (token === FDT_NOP) continue;
      const node = open.at(-1);
      if (token === FDT_BEGIN_NODE && open.length < DEPTH_LIMIT) {
        const name = this.#nodeName();
        if (node === undefined) open.push(tree.root);
        else {
          const child = new TreeNode(tree, name);
          node.children.push(child);
          open.push(child);
        }
      } else if (token === FDT_PROP && node !== undefined) {
        this.#property(tree, node);
      } else if (token === FDT_END_NODE && node !== undefined) {
        open.pop();
      } else if (token === FDT_END && node === undefined) {
        return;
      } else {
        throw new ImageError(`Device tree: unexpected token ${token} at byte ${at}`);
      }
    }
  }

  #property(tree: DeviceTree, node: TreeNode): void {
    const length = this.#word();
    const nameOffset = this.#word();
    const stop = this.#strings.indexOf(0, nameOffset);
    if (stop < 0 || stop - nameOffset > NAME_LIMIT) {
      throw new ImageError(
        `Device tree: property name at ${nameOffset} is too long or past the strings block (${this.#strings.length} bytes)`,
      );
    }
    const name = new TextDecoder("latin1").decode(this.#strings.subarray(nameOffset, stop));
    const start = this.#offset;
    this.#skip(length);
    tree.intern(name);
    node.properties.push({ name, value: this.#blob.slice(start, start + length) });
  }

  #nodeName(): string {
    const stop = this.#blob.indexOf(0, this.#offset);
    const start = this.#offset;
    this.#skip((stop < 0 ? this.#blob.length : stop) - start + 1);
    return new TextDecoder("latin1").decode(this.#blob.subarray(start, stop));
  }

  #word(): number {
    const at = this.#offset;
    this.#skip(4);
    return this.#view.getUint32(at);
  }

  /** Passes over `length` bytes and their padding to a multiple of 4. */
  #skip(length: number): void {
    const end = this.#offset + length;
    if (end > this.#structEnd) {
      throw new ImageError(
        `Device tree: ${length} bytes wanted at byte ${this.#offset}, but the structure block ends at byte ${this.#structEnd}`,
      );
    }
    this.#offset = (end + 3) & ~3;
  }
}

function encode(value: TreeValue): Uint8Array {
  if (value === null) return new Uint8Array(0);
  if (value instanceof Uint8Array) return value;
  if (typeof value === "string") return new TextEncoder().encode(value + "\0");
  if (typeof value[0] === "string") return encode((value as string[]).join("\0"));
  const bytes = new Uint8Array(value.length * 4);
  const view = new DataView(bytes.buffer);
  (value as number[]).forEach((cell, index) => view.setUint32(index * 4, cell));
  return bytes;
}

/** Names are bytes without a declared encoding: each is one character while in memory. */
function latin1(text: string): Uint8Array {
  return Uint8Array.from(text, (character) => character.charCodeAt(0));
}

/** Appends the bytes as big-endian words, padded with zeros. */
function pushWords(words: number[], bytes: Uint8Array): void {
  for (let i = 0; i < bytes.length; i += 4) {
    const [a, b = 0, c = 0, d = 0] = bytes.subarray(i, i + 4);
    words.push(((a << 24) | (b << 16) | (c << 8) | d) >>> 0);
  }
}
