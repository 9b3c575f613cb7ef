import type { ExceptionEvent, ExceptionReturnEvent } from "../../core/observer.ts";
import type { Trace } from "../../trace/mod.ts";
import { isFaultEvent } from "../syndrome.ts";
import { firstFault } from "./milestones.ts";

/** The fault to explain. */
export interface ChosenFault {
  readonly event: ExceptionEvent;
  /** Whether its handler came back: then it is not what stopped the boot. */
  readonly handled: boolean;
}

/** An exception that has not been returned from yet. */
export interface Open {
  readonly event: ExceptionEvent;
  readonly fault: boolean;
  /** The first of a series of equal faults, one after the other. */
  readonly first: ExceptionEvent;
}

/** Nesting beyond this is a storm; only its outermost exceptions matter. */
const MOST_NESTED = 4096;

/**
 * The fault that stopped the boot: the outermost one that was never returned from; of a series of
 * equal ones, and of a storm or loop, the first. Without such a fault, the first of the trace.
 */
export function faultToExplain(trace: Trace): ChosenFault | undefined {
  const open = openExceptions(trace).find(({ fault }) => fault);
  const first = trace.footer?.detail.firstFault;
  const stopping = open?.first;
  if (typeof first === "number" && !(stopping && stopping.position <= first)) {
    const kinds = new Set(["exception"] as const);
    const [event] = trace.events({ kinds, from: first, to: first + 1 });
    if (event?.kind === "exception") return { event, handled: false };
  }
  if (stopping) return { event: stopping, handled: false };
  const event = firstFault(trace);
  return event && { event, handled: true };
}

/**
 * The fault at a position; else the outermost whose handler was running there; else the last one
 * before, or the first behind.
 *
 * @returns undefined if the trace has no fault
 */
export function faultAt(trace: Trace, position: number): ChosenFault | undefined {
  const kinds = new Set(["exception"] as const);
  let found: ExceptionEvent | undefined;
  for (const event of trace.events({ kinds })) {
    if (event.kind !== "exception" || !isFaultEvent(event)) continue;
    if (event.position === position) return { event, handled: false };
    if (event.position > position) {
      found ??= event;
      break;
    }
    found = event;
  }
  const event = openExceptions(trace, position).find(({ fault }) => fault)?.first ?? found;
  return event && { event, handled: false };
}

/** The exceptions that were open at a position, of each CPU outermost first. */
export function openExceptions(trace: Trace, to = Infinity): Open[] {
  const cpus = new Map<number, OpenStack>();
  for (const event of trace.events({ kinds: new Set(["exception", "eret"]), to })) {
    if (event.kind !== "exception" && event.kind !== "eret") continue;
    const stack = cpus.get(event.cpu) ?? new OpenStack();
    cpus.set(event.cpu, stack);
    if (event.kind === "eret") stack.leave(event);
    else stack.enter(event);
  }
  return [...cpus.values()].flatMap(({ open }) => open)
    .sort((a, b) => a.event.position - b.event.position);
}

/** The open exceptions of a CPU. */
class OpenStack {
  /** Outermost first. */
  open: Open[] = [];
  /** Open ones that are nested too deeply to be kept. */
  #beyond = 0;
  #last: Open | undefined;
  /** No open one was taken to a higher EL. */
  #highest = 0;

  enter(event: ExceptionEvent): void {
    this.#leaveAbove(event.fromEl);
    const first = this.#last && isSame(this.#last.event, event) ? this.#last.first : event;
    this.#last = { event, fault: isFaultEvent(event), first };
    if (this.open.length < MOST_NESTED) this.open.push(this.#last);
    else this.#beyond++;
    this.#highest = Math.max(this.#highest, event.toEl);
  }

  leave({ illegal, fromEl, toEl }: ExceptionReturnEvent): void {
    if (illegal) return;
    if (toEl < fromEl) this.#leaveAbove(toEl);
    else if (this.#beyond > 0) this.#beyond--;
    else this.open.pop();
  }

  /** Whoever runs at an EL has left all handlers of higher ones behind. */
  #leaveAbove(el: number): void {
    if (this.#highest <= el) return;
    this.#highest = el;
    const left = this.open.filter(({ event }) => event.toEl <= el);
    if (left.length < this.open.length) [this.open, this.#beyond] = [left, 0];
  }
}

/** Whether the same instruction failed in the same way. */
function isSame(a: ExceptionEvent, b: ExceptionEvent): boolean {
  return a.type === b.type && a.elr === b.elr && a.esr === b.esr && a.far >> 12n === b.far >> 12n;
}
