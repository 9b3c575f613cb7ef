/** A worker that makes the values of windows. */
import type { FramedItem } from "../../trace/mod.ts";
import { serve } from "../workers.ts";
import { WindowValues } from "./window_values.ts";

serve((trace) => {
  let values: WindowValues | undefined;
  // It begins where the first part does.
  return (window) => (values ??= new WindowValues(trace, window)).make(window);
}, (items: FramedItem[]) => items.map(({ bytes }) => bytes.buffer as ArrayBuffer));
