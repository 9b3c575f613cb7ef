import type { Ops, Statement, Value } from "../isa/ops.ts";

/**
 * How often each value of an instruction's program is used: one that is used more than once is
 * computed once, into a local.
 */
export function countUses({ statements, commits, transfer }: Ops): Map<Value, number> {
  const uses = new Map<Value, number>();
  countStatements(uses, statements);
  for (const commit of commits) count(uses, commit.value);
  if (transfer?.k === "relative" && transfer.condition) count(uses, transfer.condition);
  if (transfer?.k === "absolute") {
    count(uses, transfer.address);
    if (transfer.landing) count(uses, transfer.landing);
  }
  if (transfer?.k === "exception") count(uses, transfer.argument);
  return uses;
}

function countStatements(uses: Map<Value, number>, statements: readonly Statement[]): void {
  for (const s of statements) {
    switch (s.k) {
      case "load":
        count(uses, s.address);
        if (s.access.alignedTo) count(uses, s.access.alignedTo);
        break;
      case "store":
        count(uses, s.address);
        if (s.access.alignedTo) count(uses, s.access.alignedTo);
        s.values.forEach((v) => count(uses, v));
        break;
      case "call-out":
        count(uses, s.argument);
        count(uses, s.operand);
        break;
      case "cumulative":
        s.operands.forEach((operand) => count(uses, operand));
        break;
      case "assign":
        count(uses, s.value);
        break;
      case "when":
        count(uses, s.condition);
        countStatements(uses, s.body);
    }
  }
}

function count(uses: Map<Value, number>, value: Value): void {
  const before = uses.get(value) ?? 0;
  uses.set(value, before + 1);
  if (before === 0) { for (const operand of value.operands) count(uses, operand); }
}

const called = new WeakMap<Ops, ReadonlySet<string>>();

/** Names of the helper functions that programs call. */
export function calledHelpers(programs: Iterable<Ops>): Set<string> {
  const names = new Set<string>();
  for (const ops of programs) {
    let own = called.get(ops);
    if (!own) called.set(ops, own = namesIn(ops.statements, countUses(ops).keys()));
    for (const name of own) names.add(name);
  }
  return names;
}

function namesIn(statements: readonly Statement[], values: Iterable<Value>): Set<string> {
  const names = new Set<string>();
  for (const { kind } of values) if (kind.k === "helper") names.add(kind.name);
  for (const statement of statements) {
    if (statement.k === "cumulative") names.add(statement.name);
    if (statement.k === "when") {
      for (const name of namesIn(statement.body, [])) names.add(name);
    }
  }
  return names;
}
