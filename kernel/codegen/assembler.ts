import { assembleWithGnu } from "./gnu_as.ts";

/** An instruction's text with all addresses in it, and its own address. */
export interface PlacedInstruction {
  readonly text: string;
  readonly address: number;
}

/** The instruction words of `instructions`, which follow each other in memory. */
export function assembleAll(instructions: readonly PlacedInstruction[]): Uint32Array {
  return assembleWithGnu(instructions);
}
