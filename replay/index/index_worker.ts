/**
 * A worker that makes groups of an index: gets a port and a trace's path, then numbers of groups
 * through the port, and answers each with the group, or with the message of an error.
 */
import { openTrace } from "../../trace/mod.ts";
import { fileAccess } from "../../trace/random_access.ts";
import { Session } from "../session.ts";
import { makeGroup } from "./index_group.ts";

/** What a worker answers. */
export type GroupAnswer = ReturnType<typeof makeGroup> | { readonly error: string };

globalThis.addEventListener("message", (event) => {
  if (!(event instanceof MessageEvent)) return;
  const [port] = event.ports;
  const file = fileAccess(event.data);
  const session = new Session(openTrace(file));
  port.onmessage = ({ data }) => {
    try {
      port.postMessage(makeGroup(session, data));
    } catch (error) {
      port.postMessage({ error: (error as Error).message });
    }
  };
  port.postMessage(null);
});
