/** How a comparison is shown: sections, for the terminal and as Markdown. */
import type { Diff, MilestonePair } from "../replay/queries/diff.ts";
import type { Finding } from "../replay/queries/diff_judge.ts";
import { effectWords, findingWords } from "../replay/queries/diff_words.ts";
import { type Scene, sceneOf } from "../replay/queries/diff_scene.ts";
import { DEFAULTS } from "./defaults.ts";
import { followers } from "./diff_followers.ts";
import { grouped, plural, printable } from "./output.ts";
import { describeReason } from "./recording_report.ts";
import { PROGRAM } from "./help.ts";
import type { OpenedTrace } from "./trace_file.ts";

/** What is shown. */
export interface ShownDiff {
  readonly diff: Diff;
  readonly a: ShownTrace;
  readonly b: ShownTrace;
}

/** One of the traces that were compared. */
type ShownTrace = Pick<OpenedTrace, "path" | "trace">;

const MOST_LINE = 400;
const SHA_DIGITS = 16;

/** Lines for a terminal. */
export function diffLines(shown: ShownDiff): string[] {
  const { diff, a, b } = shown;
  const lines = [verdict(diff), ""];
  for (const [side, scene] of scenes(diff)) {
    lines.push(`${side}  ${scene.place}`);
    for (const line of scene.instructions) lines.push(`     ${line}`);
    if (scene.walk.length > 0) lines.push("   Tables behind that store:");
    for (const line of scene.walk) lines.push(`     ${line}`);
  }
  if (diff.first) lines.push(...around(diff.first, diff), "");
  lines.push(...table(diff.milestones), "");
  const following = followers(diff);
  if (following.length > 0) {
    lines.push(
      "Other differences, in order:",
      ...following.map((l) => `  ${l}`),
      "",
    );
  }
  lines.push(...notes(shown).map((note) => `Note: ${note}.`));
  lines.push(`A: ${a.path}: ${end(a)}.`, `B: ${b.path}: ${end(b)}.`);
  return lines.map((line) => printable(line).slice(0, MOST_LINE));
}

/** A report to be pasted into a bug tracker. */
export function diffMarkdown(shown: ShownDiff): string[] {
  const { diff, a, b } = shown;
  const lines = ["# Boot comparison", "", `**${escape(verdict(diff))}**`, ""];
  lines.push("| | A | B |", "|---|---|---|");
  for (const [name, of] of ROWS) {
    lines.push(`| ${name} | ${escape(of(a))} | ${escape(of(b))} |`);
  }
  lines.push("", "## Milestones", "", "| | A | B |", "|---|---|---|");
  for (const { name, a: x, b: y } of diff.milestones) {
    lines.push(`| ${name} | ${escape(position(x))} | ${escape(position(y))} |`);
  }
  if (diff.first) {
    lines.push(
      "",
      "## The difference",
      "",
      escape(findingWords(diff.relation, diff.first)) + ".",
      "",
    );
    for (const [side, scene] of scenes(diff)) {
      lines.push(`${side}:`, "", "```", fenced(scene.place));
      for (const line of scene.instructions) lines.push(fenced(line));
      if (scene.walk.length > 0) lines.push("", "Tables behind that store:");
      for (const line of scene.walk) lines.push(`  ${fenced(line)}`);
      lines.push("```", "");
    }
    for (const line of around(diff.first, diff)) lines.push(`${escape(line)}  `);
  }
  const following = followers(diff);
  if (following.length > 0) {
    lines.push("", "Other differences, in order (they may follow from the first):", "");
    for (const line of following) lines.push(`- ${escape(line)}`);
  }
  const remarks = notes(shown);
  if (remarks.length > 0) lines.push("", "## Notes", "", ...remarks.map((n) => `- ${escape(n)}`));
  lines.push("", "## How to reproduce", "", "```");
  for (const opened of [a, b]) lines.push(fenced(recordLine(opened)));
  lines.push(fenced(`${PROGRAM} diff ${a.path} ${b.path}`));
  const at = diff.first && [["a", a], ["b", b]] as const;
  for (const [side, { path }] of at || []) {
    const found = diff.first![side];
    if (found) lines.push(fenced(`${PROGRAM} replay ${path} --at ${found.position}`));
  }
  lines.push("```");
  return lines.map((line) => line.length > MOST_LINE ? `${line.slice(0, MOST_LINE)}…` : line);
}

const ROWS: readonly (readonly [string, (opened: ShownTrace) => string])[] = [
  ["trace", ({ path }) => path],
  ["image", ({ trace }) => `${trace.image.name}: ${trace.image.describe}`],
  ["SHA-256", ({ trace }) => `${trace.header.image.sha256.toHex().slice(0, SHA_DIGITS)}…`],
  ["machine", ({ trace }) =>
    `${Object.values(trace.header.machine).map(String).join(", ")}, ` +
    `${trace.header.memory.size / 2 ** 20} MiB`],
  ["options", ({ trace }) => options(trace.header.options) || "defaults"],
  ["length", ({ trace }) => plural(trace.end, "step")],
  ["end", end],
];

function verdict({ first, relation, common, equalTo }: Diff): string {
  if (first) return `First difference: ${findingWords(relation, first)}`;
  if (common === 0) return `No difference in ${plural(equalTo, "step")}`;
  return `No difference in ${plural(common, "effect")}`;
}

function scenes({ first, relation }: Diff): [string, Scene][] {
  if (!first) return [];
  const found: [string, Scene][] = [];
  if (first.a) found.push(["A", sceneOf(relation, "a", first.a)]);
  if (first.b) found.push(["B", sceneOf(relation, "b", first.b)]);
  const { after } = first.divergence;
  if (!first.a && after) found.push(["A, going on without it", sceneOf(relation, "a", after[0])]);
  if (!first.b && after) found.push(["B, going on without it", sceneOf(relation, "b", after[1])]);
  return found;
}

/** What both did before and behind something that only one does. */
function around({ only, divergence, counts }: Finding, { relation }: Diff): string[] {
  if (only === null || divergence.isContent) return [];
  const { before, after } = divergence;
  const [side, index] = only === "a" ? ["B", 1] as const : ["A", 0] as const;
  const key = only === "a" ? "b" : "a";
  const words = (
    pair: readonly [Parameters<typeof effectWords>[1], Parameters<typeof effectWords>[1]],
  ) => `#${pair[index].position} (${effectWords(relation, pair[index], key)})`;
  const from = before ? words(before) : "its start";
  const lines = after
    ? [`${side} goes from ${from} to ${words(after)} without it.`]
    : [`The last thing that both do is, in ${side}, ${from}.`];
  if (counts[0] + counts[1] > 1) {
    lines.push(
      `In this place ${plural(counts[0], "effect")} of A and ${
        counts[1]
      } of B have no counterpart.`,
    );
  }
  return lines;
}

function notes({ diff, a, b }: ShownDiff): string[] {
  const found: string[] = [];
  const [x, y] = [a.trace.header, b.trace.header];
  for (const name of new Set([...Object.keys(x.options), ...Object.keys(y.options)])) {
    const [p, q] = [x.options[name], y.options[name]];
    if (p !== q) {
      found.push(`recorded with different --${name}: ${show(p)} for A, ${show(q)} for B`);
    }
  }
  if (x.memory.size !== y.memory.size && !("memory" in x.options)) {
    found.push(`A has ${x.memory.size / 2 ** 20} MiB of RAM, B ${y.memory.size / 2 ** 20} MiB`);
  }
  if (diff.relation.isSameImage) found.push("both booted the same image");
  found.push(...uncompared(diff));
  for (const [side, { trace }] of [["A", a], ["B", b]] as const) {
    if (trace.truncated) {
      found.push(`${side} is truncated at #${trace.truncated.position}: compared up to there`);
    } else if (trace.footer?.reason === "max-instructions") {
      found.push(`${side} was stopped at its limit of instructions: compared up to there`);
    }
  }
  return found;
}

/** What both sides did, but was not compared. */
function uncompared({ skipped, interrupted, unexecuted }: Diff): string[] {
  const found = (["A", "B"] as const).filter((_, n) => skipped[n] > 0).map((side) =>
    `${side} has ${plural(skipped[side === "A" ? 0 : 1], "effect")} more that the size of its ` +
    "image or RAM explains: they do not count as differences"
  );
  if (interrupted[0] + interrupted[1] > 0) {
    found.push(
      `effects of interrupt handlers are not compared: ${grouped(interrupted[0])} of A, ` +
        `${grouped(interrupted[1])} of B`,
    );
  }
  if (unexecuted > 0) {
    found.push(
      `${
        plural(unexecuted, "step")
      } were not executed, because flow, events and written pages are ` +
        "the same there: a value that was overwritten before its window's end can still differ",
    );
  }
  return found;
}

function show(value: unknown): string {
  return value === undefined ? "none" : String(value);
}

function table(pairs: readonly MilestonePair[]): string[] {
  const rows = [["", "A", "B"], ...pairs.map(({ name, a, b }) => [name, position(a), position(b)])];
  const widths = [0, 1, 2].map((i) => Math.max(...rows.map((row) => row[i].length)));
  return rows.map((row) =>
    [row[0].padEnd(widths[0]), row[1].padStart(widths[1]), row[2].padStart(widths[2])].join("  ")
  );
}

/** `#12`, or `never`. */
export function position(value: number | null): string {
  return value === null ? "never" : `#${value}`;
}

function end({ trace }: ShownTrace): string {
  const { footer, truncated } = trace;
  if (!footer || truncated) return `truncated at #${trace.end}`;
  return `${describeReason(footer.reason)} (${footer.reason}) at #${trace.end}`;
}

function options(all: Readonly<Record<string, unknown>>): string {
  return Object.entries(all)
    .filter(([name, value]) => DEFAULTS[name] !== value && value !== false)
    .map(([name, value]) => value === true ? `--${name}` : `--${name} ${value}`)
    .join(" ");
}

/** How a trace is made again; the built-in kernel has no file. */
function recordLine({ trace, path }: ShownTrace): string {
  const { options: all } = trace.header;
  const { name } = trace.image;
  const isBuiltIn = name === "kernel" || (all.bug !== undefined && name === `kernel-${all.bug}`);
  return [PROGRAM, "record", isBuiltIn ? "" : name, "-o", path, options(all)]
    .filter((word) => word !== "").join(" ");
}

/** Text that Markdown shows as it is; positions as code, because trackers read `#12` as an issue. */
function escape(text: string): string {
  return printable(text)
    .replace(/[\\`*[\]<>|@]|(?<!\w)_|_(?!\w)/g, (character) => `\\${character}`)
    .replace(/#\d+/g, (position) => `\`${position}\``);
}

/** Text inside a fence. */
function fenced(text: string): string {
  return printable(text).replaceAll("```", "'''");
}

/** The object that `--json` prints. */
export function diffJson({ diff }: ShownDiff): Record<string, unknown> {
  const { first, relation, milestones } = diff;
  const own = first && (first.only === "b" ? first.b : first.a ?? first.b);
  const side = first?.only === "b" ? relation.b : relation.a;
  return {
    milestones,
    first_difference: first && {
      a: first.a?.position ?? null,
      b: first.b?.position ?? null,
      ...(side.cpu === undefined ? {} : { cpu: side.cpu }),
      what: findingWords(relation, first),
      symbol: (own && side.codeName(own.pc)) ?? null,
    },
  };
}
