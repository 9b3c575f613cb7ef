/**
 * Brings the reference to a position of ours over its GDB stub, which knows no positions.
 *
 * A place is an address and how often execution comes there. Near the position wanted, that
 * address is chosen that execution came to most rarely; a breakpoint finds it at full speed.
 */
import type { BootPlan } from "../../core/loader/mod.ts";
import type { Machine } from "../../core/machine.ts";
import { slotOf, STORED_REGISTERS } from "../../core/system/sysregs.ts";
import { GdbClient } from "../drivers/gdb_client.ts";
import type { RegisterDifference } from "./lockstep.ts";
import { logItems, type LogOptions } from "./reference_log.ts";
import { bootMachine, type LockstepOptions } from "./run.ts";

/** A moment that both machines can be brought to. */
export interface ReachedPlace {
  readonly position: number;
  readonly pc: bigint;
  /** How often execution has come to `pc` by then, this time included. */
  readonly arrivals: number;
}

/** How far before the position wanted the place may be. */
const NEAR = 4096;
/** Wall-clock bound of an answer of the reference, which may run to a breakpoint in between. */
const TIMEOUT_MS = 30_000;

/** CNTx_CTL.ISTATUS, which ours works out when it is read. */
const ISTATUS = 4n;

interface Candidate {
  arrivals: number;
  position: number;
}

/** The place at or shortly before a position that is quickest to come to, and the last of those. */
export async function reachPlace(
  options: LockstepOptions,
  position: number,
): Promise<ReachedPlace> {
  const candidates = new Map<bigint, Candidate>();
  const { machine } = await bootMachine(options);
  machine.run(Math.max(0, position - NEAR));
  walk(machine, position, (pc) => {
    candidates.set(pc, { arrivals: 0, position: 0 });
  });
  const { machine: again } = await bootMachine(options);
  walk(again, position, (pc, at) => {
    const candidate = candidates.get(pc);
    if (!candidate) return;
    candidate.arrivals++;
    candidate.position = at;
  });
  const [pc, best] = [...candidates].reduce((a, b) =>
    (b[1].arrivals - a[1].arrivals || a[1].position - b[1].position) < 0 ? b : a
  );
  return { position: best.position, pc, arrivals: best.arrivals };
}

/** Steps to a position and tells of each arrival up to it: not of one that an interrupt precedes. */
function walk(machine: Machine, until: number, arrived: (pc: bigint, at: number) => void): void {
  let interrupted = false;
  const { observer } = machine;
  machine.observer = {
    event: (event) => {
      observer?.event(event);
      if (event.kind === "exception" && event.type !== "sync") interrupted = true;
    },
  };
  while (!machine.ended && machine.position <= until) {
    const { pc, position } = machine;
    interrupted = false;
    machine.run(position + 1);
    if (!interrupted) arrived(pc, position);
  }
}

/** The reference at a place, with a debugger. */
export class StoppedReference {
  readonly #gdb: GdbClient;

  constructor(gdb: GdbClient) {
    this.#gdb = gdb;
  }

  /** Turns the log on and lets the reference run. */
  async startLog(options: LogOptions): Promise<void> {
    if (options.every === "instruction") await this.#monitor("singlestep on");
    await this.#monitor(`log ${logItems(options)}`);
    // A detached QEMU 7.2 stays stopped. Nobody waits for the answer.
    this.#gdb.continue().catch(() => {});
  }

  /** Executes so many instructions or exception entries. */
  async step(count: number): Promise<void> {
    for (let n = 0; n < count; n++) await this.#gdb.step();
  }

  /** System registers that both have and that differ. */
  async compareSystemRegisters(machine: Machine): Promise<RegisterDifference[]> {
    const found: RegisterDifference[] = [];
    const { registers } = this.#gdb;
    for (const { name } of STORED_REGISTERS) {
      // Registers that AArch32 has, too, have its names: VBAR.
      const theirs = [name, name.replace(/_EL1$/, "")].find((one) => registers.has(one));
      if (theirs === undefined || registers.get(theirs)!.bits !== 64) continue;
      const reference = await this.#gdb.readRegister(theirs);
      const ours = machine.engine.state.get64(slotOf(name));
      if (ours !== (isTimerControl(name) ? reference & ~ISTATUS : reference)) {
        found.push({ name, ours, reference });
      }
    }
    return found;
  }

  /** Closes the connection. */
  close(): void {
    this.#gdb.close();
  }

  async #monitor(command: string): Promise<void> {
    const hex = Array.from(command, (c) => c.charCodeAt(0).toString(16).padStart(2, "0")).join("");
    const answer = await this.#gdb.command(`qRcmd,${hex}`);
    if (answer !== "OK") throw new Error(`QEMU answered "${answer}" to "${command}"`);
  }
}

/**
 * Connects to a reference that waits before its first instruction, gives it our device tree, whose
 * padding is no leftovers of the host's memory, and runs it to a place.
 */
export async function reachOnReference(
  port: number,
  plan: BootPlan,
  place: ReachedPlace | null,
): Promise<StoppedReference> {
  const gdb = await GdbClient.connect(port, TIMEOUT_MS);
  const reached = new StoppedReference(gdb);
  try {
    const tree = plan.segments.find(({ name }) => name === "device tree");
    if (tree) await gdb.writeMemory(tree.address, tree.bytes);
    await gdb.interruptsWhileStepping(true);
    if (place) await runTo(gdb, place);
    return reached;
  } catch (error) {
    gdb.close();
    throw error;
  }
}

async function runTo(gdb: GdbClient, { pc, arrivals }: ReachedPlace): Promise<void> {
  const isThere = async () => await gdb.readRegister("pc") === pc;
  for (let count = await isThere() ? 1 : 0; count < arrivals; count++) {
    // The stub would stop at once at a breakpoint that it stands on.
    const stop = await gdb.step();
    if (/^[WX]/.test(stop.packet)) throw new Error("The reference ended on the way");
    if (await isThere()) continue;
    await gdb.insert("hardware", pc);
    await gdb.continue();
    await gdb.remove("hardware", pc);
    if (!await isThere()) throw new Error("The reference stopped elsewhere");
  }
}

function isTimerControl(name: string): boolean {
  return /^CNT\w+_CTL/.test(name);
}
