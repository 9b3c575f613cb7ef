import { ImageError } from "../core/loader/image_error.ts";
import { ReplayError } from "../replay/replay_error.ts";
import { TraceError } from "../trace/trace_error.ts";
import { STATUS } from "./exit_status.ts";
import { PROGRAM } from "./help.ts";
import { InterruptedError, UsageError, UserError } from "./user_error.ts";

/** What to tell the user about an error, and the exit status. */
export interface ErrorReport {
  /** One line without its line break; null when there is nothing to say. */
  readonly message: string | null;
  readonly status: number;
}

/**
 * Turns whatever was thrown into one line.
 *
 * @param command name of the command that ran, or undefined
 */
export function reportError(error: unknown, command?: string): ErrorReport {
  const line = [PROGRAM, ...(command === undefined ? [] : [command])].join(" ");
  if (error instanceof UsageError) {
    return { message: `${error.message} (see ${line} --help)`, status: STATUS.usage };
  }
  if (error instanceof InterruptedError) return { message: null, status: STATUS.interrupted };
  if (error instanceof Deno.errors.BrokenPipe) return { message: null, status: STATUS.ok };
  return { message: clean(messageOf(error, line)), status: STATUS.failed };
}

/** What went wrong, as one line, whoever threw it. */
export function oneLine(error: unknown): string {
  return clean(messageOf(error, PROGRAM));
}

function messageOf(error: unknown, line: string): string {
  if (error instanceof Deno.errors.NotCapable) return missingPermission(error, line);
  if (
    error instanceof UserError || error instanceof ImageError || error instanceof TraceError ||
    error instanceof ReplayError
  ) {
    return error.message;
  }
  if (error instanceof RangeError && /allocation/i.test(error.message)) {
    return `Not enough memory: ${error.message}`;
  }
  return internalError(error);
}

/** `needs read access to X: run with -P (…)`, from Deno's own message. */
function missingPermission(error: Error, line: string): string {
  const [, kind, quoted, bracketed] =
    /Requires (\w+) access(?: to (?:"([^"]*)"|<([^>]*)>))?/.exec(error.message) ?? [];
  const what = quoted ?? (bracketed === undefined ? undefined : `the ${bracketed}`);
  // Devices such as /dev/full need more than any permission set gives.
  const flag = kind === "all" ? "-A" : "-P";
  return `needs ${kind ?? "more"} access${what === undefined ? "" : ` to ${what}`}: ` +
    `run with ${flag} (${line.replace("-P", flag)} …)`;
}

/** A bug in this program: the line names the place, so that a report of it is useful. */
function internalError(error: unknown): string {
  if (!(error instanceof Error)) return `Internal error: ${String(error)}`;
  const [, place] = /\n\s+at (.*)/.exec(error.stack ?? "") ?? [];
  const where = place?.replace(/\(?file:\/\/\S*\/(\w+\/\w+\.ts:\d+)(?::\d+)?\)?/, "($1)");
  return `Internal error: ${error.message}${where === undefined ? "" : ` at ${where}`}`;
}

function clean(text: string): string {
  // deno-lint-ignore no-control-regex
  return text.replace(/[\u0000-\u001f\u007f-\u009f]+/g, " ").trim();
}
