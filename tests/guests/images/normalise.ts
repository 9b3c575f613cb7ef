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

/**
 * Lines that a kernel thread of their own writes while another CPU boots on: with several CPUs
 * their place among the others is up to the CPUs' turns, which are of another length on the
 * reference. A trace shows it: `who-wrote` finds the bytes of such a line in the log written on
 * one CPU and those of its neighbours on another. The text must be equal, and how often it comes.
 */
export const RACES: readonly Omit<Pattern, "replacement">[] = [
  {
    event: "kauditd runs on the CPU that is idle, and writes to the log when it gets its turn",
    line: /^audit: type=2000 audit\(\S+\): state=initialized audit_enabled=0 res=1$/,
  },
  {
    event: "a worker unpacks the ramdisk beside the drivers' start, and says when it is done",
    line: /^Freeing initrd memory: \d+K$/,
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

/**
 * Splits a console and takes out what may differ.
 *
 * @param several with several CPUs: lines of {@linkcode RACES} then stand at the end
 */
export function normalise(console: string, several = false): Normalised {
  let matched = 0;
  const raced: string[] = [];
  const lines: string[] = [];
  for (const line of console.replaceAll("\r", "").split("\n")) {
    const text = line.replace(TIME, "");
    const pattern = PATTERNS.find(({ line }) => line.test(text));
    const race = several && RACES.some(({ line }) => line.test(text));
    if (pattern || race) matched++;
    if (race) raced.push(text);
    else lines.push(pattern ? pattern.replacement : text);
  }
  return { lines: [...lines, ...raced.sort()], matched };
}

/** Compares two consoles. Gives what is wrong, a line each; nothing if they agree. */
export function compareConsoles(ours: string, reference: string, several = false): string[] {
  const a = normalise(ours, several), b = normalise(reference, several);
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
