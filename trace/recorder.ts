/**
 * Records a machine: drives it window by window and writes everything it does to a trace.
 *
 * Memory is bounded: events and flow are written as further items of the window when they grow,
 * page copies are limited, and nothing of a window survives its commit but the block table and the
 * pages' hashes. A failing sink never interrupts the machine in the middle of an instruction: the
 * error is kept, nothing more is written, and the recording ends at the window's end.
 */

import type { MachineEvent, Observer } from "../core/observer.ts";
import { encodeContent } from "./cbor.ts";
import { EventWriter } from "./event_columns.ts";
import { uint } from "./fields.ts";
import { WasmFlowEncoder } from "./flow_encoder_wasm.ts";
import type { FlowEncoder, FlowObserver } from "./flow_source.ts";
import { encodeInput, type InputEvent } from "./input_columns.ts";
import type { KnownMemory } from "./keyframe_maker.ts";
import { KeyframeWriter } from "./keyframe_writer.ts";
import { encodeLines, encodeSymbols } from "./program_tables.ts";
import type { RecordableMachine } from "./recordable_machine.ts";
import type { RecorderOptions, RecordingResult } from "./recorder_options.ts";
import type { ImagePages } from "./recorder_messages.ts";
import type { RecorderThreads, ThreadedWindows, WindowEnd } from "./recorder_threads.ts";
import {
  DEFAULT_WINDOW_STEPS,
  type EndReason,
  type EventKind,
  FORMAT_VERSION,
  ITEM,
  MAX_WINDOW_STEPS,
} from "./schema.ts";
import { hashBytes } from "./state_hash.ts";
import { describeCpus, encodeAscending, summarizeBlocks } from "./summary.ts";
import { FLOW_PART_BYTES, type TraceSink, TraceWriter } from "./writer.ts";

/** Bytes of an image that other threads store if there are any. */
const LARGE_IMAGE = 4 << 20;

/** Inputs, and bytes of them, at which a part of a window's inputs is written. */
const INPUT_PART = { count: 1 << 14, bytes: 1 << 20 } as const;

/** Records one machine into one sink. */
export class Recorder implements Observer, FlowObserver {
  readonly #machine: RecordableMachine;
  readonly #options: RecorderOptions;
  readonly #windowSteps: number;
  readonly #writer: TraceWriter;
  readonly #events = new EventWriter();
  readonly #flow: FlowEncoder;
  readonly #keyframes: KeyframeWriter;
  /** Where other threads do the work. */
  #threaded: ThreadedWindows | undefined;
  readonly #totals: Partial<Record<EventKind, number>> = {};
  #inputs: InputEvent[] = [];
  #inputBytes = 0;
  #window = 0;
  #windowStart = 0;
  #committed: { position: number; retired: readonly number[] } = { position: 0, retired: [0] };
  #error: Error | undefined;

  /** Writes the prologue: `machine` is booted and at #0. */
  constructor(machine: RecordableMachine, sink: TraceSink, options: RecorderOptions) {
    this.#machine = machine;
    this.#options = options;
    const { windowSteps: steps = DEFAULT_WINDOW_STEPS } = options;
    if (steps < 1 || steps > MAX_WINDOW_STEPS) {
      throw new RangeError(`windows of ${steps} steps: expected 1..${MAX_WINDOW_STEPS}`);
    }
    this.#windowSteps = steps;
    this.#writer = new TraceWriter({ write: (bytes) => this.#write(sink, bytes) });
    this.#flow = options.flowEncoder ?? new WasmFlowEncoder(machine.flowSource);
    const { memory } = machine;
    this.#keyframes = new KeyframeWriter(memory, (pages) => this.#writer.item(ITEM.pages, pages));
    this.#prologue();
    machine.observer = this;
    machine.flowObserver = this;
  }

  /** Position of the last commit. */
  get committed(): number {
    return this.#committed.position;
  }

  /** Bytes written so far. */
  get bytes(): number {
    return this.#writer.bytes;
  }

  event(event: MachineEvent): void {
    this.#events.add(event);
    if (this.#events.full) this.#item(ITEM.events, this.#events.take());
  }

  flow(entries: Uint32Array): void {
    if (this.#threaded) return this.#threaded.flow(entries);
    this.#flow.flow(entries);
    if (this.#flow.pendingBytes > FLOW_PART_BYTES) this.#writeFlow(false);
  }

  nextSegment(full: number): number {
    return this.#threaded?.nextSegment(full) ?? full;
  }

  codeChanged(start: number, end: number): void {
    if (this.#threaded) return this.#threaded.codeChanged(start, end);
    this.#flow.codeChanged(start, end);
  }

  /** Notes something that reached the guest from outside, at the machine's current position. */
  input(source: string, bytes: Uint8Array): void {
    this.#addInput({ position: this.#machine.position, source, bytes: bytes.slice() });
  }

  #addInput(input: InputEvent): void {
    this.#inputs.push(input);
    this.#inputBytes += input.bytes.length;
    if (this.#inputs.length >= INPUT_PART.count || this.#inputBytes >= INPUT_PART.bytes) {
      this.#writeInputs();
    }
  }

  /** Notes inputs of the window in hand whose positions are known. */
  recordedInputs(inputs: Iterable<InputEvent>): void {
    for (const input of inputs) this.#addInput(input);
  }

  /**
   * Runs and writes one window, or the part of it up to position `limit`.
   *
   * @returns why the recording must end, or null to go on
   */
  recordWindow(limit = Infinity): EndReason | null {
    return this.recordPart(this.#windowSteps, limit);
  }

  /**
   * Runs at most `steps` steps of the window in hand, not past position `limit`, and writes the
   * window when it is full. The trace does not show where parts ended.
   *
   * @returns why the recording must end, or null to go on
   */
  recordPart(steps: number, limit = Infinity): EndReason | null {
    const windowEnd = Math.min(limit, this.#windowStart + this.#windowSteps);
    const end = Math.min(windowEnd, this.#machine.position + steps);
    const reason = this.#machine.run(end) ?? (end >= limit ? "max-instructions" : null);
    if (reason || end === windowEnd) this.#closeWindow();
    return this.#error ? "disk-full" : reason;
  }

  /** Records until the machine ends or position `limit`; then writes the footer. */
  run(limit = Infinity): RecordingResult {
    for (;;) {
      const reason = this.recordWindow(limit);
      if (reason) return this.finish(reason);
    }
  }

  /**
   * Writes the window in hand, unless an error left it in pieces, and the footer; lets go of the
   * machine. `detail` is what commands show beside the reason.
   */
  finish(
    reason: EndReason,
    detail: Record<string, string | number | bigint | boolean> = {},
  ): RecordingResult {
    if (reason !== "internal-error") this.#closeLast();
    this.#machine.observer = null;
    this.#machine.flowObserver = null;
    this.#keyframes.close();
    const said = this.#endThreads();
    // Else it was thrown before.
    const failure = reason === "internal-error" ? undefined : said;
    const { position, retired } = this.#committed;
    this.#writer.footer({
      reason: failure ? "internal-error" : reason,
      detail: failure ? { error: String(failure) } : detail,
      position: uint(position),
      retired: retired.map(uint),
      events: this.#totals,
    });
    return {
      reason: this.#error ? "disk-full" : failure ? "internal-error" : reason,
      steps: position,
      instructions: retired.reduce((sum, count) => sum + count),
      events: this.#totals,
      bytes: this.#writer.bytes,
      sizes: this.#writer.sizes,
      ...(this.#error ? { error: this.#error } : {}),
      ...(failure ? { failure } : {}),
    };
  }

  /** Instructions retired, by CPU. */
  get #retired(): readonly number[] {
    return (this.#machine.cpus ?? [this.#machine]).map(({ retired }) => retired);
  }

  #prologue(): void {
    const cpus = this.#machine.cpus?.length ?? 1;
    const { options, machine, image, symbols, lines, recorder, recordedAt, loaded } = this.#options;
    const { base, size } = this.#machine.memory;
    this.#writer.header({
      format: FORMAT_VERSION,
      recorder,
      machineVersion: this.#machine.machineVersion,
      machine,
      cpus,
      memory: { base: uint(base), size: uint(size) },
      windowSteps: this.#windowSteps,
      options,
      image: { name: image.name, sha256: image.files[0]?.sha256 ?? new Uint8Array(32) },
    }, recordedAt);
    this.#writer.item(ITEM.image, {
      ...image,
      files: image.files.map((file) => ({ ...file, size: uint(file.size) })),
      ...(loaded && {
        loaded: loaded.map(({ address, length }) => ({
          address: uint(address),
          length: uint(length),
        })),
      }),
    });
    for (const content of encodeSymbols(symbols)) this.#writer.item(ITEM.symbols, content);
    for (const content of encodeLines(lines)) this.#writer.item(ITEM.lines, content);
    if (!this.#storeThreaded()) {
      this.#flow.useImage(this.#keyframes.storeImage(loaded));
      this.#writeKeyframe(0);
      this.#writer.commit(0, 0, 0);
    }
    this.#startWindow(0);
  }

  /** Has threads store the image if it is so large that it is worth waiting for them. */
  #storeThreaded(): boolean {
    const { loaded, threads } = this.#options;
    const size = loaded?.reduce((sum, { length }) => sum + length, 0) ?? 0;
    if (!loaded || !threads || size < LARGE_IMAGE || !this.#canHandOver) return false;
    if (!threads.wait()) return false;
    const pages = this.#keyframes.imagePages(loaded);
    this.#window = 1;
    this.#handOver(threads, pages);
    this.#window = 0;
    const { tlb, ...rest } = this.#machine.save();
    const end = { number: 0, start: 0, end: 0, retired: this.#retired, events: {} };
    this.#threaded!.endPrologue(end, tlb, encodeContent(rest));
    return true;
  }

  get #canHandOver(): boolean {
    return this.#flow instanceof WasmFlowEncoder && this.#machine.flowSource.follow !== undefined;
  }

  #startWindow(position: number): void {
    this.#window++;
    this.#windowStart = position;
    if (this.#threaded) return;
    const { threads } = this.#options;
    if (position > 0) threads?.start();
    if (threads?.ready && this.#canHandOver) this.#handOver(threads);
    else this.#flow.startWindow(this.#window);
  }

  /** Between two windows: the threads go on where this one stands. */
  #handOver(
    threads: RecorderThreads,
    known: KnownMemory | ImagePages = this.#keyframes.known(),
  ): void {
    const { memory, flowSource } = this.#machine;
    if (!(this.#flow instanceof WasmFlowEncoder)) return;
    const image = this.#keyframes.image.share(), blocks = this.#flow.known();
    const { base, size } = memory;
    const standing = { window: this.#window, image, blocks, place: { base, size }, memory: known };
    this.#threaded = threads.begin(standing, flowSource, this.#writer);
    this.#keyframes.receiver = this.#threaded;
  }

  /** Lets the threads finish the windows that have ended; gives what they said if they cannot. */
  #endThreads(): Error | undefined {
    try {
      this.#collect(true);
      this.#threaded?.close();
      return undefined;
    } catch (error) {
      return error as Error;
    } finally {
      if (this.#threaded) this.#machine.flowSource.follow?.(null);
      this.#options.threads?.stop();
    }
  }

  /** Writes what the threads have finished. */
  #collect(all = false): void {
    this.#threaded?.collect((end) => {
      if (!this.#error && end.number > 0) this.#commitTotals(end);
    }, all);
  }

  #item(kind: number, content: Record<string, unknown>): void {
    if (this.#threaded) this.#threaded.item(kind, encodeContent(content));
    else this.#writer.item(kind, content);
  }

  /** Writes the window in hand; what a thread could not do is said when the threads end. */
  #closeLast(): void {
    try {
      this.#closeWindow();
    } catch (error) {
      if (!this.#threaded) throw error;
    }
  }

  /** Writes the window in hand if it has any steps, and starts the next one. */
  #closeWindow(): void {
    const { position } = this.#machine;
    if (position === this.#windowStart) return;
    this.#machine.cutFlow();
    if (this.#threaded) return this.#closeThreaded(this.#threaded, position);
    const steps = position - this.#windowStart;
    if (this.#flow.steps !== steps) {
      throw new Error(
        `window ${this.#window}: the machine made ${steps} steps, its flow has ${this.#flow.steps}`,
      );
    }
    this.#writeInputs();
    this.#writeFlow(true);
    if (this.#events.count > 0) this.#writer.item(ITEM.events, this.#events.take());
    const events = this.#events.takeCounts();
    const written = this.#keyframes.writtenPages();
    const cpu = this.#writeKeyframe(position);
    this.#writer.item(ITEM.summary, {
      events,
      ...cpu,
      ...summarizeBlocks(this.#flow.table, this.#flow.executedBlocks()),
      written: encodeAscending(written),
    });
    this.#writer.commit(this.#window, this.#windowStart, position);
    if (!this.#error) this.#commitTotals({ end: position, retired: this.#retired, events });
    this.#startWindow(position);
  }

  #closeThreaded(threaded: ThreadedWindows, position: number): void {
    this.#writeInputs();
    threaded.endFlow();
    if (this.#events.count > 0) this.#item(ITEM.events, this.#events.take());
    const events = this.#events.takeCounts();
    const written = this.#keyframes.writtenPages();
    const { tlb, ...rest } = this.#machine.save();
    this.#keyframes.sendWindow();
    const end = { number: this.#window, start: this.#windowStart, end: position, events };
    threaded.endWindow(
      { ...end, retired: this.#retired },
      { events, ...describeCpus(rest.cpus), written },
      tlb,
      encodeContent(rest),
    );
    this.#collect();
    this.#startWindow(position);
  }

  #commitTotals(
    { end, retired, events }: Pick<WindowEnd, "end" | "retired" | "events">,
  ): void {
    this.#committed = { position: end, retired };
    for (const [kind, count] of Object.entries(events)) {
      this.#totals[kind as EventKind] = (this.#totals[kind as EventKind] ?? 0) + count;
    }
  }

  #writeInputs(): void {
    if (this.#inputs.length > 0) this.#item(ITEM.input, encodeInput(this.#inputs));
    this.#inputs = [];
    this.#inputBytes = 0;
  }

  #writeFlow(last: boolean): void {
    this.#writer.item(ITEM.flow, { ...this.#flow.take(last) });
  }

  #writeKeyframe(position: number): { level: number[]; mmu: boolean[] } {
    const saved = this.#machine.save();
    const { state, tlb, hash } = this.#keyframes.storeWindow(saved);
    this.#writer.item(ITEM.keyframe, {
      position: uint(position),
      retired: this.#retired.map(uint),
      state,
      tlb,
      hash: hashBytes(hash),
    });
    return describeCpus(saved.cpus);
  }

  #write(sink: TraceSink, bytes: Uint8Array): void {
    if (this.#error) return;
    try {
      sink.write(bytes);
    } catch (error) {
      this.#error = error as Error;
    }
  }
}
