/**
 * The demo: boots the built-in kernel, good and with its three historic bugs, records each boot
 * into `out/`, and finds out with the commands that anybody would use why the broken ones broke.
 */
import { main } from "./cli.ts";
import { PROGRAM } from "./commands/help.ts";

const FOLDER = "out";

const GOOD = `${FOLDER}/good.unboot`;

/** The broken boots, what one sees, and where to look besides `explain` and `diff`. */
const BUGS: readonly { bug: string; story: string; look: (trace: string) => string[][] }[] = [
  {
    bug: "pxn",
    story:
      "The kernel's code is mapped as data: PXN = 1. The first instruction behind the one that\n" +
      "turns the MMU on cannot be fetched, and neither can the vectors.",
    look: (trace) => [["dump", trace, "--at", "fault", "-n", "6"]],
  },
  {
    bug: "late-vectors",
    story: "The same, but the vectors are installed behind the MMU: the machine takes prefetch\n" +
      "aborts at 0x200 for ever. On a board this is a silent hang.",
    look: (trace) => [["events", trace, "-k", "exception"]],
  },
  {
    bug: "block-encoding",
    story:
      "Bit 1 stays set in 2 MB blocks, so the walk takes them for tables: the MMU is on, the\n" +
      "console works, and the first access to 0x40600000 faults at level 3.",
    // Backwards, by hand: from the fault to the descriptor, and to the instruction that wrote it.
    look: (trace) => [[
      "replay",
      trace,
      "--at",
      "fault",
      "-x",
      "where; reverse-step; walk 0x40600000; watch phys:0x40517018; reverse-continue; where",
    ]],
  },
];

const color = Deno.stdout.isTerminal() && !Deno.noColor;

function print(text: string): void {
  console.log(text);
}

function styled(text: string, code: number): string {
  return color ? `\x1b[${code}m${text}\x1b[0m` : text;
}

function heading(text: string): void {
  print(`\n${styled(`── ${text} ${"─".repeat(Math.max(0, 76 - text.length))}`, 1)}`);
}

/** Runs a command of the program, and shows what one would type for it. */
async function run(...args: string[]): Promise<void> {
  const typed = args.map((arg) => /[ ;]/.test(arg) ? `'${arg}'` : arg);
  print(styled(`\n$ ${PROGRAM} ${typed.join(" ")}`, 36));
  const status = await main(args);
  if (status !== 0) print(styled(`(exit status ${status})`, 2));
}

/** Prints a console without the lines at its start that the good boot printed too. */
function printDifference(console: string, good: string): void {
  const lines = console.split("\n");
  const reference = good.split("\n");
  const same = lines.findIndex((line, i) => line !== reference[i] || i === lines.length - 1);
  // One known line, to see where in the boot this is.
  const first = Math.max(0, same - 1);
  print(styled(`console: ${first} lines as in the good boot, then`, 2));
  print(lines.slice(first).join("\n").replace(/^\n+/, "").trimEnd());
}

Deno.mkdirSync(FOLDER, { recursive: true });
heading("The kernel, as it should be");
await run("record", "-o", GOOD, "--console", `${FOLDER}/good.txt`);
const good = Deno.readTextFileSync(`${FOLDER}/good.txt`);
print(good.trimEnd());
await run("info", GOOD);
await run("events", GOOD, "-k", "sysreg,tlbi,tlb-fill", "--to", "mmu-on+20");

for (const { bug, story, look } of BUGS) {
  const trace = `${FOLDER}/${bug}.unboot`;
  heading(`Bug: ${bug}`);
  print(story);
  await run("record", "--bug", bug, "-o", trace, "--console", `${FOLDER}/${bug}.txt`);
  printDifference(Deno.readTextFileSync(`${FOLDER}/${bug}.txt`), good);
  await run("explain", trace);
  for (const command of look(trace)) await run(...command);
  await run("diff", GOOD, trace);
}

heading("Now your own");
print(`The traces are in ${FOLDER}/. Boot your kernel with: ${PROGRAM} record KERNEL -o my.unboot`);
