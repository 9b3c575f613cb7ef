/**
 * The command line of unboot: the list of commands.
 *
 * A command is one file in `commands/`, loaded only when it is run.
 */
import { type CommandList, runCommandLine } from "./commands/dispatch.ts";

const COMMANDS: CommandList = {
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
  calls: {
    summary: "Shows which function called which, how often and for how long.",
    load: () => import("./commands/calls.ts"),
  },
  replay: {
    summary: "Goes through a trace like a debugger, forwards and in reverse.",
    load: () => import("./commands/replay.ts"),
  },
  verify: {
    summary: "Executes a trace again and compares it with what was recorded.",
    load: () => import("./commands/verify.ts"),
  },
  attach: {
    summary: "Makes a small trace for a report: the rest is executed again where it is opened.",
    load: () => import("./commands/attach.ts"),
  },
  values: {
    summary: "Adds the result of every instruction to a trace.",
    load: () => import("./commands/add_values.ts"),
  },
  walk: {
    summary: "Shows how an address translated at a moment, descriptor by descriptor.",
    load: () => import("./commands/walk.ts"),
  },
  explain: {
    summary: "Says why a boot stopped: the fault, the walk, who wrote the bits to blame, the fix.",
    load: () => import("./commands/explain.ts"),
  },
  diff: {
    summary: "Compares two boots: milestones side by side, and where they begin to differ.",
    load: () => import("./commands/diff.ts"),
  },
  "who-wrote": {
    summary: "Finds who last wrote memory, a register or a system register, and when.",
    load: () => import("./commands/who_wrote.ts"),
  },
  writes: {
    summary: "Lists every write to some bytes of memory, first to last.",
    load: () => import("./commands/writes.ts"),
  },
};

/** Runs the program; returns its exit status. */
export function main(args: readonly string[]): Promise<number> {
  return runCommandLine(COMMANDS, args);
}

if (import.meta.main) Deno.exit(await main(Deno.args));
