import type { Ops } from "./ops.ts";
import { type Fields, type Operand, type Row, row, type Syntax } from "./row.ts";
import { decimal, parseInteger, reg, w, x } from "./operands.ts";
import { amount } from "./pseudocode.ts";

/** Bitfield moves and extraction (Arm ARM C4.1.92). */

// ---- Bitfield ----

function datasize(f: Fields): number {
  return f.sf ? 64 : 32;
}

/**
 * Bits of the field moved: `imms >= immr` takes `immr..imms` to bit 0, else the low `imms + 1`
 * bits go to bit `datasize - immr`. Either way a shift to the left drops what is above the field
 * and a shift to the right brings it to its place.
 */
function fieldLeft(f: Fields): number {
  return datasize(f) - 1 - f.imms;
}
function fieldRight(f: Fields): number {
  return f.imms >= f.immr ? fieldLeft(f) + f.immr : f.immr - 1 - f.imms;
}

/** BFXPreferred(): the extraction has no shorter name. */
function extractPreferred(f: Fields, unsigned: boolean): boolean {
  if (f.imms < f.immr || f.imms === datasize(f) - 1) return false;
  if (f.immr !== 0) return true;
  if (f.sf === 0 && (f.imms === 7 || f.imms === 15)) return false;
  if (f.sf === 1 && !unsigned && (f.imms === 7 || f.imms === 15 || f.imms === 31)) return false;
  return true;
}

/** A number computed from immr and imms, with the inverse for the assembler. */
function computed(
  format: (f: Fields) => number,
  parse: (value: number, f: Fields) => Record<string, number> | undefined,
): Operand {
  return {
    format: (f) => `#${format(f)}`,
    parse(text, _pc, f) {
      const value = parseInteger(text);
      if (value === undefined || value < 0n || value > 64n) return undefined;
      return parse(Number(value), f);
    },
  };
}

/** Shift to the right: immr, with imms the top bit. */
const rightAmount = computed(
  (f) => f.immr,
  (value, f) => value < datasize(f) ? { immr: value, imms: datasize(f) - 1 } : undefined,
);
const leftAmount = computed(
  (f) => datasize(f) - 1 - f.imms,
  (value, f) => {
    const size = datasize(f);
    return value < size ? { immr: (size - value) % size, imms: size - 1 - value } : undefined;
  },
);
/** `#lsb` of an insertion. */
const insertLsb = computed(
  (f) => (datasize(f) - f.immr) & (datasize(f) - 1),
  (value, f) => value < datasize(f) ? { immr: (datasize(f) - value) % datasize(f) } : undefined,
);
/** `#width` of an insertion, after the lsb. */
const insertWidth = computed(
  (f) => f.imms + 1,
  (value, f) => {
    const lsb = (datasize(f) - f.immr) % datasize(f);
    return value >= 1 && value <= datasize(f) - lsb ? { imms: value - 1 } : undefined;
  },
);
/** `#width` of an extraction, after the lsb, which is immr. */
const extractWidth = computed(
  (f) => f.imms - f.immr + 1,
  (value, f) =>
    value >= 1 && value <= datasize(f) - f.immr ? { imms: f.immr + value - 1 } : undefined,
);

const inserts = (f: Fields) => f.imms < f.immr;

/** SXTB, UXTH and so on: fixed fields; the source is always a W register. */
function extendAlias(mnemonic: string, imms: number, sf: 0 | 1 | undefined): Syntax {
  const size: Record<string, number> = sf === undefined ? {} : { sf, N: sf };
  return {
    mnemonic,
    operands: [sf === undefined ? regN("Rd") : sf ? x("Rd") : w("Rd"), w("Rn")],
    when: (f) => f.immr === 0 && f.imms === imms && (sf === undefined || f.sf === sf),
    set: { immr: 0, imms, ...size },
  };
}

/** A register whose width also gives N, as all bitfield encodings want. */
function regN(field: string): Operand {
  const plain = reg(field);
  return {
    format: plain.format,
    parse(text, pc, fields) {
      const found = plain.parse(text, pc, fields);
      return found && { ...found, N: found.sf };
    },
  };
}

function bitfield(
  name: string,
  opc: string,
  aliases: readonly Syntax[],
  execute: (o: Ops, s: Fields) => void,
): Row {
  const mnemonic = name.toLowerCase();
  return row(name, `sf ${opc} 100110 N immr:6 imms:6 Rn Rd`, {
    static: ["sf"],
    when: (f) => f.N === f.sf && (f.sf === 1 || (f.immr < 32 && f.imms < 32)),
    derive: opc === "01"
      ? {
        rotation: (f) => f.immr,
        // Low byte: bits that are not in the field; above: how far the mask is rotated.
        mask: (f) =>
          f.imms >= f.immr
            ? datasize(f) - 1 - (f.imms - f.immr)
            : (datasize(f) - 1 - f.imms) | (f.immr << 8),
      }
      : { left: fieldLeft, right: fieldRight },
    assembly: [
      ...aliases,
      { mnemonic, operands: [regN("Rd"), reg("Rn"), decimal("immr"), decimal("imms")] },
    ],
    execute,
  });
}

function moves(mnemonic: string, lsb: Operand, width: Operand, when: (f: Fields) => boolean) {
  return { mnemonic, operands: [regN("Rd"), reg("Rn"), lsb, width], when };
}

/** Bitfield. */
export const BITFIELD: readonly Row[] = [
  bitfield(
    "SBFM",
    "00",
    [
      {
        mnemonic: "asr",
        operands: [regN("Rd"), reg("Rn"), rightAmount],
        when: (f) => f.imms === datasize(f) - 1,
      },
      moves("sbfiz", insertLsb, insertWidth, inserts),
      moves("sbfx", decimal("immr"), extractWidth, (f) => extractPreferred(f, false)),
      extendAlias("sxtb", 7, undefined),
      extendAlias("sxth", 15, undefined),
      extendAlias("sxtw", 31, 1),
    ],
    (o, s) => {
      const left = o.shl(o.x("Rn", s.sf), amount(o, o.x("Rn", s.sf), "left"));
      o.setX("Rd", o.shrS(left, amount(o, left, "right")));
    },
  ),
  bitfield(
    "BFM",
    "01",
    [
      moves("bfxil", decimal("immr"), extractWidth, (f) => !inserts(f)),
      {
        mnemonic: "bfc",
        operands: [regN("Rd"), insertLsb, insertWidth],
        when: (f) => inserts(f) && f.Rn === 31,
        set: { Rn: 31 },
      },
      moves("bfi", insertLsb, insertWidth, inserts),
    ],
    (o, s) => {
      const destination = o.x("Rd", s.sf), source = o.x("Rn", s.sf);
      const shape = amount(o, source, "mask");
      const ones = o.shrU(o.like(source, -1), shape);
      const mask = o.rotr(ones, o.shrU(shape, o.like(source, 8)));
      const bottom = o.rotr(source, amount(o, source, "rotation"));
      o.setX("Rd", o.xor(destination, o.and(o.xor(destination, bottom), mask)));
    },
  ),
  bitfield(
    "UBFM",
    "10",
    [
      {
        mnemonic: "lsl",
        operands: [regN("Rd"), reg("Rn"), leftAmount],
        when: (f) => f.imms + 1 === f.immr && f.imms !== datasize(f) - 1,
      },
      {
        mnemonic: "lsr",
        operands: [regN("Rd"), reg("Rn"), rightAmount],
        when: (f) => f.imms === datasize(f) - 1,
      },
      moves("ubfiz", insertLsb, insertWidth, inserts),
      moves("ubfx", decimal("immr"), extractWidth, (f) => extractPreferred(f, true)),
      extendAlias("uxtb", 7, 0),
      extendAlias("uxth", 15, 0),
    ],
    (o, s) => {
      const left = o.shl(o.x("Rn", s.sf), amount(o, o.x("Rn", s.sf), "left"));
      o.setX("Rd", o.shrU(left, amount(o, left, "right")));
    },
  ),
];

// ---- Extract ----

/** Extract. */
export const EXTRACT: readonly Row[] = [
  row("EXTR", "sf 00 100111 N 0 Rm imms:6 Rn Rd", {
    static: ["sf"],
    when: (f) => f.N === f.sf && (f.sf === 1 || f.imms < 32),
    // The high part is shifted by one and then by the rest, so that lsb 0 needs no special case.
    derive: { lsb: (f) => f.imms, rest: (f) => datasize(f) - 1 - f.imms },
    assembly: [
      {
        mnemonic: "ror",
        operands: [regN("Rd"), reg("Rn"), {
          format: (f) => `#${f.imms}`,
          parse: (text, pc, f) => {
            const found = decimal("imms").parse(text, pc, f);
            return found && { ...found, Rm: f.Rn };
          },
        }],
        when: (f) => f.Rn === f.Rm,
      },
      { mnemonic: "extr", operands: [regN("Rd"), reg("Rn"), reg("Rm"), decimal("imms")] },
    ],
    execute(o, s) {
      const operand1 = o.x("Rn", s.sf), operand2 = o.x("Rm", s.sf);
      const low = o.shrU(operand2, amount(o, operand2, "lsb"));
      const high = o.shl(o.shl(operand1, o.like(operand1, 1)), amount(o, operand1, "rest"));
      o.setX("Rd", o.or(low, high));
    },
  }),
];
