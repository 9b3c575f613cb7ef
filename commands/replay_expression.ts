/** Numbers as one writes them at the prompt: `0x40080000`, `main+0x10`, `$x0-8`, `TTBR0_EL1`. */
import type { SavedCpu } from "../core/machine_state.ts";
import type { Session, Symbolizer } from "../replay/mod.ts";
import { UserError } from "./user_error.ts";

/** What names in an expression can mean. */
export interface Names {
  readonly session: Session;
  readonly symbols: Symbolizer;
}

const OPERATORS: Readonly<Record<string, (a: bigint, b: bigint) => boolean>> = {
  "==": (a, b) => a === b,
  "!=": (a, b) => a !== b,
  "<=": (a, b) => a <= b,
  ">=": (a, b) => a >= b,
  "<": (a, b) => a < b,
  ">": (a, b) => a > b,
  "&": (a, b) => (a & b) !== 0n,
};

/**
 * Evaluates terms joined by `+` and `-` at the cursor, modulo 2^64.
 *
 * @throws UserError naming the term that means nothing
 */
export function evaluate(text: string, names: Names): bigint {
  const parts = text.trim().split(/\s*([+-])\s*/);
  if (parts.some((part) => part === "")) throw new UserError(`Cannot evaluate "${text.trim()}"`);
  let value = termOf(parts[0], names);
  for (let i = 1; i < parts.length; i += 2) {
    const term = termOf(parts[i + 1], names);
    value = parts[i] === "+" ? value + term : value - term;
  }
  return BigInt.asUintN(64, value);
}

/**
 * A condition `A OP B` with an operator of `==`, `!=`, `<`, `<=`, `>`, `>=` (unsigned) or `&`
 * (common bits), for any moment that the cursor will be at.
 *
 * @throws UserError if it has another form, or a term means nothing
 */
export function condition(text: string, names: Names): () => boolean {
  const [, left, operator, right] = /^(.+?)\s*(==|!=|<=|>=|<|>|&)\s*(.+)$/.exec(text) ?? [];
  if (operator === undefined) {
    throw new UserError(
      `Cannot read the condition "${text}": expected REGISTER OP VALUE, with OP one of ` +
        `${Object.keys(OPERATORS).join(" ")}`,
    );
  }
  const holds = () => OPERATORS[operator](evaluate(left, names), evaluate(right, names));
  holds();
  return holds;
}

function termOf(term: string, names: Names): bigint {
  const digits = term.replaceAll("_", "");
  if (/^(0x[0-9a-f]+|\d+)$/i.test(digits)) return BigInt(digits);
  const symbol = term.startsWith("$") ? undefined : names.symbols.find(term);
  if (symbol) return symbol.address;
  const register = registerOf(term.replace(/^\$/, ""), names.session);
  if (register !== undefined) return register;
  throw new UserError(
    `Unknown name "${term}": expected a number, a symbol, a register such as $x0, $w0, $sp, $pc, ` +
      `or a system register such as TTBR0_EL1`,
  );
}

/** The value of a register at the cursor; undefined if there is none of that name. */
function registerOf(name: string, session: Session): bigint | undefined {
  const { cpus: [cpu] } = session.state();
  const lower = name.toLowerCase();
  const [, kind, digits] = /^([xw])(\d\d?)$/.exec(lower) ?? [];
  if (digits !== undefined && Number(digits) < 31) {
    const value = cpu.x[Number(digits)];
    return kind === "w" ? BigInt.asUintN(32, value) : value;
  }
  switch (lower) {
    case "sp":
      return cpu.sp;
    case "pc":
      return session.pc;
    case "fp":
      return cpu.x[29];
    case "lr":
      return cpu.x[30];
    case "pstate":
    case "cpsr":
      return cpu.pstate;
    case "xzr":
      return 0n;
    default:
      return systemRegister(name, cpu);
  }
}

/** A system register by its manual name, in whatever case. */
export function systemRegister(name: string, cpu: SavedCpu): bigint | undefined {
  const upper = name.toUpperCase();
  return Object.hasOwn(cpu.system, upper) ? cpu.system[upper] : undefined;
}
