/** Runs the program as a user does: as a process of its own. */

/** What a run of the program left behind. */
export interface CliRun {
  readonly status: number;
  readonly out: string;
  /** Standard error, without what Deno itself says: about permission sets, and about waiting. */
  readonly err: string;
}

const ROOT = new URL("../../", import.meta.url);
const DENO_SAYS =
  /^.*(Permissions in the config file is an experimental feature|Blocking waiting for file lock).*\n/gm;

/** How to start it. */
export interface CliOptions {
  /** Deno's arguments in front of `cli.ts`, default `-P`. */
  readonly deno?: readonly string[];
  /** Working directory, default the project's. */
  readonly cwd?: string;
  /** Where its standard input comes from, default from nowhere. */
  readonly stdin?: "null" | "piped";
}

/** The command for `Deno.Command`. */
export function cliCommand(
  args: readonly string[],
  { deno = ["-P"], cwd, stdin = "null" }: CliOptions = {},
): Deno.Command {
  return new Deno.Command(Deno.execPath(), {
    args: ["run", "--no-prompt", ...deno, new URL("cli.ts", ROOT).pathname, ...args],
    cwd: cwd ?? ROOT,
    stdin,
    stdout: "piped",
    stderr: "piped",
    env: { NO_COLOR: "1" },
  });
}

/** Runs it to its end. */
export async function runCli(args: readonly string[], options?: CliOptions): Promise<CliRun> {
  const { code, stdout, stderr } = await cliCommand(args, options).output();
  const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
  return { status: code, out: text(stdout), err: text(stderr).replace(DENO_SAYS, "") };
}

/** Parses one JSON value per line. */
// deno-lint-ignore no-explicit-any
export function jsonLines(text: string): any[] {
  return text.trimEnd().split("\n").map((line) => JSON.parse(line));
}

/** Calls `body` with a folder that is removed afterwards. */
export async function withFolder(body: (folder: string) => Promise<void>): Promise<void> {
  const folder = await Deno.makeTempDir({ prefix: "unboot-test-" });
  try {
    await body(folder);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}
