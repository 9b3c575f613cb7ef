import { STATUS } from "./exit_status.ts";

/** Ctrl-C, SIGTERM and SIGHUP as a flag to look at. A second one ends the program at once. */
export class Interrupts {
  readonly #signals: Deno.Signal[] = Deno.build.os === "windows"
    ? ["SIGINT"]
    : ["SIGINT", "SIGTERM", "SIGHUP"];
  readonly #listener = () => {
    if (this.requested) Deno.exit(STATUS.interrupted);
    this.requested = true;
  };
  /** Whether one came. Signals arrive only while the program waits for something. */
  requested = false;

  constructor() {
    for (const signal of this.#signals) Deno.addSignalListener(signal, this.#listener);
  }

  /** Gives the signals their usual meaning back. */
  close(): void {
    for (const signal of this.#signals) Deno.removeSignalListener(signal, this.#listener);
  }
}
