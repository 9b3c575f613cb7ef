/** `info` at the prompt of `replay`. */
import { plural } from "./output.ts";
import { cpuLines } from "./replay_cpus.ts";
import type { ReplayShell } from "./replay_shell.ts";
import { frameText, registerLines } from "./replay_show.ts";
import { UserError } from "./user_error.ts";

/** What stands behind `info`. */
export const INFO_USAGE: string =
  "registers [NAME…|system] | points | bookmarks | position | cpus | threads";

/**
 * Prints what is asked for.
 *
 * @throws UserError
 */
export function showInfo(shell: ReplayShell, rest: string): void {
  const { shown } = shell;
  const [what, ...names] = rest.split(/\s+/);
  if (what !== "" && "registers".startsWith(what)) shell.print(...registerLines(shown, names));
  else if (["points", "breakpoints", "watchpoints", "b"].includes(what)) showPoints(shell);
  else if (what === "bookmarks") shell.bookmark("");
  else if (what === "position") shell.print(frameText(shown));
  else if (what === "cpus" || what === "threads") shell.print(...cpuLines(shown));
  else throw new UserError(`Usage: info ${INFO_USAGE}`);
}

function showPoints(shell: ReplayShell): void {
  const { points } = shell.debugger;
  if (points.length === 0) shell.print("There are no stop points.");
  for (const { number, point: { text }, enabled, hits, ignore } of points) {
    const ignored = ignore > 0 ? `, ignored ${ignore} more` : "";
    const state = `${enabled ? "" : ", disabled"}${ignored}`;
    shell.print(`${number}: ${text}, met ${plural(hits, "time")}${state}`);
  }
}
