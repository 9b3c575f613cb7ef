/** What the prompt of `replay` shows: where one is, registers, memory. */
import type { Cpu } from "../core/cpu.ts";
import { disassemble } from "../core/isa/disassemble.ts";
import type { Debugger } from "../replay/debugger.ts";
import { readVirtual } from "../replay/guest_view.ts";
import type { Session } from "../replay/session.ts";
import type { Symbolizer } from "../replay/symbolizer.ts";
import { exceptionDetails, sourceText } from "./event_text.ts";
import { hex, printable } from "./output.ts";
import { pcOf, systemRegister } from "./replay_expression.ts";
import { UserError } from "./user_error.ts";

/** What is shown, and the names for it. */
export interface Shown {
  readonly debugger: Debugger;
  readonly symbols: Symbolizer;
}

/** Most callers that {@linkcode whereText} follows. */
const MOST_CALLERS = 32;

/** The step behind the cursor in one line: position, PC, symbol, word, instruction, source line. */
export function stepText(shown: Shown, position = shown.debugger.position): string {
  const { trace } = shown.debugger.session;
  const cpu = trace.header.cpus > 1 ? `  cpu${trace.turns.cpuAt(position)}` : "";
  return `#${position}${cpu}  ${bareStepText(shown, position)}`;
}

/** The same from the PC on. */
function bareStepText(shown: Shown, position: number): string {
  const { timeline, session } = shown.debugger;
  const instruction = timeline.instructionAt(position);
  if (instruction) {
    const { pc, word } = instruction;
    const code = word.toString(16).padStart(8, "0");
    return `${addressText(pc, shown)}  ${code}  ${disassemble(word, pc)}` +
      sourceText(pc, shown.symbols);
  }
  const entry = timeline.entryAt(position);
  if (entry) {
    return `${addressText(entry.pc, shown)}  ** ${exceptionDetails(entry, shown.symbols)}`;
  }
  return `${addressText(session.pc, shown)}  ** ${endText(session)}`;
}

/** The same for the CPU that is looked at, which may have its next step later. */
export function frameText(shown: Shown): string {
  const { cpu, here, position, session } = shown.debugger;
  const { trace, machine } = session;
  if (trace.header.cpus === 1 || trace.turns.cpuAt(position) === cpu) return stepText(shown);
  const looked = machine.cpus[cpu];
  const state = `#${position}  cpu${cpu}  ${
    !looked.on ? "off" : looked.waiting ? "waits for an interrupt" : "between turns"
  }`;
  if (here < trace.end) return `${state}, next step #${here}  ${bareStepText(shown, here)}`;
  return `${state}, no more steps  ${addressText(pcOf(session, looked), shown)}`;
}

/** Level and MMU of a CPU: `EL1h, MMU on`. */
export function levelText({ processor: { state, translation: { regime } } }: Cpu): string {
  return `${elText(state.pstate)}, MMU ${regime.enabled ? "on" : "off"}`;
}

/** Why nothing comes behind the end. */
export function endText({ trace }: Session): string {
  return `end of the trace: ${trace.footer?.reason ?? "truncated"}`;
}

/** Where one is: the step, the processor's mode, and the calls that led here. */
export function whereText(shown: Shown): string[] {
  const { session, timeline, position, cpu } = shown.debugger;
  const looked = session.machine.cpus[cpu];
  const { processor: { state, translation: { regime: { enabled, stage2 } } } } = looked;
  const mmu = `MMU ${enabled ? "on" : "off"}${stage2 === null ? "" : ", stage 2 on"}`;
  const lines = [frameText(shown), `  ${modeText(state.pstate)}, ${mmu}`];
  let call = timeline.functionCall(position, cpu);
  for (let depth = 0; call !== undefined && depth < MOST_CALLERS; depth++) {
    lines.push(`  called from ${stepText(shown, call)}`);
    call = timeline.functionCall(call);
  }
  if (call !== undefined) lines.push("  …");
  return lines;
}

/** Registers: the general ones without a name, `system` for all system registers, else that one. */
export function registerLines(shown: Shown, names: readonly string[]): string[] {
  const { session, cpu: index } = shown.debugger;
  const cpu = session.state().cpus[index];
  const pc = pcOf(session, session.machine.cpus[index]);
  if (names.length === 0) {
    return [
      ...cpu.x.map((value, n) => registerLine(`x${n}`, value, shown)),
      registerLine("sp", cpu.sp, shown),
      registerLine("pc", pc, shown),
      `${"pstate".padEnd(8)}${hex(cpu.pstate)}  ${modeText(cpu.pstate)}`,
    ];
  }
  if (names.length === 1 && names[0] === "system") {
    return Object.entries(cpu.system).map(([name, value]) => `${name.padEnd(20)}${hex(value)}`);
  }
  return names.map((name) => {
    const all = [...cpu.x.map((value, n): [string, bigint] => [`x${n}`, value])];
    const found = new Map([...all, ["sp", cpu.sp], ["pc", pc], ["pstate", cpu.pstate]])
      .get(name.toLowerCase().replace(/^\$/, "")) ?? systemRegister(name, cpu);
    if (found === undefined) throw new UserError(`Unknown register "${name}"`);
    return registerLine(name, found, shown);
  });
}

/** A number with the symbol that it is an address in: `0x40080010  <main+0x10>`. */
export function addressText(address: bigint, { symbols }: Shown): string {
  const name = symbols.name(address);
  return name === undefined ? hex(address, 8) : `${hex(address, 8)} <${printable(name)}>`;
}

function registerLine(name: string, value: bigint, shown: Shown): string {
  const symbol = shown.symbols.name(value);
  return `${`${name} `.padEnd(8)}${hex(value)}${
    symbol === undefined ? "" : `  <${printable(symbol)}>`
  }`;
}

/** `EL1h, nZCv, DAIF masked: DAIF`. */
/** PSTATE.BTYPE, for people. */
const LANDINGS = ["", ", behind BR as a call", ", behind BLR", ", behind BR"];

function modeText(pstate: bigint): string {
  const bit = (n: number) => (pstate >> BigInt(n) & 1n) === 1n;
  const flags = [..."NZCV"].map((flag, i) => bit(31 - i) ? flag : flag.toLowerCase()).join("");
  const masked = [..."DAIF"].filter((_, i) => bit(9 - i)).join("");
  return `${elText(pstate)}, ${flags}, ` +
    `masked: ${masked === "" ? "nothing" : masked}${bit(20) ? ", illegal state" : ""}` +
    LANDINGS[Number(pstate >> 10n & 3n)];
}

/** `EL1h`: the level, and which stack pointer it uses. */
function elText(pstate: bigint): string {
  const el = Number(pstate >> 2n & 3n);
  return `EL${el}${el === 0 ? "" : (pstate & 1n) === 1n ? "h" : "t"}`;
}

/** How memory is shown: as in gdb's `x/NFU`. */
export interface MemoryFormat {
  readonly count: number;
  /** x hexadecimal, d signed, u unsigned, t binary, c character, s string, i instruction. */
  readonly format: string;
  /** Bytes of a unit. */
  readonly size: number;
}

const UNITS: Readonly<Record<string, number>> = { b: 1, h: 2, w: 4, g: 8 };
const MOST_UNITS = 4096;
const LONGEST_STRING = 256;
/** Bytes in a line. */
const LINE_BYTES = 16;

/**
 * Reads `NFU`, all parts optional: a count, a format of `xdutcsi`, a unit of `bhwg`.
 *
 * @param last stands for what is left out
 * @throws UserError if it has another form
 */
export function memoryFormat(text: string, last: MemoryFormat): MemoryFormat {
  const [matched, count, letters = ""] = /^(\d*)([xdutcsibhwg]*)$/.exec(text) ?? [];
  const formats = letters.replace(/[bhwg]/g, "");
  const units = letters.replace(/[xdutcsi]/g, "");
  if (matched === undefined || formats.length > 1 || units.length > 1) {
    throw new UserError(
      `Unknown format "/${text}": expected a count, one of x d u t c s i and one of b h w g`,
    );
  }
  const format = formats || last.format;
  const implied = format === "i" ? 4 : format === "c" || format === "s" ? 1 : last.size;
  const wanted = count === "" ? 1 : Number(count);
  if (wanted < 1 || wanted > MOST_UNITS) {
    throw new UserError(`Cannot show ${wanted} units: expected 1 to ${MOST_UNITS}`);
  }
  return { count: wanted, format, size: units === "" ? implied : UNITS[units] };
}

/**
 * Lines of memory from a virtual address, and the address behind them.
 *
 * @throws UserError where nothing is mapped
 */
export function memoryLines(
  shown: Shown,
  address: bigint,
  { count, format, size }: MemoryFormat,
): { lines: string[]; next: bigint } {
  if (format === "s") return stringLines(shown, address, count);
  const lines: string[] = [];
  const perLine = format === "i" ? 1 : Math.max(1, LINE_BYTES / size / (format === "t" ? 4 : 1));
  for (let done = 0; done < count;) {
    const at = BigInt.asUintN(64, address + BigInt(done * size));
    const units = Math.min(perLine, count - done);
    const bytes = bytesAt(shown, at, units * size);
    const values = Array.from({ length: units }, (_, i) => valueOf(bytes, i * size, size));
    lines.push(
      format === "i"
        ? instructionLine(shown, at, Number(values[0]))
        : `${addressText(at, shown)}:  ${
          values.map((value) => unitText(value, format, size)).join("  ")
        }`,
    );
    done += units;
  }
  return { lines, next: BigInt.asUintN(64, address + BigInt(count * size)) };
}

function instructionLine(shown: Shown, address: bigint, word: number): string {
  const { session, cpu } = shown.debugger;
  const arrow = address === pcOf(session, session.machine.cpus[cpu]) ? "=> " : "   ";
  const code = word.toString(16).padStart(8, "0");
  return `${arrow}${addressText(address, shown)}  ${code}  ${disassemble(word, address)}`;
}

function stringLines(
  shown: Shown,
  address: bigint,
  count: number,
): { lines: string[]; next: bigint } {
  const lines: string[] = [];
  for (let i = 0; i < count; i++) {
    const bytes: number[] = [];
    const start = address;
    for (let ended = false; !ended && bytes.length < LONGEST_STRING; address++) {
      const [byte] = bytesAt(shown, address, 1);
      ended = byte === 0;
      if (!ended) bytes.push(byte);
    }
    const text = printable(new TextDecoder().decode(Uint8Array.from(bytes)));
    lines.push(`${addressText(start, shown)}:  "${text}"`);
  }
  return { lines, next: address };
}

function bytesAt(shown: Shown, address: bigint, length: number): Uint8Array {
  const { session: { machine }, cpu } = shown.debugger;
  const bytes = readVirtual(machine, address, length, machine.cpus[cpu]);
  if (bytes) return bytes;
  throw new UserError(`Cannot read ${length} bytes at ${hex(address)}: no memory is mapped there`);
}

function valueOf(bytes: Uint8Array, offset: number, size: number): bigint {
  return bytes.subarray(offset, offset + size)
    .reduceRight((value, byte) => value << 8n | BigInt(byte), 0n);
}

function unitText(value: bigint, format: string, size: number): string {
  switch (format) {
    case "d":
      return BigInt.asIntN(8 * size, value).toString();
    case "u":
      return value.toString();
    case "t":
      return value.toString(2).padStart(8 * size, "0");
    case "c": {
      const text = printable(String.fromCharCode(Number(value)));
      return `${value} '${text}'`;
    }
    default:
      return hex(value, 2 * size);
  }
}
