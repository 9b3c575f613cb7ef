import { POSITION_FORMS } from "../replay/position.ts";
import type { CallNode } from "../replay/queries/calls/call_nodes.ts";
import { callTree } from "../replay/queries/calls/call_tree.ts";
import type { Symbolizer } from "../replay/symbolizer.ts";
import { callsSvg } from "./calls_svg.ts";
import { defineCommand } from "./command.ts";
import { STATUS } from "./exit_status.ts";
import { writeFile } from "./files.ts";
import { Expected, flag, option, type ValueParser } from "./options.ts";
import { grouped, hex, type Output, plural } from "./output.ts";
import { Progress } from "./progress.ts";
import { checkRange, openTraceFile, positionOf } from "./trace_file.ts";
import { UsageError } from "./user_error.ts";
import { oneOf, positive, text } from "./values.ts";

const DEFAULT_DEPTH = 10;
const DEFAULT_PERCENT = 0.5;

const percent: ValueParser<number> = (value) => {
  const number = Number(value);
  if (value.trim() === "" || !(number >= 0 && number <= 100)) throw new Expected("0 to 100");
  return number;
};

/** `calls`: the tree of calls of a boot. */
export default defineCommand({
  description: [
    "Shows which function called which, how often, and how many instructions that took, from the",
    "recorded flow; nothing is executed again. Exceptions stand below what they interrupted, those",
    "from a lower exception level and other threads at the top. Without symbols a function is named by",
    "its address. The SVG and the folded stacks (for flame graph tools) have the whole tree.",
    `POS: ${POSITION_FORMS}.`,
  ],
  operands: [{ name: "TRACE", help: "the trace to read" }],
  options: {
    from: option("POS", text, "from this position on"),
    to: option("POS", text, "up to, not including, this position"),
    depth: option("N", positive, `at most so many levels (default ${DEFAULT_DEPTH})`),
    min: option("PERCENT", percent, `at least this share (default ${DEFAULT_PERCENT})`),
    sort: option("BY", oneOf("time", "steps"), "time: by first call (default), or steps"),
    folded: flag("print folded stacks: one line for each way to a function"),
    svg: option("FILE", text, "draw the tree into a file, too"),
    json: flag("print one JSON object per node"),
  },
  examples: [
    ["calls boot.unboot", "where a boot spent its time, in the order in which it did"],
    ["calls boot.unboot --sort steps --min 5 --to fault", "what cost most, up to the first fault"],
    ["calls boot.unboot --svg boot.svg", "the same as a picture"],
  ],
  async run(values, [path], { out, err }) {
    if (values.folded && values.json) {
      throw new UsageError("Options --folded and --json: expected one of them");
    }
    const { trace, symbols } = await openTraceFile(path, err);
    const from = values.from === undefined ? 0 : positionOf(trace, values.from, "from");
    const to = values.to === undefined ? trace.end : positionOf(trace, values.to, "to");
    checkRange(from, to);
    const progress = new Progress(err, performance.now());
    const tree = callTree(trace, {
      from,
      to,
      progress: (position) =>
        progress.show(performance.now(), () => `${grouped(position)} of ${grouped(to)} steps`),
    });
    progress.clear();
    const nodes = tree.all();
    const named = nodes.map((node) => ({ ...node, name: nameOf(node, symbols) }));
    const by = values.sort ?? "time";
    if (values.svg !== undefined) {
      writeFile(values.svg, new TextEncoder().encode(callsSvg(named, path)));
    }
    if (values.folded) return printFolded(named, out);
    const shown = select(named, {
      depth: values.depth ?? DEFAULT_DEPTH,
      least: nodes[0].steps * (values.min ?? DEFAULT_PERCENT) / 100,
      by,
    });
    if (values.json) { for (const { node } of shown) out.json(nodeJson(node)); }
    else printTree(shown, nodes.length, out);
    return STATUS.ok;
  },
});

/** A node with what to call it. */
export interface NamedNode extends CallNode {
  readonly name: string;
}

interface Shown {
  readonly node: NamedNode;
  readonly depth: number;
}

function nameOf({ kind, address, text }: CallNode, symbols: Symbolizer): string {
  if (kind === "boot") return "(boot)";
  const place = symbols.name(address) ?? hex(address);
  return kind === "function" ? place : `(${text}) ${place}`;
}

/** Children by parent. */
export function childrenOf(nodes: readonly NamedNode[]): NamedNode[][] {
  const children: NamedNode[][] = nodes.map(() => []);
  for (const node of nodes) if (node.parent >= 0) children[node.parent].push(node);
  return children;
}

function select(
  nodes: readonly NamedNode[],
  { depth, least, by }: { depth: number; least: number; by: "time" | "steps" },
): Shown[] {
  const children = childrenOf(nodes);
  const order = by === "time"
    ? (a: NamedNode, b: NamedNode) => a.first - b.first
    : (a: NamedNode, b: NamedNode) => b.steps - a.steps || a.first - b.first;
  const shown: Shown[] = [];
  const visit = (node: NamedNode, level: number) => {
    shown.push({ node, depth: level });
    if (level === depth) return;
    for (const child of children[node.id].toSorted(order)) {
      if (child.steps >= least) visit(child, level + 1);
    }
  };
  visit(nodes[0], 0);
  return shown;
}

function printTree(shown: readonly Shown[], count: number, out: Output): void {
  const total = shown[0].node.steps;
  const share = (steps: number) => total === 0 ? 0 : 100 * steps / total;
  const cells = shown.map(({ node }) => [
    grouped(node.steps),
    `${share(node.steps).toFixed(1)}%`,
    grouped(node.self),
    grouped(node.calls),
    `#${node.first}`,
  ]);
  const head = ["instructions", "share", "own", "calls", "first"];
  const widths = head.map((title, i) =>
    cells.reduce((width, row) => Math.max(width, row[i].length), title.length)
  );
  const row = (texts: readonly string[]) =>
    texts.map((cell, i) => cell.padStart(widths[i])).join("  ");
  out.line(`${row(head)}  function`);
  for (const [i, { node, depth }] of shown.entries()) {
    out.line(`${row(cells[i])}  ${"  ".repeat(depth)}${node.name}`);
  }
  if (shown.length < count) {
    out.line(`${plural(count - shown.length, "place")} not shown: --min, --depth`);
  }
}

function printFolded(nodes: readonly NamedNode[], out: Output): number {
  const paths: string[] = [];
  for (const { id, parent, name, self } of nodes) {
    const plain = name.replaceAll(";", ":");
    paths[id] = parent < 0 ? plain : `${paths[parent]};${plain}`;
    if (self > 0) out.line(`${paths[id]} ${self}`);
  }
  return STATUS.ok;
}

function nodeJson({ id, parent, kind, name, address, calls, first, self, steps }: NamedNode) {
  return {
    id,
    parent: parent < 0 ? null : parent,
    kind,
    name,
    address: kind === "boot" ? null : address,
    calls,
    first,
    instructions: steps,
    own: self,
  };
}
