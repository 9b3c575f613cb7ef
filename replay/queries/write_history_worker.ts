/** A worker of {@linkcode writeHistory}. */
import { serveWindows } from "../window_workers.ts";
import { writesInWindow } from "./write_history.ts";

serveWindows(writesInWindow);
