/**
 * A trace that cannot be read, or a question that a trace cannot answer.
 *
 * The message is one line for a person: what failed, where, and what was expected. Commands print
 * it as it is and never show a stack trace for it.
 */
export class TraceError extends Error {
  /** `TraceError` */
  override readonly name = "TraceError";

  /** Makes an error of one line: control characters from untrusted text become spaces. */
  constructor(message: string) {
    // deno-lint-ignore no-control-regex
    super(message.replace(/[\u0000-\u001f\u007f-\u009f]+/g, " "));
  }
}
