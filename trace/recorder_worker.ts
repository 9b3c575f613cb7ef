/**
 * A thread of the recorder. The first one makes keyframes, the others encode the
 * flow: thread n of `count` the windows whose number is n modulo `count`, and it skims the rest. What
 * they make is framed here and goes back through a ring, see `recorder_threads.ts`.
 */

import { encodeItem, HASH_SIZE } from "./chunk.ts";
import { encodeContent } from "./cbor.ts";
import { uint } from "./fields.ts";
import { WasmFlowEncoder } from "./flow_encoder_wasm.ts";
import type { FlowContext, FlowSource } from "./flow_source.ts";
import { ImageMemory } from "./image_memory.ts";
import { KeyframeMaker } from "./keyframe_maker.ts";
import {
  BEHIND,
  FLOW_MESSAGE,
  type HandOver,
  type ImagePages,
  KEY_MESSAGE,
  REPLY,
  type ThreadStart,
  type WindowFacts,
} from "./recorder_messages.ts";
import { ITEM, PAGE_SIZE } from "./schema.ts";
import {
  raise,
  RingReader,
  RingWriter,
  type SharedRing,
  type Signal,
  waitUntil,
} from "./shared_ring.ts";
import { hashBytes } from "./state_hash.ts";
import { encodeAscending, summarizeBlocks } from "./summary.ts";
import { FLOW_PART_BYTES, LEVEL } from "./writer.ts";

const RECORD_BYTES = 16;

/** What goes back. */
class Replies {
  readonly #ring: RingWriter;

  constructor(ring: SharedRing, signal: Signal) {
    const wait = (hasRoom: () => boolean) => waitUntil(ring.positions, 1, hasRoom);
    this.#ring = new RingWriter(ring, wait, () => raise(signal));
  }

  item(kind: number, calls: number, content: Uint8Array): void {
    const { bytes, hash } = encodeItem(kind, content, LEVEL);
    const both = new Uint8Array(HASH_SIZE + bytes.length);
    both.set(hash);
    both.set(bytes, HASH_SIZE);
    this.#ring.sendBytes(REPLY.item, [kind, calls, content.length], both);
  }

  window(): void {
    this.#ring.send(REPLY.window, []);
  }

  failed(error: unknown): void {
    const text = error instanceof Error ? error.message : String(error);
    this.#ring.sendBytes(REPLY.failed, [], new TextEncoder().encode(text));
  }
}

/** What records and contexts stand for, as the main thread tells it. */
class ToldCode implements FlowSource {
  readonly #words: Uint32Array;
  readonly #kinds: Uint8Array;
  readonly #contexts: FlowContext[] = [];

  constructor(
    readonly arenaBase: number,
    readonly arenaSize: number,
    readonly flowMemory: WebAssembly.Memory,
  ) {
    this.#words = new Uint32Array(arenaSize / RECORD_BYTES);
    this.#kinds = new Uint8Array(arenaSize / RECORD_BYTES);
  }

  context(id: number): FlowContext {
    return this.#contexts[id];
  }

  code(start: number, end: number): Uint8Array {
    const words = this.#words.slice(this.#index(start), this.#index(end));
    return new Uint8Array(words.buffer);
  }

  kindOf(record: number): number {
    return this.#kinds[this.#index(record)];
  }

  tellCode(message: Uint32Array): void {
    const at = this.#index(message[0]);
    const count = (message.length - 1) / 2;
    this.#words.set(message.subarray(1, 1 + count), at);
    this.#kinds.set(message.subarray(1 + count), at);
  }

  tellContext([id, regime, low, high, recordBase]: Uint32Array): void {
    this.#contexts[id] = { regime, page: BigInt(low) | BigInt(high) << 32n, recordBase };
  }

  #index(record: number): number {
    return (record - this.arenaBase) / RECORD_BYTES;
  }
}

/** Encodes the windows that are this thread's. */
class FlowThread {
  readonly #source: ToldCode;
  readonly #encoder: WasmFlowEncoder;
  readonly #replies: Replies;
  readonly #index: number;
  readonly #count: number;
  #window: number;
  #calls = 0;

  constructor({ window, image, flow }: HandOver, index: number, replies: Replies) {
    this.#source = new ToldCode(flow.arenaBase, flow.arenaSize, flow.memory);
    this.#encoder = new WasmFlowEncoder(this.#source);
    this.#encoder.adopt(flow.blocks, ImageMemory.from(image));
    this.#replies = replies;
    this.#index = index;
    this.#count = flow.replies.length;
    this.#window = window;
    this.#encoder.startWindow(window, !this.#isOwn);
  }

  get #isOwn(): boolean {
    return this.#window % this.#count === this.#index;
  }

  message(ring: RingReader): void {
    const { words } = ring;
    if (ring.type === FLOW_MESSAGE.flow) this.#flow(words[0], words[1]);
    else if (ring.type === FLOW_MESSAGE.changed) this.#encoder.codeChanged(words[0], words[1]);
    else if (ring.type === FLOW_MESSAGE.code) this.#source.tellCode(words);
    else if (ring.type === FLOW_MESSAGE.context) this.#source.tellContext(words);
    else {
      const [steps] = ring.numbers();
      const facts = JSON.parse(new TextDecoder().decode(ring.bytes()));
      this.#endWindow(steps, facts);
    }
  }

  #flow(from: number, length: number): void {
    const entries = new Uint32Array(this.#source.flowMemory.buffer, from, length);
    this.#calls++;
    if (!this.#isOwn) return this.#encoder.skim(entries);
    this.#encoder.flow(entries);
    if (this.#encoder.pendingBytes > FLOW_PART_BYTES) this.#take(false);
  }

  #take(last: boolean): void {
    const content = encodeContent({ ...this.#encoder.take(last) });
    this.#replies.item(ITEM.flow, this.#calls, content);
  }

  #endWindow(steps: number, { written, ...facts }: WindowFacts): void {
    this.#calls++;
    if (this.#isOwn) {
      const { steps: found } = this.#encoder;
      if (found !== steps) {
        throw new Error(
          `window ${this.#window}: the machine made ${steps} steps, its flow has ${found}`,
        );
      }
      this.#take(true);
      const blocks = summarizeBlocks(this.#encoder.table, this.#encoder.executedBlocks());
      const content = { ...facts, ...blocks, written: encodeAscending(written) };
      this.#replies.item(ITEM.summary, BEHIND.keyframe, encodeContent(content));
      this.#replies.window();
    } else this.#encoder.endSkimmed();
    this.#calls = 0;
    this.#window++;
    this.#encoder.startWindow(this.#window, !this.#isOwn);
  }
}

/** Makes keyframes and frames what else is not flow. */
class KeyThread {
  readonly #maker: KeyframeMaker;
  readonly #replies: Replies;
  readonly #before = new Map<number, Uint32Array>();
  readonly #free: Uint32Array[] = [];
  /** Of the page in hand. */
  readonly #words = new Uint32Array(PAGE_SIZE / 4);
  #wordsOf: (page: number) => Uint32Array = () => this.#words;
  #tlb: Uint8Array = new Uint8Array(0);
  #items: { kind: number; content: Uint8Array }[] = [];

  constructor({ image, key }: HandOver, replies: Replies) {
    this.#maker = new KeyframeMaker(
      key.place,
      (page) => this.#wordsOf(page),
      (content) => this.#items.push({ kind: ITEM.pages, content: encodeContent(content) }),
    );
    this.#replies = replies;
    const known = ImageMemory.from(image);
    known.makeShared();
    if ("pages" in key.memory) this.#storeImage(key.memory, key.place.base, known);
    else this.#maker.adopt(key.memory);
    this.#maker.useImage(known);
  }

  #storeImage({ pages, others }: ImagePages, base: number, image: ImageMemory): void {
    const sent = new Map(others);
    const words = (page: number) => image.at(base + page * PAGE_SIZE, PAGE_SIZE / 4);
    this.#wordsOf = (page) => sent.get(page) ?? words(page)!;
    this.#maker.storeAll(pages);
    this.#wordsOf = () => this.#words;
    this.#send();
  }

  message(ring: RingReader): void {
    const { words } = ring;
    if (ring.type === KEY_MESSAGE.before) {
      const copy = this.#free.pop() ?? new Uint32Array(PAGE_SIZE / 4);
      copy.set(words.subarray(1));
      this.#before.set(words[0], copy);
    } else if (ring.type === KEY_MESSAGE.after) this.#after(words);
    else if (ring.type === KEY_MESSAGE.tlb) this.#tlb = ring.bytes();
    else if (ring.type === KEY_MESSAGE.item) {
      const [kind, calls] = ring.numbers();
      this.#replies.item(kind, calls, ring.bytes());
    } else this.#keyframe(ring.numbers(), ring.bytes());
  }

  #after(message: Uint32Array): void {
    const page = message[0];
    const before = this.#before.get(page);
    this.#words.set(message.subarray(1));
    this.#maker.change(page, before);
    this.#send();
    if (!before) return;
    this.#before.delete(page);
    this.#free.push(before);
  }

  #keyframe([position, ...retired]: Float64Array, state: Uint8Array): void {
    const hash = this.#maker.finish(this.#tlb, state);
    this.#send();
    const content = encodeContent({
      position: uint(position),
      retired: retired.map(uint),
      state,
      tlb: this.#tlb.length,
      hash: hashBytes(hash),
    });
    this.#replies.item(ITEM.keyframe, BEHIND.flow, content);
    this.#replies.window();
  }

  #send(): void {
    for (const { kind, content } of this.#items) this.#replies.item(kind, BEHIND.flow, content);
    this.#items = [];
  }
}

/** Handles messages until the last one, or until one cannot be handled. */
function work(
  ring: SharedRing,
  reader: number,
  { signal, replies, begin }: {
    signal: Signal;
    replies: Replies;
    begin: () => { message(ring: RingReader): void };
  },
): void {
  const messages = new RingReader(ring, reader, () => raise(signal));
  try {
    const thread = begin();
    for (;;) {
      messages.next();
      if (messages.type === FLOW_MESSAGE.end) break;
      thread.message(messages);
      messages.release();
    }
  } catch (error) {
    replies.failed(error);
  }
}

function handOver(data: HandOver, index: number): void {
  const { signal, flow, key } = data;
  if (index === 0) {
    const replies = new Replies(key.reply, signal);
    const begin = () => new KeyThread(data, replies);
    work(key.ring, 0, { signal, replies, begin });
  } else {
    const replies = new Replies(flow.replies[index - 1], signal);
    const begin = () => new FlowThread(data, index - 1, replies);
    work(flow.ring, index - 1, { signal, replies, begin });
  }
}

function start({ ready, index }: ThreadStart): void {
  globalThis.addEventListener("message", (event) => {
    handOver((event as MessageEvent<HandOver>).data, index);
    globalThis.close();
  }, { once: true });
  Atomics.store(ready, index, 1);
  Atomics.notify(ready, index);
}

globalThis.addEventListener(
  "message",
  (event) => start((event as MessageEvent<ThreadStart>).data),
  { once: true },
);
