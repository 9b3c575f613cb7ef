import { assemble } from "../../core/isa/assemble.ts";

/** An instruction's text with all addresses in it, and its own address. */
export interface PlacedInstruction {
  readonly text: string;
  readonly address: number;
}

/** The instruction words of `instructions`. */
export function assembleAll(instructions: readonly PlacedInstruction[]): Uint32Array {
  return Uint32Array.from(instructions, ({ text, address }) => assemble(text, BigInt(address)));
}
