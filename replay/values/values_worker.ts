/**
 * A worker that makes values: gets a port and a trace's path, then numbers of windows through the
 * port, and answers each with its items, or with the message of an error.
 */
import { type FramedItem, openTrace } from "../../trace/mod.ts";
import { fileAccess } from "../../trace/random_access.ts";
import { WindowValues } from "./window_values.ts";

/** What a worker answers. */
export type ValuesAnswer =
  | { readonly window: number; readonly items: FramedItem[] }
  | { readonly error: string };

globalThis.addEventListener("message", (event) => {
  if (!(event instanceof MessageEvent)) return;
  const [port] = event.ports;
  const values = new WindowValues(openTrace(fileAccess(event.data)));
  port.onmessage = ({ data: window }: MessageEvent<number>) => {
    try {
      port.postMessage({ window, items: values.make(window) });
    } catch (error) {
      port.postMessage({ error: (error as Error).message });
    }
  };
  port.postMessage(null);
});
