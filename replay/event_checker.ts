/**
 * Compares what a machine reports with the events that a trace holds, one by one.
 *
 * Hazards are what the recording noticed of the run, not part of it, and no re-execution repeats
 * them: they are counted as they are passed.
 */
import type { MachineEvent, Observer } from "../core/observer.ts";
import { type Difference, eventDifference, eventText } from "./difference.ts";

/** See the top of this file. */
export class EventChecker implements Observer {
  /** Events that were equal, by kind, since the last {@linkcode EventChecker.take}. */
  #counts: Partial<Record<MachineEvent["kind"], number>> = {};
  readonly #expected: Iterator<MachineEvent>;
  #next: MachineEvent | undefined;
  #difference: Difference | null = null;

  /** @param expected the recorded events in order, from where the machine is */
  constructor(expected: Iterator<MachineEvent>) {
    this.#expected = expected;
    this.#advance();
  }

  event(event: MachineEvent): void {
    if (this.#difference) return;
    this.#passHazards(event.position + 1);
    this.#difference = this.#next ? eventDifference(this.#next, event) : {
      position: event.position,
      what: "the event",
      expected: eventText(undefined),
      found: eventText(event),
    };
    this.#count(event.kind);
    this.#advance();
  }

  /** The first difference up to a position that the machine has reached; null if there is none. */
  end(position: number): Difference | null {
    if (!this.#difference) this.#passHazards(position);
    if (!this.#difference && this.#next && this.#next.position < position) {
      this.#difference = {
        position: this.#next.position,
        what: "the event",
        expected: eventText(this.#next),
        found: eventText(undefined),
      };
    }
    return this.#difference;
  }

  /** Counts of the events since the last call. */
  take(): Partial<Record<MachineEvent["kind"], number>> {
    const counts = this.#counts;
    this.#counts = {};
    return counts;
  }

  /** Goes over the hazards before a position. */
  #passHazards(position: number): void {
    while (this.#next?.kind === "hazard" && this.#next.position < position) {
      this.#count("hazard");
      this.#advance();
    }
  }

  #count(kind: MachineEvent["kind"]): void {
    this.#counts[kind] = (this.#counts[kind] ?? 0) + 1;
  }

  #advance(): void {
    const next = this.#expected.next();
    this.#next = next.done ? undefined : next.value;
  }
}
