// A table: the integer vector operations that work element by element.
import { i64, op, select } from "./wasm/function_builder.ts";
import {
  clampSigned,
  clampUnsigned,
  type Definition,
  type Element,
  note,
  ONE,
  saturatingSum,
  shiftOrZero,
  shiftRight,
  signedMaximum,
  unsignedMaximum,
  ZERO,
} from "./simd_element.ts";

/** (a ± b + 1?) >> 1 of sums that fit an i64. */
function halving(reading: "s" | "u", what: "add" | "sub", round: boolean): Definition {
  return {
    operands: [reading, reading],
    body({ f, operands: [a, b], result }) {
      const sum = op(`i64.${what}`, a, b);
      f.set(result, op("i64.shr_s", round ? op("i64.add", sum, ONE) : sum, ONE));
    },
  };
}

/** A shift by the signed lowest byte of each element of the second operand. */
function shiftByRegister(kind: {
  signed: boolean;
  round: boolean;
  /** To which elements the result is saturated, if it is. */
  saturate?: "signed" | "unsigned";
}): Definition {
  return {
    operands: [kind.signed ? "s" : "u", "b"],
    body(e) {
      const { f, operands: [a, shift], result } = e;
      f.if(op("i64.lt_s", shift, ZERO), () => {
        const n = f.local("i64");
        f.set(n, op("i64.sub", ZERO, shift));
        f.set(result, shiftRight(f, a, n, kind));
        if (kind.saturate !== "unsigned" || !kind.signed) return;
        note(e, op("i64.lt_s", a, ZERO));
        f.set(result, select(ZERO, result, op("i64.lt_s", a, ZERO)));
      }, () => {
        f.set(result, shiftOrZero("i64.shl", a, shift));
        if (kind.saturate) saturateLeftShift(e, kind.saturate, kind.signed);
      });
    },
  };
}

/** Saturates the result, `a << shift`, which was lost where shifting back does not give `a`. */
function saturateLeftShift(e: Element, to: "signed" | "unsigned", fromSigned: boolean): void {
  const { f, operands: [a, shift], result, bits } = e;
  const limit = f.local("i64"), shifted = f.local("i64"), outside = f.local("i32");
  const tooFar = op("i64.gt_u", shift, i64(63n));
  f.set(shifted, result);
  if (to === "signed") {
    const sign = op("i64.shr_s", a, i64(63n));
    f.set(limit, op("i64.xor", signedMaximum(bits), sign));
    const back = op("i64.shr_s", shifted, shift);
    const above = op("i64.gt_s", op("i64.xor", shifted, sign), signedMaximum(bits));
    f.set(outside, op("i32.or", op("i64.ne", back, a), above));
  } else {
    f.set(limit, unsignedMaximum(bits));
    const back = op("i64.shr_u", shifted, shift);
    f.set(outside, op("i32.or", op("i64.ne", back, a), op("i64.gt_u", shifted, limit)));
    if (fromSigned) {
      const negative = op("i64.lt_s", a, ZERO);
      f.set(outside, op("i32.or", outside, negative));
      f.set(limit, select(ZERO, limit, negative));
    }
  }
  f.set(outside, op("i32.or", outside, tooFar));
  f.set(outside, op("i32.and", outside, op("i64.ne", a, ZERO)));
  f.set(result, select(limit, shifted, outside));
  note(e, outside);
}

/** Shifts elements of twice the size right by the second operand and saturates them to the size. */
function narrowing(reading: "S" | "U", round: boolean, to: "signed" | "unsigned"): Definition {
  return {
    operands: [reading, "b"],
    body(e) {
      const { f, operands: [a, n], bits, result } = e;
      const value = f.local("i64");
      f.set(value, shiftRight(f, a, n, { signed: reading === "S", round }));
      if (to === "signed") return clampSigned(e, value, bits);
      clampUnsigned(e, value, bits);
      if (reading === "U") return;
      f.set(result, select(ZERO, result, op("i64.lt_s", value, ZERO)));
    },
  };
}

/** The high half of `a ± b`, both of twice the size, rounded or not. */
function highHalf(what: "add" | "sub", round: boolean): Definition {
  return {
    operands: ["U", "U"],
    body({ f, operands: [a, b], bits, result }) {
      const sum = op(`i64.${what}`, a, b);
      const half = op("i64.shl", ONE, op("i64.sub", bits, ONE));
      f.set(result, op("i64.shr_u", round ? op("i64.add", sum, half) : sum, bits));
    },
  };
}

/** `2ab` in elements of twice the size, saturated; `accumulate` adds it to a third operand. */
function doublingProduct(accumulate?: "add" | "sub"): Definition {
  return {
    operands: accumulate ? ["s", "s", "S"] : ["s", "s"],
    result: "wide",
    body(e) {
      const { f, operands: [a, b, d], resultBits, result } = e;
      const product = f.local("i64");
      f.set(product, op("i64.mul", a, b));
      saturatingSum(e, "add", product, product, resultBits);
      if (!accumulate) return;
      f.set(product, result);
      saturatingSum(e, accumulate, d, product, resultBits);
    },
  };
}

/**
 * The high half of `2ab` added to `d` (or taken from it) at the top of twice the size, rounded and
 * saturated. At half the scale it fits 64 bits for words, too.
 */
function accumulatingHighHalf(what: "add" | "sub"): Definition {
  return {
    operands: ["s", "s", "s"],
    body(e) {
      const { f, operands: [a, b, d], bits } = e;
      const less = op("i64.sub", bits, ONE), sum = f.local("i64");
      f.set(sum, op(`i64.${what}`, op("i64.shl", d, less), op("i64.mul", a, b)));
      f.set(sum, op("i64.add", sum, op("i64.shl", ONE, op("i64.sub", bits, i64(2n)))));
      f.set(sum, op("i64.shr_s", sum, less));
      clampSigned(e, sum, bits);
    },
  };
}

/** The high half of `2ab`, saturated, rounded or not: `ab >> (bits - 1)`. */
function doublingHighHalf(round: boolean): Definition {
  return {
    operands: ["s", "s"],
    body(e) {
      const { f, operands: [a, b], bits } = e;
      const product = f.local("i64");
      f.set(product, op("i64.mul", a, b));
      const half = op("i64.shl", ONE, op("i64.sub", bits, i64(2n)));
      if (round) f.set(product, op("i64.add", product, half));
      f.set(product, op("i64.shr_s", product, op("i64.sub", bits, ONE)));
      clampSigned(e, product, bits);
    },
  };
}

/** Shifts the first operand and inserts it into the second. */
function inserting(direction: "left" | "right"): Definition {
  const name = direction === "left" ? "i64.shl" : "i64.shr_u";
  return {
    operands: ["u", "u", "b"],
    body({ f, operands: [a, d, n], bits, result }) {
      const kept = op("i64.xor", shiftOrZero(name, unsignedMaximum(bits), n), i64(-1n));
      f.set(result, op("i64.or", op("i64.and", d, kept), shiftOrZero(name, a, n)));
    },
  };
}

const SATURATING_SUMS: Readonly<Record<string, Definition>> = {
  sqadd: {
    operands: ["s", "s"],
    body: (e) => saturatingSum(e, "add", e.operands[0], e.operands[1], e.bits),
  },
  sqsub: {
    operands: ["s", "s"],
    body: (e) => saturatingSum(e, "sub", e.operands[0], e.operands[1], e.bits),
  },
  uqadd: {
    operands: ["u", "u"],
    body(e) {
      const { f, operands: [a, b], bits, result } = e;
      const sum = f.local("i64");
      f.set(sum, op("i64.add", a, b));
      clampUnsigned(e, sum, bits);
      const carry = op("i64.lt_u", sum, a);
      f.set(result, select(i64(-1n), result, carry));
      note(e, carry);
    },
  },
  uqsub: {
    operands: ["u", "u"],
    body(e) {
      const { f, operands: [a, b], result } = e;
      const less = op("i64.lt_u", a, b);
      f.set(result, select(ZERO, op("i64.sub", a, b), less));
      note(e, less);
    },
  },
  // The second operand is the accumulator: signed elements to which unsigned ones are added.
  suqadd: {
    operands: ["u", "s"],
    body(e) {
      const { f, operands: [a, d], bits, result } = e;
      const above = op("i64.gt_u", a, op("i64.sub", signedMaximum(bits), d));
      f.set(result, select(signedMaximum(bits), op("i64.add", a, d), above));
      note(e, above);
    },
  },
  usqadd: {
    operands: ["s", "u"],
    body(e) {
      const { f, operands: [a, d], bits, result } = e;
      const maximum = unsignedMaximum(bits), negative = op("i64.lt_s", a, ZERO);
      const below = op("i64.gt_u", op("i64.sub", ZERO, a), d);
      const above = op("i64.gt_u", a, op("i64.sub", maximum, d));
      const outside = f.local("i32");
      f.set(outside, select(below, above, negative));
      const limit = select(ZERO, maximum, negative);
      f.set(result, select(limit, op("i64.add", a, d), outside));
      note(e, outside);
    },
  },
  sqabs: {
    operands: ["s"],
    body(e) {
      const { f, operands: [a] } = e;
      const zero = f.local("i64"), value = f.local("i64");
      f.set(value, a);
      f.set(zero, ZERO);
      f.if(op("i64.ge_s", a, ZERO), () => f.set(e.result, a), () => {
        saturatingSum(e, "sub", zero, value, e.bits);
      });
    },
  },
  sqneg: {
    operands: ["s"],
    body(e) {
      const zero = e.f.local("i64");
      e.f.set(zero, ZERO);
      saturatingSum(e, "sub", zero, e.operands[0], e.bits);
    },
  },
};

const COUNTS: Readonly<Record<string, Definition>> = {
  clz: {
    operands: ["u"],
    body({ f, operands: [a], bits, result }) {
      f.set(result, op("i64.sub", op("i64.clz", a), op("i64.sub", i64(64n), bits)));
    },
  },
  cls: {
    operands: ["s"],
    body({ f, operands: [a], bits, result }) {
      const signs = op("i64.clz", op("i64.xor", a, op("i64.shr_s", a, i64(63n))));
      f.set(result, op("i64.sub", signs, op("i64.sub", i64(65n), bits)));
    },
  },
};

/** The product of polynomials over {0, 1} of eight bits. */
function polynomialProduct(result?: "wide"): Definition {
  return {
    operands: ["u", "u"],
    ...(result ? { result } : {}),
    body({ f, operands: [a, b], result }) {
      f.set(result, ZERO);
      for (let bit = 0n; bit < 8n; bit++) {
        const isOne = op("i64.sub", ZERO, op("i64.and", op("i64.shr_u", b, i64(bit)), ONE));
        f.set(
          result,
          op("i64.xor", result, op("i64.and", op("i64.shl", a, i64(bit)), isOne)),
        );
      }
    },
  };
}

/** The helpers by name. */
export const SIMD_ELEMENTWISE: Readonly<Record<string, Definition>> = {
  shadd: halving("s", "add", false),
  uhadd: halving("u", "add", false),
  srhadd: halving("s", "add", true),
  urhadd: halving("u", "add", true),
  shsub: halving("s", "sub", false),
  uhsub: halving("u", "sub", false),
  sshl: shiftByRegister({ signed: true, round: false }),
  ushl: shiftByRegister({ signed: false, round: false }),
  srshl: shiftByRegister({ signed: true, round: true }),
  urshl: shiftByRegister({ signed: false, round: true }),
  sqshl: shiftByRegister({ signed: true, round: false, saturate: "signed" }),
  uqshl: shiftByRegister({ signed: false, round: false, saturate: "unsigned" }),
  sqrshl: shiftByRegister({ signed: true, round: true, saturate: "signed" }),
  uqrshl: shiftByRegister({ signed: false, round: true, saturate: "unsigned" }),
  sqshlu: shiftByRegister({ signed: true, round: false, saturate: "unsigned" }),
  sqshrn: narrowing("S", false, "signed"),
  uqshrn: narrowing("U", false, "unsigned"),
  sqshrun: narrowing("S", false, "unsigned"),
  sqrshrn: narrowing("S", true, "signed"),
  uqrshrn: narrowing("U", true, "unsigned"),
  sqrshrun: narrowing("S", true, "unsigned"),
  addhn: highHalf("add", false),
  raddhn: highHalf("add", true),
  subhn: highHalf("sub", false),
  rsubhn: highHalf("sub", true),
  sqdmull: doublingProduct(),
  sqdmlal: doublingProduct("add"),
  sqdmlsl: doublingProduct("sub"),
  sqdmulh: doublingHighHalf(false),
  sqrdmulh: doublingHighHalf(true),
  sqrdmlah: accumulatingHighHalf("add"),
  sqrdmlsh: accumulatingHighHalf("sub"),
  add: {
    operands: ["u", "u"],
    body: ({ f, operands: [a, b], result }) => f.set(result, op("i64.add", a, b)),
  },
  sli: inserting("left"),
  sri: inserting("right"),
  pmul: polynomialProduct(),
  pmull: polynomialProduct("wide"),
  ...SATURATING_SUMS,
  ...COUNTS,
};
