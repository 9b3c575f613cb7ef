/**
 * A console behind a virtio transport (virtio 1.2, 5.3): the reference's serial bus with room for
 * 31 ports, of which port 0 is a console and the others are empty.
 */

import type { DeviceState } from "./device.ts";
import { gather, scatter } from "./virtio_buffers.ts";
import type { VirtioDevice, VirtioPort } from "./virtio_device.ts";
import type { VirtioMemory } from "./virtqueue.ts";

const MULTIPORT = 1, EMERGENCY_WRITE = 2;
/** Several ports, emergency write, notify on empty, any layout, indirect descriptors, event index. */
const FEATURES = 0x3900_0000 | (1 << MULTIPORT) | (1 << EMERGENCY_WRITE);
const PORTS = 31;

/** Queues: of port 0, of control messages, then of the other ports; those to the driver are even. */
const RECEIVE = 0, TRANSMIT = 1, CONTROL_RECEIVE = 2, CONTROL_TRANSMIT = 3;
const QUEUES = Array.from({ length: 2 * (PORTS + 1) }, (_, n) => n >> 1 === 1 ? 32 : 128);

/** Configuration space: columns and rows (0), most ports, and a byte to print at once. */
const MOST_PORTS = 4, EMERGENCY_BYTE = 8, CONFIGURATION_BYTES = 12;

/** Events of control messages (5.3.6.2). A message is port (u32), event and value (u16). */
const DEVICE_READY = 0, PORT_ADD = 1, PORT_READY = 3, CONSOLE_PORT = 4, PORT_OPEN = 6;
const MESSAGE_BYTES = 8;

/** See the top of this file. */
export class VirtioConsole implements VirtioDevice {
  readonly id = 3;
  readonly features = FEATURES;
  readonly queues = QUEUES;
  readonly configuration = new Uint8Array(CONFIGURATION_BYTES);
  readonly #memory: VirtioMemory;
  readonly #output: (byte: number) => void;
  #port: VirtioPort | undefined;
  /** The driver has opened port 0. */
  #open = false;

  /** @param output receives each byte that the guest sends */
  constructor(memory: VirtioMemory, output: (byte: number) => void) {
    this.#memory = memory;
    this.#output = output;
    this.configuration[MOST_PORTS] = PORTS;
  }

  attach(port: VirtioPort): void {
    this.#port = port;
  }

  /** The driver listens, whether or not there is a buffer now. */
  get isOpen(): boolean {
    return this.#open;
  }

  /** Whether there is a buffer for a byte of input. */
  get canReceive(): boolean {
    const port = this.#port!;
    return this.#open && port.ready && port.hasRoom(RECEIVE);
  }

  /** Takes a byte of input. Where {@linkcode canReceive} is false it is lost. */
  receive(byte: number): void {
    if (!this.#open) return;
    const port = this.#port!;
    const bytes = Uint8Array.of(byte);
    for (let chain, done = 0; done === 0 && (chain = port.take(RECEIVE));) {
      done = scatter(this.#memory, chain.in, 0, bytes);
      port.give(RECEIVE, chain, done);
    }
    port.interrupt(RECEIVE);
  }

  driverChanged(ready: boolean): void {
    // Without control messages nobody says that port 0 is open.
    if (!ready) this.#open = false;
    else if (!((this.#port!.features >>> MULTIPORT) & 1)) this.#open = true;
  }

  /** Takes all that the driver sends. Buffers for the driver wait for what there is to say. */
  notified(queue: number): void {
    if (queue % 2 === 0) return;
    const port = this.#port!;
    for (let chain; (chain = port.take(queue));) {
      if (queue === CONTROL_TRANSMIT) this.#control(gather(this.#memory, chain.out));
      else if (queue === TRANSMIT) gather(this.#memory, chain.out).forEach(this.#output);
      port.give(queue, chain, 0);
    }
    port.interrupt(queue);
  }

  configure(offset: number, value: number, size: number): void {
    const word = new Uint8Array(4);
    for (let i = 0; i < size; i++) word[offset + i - EMERGENCY_BYTE] = value >>> (8 * i);
    // As on the reference, whatever part of the word is not zero has its lowest byte printed.
    if (word.some((byte) => byte !== 0)) this.#output(word[0]);
  }

  reset(): void {
    this.#open = false;
  }

  save(): DeviceState {
    return { open: this.#open };
  }

  restore(state: DeviceState): void {
    this.#open = (state as { open: boolean }).open;
  }

  #control(message: Uint8Array): void {
    if (message.length < MESSAGE_BYTES) return;
    const view = new DataView(message.buffer, message.byteOffset);
    const port = view.getUint32(0, true);
    const event = view.getUint16(4, true), value = view.getUint16(6, true);
    if (event === DEVICE_READY) {
      if (value) this.#say(PORT_ADD);
    } else if (port === 0 && event === PORT_READY && value) {
      this.#say(CONSOLE_PORT);
      this.#say(PORT_OPEN);
    } else if (port === 0 && event === PORT_OPEN) {
      this.#open = value !== 0;
    }
  }

  /** Sends a control message about port 0, whose value is 1. It is lost where no buffer waits. */
  #say(event: number): void {
    const message = new DataView(new ArrayBuffer(MESSAGE_BYTES));
    message.setUint16(4, event, true);
    message.setUint16(6, 1, true);
    const port = this.#port!;
    const chain = port.take(CONTROL_RECEIVE);
    if (!chain) return;
    scatter(this.#memory, chain.in, 0, new Uint8Array(message.buffer));
    port.give(CONTROL_RECEIVE, chain, MESSAGE_BYTES);
    port.interrupt(CONTROL_RECEIVE);
  }
}
