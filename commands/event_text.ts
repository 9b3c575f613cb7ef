/** Events in words, for people. */
import type { ExceptionEvent, MachineEvent, TlbFillEvent } from "../core/observer.ts";
import type { Symbolizer } from "../replay/symbolizer.ts";
import { describeSyndrome, hasFaultAddress } from "../replay/syndrome.ts";
import { hex, printable } from "./output.ts";

/** Memory types by MAIR attribute byte (Arm ARM D17.2.97); others print as their number. */
const MEMORY_TYPES: Readonly<Record<number, string>> = {
  0x00: "Device-nGnRnE",
  0x04: "Device-nGnRE",
  0x08: "Device-nGRE",
  0x0c: "Device-GRE",
  0x44: "Normal non-cacheable",
  0xbb: "Normal write-through",
  0xff: "Normal write-back",
};

/** What happened, in one line without position, PC and kind. */
export function eventDetails(event: MachineEvent, symbols: Symbolizer): string {
  switch (event.kind) {
    case "exception":
      return exceptionDetails(event, symbols);
    case "eret": {
      const illegal = event.illegal ? ", illegal return" : "";
      return `EL${event.fromEl} -> EL${event.toEl}, to ${place(event.elr, symbols)}, ` +
        `SPSR ${hex(event.spsr)}${illegal}`;
    }
    case "tlb-fill":
      return tlbDetails(event);
    case "tlbi":
    case "cache":
    case "barrier":
      return event.value === 0n ? event.operation : `${event.operation}, ${hex(event.value)}`;
    case "sysreg":
      return `${event.register}: ${hex(event.old)} -> ${hex(event.new)}`;
    case "mmio":
      return `${event.write ? "write" : "read "} ${hex(event.address, 8)}, ` +
        `${event.size} byte${event.size === 1 ? "" : "s"}: ${hex(event.value)}`;
    case "console":
      return `${hex(event.byte, 2)} ${consoleByte(event.byte)}`.trimEnd();
    case "hazard":
      return event.address === 0n ? event.hazard : `${event.hazard} at ${hex(event.address)}`;
    case "turn":
      return `CPU ${event.cpu} goes on`;
    case "reset":
      return printable(event.reason);
    case "unknown":
      return `${hex(event.word, 8)} ${printable(event.text)}`;
  }
}

/** An exception: what, where to, and the fault address if there is one. */
export function exceptionDetails(event: ExceptionEvent, symbols: Symbolizer): string {
  const what = event.type === "sync" ? describeSyndrome(event.esr) : event.type.toUpperCase();
  const address = event.type === "sync" && hasFaultAddress(event.esr)
    ? `, address ${hex(event.far)}`
    : "";
  return `${what}${address}, EL${event.fromEl} -> EL${event.toEl}, ` +
    `vector ${place(event.vector, symbols)}`;
}

/** An address with its symbol: `0x40400a00 <vectors+0x200>`. */
export function place(address: bigint, symbols: Symbolizer): string {
  const name = symbols.name(address);
  return name === undefined ? hex(address) : `${hex(address)} <${printable(name)}>`;
}

/** The source line of an instruction as `, kernel/boot.ts:12`, or nothing. */
export function sourceText(pc: bigint, symbols: Symbolizer): string {
  const source = symbols.source(pc);
  return source === undefined ? "" : `, ${printable(source.file)}:${source.line}`;
}

/** A memory type in words. */
export function memoryType(attributes: number): string {
  return MEMORY_TYPES[attributes] ?? `attributes ${hex(attributes, 2)}`;
}

/** Permissions of a TLB entry for one exception level, as `rwx`. */
export function permissionText(permissions: number, el: 0 | 1): string {
  const bits = permissions >> (el * 3);
  return ["r", "w", "x"].map((letter, bit) => (bits >> bit) & 1 ? letter : "-").join("");
}

function tlbDetails(event: TlbFillEvent): string {
  const { va, pa, level, sizeLog2, permissions, asid, descriptors } = event;
  const owner = event.global ? "global" : `ASID ${asid}`;
  const walk = descriptors.map((read) => `L${read.level} ${hex(read.descriptor)}`).join(", ");
  return `${hex(va, 8)} -> ${hex(pa, 8)} to ${event.access}, level ${level}, ` +
    `${sizeText(sizeLog2)}, EL1 ${permissionText(permissions, 1)} ` +
    `EL0 ${permissionText(permissions, 0)}, ${memoryType(event.attributes)}, ${owner}, by ${walk}`;
}

function sizeText(sizeLog2: number): string {
  const units = ["bytes", "KB", "MB", "GB", "TB"];
  const unit = Math.min(Math.floor(sizeLog2 / 10), units.length - 1);
  return `${2 ** (sizeLog2 - 10 * unit)} ${units[unit]}`;
}

function consoleByte(byte: number): string {
  if (byte === 0x0a) return "'\\n'";
  if (byte === 0x0d) return "'\\r'";
  return byte >= 0x20 && byte < 0x7f ? `'${String.fromCharCode(byte)}'` : "";
}
