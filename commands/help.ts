/** The texts of `--help`. */
import type { Command } from "./command.ts";

/** How the program is started, as every text shows it. */
export const PROGRAM = "deno run -P cli.ts";

/** Help for one command. */
export function commandHelp(name: string, summary: string, command: Command): string {
  const operands = command.operands.map((operand) =>
    operand.optional ? `[${operand.name}]` : operand.name
  );
  const sections = [
    `${summary}\n\nusage: ${[PROGRAM, name, ...operands, "[options]"].join(" ")}`,
    command.description.join("\n"),
    table(command.operands.map(({ name, help }) => [name, help])),
    `Options:\n${table(optionRows(command))}`,
    `Examples:\n${
      command.examples.map(([line, does]) => `  # ${does}\n  ${PROGRAM} ${line}`).join("\n")
    }`,
  ];
  return sections.filter((section) => section !== "").join("\n\n") + "\n";
}

/** Help for the program: the list of its commands. */
export function programHelp(summaries: readonly (readonly [string, string])[]): string {
  return `unboot records the boot of an AArch64 machine and lets you look at every step of it.

usage: ${PROGRAM} COMMAND [options]

Commands:
${table(summaries)}

${PROGRAM} COMMAND --help explains a command. Exit status: 0 done, or the guest powered off;
3 the guest ended in another way; 1 bad input; 2 usage; 130 interrupted.
`;
}

function optionRows(command: Command): [string, string][] {
  const rows = Object.entries(command.options).map(([name, { short, value, help }]) => {
    const letter = short === undefined ? "" : `-${short}, `;
    return [`${letter}--${name}${value === undefined ? "" : ` ${value}`}`, help] as [
      string,
      string,
    ];
  });
  return [...rows, ["--help", "show this text"]];
}

/** Two columns; a left cell that is too wide gets a line of its own. */
function table(rows: readonly (readonly [string, string])[]): string {
  const MOST = 28;
  const fitting = rows.map(([left]) => left.length).filter((length) => length <= MOST);
  const width = Math.max(0, ...fitting);
  return rows.map(([left, right]) => {
    const gap = left.length > width
      ? `\n${" ".repeat(width + 4)}`
      : " ".repeat(width - left.length + 2);
    return `  ${left}${gap}${right}`;
  }).join("\n");
}
