/** A worker that executes one of two boots that are compared: see `diff_remote.ts`. */
import { serve } from "../workers.ts";
import { buffersOf } from "./diff_columns.ts";
import { type EffectChunk, EffectReader } from "./diff_effects.ts";
import { type EffectQuestion, NEXT } from "./diff_remote.ts";

serve((trace, { cpu, window }: EffectQuestion): (part: number) => EffectChunk => {
  let reader: EffectReader | undefined;
  return (part) => {
    if (!reader) {
      reader = new EffectReader(trace, cpu);
      reader.skipTo(window);
    }
    if (part !== NEXT) reader.skipTo(part);
    return reader.next();
  };
}, ({ effects }) => buffersOf(effects));
