import type { Ops, Value } from "./ops.ts";
import type { Fields, Operand, Row, RowSpecification, Syntax } from "./row.ts";
import { scalar } from "./operands.ts";
import {
  constant,
  HALF,
  HALF_SHAPE,
  halfSyntaxes,
  KEEP,
  LANES,
  lowHalf,
  SCALAR_SHAPE,
  setNarrow,
  setVector,
  SHAPE,
  simdRow,
  widenedHalf,
} from "./simd_common.ts";
import { elementSize, scalarAs, shiftAmount, shiftOf, vectorAs } from "./simd_operands.ts";
import { everySecond } from "./simd_three_same.ts";

/**
 * Advanced SIMD shift by immediate and its scalar form, integers (Arm ARM C4.1.96).
 *
 * `immh:immb` tells both the element's size, by its highest one, and the amount. Rows whose
 * handlers should know the size come once for every size, with that one in the pattern.
 */

type Direction = "left" | "right";

/** A mnemonic's bits: U and opcode. */
function patternOf(bits: string, amount: string): string {
  const [U, opcode] = bits.split(" ");
  return `0 Q ${U} 011110 ${amount} ${opcode} 1 Rn Rd`;
}

function scalarPattern(bits: string, amount: string): string {
  const [U, opcode] = bits.split(" ");
  return `01 ${U} 111110 ${amount} ${opcode} 1 Rn Rd`;
}

const AMOUNT = "immh:4 immb:3";

/** `immh:immb` of elements of 2^size bytes. */
function amountOfSize(size: number): string {
  return `${"1".padStart(4 - size, "0")} imm:${3 + size}`;
}

/** `immh` and `immb` as the operands know them. */
function withAmount(size: number, f: Fields): Fields {
  const code = 8 << size | f.imm;
  return { ...f, immh: code >> 3, immb: code & 7 };
}

/** {@linkcode shiftAmount} in the pattern of one size. */
function amountOperand(size: number, direction: Direction): Operand {
  const operand = shiftAmount(direction);
  return {
    format: (f, pc) => operand.format(withAmount(size, f), pc),
    parse(text, pc) {
      const found = operand.parse(text, pc, { size });
      return found && { imm: (found.immh << 3 | found.immb) & ((8 << size) - 1) };
    },
  };
}

/** The shift's amount in the pattern of one size, from its fields. */
function amountIn(size: number, direction: Direction): (f: Fields) => number {
  return (f) => shiftOf(direction, withAmount(size, f));
}

/** Gives the result of shifting Rn's elements of 2^size bytes by the derived value `amount`. */
type Operation = (o: Ops, size: number) => Value;

/** A row for every size. */
function bySize(
  name: string,
  bits: string,
  direction: Direction,
  amount: (size: number, shift: number) => number,
  operation: Operation,
): readonly Row[] {
  return [0, 1, 2, 3].map((size) => {
    const shift = amountIn(size, direction);
    return simdRow(name, patternOf(bits, amountOfSize(size)), {
      when: ({ Q }) => size < 3 || Q === 1,
      derive: { ...KEEP, amount: (f) => amount(size, shift(f)) },
      assembly: [{
        mnemonic: name.toLowerCase(),
        operands: [
          vectorAs("Rd", { size }),
          vectorAs("Rn", { size }),
          amountOperand(size, direction),
        ],
      }],
      execute: (o) => setVector(o, operation(o, size)),
    });
  });
}

/** A row on scalars of 64 bits. */
function scalarD(
  name: string,
  bits: string,
  direction: Direction,
  amount: (size: number, shift: number) => number,
  operation: Operation,
): Row {
  const shift = amountIn(3, direction);
  return simdRow(name, scalarPattern(bits, amountOfSize(3)), {
    derive: { amount: (f) => amount(3, shift(f)) },
    assembly: [{
      mnemonic: name.toLowerCase(),
      operands: [scalar("Rd", "d"), scalar("Rn", "d"), amountOperand(3, direction)],
    }],
    execute: (o) => o.setV("Rd", lowHalf(o, operation(o, 3))),
  });
}

function shiftLeft(o: Ops, size: number): Value {
  return o.plain(`${LANES[size]}.shl`, o.v("Rn"), o.immediate("amount"));
}

/** By `amount`, which is at most the element's bits less one: the sign says the rest. */
function shiftRightSigned(o: Ops, size: number): Value {
  return o.plain(`${LANES[size]}.shr_s`, o.v("Rn"), o.immediate("amount"));
}

/** By `amount` and one more. */
function shiftRightUnsigned(o: Ops, size: number): Value {
  const name = `${LANES[size]}.shr_u`;
  return o.plain(name, o.plain(name, o.v("Rn"), o.immediate("amount")), o.c32(1));
}

function accumulated(operation: Operation): Operation {
  return (o, size) => o.plain(`${LANES[size]}.add`, o.v("Rd"), operation(o, size));
}

type SizedShift = readonly [
  name: string,
  bits: string,
  direction: Direction,
  amount: (size: number, shift: number) => number,
  operation: Operation,
];

const SIZED: readonly SizedShift[] = [
  ["SSHR", "0 00000", "right", (size, n) => Math.min(n, (8 << size) - 1), shiftRightSigned],
  [
    "SSRA",
    "0 00010",
    "right",
    (size, n) => Math.min(n, (8 << size) - 1),
    accumulated(shiftRightSigned),
  ],
  ["SHL", "0 01010", "left", (_, n) => n, shiftLeft],
  ["USHR", "1 00000", "right", (_, n) => n - 1, shiftRightUnsigned],
  ["USRA", "1 00010", "right", (_, n) => n - 1, accumulated(shiftRightUnsigned)],
];

/** Rows whose work a helper does: for vectors, and for scalars of all sizes or of 64 bits. */
interface HelpedShift {
  readonly name: string;
  readonly bits: string;
  readonly direction: Direction;
  readonly scalars: "all" | "d";
  result(o: Ops): Value;
}

function amounts(o: Ops): Value {
  return o.plain("i8x16.splat", o.immediate("amount"));
}

/** A shift to the right as a rounding shift by a negative amount. */
function rounding(helper: string, accumulate: boolean): (o: Ops) => Value {
  return (o) => {
    const shape = o.immediate("shape");
    const negative = o.plain("i8x16.neg", amounts(o));
    const shifted = o.helper(helper, "v128", o.v("Rn"), negative, shape);
    return accumulate ? o.helper("add", "v128", o.v("Rd"), shifted, shape) : shifted;
  };
}

function saturating(helper: string): (o: Ops) => Value {
  return (o) => o.cumulative(helper, "v128", o.v("Rn"), amounts(o), o.immediate("shape"));
}

function inserting(helper: string): (o: Ops) => Value {
  return (o) => o.helper(helper, "v128", o.v("Rn"), o.v("Rd"), amounts(o), o.immediate("shape"));
}

const HELPED: readonly HelpedShift[] = [
  {
    name: "SRSHR",
    bits: "0 00100",
    direction: "right",
    scalars: "d",
    result: rounding("srshl", false),
  },
  {
    name: "SRSRA",
    bits: "0 00110",
    direction: "right",
    scalars: "d",
    result: rounding("srshl", true),
  },
  {
    name: "URSHR",
    bits: "1 00100",
    direction: "right",
    scalars: "d",
    result: rounding("urshl", false),
  },
  {
    name: "URSRA",
    bits: "1 00110",
    direction: "right",
    scalars: "d",
    result: rounding("urshl", true),
  },
  { name: "SRI", bits: "1 01000", direction: "right", scalars: "d", result: inserting("sri") },
  { name: "SLI", bits: "1 01010", direction: "left", scalars: "d", result: inserting("sli") },
  {
    name: "SQSHLU",
    bits: "1 01100",
    direction: "left",
    scalars: "all",
    result: saturating("sqshlu"),
  },
  {
    name: "SQSHL (immediate)",
    bits: "0 01110",
    direction: "left",
    scalars: "all",
    result: saturating("sqshl"),
  },
  {
    name: "UQSHL (immediate)",
    bits: "1 01110",
    direction: "left",
    scalars: "all",
    result: saturating("uqshl"),
  },
];

function helpedSyntax({ name, direction }: HelpedShift, operands: readonly Operand[]): Syntax {
  return {
    mnemonic: name.split(" ")[0].toLowerCase(),
    operands: [...operands, shiftAmount(direction)],
  };
}

const HELPED_VECTOR: readonly Row[] = HELPED.map((shift) =>
  simdRow(shift.name, patternOf(shift.bits, AMOUNT), {
    when: (f) => f.immh > 0 && (elementSize(f) < 3 || f.Q === 1),
    derive: { ...SHAPE, amount: (f) => shiftOf(shift.direction, f) },
    assembly: [helpedSyntax(shift, [vectorAs("Rd"), vectorAs("Rn")])],
    execute: (o) => o.setV("Rd", shift.result(o)),
  })
);

const HELPED_SCALAR: readonly Row[] = HELPED.map((shift) => {
  const allocated = (f: Fields) => f.immh > (shift.scalars === "d" ? 7 : 0);
  return simdRow(shift.name, scalarPattern(shift.bits, AMOUNT), {
    when: allocated,
    derive: { ...SCALAR_SHAPE, amount: (f) => shiftOf(shift.direction, f) },
    assembly: [helpedSyntax(shift, [scalarAs("Rd"), scalarAs("Rn")])],
    execute: (o) => o.setV("Rd", shift.result(o)),
  });
});

// ---- narrower results ----

const WIDE = { up: 1, full: true } as const;

/** SHRN and RSHRN: by `amount`; rounding adds one before the last place. */
function shiftRightNarrow(name: string, bits: string, round: boolean): readonly Row[] {
  return [0, 1, 2].map((size) => {
    const shift = amountIn(size, "right");
    const operands = [
      vectorAs("Rd", { size }),
      vectorAs("Rn", { ...WIDE, size }),
      amountOperand(size, "right"),
    ];
    return simdRow(`${name}, ${name}2`, patternOf(bits, amountOfSize(size)), {
      derive: { ...KEEP, amount: (f) => round ? shift(f) - 1 : shift(f) },
      assembly: halfSyntaxes(name.toLowerCase(), operands),
      execute(o) {
        const wide = LANES[size + 1];
        let shifted = o.plain(`${wide}.shr_u`, o.v("Rn"), o.immediate("amount"));
        if (round) {
          const more = o.plain(`${wide}.sub`, shifted, constant(o, () => -1));
          shifted = o.plain(`${wide}.shr_u`, more, o.c32(1));
        }
        setNarrow(o, everySecond(o, size, 0, shifted, shifted));
      },
    });
  });
}

const SATURATING_NARROW: readonly (readonly [name: string, bits: string])[] = [
  ["SQSHRN", "0 10010"],
  ["SQRSHRN", "0 10011"],
  ["SQSHRUN", "1 10000"],
  ["SQRSHRUN", "1 10001"],
  ["UQSHRN", "1 10010"],
  ["UQRSHRN", "1 10011"],
];

function narrowAllocated({ immh }: Fields): boolean {
  return immh > 0 && immh < 8;
}

const NARROW_AMOUNT: Required<RowSpecification>["derive"] = { amount: (f) => shiftOf("right", f) };

const SATURATING_NARROW_VECTOR: readonly Row[] = SATURATING_NARROW.map(([name, bits]) =>
  simdRow(`${name}, ${name}2`, patternOf(bits, AMOUNT), {
    // The record has no room for Q beside the rest.
    static: ["Q"],
    when: narrowAllocated,
    derive: { ...HALF_SHAPE, ...NARROW_AMOUNT },
    assembly: halfSyntaxes(name.toLowerCase(), [
      vectorAs("Rd"),
      vectorAs("Rn", WIDE),
      shiftAmount("right"),
    ]),
    execute: (o, { Q }) => setNarrow(o, saturating(name.toLowerCase())(o), o.c32(-Q)),
  })
);

const SATURATING_NARROW_SCALAR: readonly Row[] = SATURATING_NARROW.map(([name, bits]) =>
  simdRow(`${name}, ${name}2`, scalarPattern(bits, AMOUNT), {
    when: narrowAllocated,
    derive: { ...SCALAR_SHAPE, ...NARROW_AMOUNT },
    assembly: [{
      mnemonic: name.toLowerCase(),
      operands: [scalarAs("Rd"), scalarAs("Rn", 1), shiftAmount("right")],
    }],
    execute: (o) => o.setV("Rd", saturating(name.toLowerCase())(o)),
  })
);

// ---- wider results ----

/** SSHLL and USHLL; by nothing they are written SXTL and UXTL. */
function shiftLeftLong(sign: "s" | "u"): readonly Row[] {
  return [0, 1, 2].map((size) => {
    const name = `${sign.toUpperCase()}SHLL`;
    const vectors = [vectorAs("Rd", { ...WIDE, size }), vectorAs("Rn", { size })];
    const extend = halfSyntaxes(`${sign}xtl`, vectors).map((syntax) => ({
      ...syntax,
      set: { ...syntax.set, imm: 0 },
      when: (f: Fields) => f.imm === 0 && syntax.when!(f),
    }));
    const operands = [...vectors, amountOperand(size, "left")];
    return simdRow(
      `${name}, ${name}2`,
      patternOf(sign === "s" ? "0 10100" : "1 10100", amountOfSize(size)),
      {
        derive: { ...HALF, amount: amountIn(size, "left") },
        assembly: [...extend, ...halfSyntaxes(name.toLowerCase(), operands)],
        execute(o) {
          const wide = widenedHalf(o, "Rn", size, sign);
          o.setV("Rd", o.plain(`${LANES[size + 1]}.shl`, wide, o.immediate("amount")));
        },
      },
    );
  });
}

/** Advanced SIMD scalar shift by immediate. */
export const SIMD_SCALAR_SHIFT: readonly Row[] = [
  ...SIZED.map((shift) => scalarD(...shift)),
  ...HELPED_SCALAR,
  ...SATURATING_NARROW_SCALAR,
];

/** Advanced SIMD shift by immediate. */
export const SIMD_SHIFT: readonly Row[] = [
  ...SIZED.flatMap((shift) => bySize(...shift)),
  ...HELPED_VECTOR,
  ...shiftRightNarrow("SHRN", "0 10000", false),
  ...shiftRightNarrow("RSHRN", "0 10001", true),
  ...SATURATING_NARROW_VECTOR,
  ...shiftLeftLong("s"),
  ...shiftLeftLong("u"),
];
