import type { Row } from "../isa/row.ts";
import type { InterpreterImports } from "./interpreter_imports.ts";

/** What the engine asks of the machine while it runs. Answers are of `ANSWER`. */
export interface EngineHost extends Omit<InterpreterImports, "decode"> {
  /** The instruction in hand was changed after it was decoded, without cache maintenance. */
  staleCode(): void;
  /** A slice begins: `retired` instructions will have retired when its budget is just used up. */
  beginSlice(retired: number): void;
}

/** When code is translated; see `translator/translator.ts`. */
export interface TranslateOptions {
  /** How many slices must have ended at a place before; 0: the first that does is enough. */
  readonly samples: number;
  /** Budget of the first slices; with 1 every run that is not translated is sampled. */
  readonly firstSlice?: number;
}

/** What an engine is made of. */
export interface EngineOptions {
  /** The instructions; engines with the same array share what is generated from it. */
  readonly rows: readonly Row[];
  /** Bytes of guest memory, a multiple of 64 KiB. */
  readonly guestBytes: number;
  /** Exception levels that exist, from EL0. */
  readonly levels: number;
  /** Whether runs are recorded. */
  readonly flow: boolean;
  /** Whether stores are marked: `Engine.storeMarks`. */
  readonly storeMarks?: boolean;
  /** Whether what instructions write to registers is kept: `Engine.takeResults`. */
  readonly results?: boolean;
  /** How many CPUs take turns; 1 if left out. */
  readonly cpus?: number;
  /** What is translated; null for nothing. */
  readonly translate?: TranslateOptions | null | undefined;
  /** Whether indirect branches leave PSTATE.BTYPE (FEAT_BTI). */
  readonly landings?: boolean;
}
