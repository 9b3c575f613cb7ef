import type { EndReason } from "../trace/schema.ts";

/** What the program's exit status means. */
export const STATUS = {
  /** It worked; `record`: the guest powered off. */
  ok: 0,
  /** Bad input, one line on standard error. */
  failed: 1,
  /** The command line makes no sense. */
  usage: 2,
  /** `record`: the guest ended in any other way than by powering off. */
  guest: 3,
  /** Ended by Ctrl-C. */
  interrupted: 130,
} as const;

/** Exit status of a recording that ended for `reason`. */
export function statusOf(reason: EndReason): number {
  switch (reason) {
    case "poweroff":
      return STATUS.ok;
    case "interrupted":
      return STATUS.interrupted;
    case "disk-full":
    case "internal-error":
      return STATUS.failed;
    default:
      return STATUS.guest;
  }
}
