import capstone from "@alexaltea/capstone-js";

/**
 * Other people's disassemblers, as judges of ours.
 *
 * Both give one line of text per word, with single spaces and without comments; a word that they
 * do not know gives {@linkcode UNDEFINED}.
 */

/** The text for a word without an instruction. */
export const UNDEFINED = "undefined";

const OBJDUMP = "aarch64-linux-gnu-objdump";

/** Whether GNU objdump for AArch64 is installed. */
export function hasObjdump(): boolean {
  try {
    const { success } = new Deno.Command(OBJDUMP, { args: ["--version"], stdout: "null" })
      .outputSync();
    return success;
  } catch {
    return false;
  }
}

/** What GNU objdump prints for `words` placed one after the other from `address`. */
export async function objdump(words: Uint32Array, address: bigint): Promise<string[]> {
  const file = await Deno.makeTempFile({ suffix: ".bin" });
  try {
    await Deno.writeFile(file, new Uint8Array(words.buffer, words.byteOffset, words.byteLength));
    const where = `--adjust-vma=0x${address.toString(16)}`;
    const args = ["-D", "-z", "-b", "binary", "-m", "aarch64", where, file];
    const { stdout } = await new Deno.Command(OBJDUMP, { args, stderr: "null" }).output();
    const texts: string[] = [];
    for (const line of new TextDecoder().decode(stdout).split("\n")) {
      const match = /^\s*[0-9a-f]+:\t[0-9a-f]{8} \t(.*)$/.exec(line);
      if (match) texts.push(tidy(match[1]));
    }
    if (texts.length !== words.length) {
      throw new Error(`objdump printed ${texts.length} instructions of ${words.length}`);
    }
    return texts;
  } finally {
    await Deno.remove(file);
  }
}

function tidy(text: string): string {
  const plain = text.replace(/\s*\/\/.*$/, "").replace(/\s+/g, " ").trim();
  // Encodings with op0 of 0 or 1 are printed as if they named system registers; none exists.
  return plain.startsWith(".inst") || /^(msr s0_|mrs x?\w+, s0_)/.test(plain) ? UNDEFINED : plain;
}

interface Capstone {
  disasm(bytes: Uint8Array, address: number, count: number): { mnemonic: string; op_str: string }[];
  close(): void;
}

interface CapstoneModule {
  Capstone: new (architecture: number, mode: number) => Capstone;
  ARCH_ARM64: number;
  MODE_LITTLE_ENDIAN: number;
}

/** What Capstone prints for `words` placed one after the other from `address`. */
export async function capstoneTexts(words: Uint32Array, address: number): Promise<string[]> {
  const module = await (capstone as unknown as () => Promise<CapstoneModule>)();
  const disassembler = new module.Capstone(module.ARCH_ARM64, module.MODE_LITTLE_ENDIAN);
  const texts = Array.from(words, (word, i) => {
    const bytes = Uint8Array.of(word, word >> 8, word >> 16, word >> 24);
    try {
      const [{ mnemonic, op_str }] = disassembler.disasm(bytes, address + 4 * i, 1);
      return `${mnemonic} ${op_str}`.trim();
    } catch {
      // It throws where it knows no instruction.
      return UNDEFINED;
    }
  });
  disassembler.close();
  return texts;
}
