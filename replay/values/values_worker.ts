/** A worker that makes the values of windows. */
import { serve } from "../workers.ts";
import { WindowValues } from "./window_values.ts";

serve((trace) => {
  const values = new WindowValues(trace);
  return (window) => values.make(window);
});
