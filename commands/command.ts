/** What a file in this folder exports: one command. */
import type { Options, Values } from "./options.ts";
import type { Output } from "./output.ts";
import { UsageError } from "./user_error.ts";

/** An argument that is not an option. */
export interface Operand {
  /** As the usage line shows it, for example `TRACE`. */
  readonly name: string;
  readonly help: string;
  /** Whether it may be left out. */
  readonly optional?: boolean;
}

/** What a command may use of the world. */
export interface CommandIo {
  readonly out: Output;
  readonly err: Output;
}

/** A command of the program. */
export interface Command<O extends Options = Options> {
  readonly operands: readonly Operand[];
  readonly options: O;
  /** Sentences for the help, one per line. */
  readonly description: readonly string[];
  /** Command lines to learn from, without `deno run -P cli.ts`, and what each does. */
  readonly examples: readonly (readonly [line: string, does: string])[];
  /** Does it, and returns the exit status. */
  run(
    values: Values<O>,
    operands: readonly string[],
    io: CommandIo,
  ): number | Promise<number>;
}

/** Gives a command its types; returns it as it is. */
export function defineCommand<O extends Options>(command: Command<O>): Command<O> {
  return command;
}

/**
 * Checks the number of arguments that are not options.
 *
 * @throws UsageError naming the one that is missing or superfluous
 */
export function checkOperands(command: Command, operands: readonly string[]): void {
  const missing = command.operands.find((o, i) => !o.optional && operands[i] === undefined);
  if (missing) throw new UsageError(`Missing ${missing.name}: ${missing.help}`);
  const extra = operands[command.operands.length];
  if (extra !== undefined) throw new UsageError(`Unexpected argument "${extra}"`);
}
