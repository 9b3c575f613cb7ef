/** A worker that makes groups of an index. */
import { Session } from "../session.ts";
import { serve } from "../workers.ts";
import { makeGroup } from "./index_group.ts";

serve((trace) => {
  const session = new Session(trace);
  return (group) => makeGroup(session, group);
});
