/** What a branch looked at, in two boots. */
import { disassemble } from "../../core/isa/disassemble.ts";
import type { ExecutedInstruction } from "../../trace/mod.ts";
import { isTime } from "./diff_same.ts";
import type { Relation } from "./diff_relation.ts";
import type { Side } from "./diff_side.ts";
import { effectsOf } from "./writers_effects.ts";

/** A register that was looked at. */
export interface Operand {
  /** `x0`, `w0`, `sp`. */
  readonly register: string;
  readonly a: bigint;
  readonly b: bigint;
  /** The instruction that looked at it. */
  readonly text: string;
  /** Whether the two values are the same modulo relocation, or times. */
  readonly isSame: boolean;
}

/** Instructions in which what set the flags is looked for. */
const MOST_BACK = 64;
const CONDITIONAL_COMPARE = /^f?ccm[pn]/;
const REGISTER = /\b(?:[xw](?:[12]?\d|30)|w?sp)\b/g;

/** Registers that decided over a branch at two positions; undefined if that is not known. */
export function operandsAt(relation: Relation, a: number, b: number): Operand[] | undefined {
  const [own, other] = [lookers(relation.a, a), lookers(relation.b, b)];
  if (own.length === 0 || own.length !== other.length) return undefined;
  const found: Operand[] = [];
  own.forEach(({ position, word, pc }, n) => {
    const text = disassemble(word, pc);
    for (const register of registersOf(text)) {
      if (found.some((known) => known.register === register)) continue;
      const x = valueAt(relation.a, position, register);
      const y = valueAt(relation.b, other[n].position, register);
      const isClock = isTime(relation, [x, position], [y, other[n].position]);
      found.push({ register, a: x, b: y, text, isSame: relation.value(x, y) || isClock });
    }
  });
  return found;
}

/** The instructions whose registers decided: the branch itself, or what set the flags. */
function lookers(side: Side, position: number): ExecutedInstruction[] {
  const executed = [...side.trace.executed(Math.max(0, position - MOST_BACK), position + 1)]
    .filter((step) => side.isOwn(step.position));
  const branch = executed.pop();
  if (!branch) return [];
  if (!disassemble(branch.word, branch.pc).startsWith("b.")) return [branch];
  const found: ExecutedInstruction[] = [];
  for (const each of executed.toReversed()) {
    if (!effectsOf(each.word).writes.has("nzcv")) continue;
    found.push(each);
    if (!CONDITIONAL_COMPARE.test(disassemble(each.word, each.pc))) return found;
  }
  return [];
}

/** Registers that an instruction of these kinds reads: not the destination of ADDS, SUBS, ANDS. */
function registersOf(text: string): string[] {
  const [name] = text.split(" ");
  const all = text.slice(name.length).match(REGISTER) ?? [];
  return /^(adds|subs|ands|adcs|sbcs|bics)$/.test(name) ? all.slice(1) : all;
}

function valueAt({ session }: Side, position: number, register: string): bigint {
  session.seek(position);
  const { state } = session.machine.processor;
  const value = register.endsWith("sp") ? state.sp : state.x(Number(register.slice(1)));
  return register.startsWith("w") ? BigInt.asUintN(32, value) : value;
}
