import { CPU_NAMES, cpuModel } from "../../core/cpu_models.ts";
import type { UnsupportedRow } from "../../core/isa/row.ts";
import { isSupported, ROWS } from "../../core/isa/table.ts";

/** `docs/unsupported.md`: what the instruction table and the processor models say is not there. */

/** Where it stands. */
export const UNSUPPORTED_LIST = new URL("../../docs/unsupported.md", import.meta.url);

/** What QEMU 7.2's `max` shows in its identification registers and ours does not, with why. */
const NOT_OFFERED: readonly (readonly [feature: string, what: string])[] = [
  ["FEAT_SVE, FEAT_SVE2, FEAT_SME", "scalable vectors and matrices"],
  ["FEAT_MTE", "memory tags"],
  ["FEAT_SEL2", "EL2 in Secure state"],
  ["FEAT_LPA, FEAT_LPA2", "physical addresses of 52 bits: there are 48, as in traces"],
];

const HEAD = `<!-- Made by \`deno task unsupported\`. -->

# What is not supported

An encoding that a processor does not have is UNDEFINED there; an \`unknown\` event names it and the
reason. This list is made from the instruction table and the processor models.
`;

function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]) => `| ${cells.join(" | ")} |`;
  return [line(head), line(head.map(() => "---")), ...rows.map(line)].join("\n");
}

function byReason(rows: readonly UnsupportedRow[]): readonly (readonly string[])[] {
  const names = new Map<string, Set<string>>();
  for (const { name, reason } of rows) {
    names.set(reason, (names.get(reason) ?? new Set()).add(name));
  }
  return [...names].map(([reason, of]) => [reason, [...of].join("; ")]);
}

/** Instructions by the extension that they came with, and the processors that have it. */
function byFeature(): readonly (readonly string[])[] {
  const names = new Map<string, Set<string>>();
  for (const row of ROWS.filter(isSupported)) {
    if (row.feature === undefined) continue;
    names.set(row.feature, (names.get(row.feature) ?? new Set()).add(row.name));
  }
  return [...names].sort(([a], [b]) => a < b ? -1 : 1).map(([feature, of]) => [
    feature,
    CPU_NAMES.filter((name) => cpuModel(name).features.has(feature)).map((name) => `\`${name}\``)
      .join(", "),
    feature === "FEAT_FP16" ? "half precision of floating point" : [...of].join(", "),
  ]);
}

/** The text of the list. */
export function unsupportedList(): string {
  const features = (name: typeof CPU_NAMES[number]) =>
    [...cpuModel(name).features].sort().join(", ") || "Armv8.0-A with the Cryptographic Extension";
  return [
    HEAD,
    "## Processors\n",
    table(["`--cpu`", "extensions"], CPU_NAMES.map((name) => [`\`${name}\``, features(name)])),
    "\nPointer authentication of `max` uses QARMA5, without FEAT_FPAC, as the reference's does by",
    "default. RNDR gives the same numbers in every run.\n",
    "## On no processor\n",
    table(["reason", "encodings"], byReason(ROWS.flatMap((row) => isSupported(row) ? [] : [row]))),
    "\n## Only on some processors\n",
    "UNDEFINED on the others; those that are hints do nothing there.\n",
    table(["extension", "on", "encodings"], byFeature()),
    "\n## What the reference's `max` has beyond ours\n",
    "Its identification registers show these and ours do not.\n",
    table(["extensions", "what they are"], NOT_OFFERED),
    "",
  ].join("\n");
}
