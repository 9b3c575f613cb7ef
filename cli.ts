/**
 * The command line of unboot: the list of commands, dispatch, help.
 *
 * A command is one file in `commands/`, loaded only when it is run.
 */
import { checkOperands, type Command } from "./commands/command.ts";
import { STATUS } from "./commands/exit_status.ts";
import { commandHelp, programHelp } from "./commands/help.ts";
import { parseOptions, suggestion } from "./commands/options.ts";
import { Output } from "./commands/output.ts";
import { reportError } from "./commands/report_error.ts";
import { UsageError } from "./commands/user_error.ts";

interface Entry {
  readonly summary: string;
  // deno-lint-ignore no-explicit-any
  load(): Promise<{ default: Command<any> }>;
}

const COMMANDS: Readonly<Record<string, Entry>> = {
  record: {
    summary: "Boots an image, or the built-in kernel, and records everything it does.",
    load: () => import("./commands/record.ts"),
  },
  kernel: {
    summary: "Writes the built-in kernel's ELF file.",
    load: () => import("./commands/kernel.ts"),
  },
  info: {
    summary: "Says what a trace holds: what ran, how it ended, milestones, hazards.",
    load: () => import("./commands/info.ts"),
  },
  events: {
    summary: "Lists exceptions, TLB fills, system register writes, device accesses and so on.",
    load: () => import("./commands/events.ts"),
  },
  dump: {
    summary: "Lists executed instructions with symbols.",
    load: () => import("./commands/dump.ts"),
  },
};

/** Runs the program; returns its exit status. */
export async function main(args: readonly string[]): Promise<number> {
  const io = { out: new Output(Deno.stdout), err: new Output(Deno.stderr) };
  const [name, ...rest] = args;
  let status: number;
  try {
    status = await dispatch(name, rest, io);
    io.out.flush();
  } catch (error) {
    const report = reportError(error, name !== undefined && isCommand(name) ? name : undefined);
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

function isCommand(name: string): boolean {
  return Object.hasOwn(COMMANDS, name);
}

async function dispatch(
  name: string | undefined,
  args: readonly string[],
  io: { out: Output; err: Output },
): Promise<number> {
  if (name === undefined || name === "--help" || name === "-h" || name === "help") {
    const list = Object.entries(COMMANDS).map(([command, { summary }]) => [command, summary]);
    (name === undefined ? io.err : io.out).text(programHelp(list as [string, string][]));
    return name === undefined ? STATUS.usage : STATUS.ok;
  }
  if (!isCommand(name)) {
    const what = name.startsWith("-") ? "option" : "command";
    throw new UsageError(`Unknown ${what} ${name}${suggestion(name, Object.keys(COMMANDS), "")}`);
  }
  const { summary, load } = COMMANDS[name];
  const { default: command } = await load();
  if (args.includes("--help") || args.includes("-h")) {
    io.out.text(commandHelp(name, summary, command));
    return STATUS.ok;
  }
  const { values, operands } = parseOptions(args, command.options);
  checkOperands(command, operands);
  return await command.run(values, operands, io);
}

if (import.meta.main) Deno.exit(await main(Deno.args));
