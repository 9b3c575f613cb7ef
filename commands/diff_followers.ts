/** The differences behind the first one, alike ones in one line. */
import type { Diff } from "../replay/queries/diff.ts";
import type { Finding } from "../replay/queries/diff_judge.ts";
import type { Relation } from "../replay/queries/diff_relation.ts";
import { findingWords } from "../replay/queries/diff_words.ts";
import { position } from "./diff_text.ts";
import { grouped } from "./output.ts";

/** Lines, the one included that says how many are left out. */
const MOST_LINES = 8;

/** Lines in order of what is the first of each kind. */
export function followers({ findings, first, relation }: Diff): string[] {
  const groups = new Map<string, Finding[]>();
  for (const finding of findings) {
    if (finding === first) continue;
    const key = likeness(relation, finding);
    const group = groups.get(key);
    if (group) group.push(finding);
    else groups.set(key, [finding]);
  }
  const lines = [...groups.values()].map((group) => line(relation, group));
  if (lines.length <= MOST_LINES) return lines;
  const shown = lines.slice(0, MOST_LINES - 1);
  return [...shown, `and ${grouped(lines.length - shown.length)} more`];
}

/** Equal for differences of the same instructions, of the same kind, in the same bits. */
function likeness(relation: Relation, finding: Finding): string {
  const { kind, a, b, only } = finding;
  const own = (only === "b" ? b : a) ?? b;
  const places = kind === "content" ? [a?.pc, b?.pc] : [own?.pc];
  const level = own && relation.entry(own, only ?? "a")?.level;
  const bits = kind === "content" && a && b ? a.value ^ b.value : 0n;
  // Other addresses in descriptors that differ in them are alike, too.
  const fields = level === undefined ? bits : bits & ~0xffff_ffff_f000n;
  return [kind, only, own?.kind, own?.name, level, fields, ...places].join();
}

function line(relation: Relation, group: readonly Finding[]): string {
  const [first] = group;
  const at = (side: "a" | "b") => position(first[side]?.position ?? null);
  const words = `A ${at("a")}, B ${at("b")}: ${findingWords(relation, first)}`;
  if (group.length === 1) return words;
  return `${words} (and ${grouped(group.length - 1)} more like it${range(relation, group)})`;
}

/** Which addresses alike differences are about: `, VA 0x1000 to 0x4000`. */
function range(relation: Relation, group: readonly Finding[]): string {
  const addresses: bigint[] = [];
  let isTable = false;
  for (const { a, b, only } of group) {
    const own = (only === "b" ? b : a) ?? b;
    if (own?.kind !== "store") return "";
    const entry = relation.entry(own, only ?? "a");
    isTable ||= entry !== undefined;
    addresses.push(entry?.va ?? BigInt(own.address));
  }
  const low = addresses.reduce((x, y) => y < x ? y : x);
  const high = addresses.reduce((x, y) => y > x ? y : x);
  const kind = isTable ? "VA" : "addresses";
  return `, ${kind} 0x${low.toString(16)} to 0x${high.toString(16)}`;
}
