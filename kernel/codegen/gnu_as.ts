import type { PlacedInstruction } from "./assembler.ts";

export function assembleWithGnu(instructions: readonly PlacedInstruction[]): Uint32Array {
  const dir = Deno.makeTempDirSync();
  try {
    const source = instructions.map(relative).join("\n") + "\n";
    Deno.writeTextFileSync(`${dir}/a.s`, ".arch armv8-a\n" + source);
    run("aarch64-linux-gnu-as", [`${dir}/a.s`, "-o", `${dir}/a.o`], instructions);
    run("aarch64-linux-gnu-objcopy", ["-O", "binary", "-j", ".text", `${dir}/a.o`, `${dir}/a.bin`]);
    const bytes = Deno.readFileSync(`${dir}/a.bin`);
    return new Uint32Array(bytes.buffer, 0, instructions.length);
  } finally {
    Deno.removeSync(dir, { recursive: true });
  }
}

function run(command: string, args: string[], instructions?: readonly PlacedInstruction[]): void {
  const { success, stderr } = new Deno.Command(command, { args }).outputSync();
  if (success) return;
  const message = new TextDecoder().decode(stderr);
  const line = /a\.s:(\d+):/.exec(message);
  throw new Error(message + (line ? instructions?.[Number(line[1]) - 2].text : ""));
}

function relative({ text, address }: PlacedInstruction): string {
  const match = /^(b|bl|b\..*|cbn?z|tbn?z|adr|adrp) (.*)0x([0-9a-f]+)$/.exec(text);
  if (!match) return text;
  const target = parseInt(match[3], 16);
  if (match[1] !== "adrp") return `${match[1]} ${match[2]}. + (${target - address})`;
  const pages = (target - (address - (address & 0xfff))) / 4096;
  const register = Number(/x(\d+)/.exec(match[2])![1]);
  const word = 0x90000000 + ((pages & 3) << 29 >>> 0) + ((pages >> 2 & 0x7ffff) << 5) + register;
  return `.inst 0x${word.toString(16)}`;
}
