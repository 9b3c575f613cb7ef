/** An explanation in words. */
import { disassemble } from "../../core/isa/disassemble.ts";
import type { ExecutedInstruction } from "../../trace/mod.ts";
import { describeSyndrome, exceptionClass, hasFaultAddress } from "../syndrome.ts";
import type { ReadDescriptor } from "./cause.ts";
import { levelText } from "./cause_tables.ts";
import { type Explanation, vectorsOf } from "./explain.ts";
import type { Names } from "./explain_symbols.ts";
import type { WriteAnswer } from "./who_wrote.ts";

/** What a descriptor reads as. */
export type DescriptorKind = "invalid" | "reserved" | "table" | "block" | "page";

/** What the texts need beside the explanation. */
export interface TextContext {
  /** Names for addresses. */
  readonly symbols: Names;
  /** The instruction that a position's step executed. */
  instruction(position: number): ExecutedInstruction | undefined;
  /** `cpu1  ` for a position's step where there are several CPUs; else empty. */
  readonly cpu?: (position: number) => string;
}

/** What a descriptor reads as at its level. */
export function descriptorKind({ level, descriptor }: ReadDescriptor): DescriptorKind {
  switch (Number(descriptor & 3n)) {
    case 1:
      return level === 3 ? "reserved" : "block";
    case 3:
      return level === 3 ? "page" : "table";
    default:
      return "invalid";
  }
}

/** The whole explanation, lines joined by line breaks. Addresses get their symbols. */
export function explanationText(explanation: Explanation, context: TextContext): string {
  const { event, cause, firstCause, diagnosis, fix } = explanation;
  const lines = [
    `#${event.position}  ${context.cpu?.(event.position) ?? ""}${describeException(explanation)}`,
    `  at ${place(event.pc, context.symbols)}${source(event.pc, context.symbols)}`,
    `  ${registers(explanation)}`,
    "",
    ...verdict(explanation),
    ...walkLines(explanation),
    ...writerLines(explanation, context),
  ];
  if (fix) {
    const checked = diagnosis.cause === "stale-tlb" || diagnosis.cause === "fp-trapped"
      ? ""
      : "\n  Checked: walking again with it, the access passes.";
    lines.push("", `Smallest change: ${fix.text}${checked}`);
  }
  if (cause !== firstCause) {
    lines.push(`And: write ${vectorsOf(event)} before the first instruction that can fault.`);
  }
  if (explanation.handled) {
    lines.push("", "No fault stopped this boot: this is the first one, and its handler returned.");
  }
  return lines.join("\n");
}

function describeException({ event }: Explanation): string {
  return event.type === "serror" ? "SError" : describeSyndrome(event.esr);
}

function registers({ event, diagnosis: { ipa } }: Explanation): string {
  const { esr, far, elr, fromEl, toEl } = event;
  const ec = exceptionClass(esr).toString(16);
  const address = hasFaultAddress(esr) ? `, FAR ${hex(far)}` : "";
  const second = ipa === null ? "" : `, IPA ${hex(ipa)}`;
  return `ESR ${hex(esr)} (EC 0x${ec})${address}${second}, ELR ${
    hex(elr)
  }, EL${fromEl} -> EL${toEl}`;
}

function verdict(explanation: Explanation): string[] {
  const { cause, firstCause, diagnosis, event } = explanation;
  if (cause === firstCause) return [`Cause: ${cause}: ${diagnosis.why}.`];
  return [
    `Cause: ${cause}: the handler at ${hex(event.vector)} could not be entered, because ${
      vectorsOf(event)
    } was never written since reset.`,
    `First cause: ${firstCause}: ${diagnosis.why}.`,
  ];
}

function walkLines({ diagnosis }: Explanation): string[] {
  const { walk, fill, now, guilty, failed } = diagnosis;
  if (!walk || !failed) return [];
  const blamed = guilty?.kind === "descriptor" ? guilty.step : undefined;
  const lines = fill
    ? ["", `Walk of ${hex(failed.va)} that filled the TLB at #${fill.position}:`]
    : ["", `Walk of ${hex(failed.va)}:`];
  lines.push(...walk.map((step) => stepLine(step, fill ? undefined : blamed)));
  if (now) {
    lines.push(`What the tables say at #${failed.position}:`);
    lines.push(...now.map((step) => stepLine(step, blamed)));
  }
  return lines;
}

function stepLine(step: ReadDescriptor, blamed: ReadDescriptor | undefined): string {
  const { level, address, descriptor, stage } = step;
  const value = `0x${descriptor.toString(16).padStart(16, "0")}`;
  const isBlamed = address === blamed?.address && stage === blamed.stage;
  const mark = isBlamed ? "  <- here" : "";
  return `  ${stage === 2 ? "stage 2 " : ""}L${level} ${hex(address)}: ${value}  ${
    attributes(step)
  }${mark}`;
}

/** The fields that decide, for example `page 0x40401000 AP=00 AF PXN`. */
export function attributes(step: ReadDescriptor): string {
  const { descriptor } = step;
  const kind = descriptorKind(step);
  if (kind === "invalid") return kind;
  const bit = (n: number) => (descriptor >> BigInt(n) & 1n) !== 0n;
  const address = `${kind} ${hex(descriptor & 0xffff_ffff_f000n)}`;
  if (kind === "table") {
    const restrictions = [
      bit(61) || bit(62) ? `APTable=${Number(bit(62))}${Number(bit(61))}` : "",
      bit(60) ? "UXNTable" : "",
      bit(59) ? "PXNTable" : "",
      // Fields that a table does not have, shown because they should not be there.
      bit(10) ? "(AF set)" : "",
    ];
    return [address, ...restrictions.filter((text) => text !== "")].join(" ");
  }
  if (step.stage === 2) {
    return [
      address,
      `S2AP=${Number(bit(7))}${Number(bit(6))}`,
      bit(10) ? "AF" : "AF=0",
      ...(bit(54) ? ["XN"] : []),
      `MemAttr=${Number(descriptor >> 2n & 15n)}`,
    ].join(" ");
  }
  return [
    address,
    `AP=${Number(bit(7))}${Number(bit(6))}`,
    bit(10) ? "AF" : "AF=0",
    ...(bit(54) ? ["UXN"] : []),
    ...(bit(53) ? ["PXN"] : []),
    `AttrIndx=${Number(descriptor >> 2n & 7n)}`,
  ].join(" ");
}

function writerLines(explanation: Explanation, context: TextContext): string[] {
  const { event, writers, writer, diagnosis, cause, firstCause } = explanation;
  const { guilty } = diagnosis;
  const lines: string[] = [];
  if (cause !== firstCause) lines.push("", `${vectorsOf(event)}: never written, 0x0 since reset.`);
  if (writers.length === 0 || !guilty) return lines;
  const what = guilty.kind === "descriptor"
    ? `the ${levelText(guilty.step)} descriptor at ${hex(guilty.step.address)}`
    : guilty.kind === "register"
    ? guilty.name
    : `the instruction at physical address ${hex(guilty.address)}`;
  lines.push("", `Who wrote ${what}:`);
  for (const { write, bytes } of writers) {
    const part = writers.length === 1 ? "" : `  (${bytesText(bytes)})`;
    const mark = writers.length > 1 && write === writer ? "  <- the bits to blame" : "";
    lines.push(...writeLines(write, context).map((line, i) => i ? line : line + part + mark));
  }
  return lines;
}

function bytesText(bytes: readonly number[]): string {
  return bytes.length === 1 ? `byte ${bytes[0]}` : `bytes ${bytes.join(", ")}`;
}

function writeLines(write: WriteAnswer, { symbols, instruction, cpu }: TextContext): string[] {
  const { by, position, pc, old } = write;
  const now = write.new === null ? "" : hex(write.new);
  if (pc === null) {
    return [
      by === "loader"
        ? `  loader: in the image as loaded, ${now}`
        : `  reset: never written, ${now}`,
    ];
  }
  const executed = instruction(position);
  const code = executed ? `: ${disassemble(executed.word, pc)}` : "";
  return [
    `  #${position}  ${cpu?.(position) ?? ""}${by} at ${place(pc, symbols)}${
      source(pc, symbols)
    }${code}`,
    `    ${old === null ? "" : `${hex(old)} -> `}${now}`,
  ];
}

function place(pc: bigint, symbols: Names): string {
  const name = symbols.name(pc);
  return name === undefined ? hex(pc) : `${hex(pc)} <${name}>`;
}

function source(pc: bigint, symbols: Names): string {
  const found = symbols.source(pc);
  return found ? `, ${found.file}:${found.line}` : "";
}

function hex(value: number | bigint): string {
  return `0x${value.toString(16)}`;
}
