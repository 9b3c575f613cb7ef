/**
 * What became of each CPU: whether it was switched on, where it began, and what it does in the end.
 *
 * Calls of PSCI are no events: they are the HVC and SMC instructions of the flow whose X0, at that
 * moment, is the function's identifier. CPU_ON is looked for only where a CPU made no step.
 */
import type { ExceptionEvent } from "../../core/observer.ts";
import type { Trace } from "../../trace/mod.ts";
import type { Session } from "../session.ts";
import { openExceptions } from "./explain_fault.ts";
import { stepEffects } from "./step_effects.ts";

/** How a CPU ended up. */
export type CpuFateKind =
  /** It made no step, and nobody asked for it. */
  | "never-on"
  /** It made no step: CPU_ON was refused. */
  | "refused"
  /** It was switched off. */
  | "off"
  /** It is in the handler of a fault that was never returned from. */
  | "fault"
  /** It goes round in WFE: nobody sent the event, or what it waits for is not there. */
  | "waits-for-event"
  | "waits-for-interrupt"
  /** It goes round in a few instructions without a wait. */
  | "spins"
  | "runs";

/** What became of a CPU. */
export interface CpuFate {
  readonly cpu: number;
  readonly kind: CpuFateKind;
  /** Its first step; null if it made none. */
  readonly began: { readonly position: number; readonly pc: bigint } | null;
  /** Its last step; null if it made none. */
  readonly last: { readonly position: number; readonly pc: bigint } | null;
  /** `refused`: the last call, and what it answered. */
  readonly call: {
    readonly position: number;
    readonly entry: bigint;
    readonly answer: bigint;
  } | null;
  /** `fault`: the first one. */
  readonly fault: ExceptionEvent | null;
  /** Steps that the CPU had made before the fault. */
  readonly before: number;
  /** Whether its MMU was on at the fault, or at the end. */
  readonly mmu: boolean;
  /** `waits-for-event`, `spins`: what it reads over and over, and what is there. */
  readonly polls: readonly { readonly address: number; readonly value: bigint }[];
}

/** A CPU's last steps that are looked at, and the turns that they are looked for in. */
const LAST_STEPS = 64;
const LAST_TURNS = 16;
/** More places than these are no waiting. */
const MOST_PLACES = 16;
const CPU_ON = new Set([0x8400_0003n, 0xc400_0003n, 0x95c1_ba60n]);
const WFE = 0xd503_205f, WFI = 0xd503_207f;

interface LastStep {
  readonly position: number;
  readonly pc: bigint;
  readonly word: number;
}

/** What became of each CPU; the session's cursor moves. */
export function cpuFates(session: Session): CpuFate[] {
  const { cpus } = session.trace.header;
  return Array.from({ length: cpus }, (_, cpu) => fateOf(session, cpu));
}

function fateOf(session: Session, cpu: number): CpuFate {
  const { trace } = session;
  const { turns, end } = trace;
  const none = { cpu, call: null, fault: null, before: 0, mmu: false, polls: [] };
  const first = turns.next(cpu, 0);
  if (first >= end) {
    const call = lastCallFor(session, cpu);
    return { ...none, kind: call ? "refused" : "never-on", began: null, last: null, call };
  }
  const position = turns.previous(cpu, end - 1);
  const steps = lastSteps(session, cpu, position);
  const began = { position: first, pc: placeAt(session, first) };
  session.seek(end);
  const { on, waiting, processor: { translation, state } } = session.machine.cpus[cpu];
  const lived = {
    ...none,
    began,
    last: { position, pc: steps.at(-1)?.pc ?? state.pc },
    mmu: translation.regime.enabled,
  };
  if (!on) return { ...lived, kind: "off" };
  const open = openExceptions(trace).find(({ event, fault }) => fault && event.cpu === cpu);
  if (open) {
    const { first: fault } = open;
    session.seek(fault.position);
    const mmu = session.machine.cpus[cpu].processor.translation.regime.enabled;
    const before = session.machine.cpus[cpu].retired;
    return { ...lived, kind: "fault", fault, before, mmu };
  }
  const words = new Set(steps.map(({ word }) => word));
  if (waiting || words.has(WFI)) return { ...lived, kind: "waits-for-interrupt" };
  const places = new Set(steps.map(({ pc }) => pc)).size;
  if (places > MOST_PLACES || steps.length < 2 * places) return { ...lived, kind: "runs" };
  const kind = words.has(WFE) ? "waits-for-event" : "spins";
  return { ...lived, kind, polls: pollsOf(session, steps) };
}

/** The last instructions of a CPU up to a position, in order: of several turns, where they are short. */
function lastSteps({ trace }: Session, cpu: number, last: number): LastStep[] {
  const steps: LastStep[] = [];
  let to = last;
  for (let turn = 0; turn < LAST_TURNS && to >= 0 && steps.length < LAST_STEPS; turn++) {
    const own: LastStep[] = [];
    for (const step of trace.executed(Math.max(0, to - LAST_STEPS), to + 1)) {
      if (step.cpu === cpu) own.push(step);
      // An earlier turn of it: it will be come to.
      else own.length = 0;
    }
    steps.unshift(...own.map(({ position, pc, word }) => ({ position, pc, word })));
    to = trace.turns.previous(cpu, (own[0]?.position ?? to) - 1);
  }
  return steps;
}

/** What the last round of a loop reads. */
function pollsOf(
  session: Session,
  steps: readonly LastStep[],
): { address: number; value: bigint }[] {
  const found = new Map<number, bigint>();
  const round = new Map(steps.map((step) => [step.pc, step.position]));
  for (const position of round.values()) {
    const [{ memory }] = stepEffects(session, position, position + 1);
    for (const { write, address, value } of memory) if (!write) found.set(address, value);
  }
  return [...found].map(([address, value]) => ({ address, value }));
}

/** Address of the step behind a position. */
function placeAt(session: Session, position: number): bigint {
  session.seek(position);
  return session.pc;
}

/** The last call of CPU_ON for a CPU. */
function lastCallFor(session: Session, cpu: number): CpuFate["call"] {
  const { trace } = session;
  let last: CpuFate["call"] = null;
  for (const position of callPositions(trace)) {
    session.seek(position);
    const by = session.machine.cpu.index;
    const { x } = session.state().cpus[by];
    if (!CPU_ON.has(x[0]) || (x[1] & 0xff_ffffn) !== BigInt(cpu)) continue;
    session.seek(position + 1);
    const answer = BigInt.asIntN(64, session.state().cpus[by].x[0]);
    last = { position, entry: x[2], answer };
  }
  return last;
}

/** Where HVC and SMC are executed (Arm ARM C6.2.97, C6.2.275), which end blocks. */
function* callPositions(trace: Trace): Generator<number> {
  for (const { number } of trace.windows.slice(1)) {
    const { start, blocks, exceptions, table } = trace.blocks(number);
    const calls = Array.from({ length: table.count }, (_, id) => {
      const steps = table.steps(id);
      const call = (table.word(id, steps - 1) & 0xffe0_001f) >>> 0;
      return call === 0xd400_0002 || call === 0xd400_0003;
    });
    if (!calls.includes(true)) continue;
    let position = start;
    let exception = 0;
    for (let i = 0; i < blocks.length; i++) {
      if (exceptions[exception]?.before === i) position += exceptions[exception++].count;
      position += table.steps(blocks[i]);
      if (calls[blocks[i]]) yield position - 1;
    }
  }
}

/** Whether a CPU's fate says that something went wrong, whatever the boot did besides. */
export function isMisfortune({ kind }: CpuFate): boolean {
  return kind === "never-on" || kind === "refused" || kind === "fault";
}
