import { assert, assertEquals } from "@std/assert";
import { isSupported, ROWS } from "../../core/isa/table.ts";
import type { Row } from "../../core/isa/row.ts";
import { fieldsOf, findRow, isAllocated } from "../../core/isa/decode_tree.ts";
import { canonicalWord, disassemble } from "../../core/isa/disassemble.ts";
import { assemble } from "../../core/isa/assemble.ts";
import { Random, wordsOf } from "./random_words.ts";
import { capstoneTexts, hasObjdump, objdump, UNDEFINED } from "./reference_disassemblers.ts";

const BASE = 0x4000_0000;
const PER_CHOICE = 40;

/** One disagreement that is meant. */
interface Exception {
  readonly reason: string;
  matches(row: Row, word: number, ours: string, theirs: string): boolean;
}

/** A load or store whose registers overlap: CONSTRAINED UNPREDICTABLE, executed as the reference does. */
const UNPREDICTABLE: Exception = {
  reason: "the judge refuses UNPREDICTABLE overlaps of registers",
  matches(row, word, _ours, theirs) {
    const { Rn, Rt, Rt2 } = fieldsOf(row, word);
    return theirs === UNDEFINED && Rt !== undefined && (Rt === Rt2 || Rn === Rt || Rn === Rt2);
  },
};

const OBJDUMP_EXCEPTIONS: readonly Exception[] = [
  UNPREDICTABLE,
  {
    reason: "names of system registers and instructions that came after Armv8.0-A",
    matches: (_row, _word, ours) => /s[23]_\d_c\d+_c\d+_\d|^sysl? /.test(ours),
  },
  {
    reason: "bits of an immediate above the lowest are ignored, as the reference does",
    matches: (_row, _word, ours, theirs) =>
      /^msr (spsel|uao|pan|ssbs|dit), /.test(ours) && (theirs === UNDEFINED || /s\d_/.test(theirs)),
  },
];

const CAPSTONE_EXCEPTIONS: readonly Exception[] = [
  UNPREDICTABLE,
  OBJDUMP_EXCEPTIONS[1],
  OBJDUMP_EXCEPTIONS[2],
  {
    reason: "prefetch operations without a name are left out",
    matches: (_row, _word, ours, theirs) => /^prfu?m #/.test(ours) && /^prfu?m ,/.test(theirs),
  },
  {
    reason: "MOV of a logical immediate: GNU asks whether MOVZ or MOVN could make the value",
    matches: (row, _word, ours, theirs) =>
      row.name === "ORR (immediate)" && ours.startsWith("orr") && theirs.startsWith("mov"),
  },
  {
    reason: "BFXIL from the zero register is printed as BFC",
    matches: (_row, _word, ours, theirs) => ours.startsWith("bfxil") && theirs.startsWith("bfc"),
  },
  {
    reason: "SSHLL and USHLL by nothing keep their names",
    matches: (_row, _word, ours, theirs) =>
      /^[su]xtl2? /.test(ours) && theirs === `${ours.replace("xtl", "shll")}, #0`,
  },
  {
    reason: "an offset of zero is left out of LDRAA with write-back, as GNU does",
    matches: (row, _word, ours, theirs) =>
      row.name.startsWith("LDRA") && theirs === ours.replace("]!", ", #0]!"),
  },
  {
    reason: "DGH and DFB came after Armv8.0-A",
    matches: (_row, _word, _ours, theirs) => theirs === "dgh" || theirs === "dfb",
  },
];

/** Allocated words of every row, and the row each was made from. */
function allWords(): { words: Uint32Array; rows: Row[] } {
  const random = new Random(20240229);
  const words: number[] = [], rows: Row[] = [];
  for (const row of ROWS) {
    if (!isSupported(row)) continue;
    for (const word of wordsOf(row, PER_CHOICE, random)) {
      // Special cases of this row are other rows' business.
      if (findRow(word) !== row) continue;
      words.push(word);
      rows.push(row);
    }
  }
  return { words: Uint32Array.from(words), rows };
}

/** Compares text by text; fails with a few of the disagreements that no exception covers. */
function compare(
  words: Uint32Array,
  theirs: readonly string[],
  exceptions: readonly Exception[],
  normalize: (text: string) => string,
): void {
  const wrong: string[] = [];
  words.forEach((word, i) => {
    const ours = disassemble(word, BigInt(BASE + 4 * i));
    if (normalize(ours) === normalize(theirs[i])) return;
    const row = findRow(word) as Row;
    if (exceptions.some((e) => e.matches(row, word, normalize(ours), normalize(theirs[i])))) return;
    wrong.push(`0x${word.toString(16)} ${row.name}: "${ours}", expected "${theirs[i]}"`);
  });
  assertEquals(wrong.slice(0, 10), [], `${wrong.length} of ${words.length} differ`);
}

/** `{v0.4s-v2.4s}` with all its registers. */
function expandList(text: string): string {
  return text.replace(/\{v(\d+)\.(\w+)-v(\d+)\.\w+\}/, (_, first, suffix, last) => {
    const count = Number(last) - Number(first) + 1;
    const names = Array.from({ length: count }, (_, i) => `v${Number(first) + i}.${suffix}`);
    return `{${names.join(", ")}}`;
  });
}

/**
 * Number formats and spellings: numbers as unsigned decimals, 32 bits wide in a move to W, floating
 * point without exponent, all registers of a list.
 */
function normalizeForCapstone(text: string): string {
  const width = text.startsWith("mov w") ? 32 : 64;
  if (text.startsWith("fmov")) {
    return text.replace(/#(.*)/, (_, value) => `#${Number(value).toFixed(8)}`);
  }
  return expandList(text.toLowerCase()).replace(/\b(b\.|, )hs\b/, "$1cs").replace(
    /\b(b\.|, )lo\b/,
    "$1cc",
  )
    .replace(/#?(-?)\b(0x[0-9a-f]+|\d+)\b/g, (_, sign, digits) => {
      const value = BigInt(digits) * (sign ? -1n : 1n);
      return `#${BigInt.asUintN(width, value)}`;
    });
}

Deno.test({
  name: "disassemble() prints what GNU objdump prints, for every row and static choice",
  ignore: !hasObjdump(),
  async fn() {
    const { words } = allWords();
    assert(words.length > 20_000);
    compare(words, await objdump(words, BigInt(BASE)), OBJDUMP_EXCEPTIONS, (text) => text);
  },
});

Deno.test("disassemble() prints what Capstone prints, for every row and static choice", async () => {
  const { words } = allWords();
  compare(words, await capstoneTexts(words, BASE), CAPSTONE_EXCEPTIONS, normalizeForCapstone);
});

/**
 * The word that assembling its text gives: "should be" bits as they should be, and the bits of a
 * logical immediate's rotation that its element is too short for at zero.
 */
function expectedWord(row: Row, word: number): number {
  const canonical = canonicalWord(row.pattern, word);
  const { N, imms, immr } = fieldsOf(row, word);
  if (immr === undefined || !/^(AND|ORR|EOR|ANDS) /.test(row.name)) return canonical;
  const element = 1 << (31 - Math.clz32((N << 6) | (~imms & 0x3f)));
  return canonical - ((immr & ~(element - 1)) << 16);
}

Deno.test("assemble() gives back the word of every disassembly", () => {
  const { words, rows } = allWords();
  words.forEach((word, i) => {
    const pc = BigInt(BASE + 4 * i);
    const text = disassemble(word, pc);
    assertEquals(assemble(text, pc), expectedWord(rows[i], word), text);
  });
});

/** Random words, every second one evenly of the groups that hold most instructions. */
function randomWords(count: number): Uint32Array {
  const random = new Random(8);
  const groups = [
    ...[0x1000_0000, 0x1200_0000, 0x1400_0000, 0x1600_0000, 0x0800_0000, 0x0a00_0000],
    ...[0x0e00_0000, 0x1e00_0000],
  ];
  return Uint32Array.from({ length: count }, (_, i) => {
    const word = random.u32();
    return i & 1 ? (word & ~0x1e00_0000) | groups[random.u32() % groups.length] : word;
  });
}

Deno.test({
  name: "findRow() knows the same 100,000 random words as GNU objdump does",
  ignore: !hasObjdump(),
  async fn() {
    // Encodings of later architectures, which objdump knows, are rows listed as not supported.
    const words = randomWords(100_000)
      .filter((word) => {
        const row = findRow(word);
        return !row || isSupported(row);
      })
      .map((word) => {
        const row = findRow(word);
        return row ? canonicalWord(row.pattern, word) : word;
      });
    const theirs = await objdump(words, BigInt(BASE));
    const ours = Array.from(words, (word) => disassemble(word));
    ours.forEach((text, i) => {
      const row = findRow(words[i]);
      if (!row || !isSupported(row) || !isAllocated(row, words[i])) {
        assertEquals(theirs[i], UNDEFINED, text);
      } else if (theirs[i] === UNDEFINED) {
        const meant = OBJDUMP_EXCEPTIONS.some((e) => e.matches(row, words[i], text, theirs[i]));
        assert(meant, `${text} is allocated, objdump says it is not`);
      }
    });
  },
});

Deno.test("assemble() gives back 100,000 random words that are instructions", () => {
  let instructions = 0;
  randomWords(100_000).forEach((word) => {
    const row = findRow(word);
    const pc = BigInt(word) * 4n;
    const text = disassemble(word, pc);
    if (!row || !isSupported(row) || !isAllocated(row, word)) {
      return assert(text.startsWith(".inst "), text);
    }
    instructions++;
    assertEquals(assemble(text, pc), expectedWord(row, word), text);
  });
  assert(instructions > 20_000);
});

Deno.test("findRow() finds what a search through all rows finds", () => {
  for (const word of randomWords(20_000)) {
    const matching = ROWS.filter(({ pattern }) => (word & pattern.mask) >>> 0 === pattern.value);
    const bits = (mask: number) => mask.toString(2).replaceAll("0", "").length;
    matching.sort((a, b) => bits(b.pattern.mask) - bits(a.pattern.mask));
    assertEquals(findRow(word)?.name, matching[0]?.name, word.toString(16));
  }
});

Deno.test("the static choices of Armv8.0-A leave the interpreter's function small", () => {
  let choices = 0;
  for (const row of ROWS) {
    if (!isSupported(row) || row.apart || row.feature !== undefined) continue;
    const fields = row.pattern.fields.filter((f) => row.static?.includes(f.name));
    choices += fields.reduce((n, f) => n * 2 ** f.width, 1);
  }
  assert(choices < 1500, `${choices} static choices`);
});
