/** One line of text for each difference. */
import { attributes, descriptorKind } from "./explain_text.ts";
import type { BranchDifference } from "./diff_branch.ts";
import type { Operand } from "./diff_operands.ts";
import type { Effect } from "./diff_effects.ts";
import type { Finding } from "./diff_judge.ts";
import type { Relation } from "./diff_relation.ts";
import type { TableEntry } from "./diff_tables.ts";

/** Fields of a block or page descriptor: name, lowest bit, bits. */
const FIELDS = [
  ["AttrIndx", 2, 3],
  ["NS", 5, 1],
  ["AP", 6, 2],
  ["SH", 8, 2],
  ["AF", 10, 1],
  ["nG", 11, 1],
  ["Contiguous", 52, 1],
  ["PXN", 53, 1],
  ["UXN", 54, 1],
] as const;
const TABLE_FIELDS = [["PXNTable", 59, 1], ["UXNTable", 60, 1], ["APTable", 61, 2]] as const;
const ADDRESS = 0xffff_ffff_f000n;

/** What the difference is, in one line that names the thing. */
export function findingWords(relation: Relation, finding: Finding): string {
  const { kind, a, b, only } = finding;
  if (finding.branch) return flowWords(relation, finding.branch);
  if (kind === "content") return contentWords(relation, a!, b!);
  if (kind === "unrelated") {
    return `everything: A begins with ${effectWords(relation, a!, "a")}, ` +
      `B with ${effectWords(relation, b!, "b")}; they are different programs`;
  }
  const side = only!;
  const effect = (side === "a" ? a : b)!;
  const other = side === "a" ? "B" : "A";
  const elsewhere = side === "a" ? b : a;
  const what = effectWords(relation, effect, side);
  if (effect.kind === "exception" && !elsewhere) {
    return `exception only in ${side.toUpperCase()}: ${what}`;
  }
  if (elsewhere && finding.weak) {
    const [first, later] = comesLater(finding) === (side === "a") ? ["A", "B"] : ["B", "A"];
    return `order: ${what} comes earlier in ${first} than in ${later}`;
  }
  if (elsewhere) {
    const when = comesLater(finding) ? "later" : "earlier";
    return `${what} missing in ${other} at this point: it comes ${when} there, at #${elsewhere.position}`;
  }
  return effect.kind === "sysreg"
    ? `${what} missing in ${other} (${side.toUpperCase()}: ${valueWords(relation, effect, side)})`
    : `${what} missing in ${other}`;
}

/** Which branch went another way, and why. */
function flowWords(relation: Relation, branch: BranchDifference): string {
  const { a, b, text, taken, operands } = branch;
  const at = (side: "a" | "b", pc: bigint) => relation[side].codeName(pc) ?? hex(pc);
  if (!a || !b) {
    const [side, own] = a ? ["a", a] as const : ["b", b!] as const;
    const what = `${at(side, own.pc)} ${side.toUpperCase()}`;
    if (text !== "") return `flow: at ${what} executes \`${text}\`, ${a ? "B" : "A"} never does`;
    return `flow: at ${what} calls ${at(side, own.target)}, ` +
      `${a ? "B" : "A"} never does from there`;
  }
  const compared = operands.map(operandWords).join("; ");
  const [name] = text.split(" ");
  const where = `flow: at ${at("a", a.pc)} \`${name}\``;
  if (taken === null) {
    return `${where} goes to ${at("a", a.target)} in A, ${at("b", b.target)} in B (${compared})`;
  }
  const by = operands.find((operand) => operand.text !== text)?.text;
  return `${where} taken in ${taken ? "A, not in B" : "B, not in A"}; compared ${compared}` +
    ` (${by ?? text})`;
}

function operandWords({ register, a, b }: Operand): string {
  const [x, y] = [a, b].map((value) => value < 1024n ? value.toString() : hex(value));
  return a === b ? `${register}=${x} in both` : `${register}=${x} in A, ${y} in B`;
}

/** A register's value, with its symbol if it is an address: `0x40080800 <vectors>`. */
function valueWords(relation: Relation, { value }: Effect, side: "a" | "b"): string {
  const isPointer = relation[side].physical(value) !== undefined;
  const name = isPointer ? relation[side].name(value) : undefined;
  return name === undefined ? hex(value) : `${hex(value)} <${name}>`;
}

function comesLater({ only, a, b, divergence: { before } }: Finding): boolean {
  const elsewhere = (only === "a" ? b : a)!;
  const here = before === null ? 0 : before[only === "a" ? 1 : 0].position;
  return elsewhere.position > here;
}

/** What an effect is: `VBAR_EL1 write`, `descriptor store: …`. */
export function effectWords(relation: Relation, effect: Effect, side: "a" | "b"): string {
  switch (effect.kind) {
    case "sysreg":
      return `${effect.name} write`;
    case "maintenance":
      return effect.name;
    case "exception":
      return effect.value === 0n ? effect.name : `${effect.name}, address ${hex(effect.value)}`;
    case "return":
    case "branch":
      return effect.name;
    case "console":
      return `console line "${effect.name.slice(0, 80)}"`;
    case "mmio":
      return `write of ${hex(effect.value)} to the device at ${hex(effect.address)}`;
    case "store": {
      const entry = relation.entry(effect, side);
      if (entry && effect.length === 8) {
        return `descriptor store (${entryWords(entry)}: ${descriptorWords(entry, effect)})`;
      }
      const { length, size, value } = effect;
      const where = placeWords(relation, effect, side);
      return length > size
        ? `filling of ${length} bytes with ${hex(value)} at ${where}`
        : `store of ${hex(value)} to ${where}`;
    }
  }
}

/** What an entry maps: `level 3, VA 0x40080000`. */
export function entryWords({ level, va }: TableEntry): string {
  return `level ${level}, VA ${hex(va)}`;
}

/** What a descriptor says: `page 0x40401000 AP=00 AF PXN AttrIndx=0`. */
export function descriptorWords({ level }: TableEntry, { address, value }: Effect): string {
  return attributes({ level, address, descriptor: value });
}

function contentWords(relation: Relation, a: Effect, b: Effect): string {
  switch (a.kind) {
    case "sysreg":
      return `${a.name} write: ${valueWords(relation, a, "a")} in A, ` +
        `${valueWords(relation, b, "b")} in B`;
    case "exception":
      return `exception: ${effectWords(relation, a, "a")} in A, ${
        effectWords(relation, b, "b")
      } in B`;
    case "mmio":
      return `device register ${hex(a.address)}: ${hex(a.value)} in A, ${hex(b.value)} in B`;
    case "store":
      return storeWords(relation, a, b);
    default:
      return `${a.name}: ${hex(a.value)} in A, ${hex(b.value)} in B`;
  }
}

function storeWords(relation: Relation, a: Effect, b: Effect): string {
  const [x, y] = [relation.entry(a, "a"), relation.entry(b, "b")];
  if (!x || !y) {
    const value = ({ length, size, value }: Effect) =>
      length > size ? `${length} bytes of ${hex(value)}` : hex(value);
    return `store to ${placeWords(relation, a, "a")}: ${value(a)} in A, ${value(b)} in B`;
  }
  const fields = differingFields(x, a.value, b.value).join(", ");
  return `descriptor store: ${entryWords(x)}: ${descriptorWords(x, a)} in A, ` +
    `${descriptorWords(y, b)} in B (${fields})`;
}

/** Names of the fields in which two descriptors differ, with their values. */
export function differingFields({ level }: TableEntry, a: bigint, b: bigint): string[] {
  const [x, y] = [a, b].map((descriptor) => descriptorKind({ level, address: 0, descriptor }));
  const found: string[] = [];
  if (x !== y) found.push(`bits 1:0: ${x} in A, ${y} in B`);
  if ((a & ADDRESS) !== (b & ADDRESS)) found.push("the address");
  const isTable = x === "table" && y === "table";
  for (const [name, bit, bits] of [...isTable ? [] : FIELDS, ...TABLE_FIELDS]) {
    const field = (value: bigint) => Number(value >> BigInt(bit) & (1n << BigInt(bits)) - 1n);
    const [p, q] = [field(a), field(b)];
    if (p !== q) found.push(`${name}: ${p.toString(2)} in A, ${q.toString(2)} in B`);
  }
  return found;
}

function placeWords(relation: Relation, { address }: Effect, side: "a" | "b"): string {
  const name = relation[side].name(BigInt(address));
  return name === undefined ? hex(address) : `${hex(address)} <${name}>`;
}

function hex(value: number | bigint): string {
  return `0x${value.toString(16)}`;
}
