/** System registers of both machines at a difference, over the reference's GDB stub. */
import type { RegisterDifference } from "./lockstep.ts";
import { reachOnReference, reachPlace } from "./reach.ts";
import { ReferenceLog } from "./reference_log.ts";
import {
  bootMachine,
  type LockstepOptions,
  type LockstepResult,
  qemuOptions,
  withImage,
} from "./run.ts";
import { freePort } from "../drivers/qemu.ts";

/**
 * Compares them at the last moment at which the two agreed in all else, and if nothing differs
 * there, behind each step from there to the difference.
 *
 * Null if the reference cannot be brought there: a single step over WFI may not come back.
 */
export async function compareSystemRegisters(
  options: LockstepOptions,
  { difference }: LockstepResult,
): Promise<RegisterDifference[] | null> {
  if (!difference) return [];
  const place = await reachPlace(options, difference.agreed);
  const { machine, plan } = await bootMachine(options);
  machine.run(difference.agreed);
  return await withImage(options, async (path) => {
    const port = freePort();
    const reference = new ReferenceLog(path, qemuOptions(options.values), port);
    try {
      const stopped = await reachOnReference(port, plan, place);
      try {
        await stopped.step(difference.agreed - place.position);
        while (machine.position < difference.position) {
          const found = await stopped.compareSystemRegisters(machine);
          if (found.length > 0) return found;
          await stopped.step(1);
          machine.run(machine.position + 1);
        }
        return await stopped.compareSystemRegisters(machine);
      } finally {
        stopped.close();
      }
    } catch {
      return null;
    } finally {
      await reference.stop();
    }
  });
}
