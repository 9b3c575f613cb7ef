/** From a command line to a command, its help, and an exit status. */
import { checkOperands, type Command } from "./command.ts";
import { STATUS } from "./exit_status.ts";
import { commandHelp, programHelp } from "./help.ts";
import { parseOptions, suggestion } from "./options.ts";
import { Output } from "./output.ts";
import { reportError } from "./report_error.ts";
import { UsageError } from "./user_error.ts";

/** A command in the program's list, loaded only when it is run. */
export interface CommandEntry {
  /** One line for the list. */
  readonly summary: string;
  // deno-lint-ignore no-explicit-any
  load(): Promise<{ default: Command<any> }>;
}

/** The program's commands by name. */
export type CommandList = Readonly<Record<string, CommandEntry>>;

/** Runs a command line; returns its exit status. */
export async function runCommandLine(
  commands: CommandList,
  args: readonly string[],
): Promise<number> {
  const io = { out: new Output(Deno.stdout), err: new Output(Deno.stderr) };
  const [name] = args;
  let status: number;
  try {
    status = await dispatch(commands, args, io);
    io.out.flush();
  } catch (error) {
    const known = name !== undefined && Object.hasOwn(commands, name);
    const report = reportError(error, known ? name : undefined);
    status = report.status;
    if (report.message !== null) {
      // What was found before the error is worth having.
      io.out.flush();
      io.err.line(`unboot: ${report.message}`);
    }
  }
  io.err.flush();
  return status;
}

async function dispatch(
  commands: CommandList,
  [name, ...args]: readonly string[],
  io: { out: Output; err: Output },
): Promise<number> {
  if (name === undefined || name === "--help" || name === "-h" || name === "help") {
    const list = Object.entries(commands).map(([command, { summary }]) => [command, summary]);
    (name === undefined ? io.err : io.out).text(programHelp(list as [string, string][]));
    return name === undefined ? STATUS.usage : STATUS.ok;
  }
  if (!Object.hasOwn(commands, name)) {
    const what = name.startsWith("-") ? "option" : "command";
    throw new UsageError(`Unknown ${what} ${name}${suggestion(name, Object.keys(commands), "")}`);
  }
  const { summary, load } = commands[name];
  const { default: command } = await load();
  if (args.includes("--help") || args.includes("-h")) {
    io.out.text(commandHelp(name, summary, command));
    return STATUS.ok;
  }
  const { values, operands } = parseOptions(args, command.options);
  checkOperands(command, operands);
  return await command.run(values, operands, io);
}
