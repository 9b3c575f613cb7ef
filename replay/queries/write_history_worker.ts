/** A worker of {@linkcode writeHistory}. */
import { Session } from "../session.ts";
import { serve } from "../workers.ts";
import { type WriteQuestion, writesInWindow } from "./write_history.ts";

serve((trace, question: WriteQuestion) => {
  const session = new Session(trace);
  return (window) => writesInWindow(session, window, question);
});
