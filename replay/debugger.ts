/**
 * Moving through a trace as a debugger does: steps, calls and stop points, in both directions.
 *
 * A move is a target and the stop points on the way to it. The target comes from the flow of the
 * trace; the cursor is set once, at the end, and compared with the trace.
 */
import { ReplayError } from "./replay_error.ts";
import { Session } from "./session.ts";
import type { Direction, Hit, StopPoint, Way } from "./stop_points.ts";
import { Timeline } from "./timeline.ts";

/** Why a move ended. */
export type StopReason = "step" | "stop-point" | "start" | "end";

/** Where a move ended. */
export interface Stop {
  /** Why there. */
  readonly reason: StopReason;
  /** Steps before it. */
  readonly position: number;
  /** Numbers of the stop points met here. */
  readonly points: readonly number[];
  /** What the first of them reports. */
  readonly hit?: Hit;
}

/** A stop point as a debugger keeps it. */
export interface NumberedPoint {
  /** From 1, never used again. */
  readonly number: number;
  /** What to stop at. */
  readonly point: StopPoint;
  /** Whether it stops at all. */
  enabled: boolean;
  /** How often it stopped or was passed by. */
  hits: number;
  /** How often it will be passed by before it stops. */
  ignore: number;
}

/** What came of looking for a stop point. */
interface Look {
  readonly numbered: NumberedPoint;
  /** Positions that its ignore count passes by. */
  readonly passed: readonly number[];
  readonly hit?: Hit;
}

/** See the top of this file. */
export class Debugger {
  /** Whose cursor is moved. */
  readonly session: Session;
  /** What the session's trace executed. */
  readonly timeline: Timeline;
  readonly #points = new Map<number, NumberedPoint>();
  #last = 0;
  #selected: number;

  /** Begins where the session is. The debugger moves it. */
  constructor(session: Session) {
    this.session = session;
    this.timeline = new Timeline(session.trace);
    this.timeline.poll = () => session.poll();
    this.#selected = this.timeline.cpuAt(session.position);
  }

  /**
   * The CPU that is looked at, and whose steps steps are; meanwhile the others have their turns.
   * A move that ends for another one, or jumps, selects that whose step comes next.
   */
  get cpu(): number {
    return this.#selected;
  }

  /** Looks at another CPU; the cursor stays. */
  select(cpu: number): void {
    this.#selected = cpu;
  }

  /** Position of the next step of the CPU that is looked at; the trace's end if it has none. */
  get here(): number {
    return Math.min(this.#end, this.session.trace.turns.next(this.cpu, this.position));
  }

  /** Steps before the cursor. */
  get position(): number {
    return this.session.position;
  }

  /** Stop points by number. */
  get points(): readonly NumberedPoint[] {
    return [...this.#points.values()];
  }

  /** Adds a stop point and gives it a number. */
  add(point: StopPoint): NumberedPoint {
    const numbered = { number: ++this.#last, point, enabled: true, hits: 0, ignore: 0 };
    this.#points.set(numbered.number, numbered);
    return numbered;
  }

  /** The stop point with a number. */
  point(number: number): NumberedPoint | undefined {
    return this.#points.get(number);
  }

  /** Forgets a stop point. */
  remove(number: number): void {
    this.#points.delete(number);
  }

  /** Goes to a position, whatever is on the way. */
  goto(position: number): Stop {
    this.#seek(position);
    this.#selected = this.timeline.cpuAt(position);
    return this.#arrived(position);
  }

  /** One step, or several: up to the first stop point. */
  step(count = 1): Stop {
    return this.#repeat(count, () => this.#next(this.here), "forward");
  }

  /** One step back, or several. */
  reverseStep(count = 1): Stop {
    return this.#repeat(count, () => this.#previous(this.position), "backward");
  }

  /** As {@linkcode Debugger.step}, but a call with all it does is one step. */
  next(count = 1): Stop {
    const { timeline } = this;
    const target = () => {
      const { here } = this;
      const called = timeline.instructionAt(here)?.call;
      return called ? timeline.returnOf(here) ?? this.#end : this.#next(here);
    };
    return this.#repeat(count, target, "forward");
  }

  /** As {@linkcode Debugger.reverseStep}, but a call with all it does is one step. */
  reverseNext(count = 1): Stop {
    const target = () => this.timeline.callReturningTo(this.here) ?? this.#previous(this.position);
    return this.#repeat(count, target, "backward");
  }

  /** Up to where the function returns. */
  finish(): Stop {
    return this.#move(this.timeline.functionEnd(this.here) ?? this.#end, "forward");
  }

  /** Back to the call that entered the function. */
  reverseFinish(): Stop {
    return this.#move(this.timeline.functionCall(this.position, this.cpu) ?? 0, "backward");
  }

  /** Up to the next stop point, or the end. */
  continue(): Stop {
    return this.#move(this.#end, "forward");
  }

  /** Back to the last stop point, or the start. */
  reverseContinue(): Stop {
    return this.#move(0, "backward");
  }

  /** The next step of the CPU that is looked at; those of others between are passed over. */
  #next(position: number): number {
    return Math.min(this.#end, this.session.trace.turns.next(this.cpu, position + 1));
  }

  /** The last step before, likewise. */
  #previous(position: number): number {
    return this.session.trace.turns.previous(this.cpu, position - 1);
  }

  get #end(): number {
    return this.session.trace.end;
  }

  #repeat(count: number, target: () => number, direction: Direction): Stop {
    let stop: Stop = { reason: "step", position: this.position, points: [] };
    for (let i = 0; i < count; i++) {
      stop = this.#move(target(), direction);
      if (stop.reason !== "step") break;
    }
    return stop;
  }

  #move(to: number, direction: Direction): Stop {
    const from = this.position;
    const target = Math.max(0, Math.min(this.#end, to));
    if (target === from) return this.#arrived(from);
    const { points, hit } = this.#found(from, target, direction);
    if (!hit) {
      this.#seek(target);
      // At either end there is no step of one's own to have come to.
      if (target === 0 || target === this.#end) this.#selected = this.timeline.cpuAt(target);
      return this.#arrived(target);
    }
    this.#seek(hit.position);
    this.#selected = hit.access?.cpu ?? this.timeline.cpuAt(hit.position);
    return { reason: "stop-point", position: hit.position, points, hit };
  }

  /** As {@linkcode Debugger.#nearest}; if a condition cannot be evaluated, the cursor stays. */
  #found(...way: [number, number, Direction]): { points: number[]; hit?: Hit } {
    try {
      return this.#nearest(...way);
    } catch (error) {
      this.#seek(way[0]);
      throw error;
    }
  }

  #arrived(position: number): Stop {
    const reason = position === this.#end ? "end" : position === 0 ? "start" : "step";
    return { reason, position, points: [] };
  }

  /** The stop points that are met first on the way, if any; those passed by count down. */
  #nearest(
    from: number,
    target: number,
    direction: Direction,
  ): { points: number[]; hit?: Hit } {
    const forward = direction === "forward";
    const looks: Look[] = [];
    let limit = target;
    for (const numbered of this.points.filter(({ enabled }) => enabled)) {
      const look = this.#look(numbered, { direction, from, limit });
      looks.push(look);
      if (look.hit) limit = look.hit.position;
    }
    for (const { numbered, passed } of looks) {
      const met = passed.filter((position) => forward ? position <= limit : position >= limit);
      numbered.ignore -= met.length;
      numbered.hits += met.length;
    }
    const here = looks.filter(({ hit }) => hit?.position === limit);
    for (const { numbered } of here) numbered.hits++;
    const [first] = here;
    const points = here.map(({ numbered }) => numbered.number);
    return first?.hit ? { points, hit: first.hit } : { points };
  }

  /** The first hit of a point that is not to be ignored, and those before it that are. */
  #look(numbered: NumberedPoint, way: Way): Look {
    const passed: number[] = [];
    let { from } = way;
    while (from !== way.limit) {
      const hit = numbered.point.find(this, { ...way, from });
      if (!hit) break;
      if (passed.length === numbered.ignore) return { numbered, passed, hit };
      passed.push(hit.position);
      from = hit.position;
    }
    return { numbered, passed };
  }

  #seek(position: number): void {
    this.session.seek(position);
    const expected = this.timeline.instructionAt(position)?.pc;
    const found = this.session.pc;
    if (expected === undefined || expected === found) return;
    throw new ReplayError(
      `The re-execution differs from the trace: PC at #${position} is 0x${found.toString(16)}, ` +
        `expected 0x${expected.toString(16)}; verify finds the first difference`,
    );
  }
}
