/** A call tree as a picture: callers above, width as instructions, from left to right by first call. */
import { childrenOf, type NamedNode } from "./calls.ts";
import { grouped } from "./output.ts";

const WIDTH = 1200, ROW = 18, HEAD = 28;
/** Narrower boxes are left out, in pixels. */
const LEAST = 0.4;
/** About the width of a character, in pixels. */
const CHARACTER = 6.6;
/** Fill by kind; functions have one of several, by name, so that neighbours differ. */
const FILL = { boot: "#d9d9d9", exception: "#e8a0a0", thread: "#a9c4e8" } as const;
const FUNCTIONS = ["#f2d49b", "#f0c68a", "#f5deb0", "#e9c98f", "#f7d18f", "#efd6a8"];

/** The whole tree as an SVG document. */
export function callsSvg(nodes: readonly NamedNode[], title: string): string {
  const children = childrenOf(nodes);
  const scale = WIDTH / Math.max(1, nodes[0].steps);
  const boxes: string[] = [];
  let deepest = 0;
  const draw = (node: NamedNode, x: number, depth: number) => {
    const width = node.steps * scale;
    if (width < LEAST) return;
    deepest = Math.max(deepest, depth);
    boxes.push(box(node, x, HEAD + depth * ROW, width, nodes[0].steps));
    let left = x;
    for (const child of children[node.id].toSorted((a, b) => a.first - b.first)) {
      draw(child, left, depth + 1);
      left += child.steps * scale;
    }
  };
  draw(nodes[0], 0, 0);
  const height = HEAD + (deepest + 1) * ROW + 4;
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" ` +
    `width="${WIDTH}" height="${height}" font-family="monospace" font-size="11">\n` +
    `<rect width="100%" height="100%" fill="#ffffff"/>\n` +
    `<text x="4" y="18" font-size="14">${escaped(title)}: ${grouped(nodes[0].steps)} ` +
    `instructions by call</text>\n${boxes.join("\n")}\n</svg>\n`;
}

function box(node: NamedNode, x: number, y: number, width: number, total: number): string {
  const { name, steps, self, calls, first } = node;
  const share = (100 * steps / Math.max(1, total)).toFixed(2);
  const hint = `${name}\n${grouped(steps)} instructions (${share}%), ${grouped(self)} its own; ` +
    `${grouped(calls)} calls, first at #${first}`;
  const fits = Math.floor((width - 4) / CHARACTER);
  const label = fits < 3 ? "" : name.length <= fits ? name : `${name.slice(0, fits - 1)}…`;
  return `<g><title>${escaped(hint)}</title>` +
    `<rect x="${x.toFixed(2)}" y="${y}" width="${width.toFixed(2)}" height="${ROW - 1}" ` +
    `fill="${fillOf(node)}" stroke="#ffffff" stroke-width="0.3"/>` +
    (label && `<text x="${(x + 2).toFixed(2)}" y="${y + 12}">${escaped(label)}</text>`) + "</g>";
}

function fillOf({ kind, name }: NamedNode): string {
  if (kind !== "function") return FILL[kind];
  let sum = 0;
  for (let i = 0; i < name.length; i++) sum = (sum * 31 + name.charCodeAt(i)) >>> 0;
  return FUNCTIONS[sum % FUNCTIONS.length];
}

function escaped(text: string): string {
  return text.replace(/[&<>"]/g, (c) => `&#${c.charCodeAt(0)};`)
    // Names come from an image: what XML cannot hold at all is left out.
    // deno-lint-ignore no-control-regex
    .replace(/[\0-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]/g, "");
}
