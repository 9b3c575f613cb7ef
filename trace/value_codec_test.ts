import { assert, assertEquals, assertThrows } from "@std/assert";
import { Random } from "./synthetic_flow.ts";
import { TraceError } from "./trace_error.ts";
import { type ValueColumns, ValueDecoder, ValueEncoder } from "./value_codec.ts";

const MASK = (1n << 64n) - 1n;

/** SPEC.md section 16, word by word. */
class Reference {
  readonly #slots = new Map<
    number,
    { last: bigint; stride: bigint; v: number; d: number; c: number[] }
  >();
  readonly #values = new Map<number, bigint>();
  readonly #differences = new Map<number, bigint>();
  readonly #recent: bigint[] = [];
  readonly #places = new Map<number, number>();
  #run = 0;
  readonly hits: number[] = [];
  readonly choices: number[] = [];
  readonly words: number[] = [];

  add(index: number, value: bigint): void {
    let slot = this.#slots.get(index);
    if (!slot) this.#slots.set(index, slot = { last: 0n, stride: 0n, v: 0, d: 0, c: [0, 0, 0, 0] });
    const spread = Math.imul(index, 0x9e3779b1) >>> 16;
    const [atValue, atDifference] = [slot.v ^ spread, slot.d ^ spread];
    const predictions = [
      slot.last,
      slot.last + slot.stride & MASK,
      this.#values.get(atValue) ?? 0n,
      slot.last + (this.#differences.get(atDifference) ?? 0n) & MASK,
    ];
    const { c } = slot;
    const chosen = c.indexOf(Math.max(...c));
    const difference = value - slot.last & MASK;
    if (predictions[chosen] === value) this.#run++;
    else {
      for (let run = this.#run;; run >>>= 7) {
        this.hits.push(run < 128 ? run : run & 127 | 128);
        if (run < 128) break;
      }
      this.#run = 0;
      const right = predictions.indexOf(value);
      if (right >= 0) this.choices.push(right);
      else {
        let zigzag = (difference << 1n ^ -(difference >> 63n)) & MASK;
        const bytes: number[] = [];
        for (; zigzag > 0n; zigzag >>= 8n) bytes.push(Number(zigzag & 255n));
        const distance = this.#recent.length - (this.#places.get(placeOf(value)) ?? 0);
        const isAgain = distance < 256 && this.#recent.at(-1 - distance) === value;
        if (bytes.length > 1 && isAgain) {
          this.choices.push(12);
          this.words.push(distance);
        } else {
          this.choices.push(3 + bytes.length);
          this.words.push(...bytes);
        }
      }
    }
    slot.c = c.map((n, k) => predictions[k] === value ? Math.min(15, n + 1) : n >> 1);
    this.#values.set(atValue, value);
    this.#differences.set(atDifference, difference);
    this.#recent.push(value);
    this.#places.set(placeOf(value), this.#recent.length);
    Object.assign(slot, {
      last: value,
      stride: difference,
      v: history(slot.v, value),
      d: history(slot.d, difference),
    });
  }
}

function history(before: number, word: bigint): number {
  const fold = word ^ word >> 16n ^ word >> 32n ^ word >> 48n;
  return (before << 8 ^ Number(fold & 0xffffn)) & 0xffff;
}

/** The writer's hash of a value, by which it finds it again. */
function placeOf(value: bigint): number {
  return Math.imul(Number((value ^ value >> 32n) & 0xffff_ffffn), 0x9e3779b1) >>> 20;
}

/** Segments and values of several calls: counters, constants, repeated sequences, noise. */
function sample(seed: number, calls: number): { segments: Uint32Array; values: BigUint64Array }[] {
  const random = new Random(seed);
  let tick = 0n;
  return Array.from({ length: calls }, () => {
    const segments: number[] = [], values: bigint[] = [];
    for (let i = 1 + random.below(300); i > 0; i--) {
      const first = random.below(40), count = random.below(6);
      segments.push(first, count);
      for (let slot = first; slot < first + count; slot++) {
        const kind = slot % 5;
        tick++;
        const noise = BigInt(random.below(2 ** 31)) << BigInt(random.below(34));
        values.push(
          [7n, tick * 8n, [3n, MASK, 1n << 40n][random.below(3)], noise, -tick & MASK][kind],
        );
      }
    }
    return { segments: Uint32Array.from(segments), values: BigUint64Array.from(values) };
  });
}

function columnsOf(calls: ReturnType<typeof sample>): ValueColumns {
  const encoder = new ValueEncoder();
  encoder.reset();
  for (const { segments, values } of calls) encoder.encode(segments, values);
  return encoder.take();
}

Deno.test("ValueEncoder gives the columns of SPEC.md's algorithm, and ValueDecoder the values", () => {
  for (let seed = 1; seed <= 10; seed++) {
    const calls = sample(seed, 8);
    const reference = new Reference();
    for (const { segments, values } of calls) {
      let at = 0;
      for (let i = 0; i < segments.length; i += 2) {
        for (let n = 0; n < segments[i + 1]; n++) reference.add(segments[i] + n, values[at++]);
      }
    }
    const columns = columnsOf(calls);
    const { hits, choices, words } = reference;
    assertEquals([...columns.hits], hits);
    assertEquals([...columns.choices], choices);
    assertEquals([...columns.words], words);
    const decoder = new ValueDecoder(columns, 64, "the values");
    for (const { segments, values } of calls) {
      assertEquals(decoder.decode(segments).slice(), values);
    }
    decoder.finish();
  }
});

Deno.test("ValueEncoder forgets when it is reset", () => {
  const [call] = sample(3, 1);
  const encoder = new ValueEncoder();
  const encode = () => {
    encoder.reset();
    encoder.encode(call.segments, call.values);
    return encoder.take();
  };
  assertEquals(encode(), encode());
});

Deno.test("ValueDecoder refuses columns that do not fit", () => {
  const calls = sample(5, 3);
  const good = columnsOf(calls);
  const read = (columns: ValueColumns) => {
    const decoder = new ValueDecoder(columns, 64, "the values");
    for (const { segments } of calls) decoder.decode(segments);
    decoder.finish();
  };
  read(good);
  for (const name of ["hits", "choices", "words"] as const) {
    const column = good[name];
    const longer = new Uint8Array([...column, 1]);
    for (const bad of [column.slice(1), column.slice(0, -1), longer, new Uint8Array()]) {
      assertThrows(() => read({ ...good, [name]: bad }), TraceError, "the values");
    }
  }
  const random = new Random(9);
  let refused = 0;
  for (let i = 0; i < 200; i++) {
    const name = (["hits", "choices", "words"] as const)[i % 3];
    const bad = good[name].slice();
    bad[random.below(bad.length)] ^= 1 << random.below(8);
    try {
      read({ ...good, [name]: bad });
    } catch (error) {
      assert(error instanceof TraceError);
      refused++;
    }
  }
  assert(refused > 20, `${refused}`);
});
