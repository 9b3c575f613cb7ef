import { evaluate, type EvaluatorHost, type EvaluatorState } from "./evaluate.ts";
import {
  type BareCpu,
  CODE,
  CODE_BYTES,
  CODE_START,
  type CpuSnapshot,
  DATA,
  DATA_BYTES,
  DATA_REACH,
  FILLER,
} from "./vectors.ts";

/** DC ZVA's block. */
const ZERO_BLOCK = 64n;

/** Runs vectors on {@linkcode evaluate}. */
export class EvaluatorCpu implements BareCpu {
  /** @param features extensions beyond Armv8.0-A */
  constructor(readonly features: ReadonlySet<string> = new Set()) {}

  execute(
    before: CpuSnapshot,
    words: readonly number[],
    data: Uint8Array,
  ): { state: CpuSnapshot; undefined: boolean } {
    const exclusive = { address: 0n, size: 0n, low: 0n, high: 0n };
    const state: EvaluatorState = { ...before, x: [...before.x], v: [...before.v], exclusive };
    const host = { ...makeHost(words, data), features: this.features };
    for (const word of words) {
      const outcome = evaluate(word, state, host);
      if (outcome.k === "retired") continue;
      return { state, undefined: outcome.k === "exception" && outcome.cause === "undefined" };
    }
    return { state, undefined: false };
  }
}

function makeHost(words: readonly number[], data: Uint8Array): EvaluatorHost {
  const code = (at: number) => words[(at - CODE) >> 2] ?? FILLER;
  const byteAt = (address: bigint): number => {
    const at = Number(address);
    if (at >= DATA && at < DATA + DATA_BYTES) return data[at - DATA];
    if (at >= DATA - DATA_REACH && at < DATA + DATA_REACH) return 0;
    if (at >= CODE_START && at < CODE_START + CODE_BYTES) {
      const word = at >= CODE ? code(at & ~3) : FILLER;
      return word >>> 8 * (at & 3) & 0xff;
    }
    throw new Error(`nothing is mapped at 0x${address.toString(16)}`);
  };
  const host: EvaluatorHost = {
    load(address, bytes) {
      let value = 0n;
      for (let i = bytes - 1; i >= 0; i--) {
        value = value << 8n | BigInt(byteAt(BigInt.asUintN(64, address + BigInt(i))));
      }
      return value;
    },
    store(address, bytes, value) {
      const at = Number(address) - DATA;
      if (at < 0 || at + bytes > DATA_BYTES) {
        throw new Error(`store outside of the data window at 0x${address.toString(16)}`);
      }
      for (let i = 0; i < bytes; i++) data[at + i] = Number(value >> BigInt(8 * i) & 0xffn);
    },
    callOut(name, _argument, operand) {
      if (name === "dc-zva") {
        const block = operand - operand % ZERO_BLOCK;
        for (let i = 0n; i < ZERO_BLOCK; i += 8n) host.store(block + i, 8, 0n);
      }
      return 0n;
    },
  };
  return host;
}
