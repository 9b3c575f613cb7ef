/**
 * A cursor in a recorded run: goes to any position and shows the machine as it was there.
 *
 * To go somewhere is to load the nearest state before it — a keyframe of the trace, or one of the
 * checkpoints that the session makes on its way — and to execute from there. Loading touches only
 * the pages that differ from what memory holds: those written since the last load, and those in
 * which the two states differ. Checkpoints are left behind at growing distances before the place
 * one arrives at, so that steps backwards from there are short; a walk backwards leaves new ones
 * as it goes, and its cost per step does not depend on the size of the trace's windows.
 *
 * Invariant: `memory = base (a keyframe with some pages replaced) + pages in the epoch`.
 */
import type { EndReason, Machine } from "../core/machine.ts";
import type { MachineState } from "../core/machine_state.ts";
import { PAGE_BYTES, type WriteEpoch } from "../core/memory/memory.ts";
import type { Trace } from "../trace/mod.ts";
import { type Checkpoint, CheckpointStore, type Pages } from "./checkpoint.ts";
import { RecordedInput } from "./recorded_input.ts";
import { WindowVerifier } from "./queries/verify.ts";
import { ReplayError } from "./replay_error.ts";
import { sameBytes } from "./same_bytes.ts";
import type { Onlookers, SessionOptions } from "./session_options.ts";
import {
  isSameMachineVersion,
  machineStateOf,
  makeReplayMachine,
  otherVersion,
  restoreState,
} from "./replay_machine.ts";

/** Distances before the target of a seek at which checkpoints are left, farthest first. */
const RUNGS = [1 << 20, 1 << 18, 1 << 16, 1 << 14, 1 << 11, 1 << 8];
/** A seek starts at least so far before its target, so that steps back from there are short. */
const REACH = RUNGS[2];
/** Most pages whose content at the last keyframe is remembered: 32 MiB. */
const MOST_ORIGINALS = 8192;

/** Steps between looks at whether to go on. */
const POLLED_STEPS = 1 << 22;

/** What memory held when its epoch began. */
interface Base {
  /** Window of the keyframe; -1 for memory that is all zeros. */
  readonly window: number;
  readonly pages: Pages;
}

const EMPTY: Base = { window: -1, pages: new Map() };

/** See the top of this file. */
export class Session {
  /** The trace that is shown. */
  readonly trace: Trace;
  /**
   * The machine at {@linkcode Session.position}: for reading. Running it is the session's business.
   *
   * @internal
   */
  readonly machine: Machine;
  /** Called now and then during long work: what it throws ends that, wherever the cursor then is. */
  poll: () => void = () => {};
  readonly #checkpoints = new CheckpointStore();
  readonly #epoch: WriteEpoch;
  readonly #written = new Set<number>();
  /** For traces of other machine versions: windows that do here what they did there. */
  readonly #checked: Set<number> | null;
  #verifier: WindowVerifier | undefined;
  #base = EMPTY;
  readonly #isForward: boolean;
  #isLoading = false;
  readonly #scratch = new Uint8Array(PAGE_BYTES);
  /** Pages written since the keyframe of the base's window, as that keyframe has them. */
  #originals: { window: number; pages: Map<number, Uint8Array> } = { window: -1, pages: new Map() };

  /**
   * Begins at a keyframe. Of a trace of another machine version each window is verified before it is
   * executed for the first time.
   *
   * @throws ReplayError if the trace cannot be re-executed by this program
   */
  constructor(trace: Trace, options: SessionOptions = {}) {
    const { anyVersion = false, window = 0, forward = false, ...machineOptions } = options;
    this.#isForward = forward;
    this.#checked = anyVersion || isSameMachineVersion(trace) ? null : new Set();
    this.trace = trace;
    this.machine = makeReplayMachine(trace, machineOptions);
    const input = new RecordedInput(trace.inputs());
    if (!input.isEmpty) this.machine.input = input;
    this.#epoch = this.machine.memory.trackFirstWrites((page) => this.#willWrite(page));
    try {
      this.loadKeyframe(window);
    } catch (error) {
      if (this.#checked && error instanceof ReplayError) throw new ReplayError(otherVersion(trace));
      throw error;
    }
  }

  /** Steps before the cursor. */
  get position(): number {
    return this.machine.position;
  }

  /** Address of the next instruction. */
  get pc(): bigint {
    return this.machine.pc;
  }

  /**
   * Registers, system registers, modelled TLB, devices and time: a copy.
   *
   * @internal
   */
  state(): MachineState {
    return this.machine.save();
  }

  /**
   * Goes to a position.
   *
   * @throws RangeError if the trace has no such position
   * @throws ReplayError if the re-execution does not get there
   */
  seek(position: number): void {
    if (!(Number.isSafeInteger(position) && position >= 0 && position <= this.trace.end)) {
      throw new RangeError(`position ${position}: expected 0 to ${this.trace.end}`);
    }
    const from = this.#nearest(position);
    const distance = position - this.position;
    if (distance < 0 || from.position > this.position) this.#load(from);
    this.#advance(position);
    this.machine.settle();
  }

  /** Goes `steps` forward, at most to the end. Gives the position. */
  step(steps = 1): number {
    this.seek(Math.min(this.trace.end, this.position + steps));
    return this.position;
  }

  /** Goes `steps` back, at most to the start. Gives the position. */
  reverseStep(steps = 1): number {
    this.seek(Math.max(0, this.position - steps));
    return this.position;
  }

  /** Goes to the state at the end of a window exactly as the trace holds it. */
  loadKeyframe(window: number): void {
    this.#load(this.#keyframe(window));
  }

  /**
   * Shows the machine with the registers that it had at the end of a window, whatever the cursor's
   * memory holds. The cursor stays where it is.
   *
   * @internal
   */
  atKeyframe<T>(window: number, look: (machine: Machine) => T): T {
    const { machine } = this;
    const own = machine.save();
    const { state, position } = this.#keyframe(window);
    restoreState(machine, state, `the state at #${position}`);
    try {
      return look(machine);
    } finally {
      restoreState(machine, own, `the state at #${this.position}`);
    }
  }

  /**
   * Executes up to a position while others look on; they may end it early by
   * {@linkcode Session.pause}. The cursor is where the execution ended.
   *
   * @returns null at the position; else why the machine ended: `interrupted` after a pause
   * @internal
   */
  observe(to: number, { events, watch }: Onlookers): EndReason | null {
    const { machine } = this;
    this.#check(to);
    machine.observer = events ?? null;
    if (watch) machine.memory.watch = watch;
    try {
      return machine.run(to);
    } finally {
      if (watch) machine.memory.watch = null;
      machine.observer = null;
      const paused = machine.ended === "interrupted";
      machine.ended = null;
      if (paused) machine.settle();
    }
  }

  /**
   * Executes up to a position while others look on, and stops behind each step.
   *
   * @throws ReplayError if the re-execution does not get there
   * @internal
   */
  observeSteps(to: number, { events, watch }: Onlookers, stepped: () => void): void {
    const { machine } = this;
    machine.observer = events ?? null;
    if (watch) machine.memory.watch = watch;
    try {
      while (machine.position < to) {
        this.#run(machine.position + 1);
        stepped();
      }
    } finally {
      if (watch) machine.memory.watch = null;
      machine.observer = null;
    }
  }

  /** For onlookers: ends the execution as soon as that is possible. */
  pause(): void {
    const { machine } = this;
    machine.end("interrupted");
    if (machine.access.accessing) machine.engine.stopAfterAccess();
  }

  /** Executes to a position ahead, leaving checkpoints on the last stretch. */
  #advance(target: number): void {
    for (const rung of this.#isForward ? [] : RUNGS) {
      const at = target - rung;
      // A checkpoint is worth its while where the next rung is far from the last one.
      if (at - this.position < rung) continue;
      this.#run(at);
      this.leaveCheckpoint();
    }
    this.#run(target);
  }

  #run(until: number): void {
    const { machine } = this;
    this.#check(until);
    let reason: EndReason | null = null;
    while (reason === null && machine.position < until) {
      this.poll();
      reason = machine.run(Math.min(until, machine.position + POLLED_STEPS));
    }
    if (machine.position === until) {
      machine.ended = null;
      return;
    }
    const { position } = machine;
    // What it did since is not what was recorded: it must not be the start of anything.
    this.#load(this.#keyframe(0));
    throw new ReplayError(
      `The re-execution differs from the trace: the machine ended at #${position} (${reason}), ` +
        `expected it to go on to #${until}; verify finds the first difference`,
    );
  }

  /** Verifies the windows on the way to a position, if another machine version recorded them. */
  #check(until: number): void {
    if (!this.#checked) return;
    const { trace, position } = this;
    for (const { number, start, end } of trace.windows) {
      if (number === 0 || end <= position || start >= until || this.#checked.has(number)) continue;
      this.poll();
      this.#verifier ??= new WindowVerifier(trace);
      if (!this.#verifier.verifies(number)) throw new ReplayError(otherVersion(trace));
      this.#checked.add(number);
    }
  }

  /** The checkpoint or keyframe to start from for a position. */
  #nearest(position: number): Checkpoint {
    const known = this.#checkpoints.latest(position);
    // Where windows are to be verified first, the fewer the better.
    const reach = this.#checked || this.#isForward ? 0 : REACH;
    const window = this.#windowBefore(Math.max(0, position - reach));
    const keyframe = this.trace.windows[window].end;
    // What is near enough saves the reach; what is before the keyframe is of no use.
    if (known && known.position >= keyframe) return known;
    return this.#keyframe(window);
  }

  /** The last window that ends at or before a position. */
  #windowBefore(position: number): number {
    const { windows } = this.trace;
    const { number, end } = this.trace.windowAt(position);
    return end <= position ? windows[number].number : number - 1;
  }

  #keyframe(window: number): Checkpoint {
    const keyframe = this.trace.keyframe(window);
    return {
      position: keyframe.position,
      window,
      pages: new Map(),
      state: machineStateOf(keyframe),
    };
  }

  /** Keeps the state here, to come back to. @internal */
  leaveCheckpoint(): void {
    const pages = new Map(this.#base.pages);
    const { memory } = this.machine;
    for (const page of this.#written) pages.set(page, memory.read(page, PAGE_BYTES).slice());
    const { window } = this.#base;
    const { position } = this;
    this.#checkpoints.add({ position, window, pages, state: this.machine.save() });
    this.#beginEpoch({ window, pages });
  }

  #load(to: Checkpoint): void {
    const { machine } = this;
    this.#isLoading = true;
    try {
      if (this.#isForward && to.window > this.#base.window) this.#follow(to);
      else this.#replace(to);
    } finally {
      this.#isLoading = false;
    }
    // Code that other moments wrote is not modified code.
    machine.engine.records.maintained();
    if (this.#originals.window !== to.window) {
      this.#originals = { window: to.window, pages: new Map() };
    }
    restoreState(machine, to.state, `the state at #${to.position}`);
    if (machine.position !== to.position) {
      throw new ReplayError(
        `Cannot restore the state at #${to.position}: its counts of steps are ${machine.position}`,
      );
    }
    this.#beginEpoch(to);
  }

  #replace(to: Checkpoint): void {
    const isFirst = this.#base === EMPTY;
    for (const page of this.#differences(to)) this.#store(page, this.#pageAt(to, page), isFirst);
  }

  /** Takes memory to a later keyframe: what was written since the last one comes from the trace. */
  #follow({ window }: Checkpoint): void {
    const { trace, machine: { memory } } = this;
    const isFirst = this.#base === EMPTY;
    const written = [...this.#written].sort((a, b) => a - b);
    const own = new Set(written);
    trace.followPages(this.#base.window, window, {
      wants: (number) => !own.has(number * PAGE_BYTES),
      was: (number) => memory.read(number * PAGE_BYTES, PAGE_BYTES),
      put: (number, bytes) => this.#store(number * PAGE_BYTES, bytes, isFirst),
    });
    for (const page of written) this.#store(page, trace.page(page, window), isFirst);
  }

  /** Pages in which memory may differ from a checkpoint. */
  #differences(to: Checkpoint): Set<number> {
    const { trace } = this;
    const base = this.#base;
    const pages = new Set(this.#written);
    for (const [page, bytes] of base.pages) if (to.pages.get(page) !== bytes) pages.add(page);
    for (const [page, bytes] of to.pages) if (base.pages.get(page) !== bytes) pages.add(page);
    if (base.window === to.window) return pages;
    const first = Math.min(base.window, to.window);
    const last = Math.max(base.window, to.window);
    for (const page of trace.changedPages(first, last)) pages.add(page);
    return pages;
  }

  #pageAt({ pages, window }: Checkpoint, page: number): Uint8Array {
    const known = pages.get(page);
    if (known) return known;
    const original = this.#originals.window === window
      ? this.#originals.pages.get(page)
      : undefined;
    return original ?? this.trace.page(page, window, this.#scratch);
  }

  /** @param always without a look at what is there, which would have the host make the page first */
  #store(page: number, bytes: Uint8Array, always: boolean): void {
    const { memory, access } = this.machine;
    if (!memory.contains(page, PAGE_BYTES)) {
      throw new ReplayError(
        `Cannot restore memory: expected pages of RAM, found one at 0x${page.toString(16)}`,
      );
    }
    if (always || !sameBytes(memory.read(page, PAGE_BYTES), bytes)) access.store(page, bytes);
  }

  #beginEpoch({ window, pages }: Base): void {
    this.#base = { window, pages };
    this.#written.clear();
    this.#epoch.restart();
  }

  /** Called before the first write to a page since the epoch began. */
  #willWrite(page: number): void {
    this.#written.add(page);
    if (this.#isLoading) return;
    const { window, pages } = this.#originals;
    if (window !== this.#base.window || this.#base.pages.has(page) || pages.has(page)) return;
    if (!this.#isForward && pages.size < MOST_ORIGINALS) {
      pages.set(page, this.machine.memory.read(page, PAGE_BYTES).slice());
    }
  }
}
