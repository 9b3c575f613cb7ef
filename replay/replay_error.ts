/** A trace that cannot be re-executed here, or whose re-execution differs. The message is one line. */
export class ReplayError extends Error {
  /** `ReplayError` */
  override name = "ReplayError";
}
