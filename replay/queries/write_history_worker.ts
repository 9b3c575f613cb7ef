/** A worker of {@linkcode writeHistory}. */
import { Session } from "../session.ts";
import { serve } from "../workers.ts";
import { type WriteQuestion, writesInWindow } from "./write_history.ts";

serve((trace, question: WriteQuestion) => {
  let session: Session | undefined;
  return (window) => {
    // It begins where the first part does.
    session ??= new Session(trace, { forward: true, window: window - 1 });
    return writesInWindow(session, window, question);
  };
});
