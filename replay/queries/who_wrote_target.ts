/**
 * What a person means by the ADDRESS, REGISTER or SYSREG of `who-wrote`.
 */
import { systemRegisterByName } from "../../core/system/sysregs.ts";
import { translationOf } from "../guest_view.ts";
import type { Session } from "../session.ts";
import type { Symbolizer } from "../symbolizer.ts";
import type { Written } from "./who_wrote.ts";

/** What is asked about cannot be understood, or is nowhere. The message is one line. */
export class TargetError extends Error {
  /** `TargetError` */
  override name = "TargetError";
}

/** What a target can be, for helps and errors. */
export const TARGET_FORMS: string = "0xADDRESS, 0xADDRESS+BYTES, SYMBOL, SYMBOL+BYTES, " +
  "pa:0xADDRESS, a register (x0 to x30, sp, v0 to v31, nzcv) or a system register (VBAR_EL1)";

const MOST_BYTES = 1 << 20;
const ALIASES: Readonly<Record<string, string>> = { lr: "x30", fp: "x29" };

/**
 * Reads a target. A virtual address means what it translates to at the position; one that is not
 * mapped there means itself as a physical address, if that is RAM.
 *
 * @param cpu whose virtual address it is; of the CPU whose step is there if left out
 * @param size bytes, where the text does not say; a symbol's own size or 1 if left out
 * @throws TargetError with one line
 */
export function readTarget(
  session: Session,
  symbols: Symbolizer,
  text: string,
  { position, size, cpu }: {
    readonly position: number;
    readonly size?: number;
    readonly cpu?: number;
  },
): Written {
  const named = namedRegister(text);
  if (named) return named;
  const [, pa, start, length] = /^(pa:)?(.+?)(?:\+(0x[0-9a-f_]+|[\d_]+))?$/i.exec(text) ?? [];
  const place = start === undefined ? undefined : placeOf(start, symbols);
  if (!place) throw new TargetError(`Unknown target "${text}": expected ${TARGET_FORMS}`);
  const bytes = length === undefined ? size ?? place.bytes : Number(length.replaceAll("_", ""));
  if (!(bytes >= 1 && bytes <= MOST_BYTES)) {
    throw new TargetError(`Cannot look at ${bytes} bytes of ${start}: expected 1 to ${MOST_BYTES}`);
  }
  const address = pa ? Number(place.address) : physicalOf(session, place.address, position, cpu);
  const { memory } = session.machine;
  if (!memory.contains(address, bytes)) {
    throw new TargetError(
      `There is no RAM at physical address 0x${address.toString(16)}: only writes of RAM are known`,
    );
  }
  return { kind: "memory", range: { address, length: bytes } };
}

/** General, vector and system registers by their names. */
function namedRegister(text: string): Written | undefined {
  const lower = text.toLowerCase();
  const alias = ALIASES[lower] ?? lower;
  const [, general] = /^[xw](\d|[12]\d|30)$/.exec(alias) ?? [];
  if (general !== undefined) return { kind: "register", name: `x${general}` };
  const [, vector] = /^[vqdsb](\d|[12]\d|3[01])$/.exec(alias) ?? [];
  if (vector !== undefined) return { kind: "register", name: `v${vector}` };
  if (alias === "sp" || alias === "nzcv") return { kind: "register", name: alias };
  if (alias === "pc") throw new TargetError("Every instruction writes pc: dump lists them");
  const name = text.toUpperCase();
  return systemRegisterByName(name) ? { kind: "system", name } : undefined;
}

function placeOf(
  text: string,
  symbols: Symbolizer,
): { address: bigint; bytes: number } | undefined {
  if (/^0x[0-9a-f_]+$/i.test(text)) {
    const address = BigInt(text.replaceAll("_", ""));
    return address < 1n << 64n ? { address, bytes: 1 } : undefined;
  }
  const symbol = symbols.find(text);
  return symbol && { address: symbol.address, bytes: Math.max(1, symbol.size) };
}

function physicalOf(session: Session, va: bigint, position: number, cpu?: number): number {
  const { trace } = session;
  session.seek(position);
  const { machine } = session;
  const { pa } = translationOf(machine, va, machine.cpus[cpu ?? machine.cpu.index]);
  if (pa !== null) return pa;
  // Not mapped there: what it was when it last was, or the address of the memory itself.
  if (va < 1n << 48n && session.machine.memory.contains(Number(va))) return Number(va);
  let last: number | undefined;
  const kinds = new Set(["tlb-fill"] as const);
  for (const event of trace.events({ kinds, to: position })) {
    if (
      event.kind !== "tlb-fill" ||
      event.va >> BigInt(event.sizeLog2) !== va >> BigInt(event.sizeLog2)
    ) {
      continue;
    }
    const size = 2 ** event.sizeLog2;
    last = event.pa - event.pa % size + Number(BigInt.asUintN(event.sizeLog2, va));
  }
  if (last !== undefined) return last;
  throw new TargetError(
    `Address 0x${va.toString(16)} is not mapped at #${position}: ` +
      `give a position where it is, or its physical address as pa:0xADDRESS`,
  );
}
