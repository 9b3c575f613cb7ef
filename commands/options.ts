/**
 * Options of a command as a table from which the parser, the types and the help come.
 *
 * `parseArgs` of `@std/cli` splits the command line; this layer makes it strict: unknown options,
 * missing, repeated and superfluous values, and values that do not parse are usage errors.
 */
import { parseArgs } from "@std/cli/parse-args";
import { UsageError } from "./user_error.ts";

/** One option. `T` is what the command gets. */
export interface Option<T> {
  /** One letter, for `-o`. */
  readonly short?: string;
  /** What to show for the value in the help, for example `FILE`; a flag has none. */
  readonly value?: string;
  /** One line for the help. */
  readonly help: string;
  /** Whether it may be given several times. */
  readonly repeats: boolean;
  /** The option's value from its texts on the command line: none when it was not given. */
  read(texts: readonly string[], name: string): T;
}

/** Options of a command by name, without the dashes. */
// deno-lint-ignore no-explicit-any
export type Options = Readonly<Record<string, Option<any>>>;

/** What the parser gives for a table of options. */
export type Values<O extends Options> = {
  readonly [Name in keyof O]: O[Name] extends Option<infer T> ? T : never;
};

/**
 * Turns the text of a value into the value.
 *
 * Throws a string-free {@linkcode Expected} naming what would have been right.
 */
export type ValueParser<T> = (text: string) => T;

/** Thrown by a {@linkcode ValueParser}: what was expected, for example `a number`. */
export class Expected extends Error {
  /** `Expected` */
  override name = "Expected";
}

/** What kind of value an option takes, and how to show it. */
export interface OptionDetails {
  readonly short?: string;
}

/** An option without a value. */
export function flag(help: string, details: OptionDetails = {}): Option<boolean> {
  return { ...details, help, repeats: true, read: (texts) => texts.length > 0 };
}

/** An option with one value; undefined if it was not given. */
export function option<T>(
  value: string,
  parse: ValueParser<T>,
  help: string,
  details: OptionDetails = {},
): Option<T | undefined> {
  return {
    ...details,
    value,
    help,
    repeats: false,
    read: ([text], name) => text === undefined ? undefined : parseValue(parse, text, name),
  };
}

/** An option with one value, and the text that stands for it when it is left out. */
export function optionOr<T>(
  value: string,
  parse: ValueParser<T>,
  initial: string,
  help: string,
  details: OptionDetails = {},
): Option<T> {
  return {
    ...option(value, parse, `${help} (default ${initial})`, details),
    read: ([text], name) => parseValue(parse, text ?? initial, name),
  };
}

/** An option that may be given several times. */
export function repeated<T>(
  value: string,
  parse: ValueParser<T>,
  help: string,
  details: OptionDetails = {},
): Option<T[]> {
  return {
    ...details,
    value,
    help,
    repeats: true,
    read: (texts, name) => texts.map((text) => parseValue(parse, text, name)),
  };
}

/** A command line, parsed. */
export interface ParsedArguments<O extends Options> {
  readonly values: Values<O>;
  /** What is not an option, in order. */
  readonly operands: readonly string[];
}

/**
 * Parses the arguments of a command.
 *
 * @throws UsageError with one line
 */
export function parseOptions<O extends Options>(
  args: readonly string[],
  options: O,
): ParsedArguments<O> {
  const names = Object.keys(options);
  const flags = names.filter((name) => options[name].value === undefined);
  const valued = names.filter((name) => options[name].value !== undefined);
  const alias = Object.fromEntries(
    names.flatMap((name) => options[name].short ? [[options[name].short, name]] : []),
  );
  refuseValuesOfFlags(args, options);
  const parsed = parseArgs(joinValues(args, options), {
    boolean: flags,
    string: [...valued, "_"],
    collect: valued,
    alias,
    unknown: (argument, key) => {
      if (key === undefined) return true;
      throw new UsageError(`Unknown option ${argument.split("=")[0]}${suggestion(key, names)}`);
    },
  });
  const values: Record<string, unknown> = {};
  for (const name of names) {
    values[name] = options[name].read(textsOf(parsed[name], options[name], name), name);
  }
  return { values: values as Values<O>, operands: parsed._.map(String) };
}

/** Makes `--name value` and `-n value` into `--name=value`: the value may then begin with a dash. */
function joinValues(args: readonly string[], options: Options): string[] {
  const joined: string[] = [];
  for (let i = 0; i < args.length; i++) {
    if (args[i] === "--") return [...joined, ...args.slice(i)];
    const name = Object.keys(options).find((name) =>
      args[i] === `--${name}` || args[i] === `-${options[name].short}`
    );
    const takesNext = name !== undefined && options[name].value !== undefined &&
      i + 1 < args.length;
    joined.push(takesNext ? `--${name}=${args[++i]}` : args[i]);
  }
  return joined;
}

/** What the library made of an option, as texts: one per time it was given. */
function textsOf(found: unknown, option: Option<unknown>, name: string): string[] {
  if (option.value === undefined) return found === true ? [""] : [];
  const texts = (found ?? []) as string[];
  if (texts.includes("")) {
    throw new UsageError(`Option --${name} needs a value: --${name} ${option.value}`);
  }
  if (texts.length > 1 && !option.repeats) {
    throw new UsageError(`Option --${name} is given ${texts.length} times, expected once`);
  }
  return texts;
}

/** The library takes `--json=no` for `--json`. */
function refuseValuesOfFlags(args: readonly string[], options: Options): void {
  for (const argument of args) {
    if (argument === "--") return;
    const [, name] = /^--([^=]+)=/.exec(argument) ?? [];
    if (name !== undefined && Object.hasOwn(options, name) && options[name].value === undefined) {
      throw new UsageError(`Option --${name} takes no value, found "${argument}"`);
    }
  }
}

function parseValue<T>(parse: ValueParser<T>, text: string, name: string): T {
  try {
    return parse(text);
  } catch (error) {
    if (!(error instanceof Expected)) throw error;
    throw new UsageError(`Option --${name}: expected ${error.message}, found "${text}"`);
  }
}

/** `: did you mean --memory?`, or nothing when no name is near. */
export function suggestion(word: string, names: readonly string[], dashes = "--"): string {
  const near = names
    .map((name) => ({ name, distance: editDistance(word, name) }))
    .filter(({ name, distance }) => distance <= Math.max(1, Math.floor(name.length / 3)))
    .sort((a, b) => a.distance - b.distance)[0];
  return near ? `: did you mean ${dashes}${near.name}?` : "";
}

/** Insertions, deletions and replacements from one word to another (Levenshtein). */
function editDistance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      const replaced = row[j - 1] + (a[i - 1] === b[j - 1] ? 0 : 1);
      next[j] = Math.min(replaced, row[j] + 1, next[j - 1] + 1);
    }
    row = next;
  }
  return row[b.length];
}
