/**
 * The commands of an ITS (Arm IHI 0069, 5.3). A command whose operands make no sense is skipped; one
 * that needs memory which is not there stalls the queue.
 */

import type { GicV3Core } from "./gic_v3_core.ts";
import { FIRST_LPI, type GicV3Cpu, ID_BITS } from "./gic_v3_state.ts";
import {
  ABSENT,
  type DeviceEntry,
  type ItsTables,
  type Translation,
  UNREACHABLE,
} from "./its_tables.ts";

/** Command numbers (5.3.1). SYNC and numbers that are not here do nothing. */
const COMMAND = {
  movi: 0x01,
  int: 0x03,
  clear: 0x04,
  mapd: 0x08,
  mapc: 0x09,
  mapti: 0x0a,
  mapi: 0x0b,
  inv: 0x0c,
  invall: 0x0d,
  movall: 0x0e,
  discard: 0x0f,
} as const;

const VALID = 1n << 63n;
const WORD = 0xffff_ffffn, HALF = 0xffffn;

/** An event that was found: the device it is of, what it becomes. */
interface Event {
  readonly device: DeviceEntry;
  readonly number: number;
  readonly translation: Translation;
}

/** A part of a command that ends it: skipped (true) or stalled (false). */
type Ended = boolean;

/** See the top of this file. */
export class ItsCommands {
  constructor(readonly core: GicV3Core, readonly tables: ItsTables) {}

  /**
   * Executes the command at an address.
   *
   * @returns false if the queue stalls
   */
  execute(address: number): boolean {
    const bytes = this.tables.memory.read(address, 32);
    if (!bytes) return false;
    const view = new DataView(bytes.buffer, bytes.byteOffset, 32);
    const words = [0, 8, 16, 24].map((at) => view.getBigUint64(at, true));
    const device = Number(words[0] >> 32n), event = Number(words[1] & WORD);
    switch (Number(words[0] & 0xffn)) {
      case COMMAND.movi:
        return this.#move(device, event, Number(words[2] & HALF));
      case COMMAND.int:
        return this.trigger(device, event);
      case COMMAND.clear:
        return this.#clear(device, event, false);
      case COMMAND.discard:
        return this.#clear(device, event, true);
      case COMMAND.mapd:
        return this.#mapDevice(device, words);
      case COMMAND.mapc:
        return this.#mapCollection(words[2]);
      case COMMAND.mapti:
        return this.#mapEvent(device, event, Number(words[1] >> 32n), words[2]);
      case COMMAND.mapi:
        return this.#mapEvent(device, event, event, words[2]);
      case COMMAND.inv:
        return this.#invalidate(device, event);
      case COMMAND.invall:
        for (const cpu of this.core.cpus) this.core.lpis.refresh(cpu);
        return true;
      case COMMAND.movall:
        return this.#moveAll(Number((words[2] >> 16n) & WORD), Number((words[3] >> 16n) & WORD));
      default:
        return true;
    }
  }

  /** INT, or a message: makes the LPI of an event pending. Gives false if the queue stalls. */
  trigger(device: number, event: number): boolean {
    const found = this.#find(device, event);
    if (typeof found === "boolean") return found;
    this.#setPending(found, true);
    return true;
  }

  /** CLEAR and DISCARD. A collection that cannot be read stalls neither of them on the reference. */
  #clear(device: number, event: number, discard: boolean): Ended {
    const found = this.#find(device, event);
    if (typeof found === "boolean") return found;
    const cleared = this.#setPending(found, false);
    if (!discard || !cleared) return true;
    return this.tables.setTranslation(found.device, event, undefined);
  }

  /** Gives whether the event has a CPU. */
  #setPending({ translation }: Event, pending: boolean): boolean {
    const cpu = this.#cpuOf(translation.collection);
    if (typeof cpu === "boolean") return false;
    this.core.lpis.trigger(cpu, translation.interrupt, pending);
    return true;
  }

  #invalidate(device: number, event: number): Ended {
    const found = this.#find(device, event);
    if (typeof found === "boolean") return found;
    const cpu = this.#cpuOf(found.translation.collection);
    if (typeof cpu === "boolean") return cpu;
    this.core.lpis.refresh(cpu);
    return true;
  }

  #move(device: number, event: number, collection: number): Ended {
    const found = this.#find(device, event);
    if (typeof found === "boolean") return found;
    const from = this.#cpuOf(found.translation.collection);
    if (typeof from === "boolean") return from;
    const to = this.#cpuOf(collection);
    if (typeof to === "boolean") return to;
    const { interrupt } = found.translation;
    if (from !== to) this.core.lpis.move(from, to, interrupt);
    return this.tables.setTranslation(found.device, event, { interrupt, collection });
  }

  #moveAll(from: number, to: number): Ended {
    const { cpus, lpis } = this.core;
    if (from >= cpus.length || to >= cpus.length || from === to) return true;
    lpis.moveAll(cpus[from], cpus[to]);
    return true;
  }

  #mapDevice(device: number, words: readonly bigint[]): Ended {
    const size = Number(words[1] & 31n);
    if (device >= this.tables.devices.entries || size > ID_BITS) return true;
    const table = Number(words[2] & 0xf_ffff_ffff_ff00n);
    return this.tables.setDevice(device, words[2] & VALID ? { table, size } : undefined);
  }

  #mapCollection(word: bigint): Ended {
    const collection = Number(word & HALF), cpu = Number((word >> 16n) & HALF);
    const valid = (word & VALID) !== 0n;
    if (collection >= this.tables.collections.entries) return true;
    if (valid && cpu >= this.core.cpus.length) return true;
    return this.tables.setCollection(collection, valid ? cpu : undefined);
  }

  #mapEvent(device: number, event: number, interrupt: number, word: bigint): Ended {
    const collection = Number(word & HALF);
    const entry = this.#device(device);
    if (typeof entry === "boolean") return entry;
    const outside = collection >= this.tables.collections.entries || event >= eventsOf(entry);
    if (outside || interrupt < FIRST_LPI || interrupt >= 2 ** (ID_BITS + 1)) return true;
    return this.tables.setTranslation(entry, event, { interrupt, collection });
  }

  #device(device: number): DeviceEntry | Ended {
    if (device >= this.tables.devices.entries) return true;
    const entry = this.tables.device(device);
    return entry === UNREACHABLE ? false : entry === ABSENT ? true : entry;
  }

  #find(device: number, event: number): Event | Ended {
    const entry = this.#device(device);
    if (typeof entry === "boolean") return entry;
    if (event >= eventsOf(entry)) return true;
    const translation = this.tables.translation(entry, event);
    if (translation === UNREACHABLE) return false;
    return translation === ABSENT ? true : { device: entry, number: event, translation };
  }

  #cpuOf(collection: number): GicV3Cpu | Ended {
    if (collection >= this.tables.collections.entries) return true;
    const cpu = this.tables.collection(collection);
    if (cpu === UNREACHABLE) return false;
    return cpu === ABSENT ? true : this.core.cpus[cpu] ?? true;
  }
}

function eventsOf({ size }: DeviceEntry): number {
  return 2 ** (size + 1);
}
