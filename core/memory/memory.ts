/**
 * Guest memory and the record of which pages were written since when.
 *
 * Memory lies in the engine's WebAssembly memory. Several parties need to know the first store to
 * each page since a moment of their own (the recorder for keyframes, the loop detector for its
 * comparison): each has a {@linkcode WriteEpoch}. The engine lets stores through without asking
 * only for pages that every epoch has seen, so an epoch costs nothing per store.
 *
 * Invariant: before any change of guest memory that the engine does not make by itself — by a
 * device, a loader, a debugger — {@linkcode GuestMemory.willWrite} is called for it, which tells
 * the epochs and those who decoded the bytes as code.
 */

/** Bytes of a guest page as tracked here, whatever the translation granule. */
export const PAGE_BYTES = 4096;

/** One party's view of which pages were written. */
export interface WriteEpoch {
  /** Forgets all writes: every page's next write is a first one again. */
  restart(): void;
  /** Ends the tracking. */
  close(): void;
}

/** An access to guest memory as a {@linkcode MemoryWatch} sees it. */
export interface WatchedAccess {
  /** Who: an instruction, DC ZVA, the translation table walker, a device by itself, or a reset. */
  readonly by: "instruction" | "dc-zva" | "walker" | "dma" | "loader";
  readonly write: boolean;
  /** Physical address of the first byte. */
  readonly address: number;
  /** Virtual address of it, where the access has one. */
  readonly va?: bigint;
  /** What is read, or what is about to be written. Valid during the call. */
  readonly bytes: Uint8Array;
}

/** Sees every access to some pages, by whatever agent: see {@linkcode GuestMemory.watch}. */
export interface MemoryWatch {
  /** Whether accesses to the page at this physical address are to be seen. Must not change. */
  covers(page: number): boolean;
  /** Only writes are of interest: reads may go unseen, which makes them fast. */
  readonly writesOnly?: boolean;
  /**
   * Called before each access to a page that is covered, once for each part that lies in one page
   * and for each register of a pair. An access that is refused is not one; the comparison that a
   * store-exclusive makes is not a read.
   */
  accessed(access: WatchedAccess): void;
}

/** What the engine must be told, because it does most accesses by itself. */
export interface MemoryHooks {
  /** Pages that were writable without asking are so no longer. */
  onRestart(): void;
  /** Pages that were accessible without asking are so no longer. */
  onWatch(): void;
  /** Bytes are about to change: offset in RAM, and how many. */
  onWrite(offset: number, length: number): void;
}

class Epoch implements WriteEpoch {
  readonly seen: Uint8Array;

  constructor(
    pages: number,
    readonly listener: (pageAddress: number) => void,
    readonly changed: (epoch: Epoch, closed: boolean) => void,
  ) {
    this.seen = new Uint8Array(pages);
  }

  restart(): void {
    this.seen.fill(0);
    this.changed(this, false);
  }

  close(): void {
    this.changed(this, true);
  }
}

/** The guest's RAM. Addresses are physical. */
export class GuestMemory {
  /** All of RAM; changing it without {@linkcode willWrite} breaks the invariant above. */
  readonly bytes: Uint8Array;
  readonly #view: DataView;
  #epochs: Epoch[] = [];
  #watch: MemoryWatch | null = null;

  /** Physical address of the first byte. */
  readonly base: number;
  /** Bytes of RAM. From 2 GiB on `bytes.length` cannot be relied on: optimised code was seen to take it for negative. */
  readonly size: number;

  /**
   * @param memory `bytes` is the memory itself
   * @param hooks those who must know
   */
  constructor(
    { base, size, bytes }: { base: number; size: number; bytes: Uint8Array },
    readonly hooks: MemoryHooks,
  ) {
    this.base = base;
    this.size = size;
    this.bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, size);
  }

  /** Sees every access to the pages that it covers, at the price of their speed; changes nothing else. */
  get watch(): MemoryWatch | null {
    return this.#watch;
  }
  set watch(watch: MemoryWatch | null) {
    this.#watch = watch;
    this.hooks.onWatch();
  }

  /** Whether the watch, if there is one, covers the page of a physical address. */
  isWatched(address: number): boolean {
    return this.#watch !== null && this.#watch.covers(address - address % PAGE_BYTES);
  }

  /** Shows the watch the parts of an access that it covers; to be called before the access. */
  announce(access: WatchedAccess): void {
    const { bytes, address } = access;
    for (let at = 0; at < bytes.length;) {
      const part = bytes.subarray(at, at + PAGE_BYTES - (address + at) % PAGE_BYTES);
      if (this.isWatched(address + at)) {
        this.#watch!.accessed({ ...access, address: address + at, bytes: part });
      }
      at += part.length;
    }
  }

  /** Whether `length` bytes at `address` are all RAM. */
  contains(address: number, length = 1): boolean {
    return address >= this.base && address + length <= this.base + this.size;
  }

  /** Has `listener` called before the first write to each page since the last restart. */
  trackFirstWrites(listener: (pageAddress: number) => void): WriteEpoch {
    const epoch = new Epoch(this.size / PAGE_BYTES, listener, (which, closed) => {
      if (closed) this.#epochs = this.#epochs.filter((e) => e !== which);
      else this.hooks.onRestart();
    });
    this.#epochs.push(epoch);
    this.hooks.onRestart();
    return epoch;
  }

  /** Must be called before bytes at `address` change; `length` may cross pages. */
  willWrite(address: number, length = 1): void {
    this.hooks.onWrite(address - this.base, length);
    const first = Math.floor((address - this.base) / PAGE_BYTES);
    const last = Math.floor((address + length - 1 - this.base) / PAGE_BYTES);
    for (const epoch of this.#epochs) {
      for (let page = first; page <= last; page++) {
        if (epoch.seen[page]) continue;
        epoch.seen[page] = 1;
        epoch.listener(this.base + page * PAGE_BYTES);
      }
    }
  }

  /** Whether a store to the page at `address` need not be announced: every epoch has seen one. */
  isOpen(address: number): boolean {
    const page = Math.floor((address - this.base) / PAGE_BYTES);
    for (const epoch of this.#epochs) if (epoch.seen[page] === 0) return false;
    return true;
  }

  /** Copies bytes in, as a loader or a device does. */
  write(address: number, bytes: Uint8Array): void {
    if (bytes.length === 0) return;
    this.willWrite(address, bytes.length);
    this.bytes.set(bytes, address - this.base);
  }

  /** A view of memory. */
  read(address: number, length: number): Uint8Array {
    return this.bytes.subarray(address - this.base, address - this.base + length);
  }

  /** The little-endian 32-bit word at an address of RAM. */
  word(address: number): number {
    return this.#view.getUint32(address - this.base, true);
  }
}
