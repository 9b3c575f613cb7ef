/** Expressions at the prompt: `0x40080000`, `main+0x10`, `$x0-8`, `*(u32*)$sp == 3 && !$x1`. */
import type { Cpu } from "../core/cpu.ts";
import type { SavedCpu } from "../core/machine_state.ts";
import { readVirtual } from "../replay/guest_view.ts";
import type { Session } from "../replay/session.ts";
import type { Symbolizer } from "../replay/symbolizer.ts";
import { type Expression, parseExpression, type Terms } from "./expression.ts";
import { hex } from "./output.ts";
import { UserError } from "./user_error.ts";

/** What names in an expression can mean. */
export interface Names {
  readonly session: Session;
  readonly symbols: Symbolizer;
  /** The CPU that is looked at. */
  readonly cpu: () => Cpu;
}

/** How expressions are written, for helps. */
export const EXPRESSION_HELP: string =
  "as in C: numbers, symbols (their addresses), $registers, system registers, $cpu, *(u32*)ADDRESS or " +
  "{4}ADDRESS for memory, casts such as (s32), and ! ~ * / % + - << >> < <= > >= == != & ^ | && ||";

/** Memory that is not mapped at the cursor. */
class Unreadable extends UserError {}

/**
 * The value of an expression at the cursor, modulo 2^64.
 *
 * @throws UserError naming what means nothing
 */
export function evaluate(text: string, names: Names): bigint {
  return parseExpression(text, termsOf(names))().bits;
}

/**
 * A condition, for any moment that the cursor will be at, of the CPU in turn there. Where it reads memory that is not mapped
 * then, it does not hold.
 *
 * @throws UserError if it cannot be understood
 */
export function condition(text: string, names: Names): () => boolean {
  const { session } = names;
  const expression = parseExpression(text, termsOf({ ...names, cpu: () => session.machine.cpu }));
  const holds = () => isTrue(expression);
  holds();
  return holds;
}

function isTrue(expression: Expression): boolean {
  try {
    return expression().bits !== 0n;
  } catch (error) {
    if (error instanceof Unreadable) return false;
    throw error;
  }
}

function termsOf(names: Names): Terms {
  const { session, symbols, cpu } = names;
  return {
    name(text) {
      const symbol = text.startsWith("$") ? undefined : symbols.find(text);
      if (symbol) return () => symbol.address;
      return registerOf(text.replace(/^\$/, ""), names, text.startsWith("$"));
    },
    read(address, bytes) {
      const read = readVirtual(session.machine, address, bytes, cpu());
      if (read) return littleEndian(read);
      throw new Unreadable(
        `Cannot read ${bytes === 1 ? "1 byte" : `${bytes} bytes`} at ${hex(address)}: no memory ` +
          "is mapped there",
      );
    },
  };
}

function littleEndian(bytes: Uint8Array): bigint {
  return bytes.reduceRight((value, byte) => value << 8n | BigInt(byte), 0n);
}

const VECTOR_BYTES: Readonly<Record<string, number>> = { b: 1, h: 2, s: 4, d: 8 };

/**
 * How to read a register; undefined if there is none of that name.
 *
 * @param dollar whether the name had one: b0 to d31 need it, they look too much like symbols
 */
function registerOf(
  name: string,
  { session, cpu }: Names,
  dollar: boolean,
): (() => bigint) | undefined {
  const state = () => cpu().processor.state;
  const lower = name.toLowerCase();
  const [, kind, digits] = /^([xwbhsd])(\d\d?)$/.exec(lower) ?? [];
  const n = Number(digits);
  if ((kind === "x" || kind === "w") && n < 31) {
    return kind === "x" ? () => state().x(n) : () => BigInt.asUintN(32, state().x(n));
  }
  if (kind !== undefined && kind in VECTOR_BYTES && dollar && n < 32) {
    return () => littleEndian(state().v(n).subarray(0, VECTOR_BYTES[kind]));
  }
  switch (lower) {
    case "sp":
      return () => state().sp;
    case "pc":
      return () => pcOf(session, cpu());
    case "fp":
      return () => state().x(29);
    case "lr":
      return () => state().x(30);
    case "pstate":
    case "cpsr":
      return () => state().pstate;
    case "xzr":
    case "wzr":
      return () => 0n;
  }
  if (dollar && lower === "cpu") return () => BigInt(cpu().index);
  if (dollar && lower === "_thread") return () => BigInt(cpu().index + 1);
  const system = () => systemRegister(name, session.state().cpus[cpu().index]);
  return system() === undefined ? undefined : () => system()!;
}

/** Address of a CPU's next instruction. */
export function pcOf(session: Session, cpu: Cpu): bigint {
  return cpu === session.machine.cpu ? session.pc : cpu.processor.state.pc;
}

/** A system register by its manual name, in whatever case. */
export function systemRegister(name: string, cpu: SavedCpu): bigint | undefined {
  const upper = name.toUpperCase();
  return Object.hasOwn(cpu.system, upper) ? cpu.system[upper] : undefined;
}
