import { POSITION_FORMS, PositionError } from "../replay/position.ts";
import { ReplayError } from "../replay/replay_error.ts";
import { Session } from "../replay/session.ts";
import { defineCommand } from "./command.ts";
import { STATUS } from "./exit_status.ts";
import { option, repeated } from "./options.ts";
import type { Output } from "./output.ts";
import { Interrupts } from "./replay_interrupt.ts";
import { ReplayShell, SHELL_COMMANDS } from "./replay_shell.ts";
import { oneLine } from "./report_error.ts";
import { openTraceFile, positionOf } from "./trace_file.ts";
import { UserError } from "./user_error.ts";
import { text } from "./values.ts";

/** With several CPUs it names the one that is looked at. */
function promptOf({ cpus, debugger: { cpu } }: ReplayShell): string {
  return cpus > 1 ? `(unboot cpu${cpu}) ` : "(unboot) ";
}

/** `replay`: a debugger that goes both ways. */
export default defineCommand({
  description: [
    "A prompt with gdb's commands, forwards and in reverse: step, next, finish, continue, break,",
    "watch, catch, info registers, x, print, where, walk; help lists them. Ctrl-C ends a command that",
    "takes long. Without a terminal, commands are read from standard input.",
    `POS: ${POSITION_FORMS}.`,
  ],
  operands: [{ name: "TRACE", help: "the trace to go through" }],
  options: {
    at: option("POS", text, "where to begin (default: start)"),
    execute: repeated("CMD;…", text, "do these commands instead of asking for some", {
      short: "x",
    }),
  },
  examples: [
    ["replay boot.unboot --at fault", "begin at the first fault"],
    ["replay boot.unboot --at fault -x 'where; reverse-next; info registers x0'", "a script"],
    ["replay boot.unboot --at end -x 'watch page_table; reverse-continue'", "who wrote last"],
  ],
  async run(values, [path], { out, err }) {
    const { trace, symbols } = await openTraceFile(path, err);
    const position = values.at === undefined ? 0 : positionOf(trace, values.at, "at");
    const session = new Session(trace);
    const shell = new ReplayShell(session, symbols, out);
    if (values.execute.length > 0) {
      session.seek(position);
      for (const line of values.execute.flatMap((script) => script.split(";"))) {
        if (!shell.done) shell.execute(line);
      }
      return STATUS.ok;
    }
    shell.stopped(shell.debugger.goto(position));
    return await converse(shell, out, err);
  },
});

/**
 * Reads commands until the end of the input or `quit`. On a terminal an empty line repeats the last
 * one, and Ctrl-C ends a command that takes long, or drops the line.
 */
async function converse(shell: ReplayShell, out: Output, err: Output): Promise<number> {
  const terminal = Deno.stdin.isTerminal() && out.isTerminal;
  const interrupts = terminal ? await Interrupts.start() : null;
  const { session } = shell.debugger;
  let status: number = STATUS.ok;
  let last = "";
  for await (const line of promptedLines(terminal, [out, err], () => promptOf(shell))) {
    const command = line.trim() === "" && terminal ? last : line;
    last = command;
    interrupts?.take();
    const from = session.position;
    session.poll = () => {
      if (interrupts?.take()) throw new Interruption();
    };
    try {
      shell.execute(command);
    } catch (error) {
      session.poll = () => {};
      if (error instanceof Interruption) {
        out.line("Interrupted.");
        shell.stopped(shell.debugger.goto(from));
      } else if (!isExpected(error)) throw error;
      else {
        err.line(oneLine(error));
        status = terminal ? STATUS.ok : STATUS.failed;
      }
    }
    if (shell.done) break;
  }
  interrupts?.stop();
  return status;
}

/** Thrown by work that Ctrl-C ends. */
class Interruption extends Error {}

/** Lines of standard input; on a terminal with a prompt, a history and completion. */
async function* promptedLines(
  terminal: boolean,
  outputs: readonly Output[],
  promptText: () => string,
): AsyncGenerator<string> {
  const { createInterface } = await import("node:readline");
  const { default: process } = await import("node:process");
  const { stdin: input, stdout: output } = process;
  const completer = (line: string): [string[], string] => [
    SHELL_COMMANDS.filter((name) => name.startsWith(line)),
    line,
  ];
  const lines = createInterface({ input, output, terminal, completer });
  const prompt = () => {
    for (const each of outputs) each.flush();
    lines.setPrompt(promptText());
    if (terminal) lines.prompt();
  };
  lines.on("SIGINT", () => {
    // Readline's own way to drop a line.
    lines.write(null, { ctrl: true, name: "e" });
    lines.write(null, { ctrl: true, name: "u" });
    output.write("^C\n");
    lines.prompt();
  });
  prompt();
  for await (const line of lines) {
    // Otherwise Ctrl-C would be a byte of input, not a signal.
    if (terminal) input.setRawMode(false);
    yield line;
    if (terminal) input.setRawMode(true);
    prompt();
  }
  lines.close();
}

/** Whether the prompt can go on after an error. */
function isExpected(error: unknown): boolean {
  return error instanceof UserError || error instanceof ReplayError ||
    error instanceof PositionError;
}
