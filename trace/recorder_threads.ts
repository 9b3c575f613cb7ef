/**
 * The recorder's work in other threads: encoding the flow, page deltas, hashes, compression.
 *
 * The machine's `run` is synchronous, so everything goes through memory that threads share
 * (`shared_ring.ts`), and nothing needs the event loop. The main thread copies what the machine hands
 * over, pages and states, to a ring and goes on; the flow stays where generated code wrote it
 * (`FLOW_RING`), and all flow threads are told where. The main thread waits where a ring is full.
 * Each window's flow is encoded by one thread, because predictors begin anew with each window; the
 * others only look its blocks up (`flow_module_skim.ts`), so that all have the same block table
 * without a word between them. Framed items come back through a ring per thread; the main thread
 * puts them in their order, which is that of a recording without threads, and writes them.
 *
 * Until they are ready the recorder does everything itself, then hands over between two windows: a
 * trace's bytes do not show where.
 */

import { FLOW_RING } from "../core/engine/layout.ts";
import type { MachineEvent } from "../core/observer.ts";
import { HASH_SIZE } from "./chunk.ts";
import type { CodeObserver, FlowContext, FlowSource } from "./flow_source.ts";
import {
  contextWords,
  FLOW_MESSAGE,
  type HandOver,
  KEY_MESSAGE,
  REPLY,
  type ThreadStart,
  type WindowFacts,
} from "./recorder_messages.ts";
import {
  makeRing,
  makeSignal,
  RingReader,
  RingWriter,
  type Signal,
  waitUntil,
} from "./shared_ring.ts";
import type { TraceWriter } from "./writer.ts";

/** Threads that encode flow, at most. */
const MOST_FLOW_THREADS = 3;
/** How long the start of each is waited for, by those who wait. */
const LONGEST_START_MS = 500;
/** Words of the rings: of flow, of pages and states, and of replies. */
const RING_WORDS = { flow: 1 << 17, key: 1 << 21, reply: 1 << 17 } as const;
/** Words of flow behind which sleeping threads are woken: to wake one takes as long as some thousand. */
const WAKE_WORDS = 1 << 18;

/** A window's end, as the main thread sees it. */
export interface WindowEnd {
  readonly number: number;
  /** Positions. */
  readonly start: number;
  readonly end: number;
  readonly retired: readonly number[];
  readonly events: Partial<Record<MachineEvent["kind"], number>>;
}

/** What {@linkcode ThreadedWindows} goes on with. */
export type Standing =
  & Pick<HandOver, "window" | "image">
  & { readonly blocks: HandOver["flow"]["blocks"] }
  & Pick<HandOver["key"], "place" | "memory">;

/** Threads for one recording. */
export class RecorderThreads {
  readonly #flowThreads: number;
  readonly #ready: Int32Array;
  readonly #workers: Worker[] = [];
  #failed = false;

  /**
   * Threads that are not started yet.
   *
   * @param flowThreads how many encode the flow; one for every two processors to spare if left out
   */
  constructor(flowThreads?: number) {
    // One keeps up with most guests, and each takes 80 to 90 MB.
    const spare = Math.max(1, (navigator.hardwareConcurrency - 2) >> 1);
    this.#flowThreads = flowThreads ?? Math.min(spare, MOST_FLOW_THREADS);
    this.#ready = new Int32Array(new SharedArrayBuffer(4 * (1 + this.#flowThreads)));
  }

  /** Those that help on this host: null where there is only one processor. */
  static ofHost(): RecorderThreads | null {
    return navigator.hardwareConcurrency > 1 ? new RecorderThreads() : null;
  }

  /** Begins to start them, if that was not done yet. */
  start(): void {
    if (this.#workers.length > 0) return;
    // All from here: a worker that a worker starts takes a second to begin.
    for (let index = 0; index <= this.#flowThreads; index++) {
      const url = new URL("recorder_worker.ts", import.meta.url);
      const worker = new Worker(url, { type: "module" });
      worker.onerror = (event) => {
        // Without them the recorder does everything itself; once they work they report by themselves.
        event.preventDefault();
        this.#failed = true;
      };
      worker.postMessage({ ready: this.#ready, index } satisfies ThreadStart);
      this.#workers.push(worker);
    }
  }

  /** Whether all of them wait for work. */
  get ready(): boolean {
    return !this.#failed && this.#ready.every((_, i) => Atomics.load(this.#ready, i) === 1);
  }

  /** Starts them and waits until they are ready; gives false if they are not within the time. */
  wait(milliseconds = LONGEST_START_MS): boolean {
    this.start();
    return this.#ready.every((_, i) =>
      Atomics.wait(this.#ready, i, 0, milliseconds) !== "timed-out"
    );
  }

  /**
   * Has them work from a window on.
   *
   * @internal
   */
  begin(standing: Standing, source: FlowSource, writer: TraceWriter): ThreadedWindows {
    const count = this.#ready.length - 1;
    const { window, image, blocks, place, memory } = standing;
    const work: HandOver = {
      signal: makeSignal(),
      window,
      image,
      flow: {
        ring: makeRing(RING_WORDS.flow, count),
        memory: source.flowMemory!,
        replies: Array.from({ length: count }, () => makeRing(RING_WORDS.reply, 1)),
        blocks,
        arenaBase: source.arenaBase,
        arenaSize: source.arenaSize,
      },
      key: {
        ring: makeRing(RING_WORDS.key, 1),
        reply: makeRing(RING_WORDS.reply, 1),
        place,
        memory,
      },
    };
    for (const worker of this.#workers) worker.postMessage(work);
    const threaded = new ThreadedWindows(work, writer);
    source.follow!(threaded);
    return threaded;
  }

  /** Ends threads that wait for work, and those that are lost. */
  stop(): void {
    for (const worker of this.#workers) worker.terminate();
  }
}

/** An item that came back. */
interface Item {
  readonly kind: number;
  /** Calls of the flow before it in its window. */
  readonly calls: number;
  /** Bytes of content. */
  readonly size: number;
  readonly hash: Uint8Array;
  readonly bytes: Uint8Array;
}

/** What came back from a thread. */
class Replies {
  readonly #ring: RingReader;
  #items: Item[] = [];
  /** The finished windows that were not taken. */
  readonly windows: Item[][] = [];
  /** Why nothing more comes. */
  failure: Error | undefined;

  constructor(ring: RingReader) {
    this.#ring = ring;
  }

  /** Takes what there is. */
  poll(): void {
    for (const ring = this.#ring; ring.poll(); ring.release()) {
      if (ring.type === REPLY.item) {
        const [kind, calls, size] = ring.numbers();
        const both = ring.bytes();
        const [hash, bytes] = [both.slice(0, HASH_SIZE), both.subarray(HASH_SIZE)];
        this.#items.push({ kind, calls, size, hash, bytes });
      } else if (ring.type === REPLY.window) {
        this.windows.push(this.#items);
        this.#items = [];
      } else this.failure = new Error(new TextDecoder().decode(ring.bytes()));
    }
  }
}

/** The windows that threads make. */
export class ThreadedWindows implements CodeObserver {
  readonly #flow: RingWriter;
  readonly #key: RingWriter;
  readonly #signal: Signal;
  readonly #flowReplies: readonly Replies[];
  readonly #keyReplies: Replies;
  readonly #writer: TraceWriter;
  /** Windows that are to be written. */
  readonly #ended: WindowEnd[] = [];
  /** By segment of the flow ring: where the messages end that may speak of it. */
  readonly #spoken: number[] = new Array(FLOW_RING.segments).fill(0);
  /** Words of flow that sleeping threads do not know of. */
  #unheard = 0;
  #calls = 0;
  #error: Error | undefined;

  constructor({ signal, flow, key }: HandOver, writer: TraceWriter) {
    const wait = (hasRoom: () => boolean) => this.#waitUntil(hasRoom);
    this.#signal = signal;
    this.#flow = new RingWriter(flow.ring, wait);
    this.#key = new RingWriter(key.ring, wait);
    this.#flowReplies = flow.replies.map((ring) => new Replies(new RingReader(ring, 0)));
    this.#keyReplies = new Replies(new RingReader(key.reply, 0));
    this.#writer = writer;
  }

  /** See `FlowObserver`. */
  flow(entries: Uint32Array): void {
    this.#calls++;
    this.#unheard += entries.length;
    this.#send(() => {
      this.#flow.send(FLOW_MESSAGE.flow, [entries.byteOffset, entries.length]);
      if (this.#unheard >= WAKE_WORDS) this.#wakeFlow();
    });
  }

  /** See `FlowObserver`. */
  nextSegment(full: number): number {
    const next = (full + 1) % FLOW_RING.segments;
    this.#spoken[full] = this.#flow.position;
    this.#send(() => this.#flow.waitUntilRead(this.#spoken[next]));
    return next;
  }

  #wakeFlow(): void {
    this.#unheard = 0;
    this.#flow.wake();
  }

  /** See `FlowObserver`. */
  codeChanged(start: number, end: number): void {
    this.#send(() => this.#flow.send(FLOW_MESSAGE.changed, [start, end]));
  }

  code(start: number, words: Uint32Array, kinds: Uint8Array): void {
    this.#send(() => this.#flow.send(FLOW_MESSAGE.code, [start, ...words, ...kinds]));
  }

  context(id: number, context: FlowContext): void {
    this.#send(() => this.#flow.send(FLOW_MESSAGE.context, contextWords(id, context)));
  }

  /** An item of the window in hand that is no flow. */
  item(kind: number, content: Uint8Array): void {
    this.#send(() => this.#key.sendBytes(KEY_MESSAGE.item, [kind, this.#calls], content));
  }

  /** See `PageReceiver`. */
  before(page: number, words: Uint32Array): void {
    this.#page(KEY_MESSAGE.before, page, words);
  }

  /** See `PageReceiver`. */
  after(page: number, words: Uint32Array): void {
    this.#page(KEY_MESSAGE.after, page, words);
  }

  /** The flow of the window in hand has ended; items that follow stand behind it. */
  endFlow(): void {
    this.#calls++;
  }

  /** Ends the window in hand behind its last page. */
  endWindow(end: WindowEnd, facts: WindowFacts, tlb: Uint8Array, state: Uint8Array): void {
    const json = new TextEncoder().encode(JSON.stringify(facts));
    this.#send(() => {
      this.#flow.sendBytes(FLOW_MESSAGE.window, [end.end - end.start], json);
      this.#wakeFlow();
    });
    this.#endKeys(end, tlb, state);
  }

  /** Ends the prologue: its keyframe. */
  endPrologue(end: WindowEnd, tlb: Uint8Array, state: Uint8Array): void {
    this.#endKeys(end, tlb, state);
  }

  #endKeys(end: WindowEnd, tlb: Uint8Array, state: Uint8Array): void {
    this.#send(() => {
      this.#key.sendBytes(KEY_MESSAGE.tlb, [], tlb);
      this.#key.sendBytes(KEY_MESSAGE.keyframe, [end.end, ...end.retired], state);
      this.#key.wake();
    });
    this.#ended.push(end);
    this.#calls = 0;
  }

  /**
   * Writes the windows that are finished.
   *
   * @param committed is told of each
   * @param all waits for all that have ended
   * @throws Error if a thread failed
   */
  collect(committed: (window: WindowEnd) => void, all = false): void {
    const take = () => {
      this.#poll();
      while (this.#isFinished(this.#ended[0])) {
        const window = this.#ended.shift()!;
        this.#write(window);
        committed(window);
      }
      this.#check(this.#ended[0]);
      return this.#ended.length === 0;
    };
    this.#send(all ? () => waitUntil(this.#signal, 0, take) : take);
    if (this.#error) throw this.#error;
  }

  /** Tells the threads that nothing more comes. */
  close(): void {
    this.#send(() => {
      this.#flow.send(FLOW_MESSAGE.end, []);
      this.#key.send(KEY_MESSAGE.end, []);
      this.#flow.wake();
      this.#key.wake();
    });
  }

  /** An error must not interrupt the machine in the middle of an instruction. */
  #send(what: () => unknown): void {
    if (this.#error) return;
    try {
      what();
    } catch (error) {
      this.#error = error as Error;
    }
  }

  #page(type: number, page: number, words: Uint32Array): void {
    this.#send(() => {
      const at = this.#key.begin(type, 1 + words.length);
      this.#key.words[at] = page;
      this.#key.words.set(words, at + 1);
      this.#key.end();
    });
  }

  #waitUntil(done: () => boolean): void {
    waitUntil(this.#signal, 0, () => {
      this.#poll();
      if (done()) return true;
      this.#check();
      return false;
    });
  }

  /** Throws what a thread said; of a window, if the thread has not done its part of it. */
  #check(window?: WindowEnd): void {
    const parts = window && window.number > 0 ? [this.#flowOf(window)] : this.#flowReplies;
    for (const { failure, windows } of [this.#keyReplies, ...parts]) {
      if (failure && !(window && windows.length > 0)) throw failure;
    }
  }

  #poll(): void {
    this.#keyReplies.poll();
    for (const replies of this.#flowReplies) replies.poll();
  }

  #flowOf({ number }: WindowEnd): Replies {
    return this.#flowReplies[number % this.#flowReplies.length];
  }

  #isFinished(window: WindowEnd | undefined): boolean {
    if (!window || this.#keyReplies.windows.length === 0) return false;
    return window.number === 0 || this.#flowOf(window).windows.length > 0;
  }

  #write(window: WindowEnd): void {
    const flow = window.number === 0 ? [] : this.#flowOf(window).windows.shift()!;
    const others = this.#keyReplies.windows.shift()!;
    let next = 0;
    const write = (item: Item) => this.#writer.framed(item.kind, item, item.size);
    for (const item of flow) {
      while (next < others.length && others[next].calls < item.calls) write(others[next++]);
      write(item);
    }
    while (next < others.length) write(others[next++]);
    this.#writer.commit(window.number, window.start, window.end);
  }
}
