import { POSITION_FORMS, PositionError, ReplayError, Session } from "../replay/mod.ts";
import { defineCommand } from "./command.ts";
import { STATUS } from "./exit_status.ts";
import { option, repeated } from "./options.ts";
import type { Output } from "./output.ts";
import { ReplayShell } from "./replay_shell.ts";
import { oneLine } from "./report_error.ts";
import { openTraceFile, positionOf } from "./trace_file.ts";
import { UserError } from "./user_error.ts";
import { text } from "./values.ts";

const PROMPT = "(unboot) ";

/** `replay`: a debugger that goes both ways. */
export default defineCommand({
  description: [
    "A prompt with gdb's commands, forwards and in reverse: step, next, finish, continue, break,",
    "watch, catch, info registers, x, print, where, walk; help lists them. Without a terminal,",
    "commands are read from standard input.",
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
    const { trace, symbols } = openTraceFile(path, err);
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

/** Reads commands until the end of the input or `quit`. An empty line repeats the last one. */
async function converse(shell: ReplayShell, out: Output, err: Output): Promise<number> {
  const { createInterface } = await import("node:readline/promises");
  const { default: process } = await import("node:process");
  const terminal = Deno.stdin.isTerminal() && out.isTerminal;
  const lines = createInterface({ input: process.stdin, output: process.stdout, terminal });
  let last = "";
  let status: number = STATUS.ok;
  const prompt = () => {
    out.flush();
    err.flush();
    if (!terminal) return;
    lines.setPrompt(PROMPT);
    lines.prompt();
  };
  prompt();
  for await (const line of lines) {
    const command = line.trim() === "" && terminal ? last : line;
    last = command;
    try {
      shell.execute(command);
    } catch (error) {
      if (!isExpected(error)) throw error;
      err.line(oneLine(error));
      status = terminal ? STATUS.ok : STATUS.failed;
    }
    if (shell.done) break;
    prompt();
  }
  lines.close();
  return status;
}

/** Whether the prompt can go on after an error. */
function isExpected(error: unknown): boolean {
  return error instanceof UserError || error instanceof ReplayError ||
    error instanceof PositionError;
}
