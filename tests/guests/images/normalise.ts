/**
 * What may differ between our console and the reference's, and why. Everything else must be equal,
 * line by line.
 */

/** Part of the lines that may match {@linkcode PATTERNS}. */
export const MOST_MATCHED = 0.02;

/** A kind of line that depends on something that is not the same on both machines. */
export interface Pattern {
  /** What differs. */
  readonly event: string;
  readonly line: RegExp;
  /** What takes the line's place. */
  readonly replacement: string;
}

/** The closed list. Each names the event that explains it. */
export const PATTERNS: readonly Pattern[] = [
  {
    event:
      "a disk's request ends when the host has done it, here at once: the wait has another length",
    line: /^random: crng init done$/,
    replacement: "",
  },
];

/** Time of a kernel message. It differs where input or a disk's answer came at another moment. */
const TIME = /^\[ *\d+\.\d{6}\] /;

/** A console's lines without what may differ. */
export interface Normalised {
  readonly lines: readonly string[];
  /** Lines that matched a pattern. */
  readonly matched: number;
}

/** Splits a console and takes out what may differ. */
export function normalise(console: string): Normalised {
  let matched = 0;
  const lines = console.replaceAll("\r", "").split("\n").map((line) => {
    const text = line.replace(TIME, "");
    const pattern = PATTERNS.find(({ line }) => line.test(text));
    if (!pattern) return text;
    matched++;
    return pattern.replacement;
  });
  return { lines, matched };
}

/** Compares two consoles. Gives what is wrong, a line each; nothing if they agree. */
export function compareConsoles(ours: string, reference: string): string[] {
  const a = normalise(ours), b = normalise(reference);
  const problems: string[] = [];
  if (a.lines.length !== b.lines.length) {
    problems.push(`${a.lines.length} lines, the reference has ${b.lines.length}`);
  }
  a.lines.forEach((line, i) => {
    if (line === b.lines[i]) return;
    problems.push(
      `line ${i + 1}: ${JSON.stringify(line)}, the reference has ${
        JSON.stringify(b.lines[i] ?? null)
      }`,
    );
  });
  if (a.matched > a.lines.length * MOST_MATCHED) {
    problems.push(`${a.matched} of ${a.lines.length} lines match patterns, at most 2% may`);
  }
  return problems;
}
