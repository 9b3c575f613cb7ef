/**
 * A mistake of the user's, or something outside the program that does not work: a file that is not
 * there, a full disk. The message is one line that says what failed, with which value, and what was
 * expected. Exit status 1.
 */
export class UserError extends Error {
  /** `UserError` */
  override name = "UserError";
}

/** A command line that makes no sense: unknown option, bad number, missing value. Exit status 2. */
export class UsageError extends UserError {
  /** `UsageError` */
  override name = "UsageError";
}

/** Ctrl-C ended the work: nothing to say. */
export class InterruptedError extends Error {
  /** `InterruptedError` */
  override name = "InterruptedError";
}
