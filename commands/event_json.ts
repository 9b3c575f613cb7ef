import type { MachineEvent } from "../core/observer.ts";
import type { Symbolizer } from "../replay/symbolizer.ts";
import { describeSyndrome } from "../replay/syndrome.ts";
import { permissionText } from "./event_text.ts";
import { hex } from "./output.ts";

/**
 * An event as `--json` shows it: positions, levels and sizes are numbers; addresses, registers and
 * values `"0x…"` strings, physical addresses too.
 */
export function eventJson(event: MachineEvent, symbols: Symbolizer): Record<string, unknown> {
  const { position, cpu, kind, pc, ...own } = event;
  const rest = Object.fromEntries(
    Object.entries(own).map(([name, value]) => [snakeCase(name), value]),
  );
  const symbol = symbols.name(pc);
  const common = { position, cpu, kind, pc, ...(symbol === undefined ? {} : { symbol }) };
  switch (event.kind) {
    case "exception":
      return {
        ...common,
        ...rest,
        ...(event.type === "sync" || event.type === "serror"
          ? { syndrome: describeSyndrome(event.esr) }
          : {}),
      };
    case "tlb-fill": {
      const { permissions, attributes, descriptors, pa } = event;
      return {
        ...common,
        ...rest,
        pa: hex(pa),
        attributes: hex(attributes, 2),
        permissions: { el0: permissionText(permissions, 0), el1: permissionText(permissions, 1) },
        descriptors: descriptors.map(({ level, address, descriptor }) => ({
          level,
          address: hex(address),
          descriptor,
        })),
      };
    }
    case "mmio":
      return { ...common, ...rest, address: hex(event.address) };
    case "unknown":
      return { ...common, ...rest, word: hex(event.word, 8) };
    default:
      return { ...common, ...rest };
  }
}

/** `fromEl` as `from_el`: JSON here has one style of names. */
function snakeCase(name: string): string {
  return name.replace(/(?<=[a-z])[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
}
