/**
 * A small client of the GDB remote serial protocol (GDB manual, appendix E), for tests that compare
 * the machine with QEMU, and later for tests of our own server.
 *
 * One command is under way at a time. Every wait is bounded: a server that says nothing for
 * `timeoutMs` makes the call fail instead of hanging the test.
 */
import { GdbPackets } from "./gdb_packets.ts";

/** A register as the server's target description lists it. */
export interface GdbRegister {
  /** Name in the description, for example `x0`, `pc`, `cpsr`, `SCTLR`. */
  name: string;
  /** Number used by the `p` and `P` packets. */
  number: number;
  /** Width in bits. */
  bits: number;
}

/** Why the target stopped: the signal number and the raw stop packet. */
export interface GdbStop {
  signal: number;
  packet: string;
}

/** Kinds of breakpoints and watchpoints of the `Z` packets. */
export type GdbPoint = "software" | "hardware" | "write" | "read" | "access";

const POINT_TYPE: Record<GdbPoint, number> = {
  software: 0,
  hardware: 1,
  write: 2,
  read: 3,
  access: 4,
};

/** Longest memory transfer asked for in one packet, in bytes. */
const MEMORY_CHUNK = 2000;

/** A connection to a GDB stub. Make one with {@linkcode GdbClient.connect}. */
export class GdbClient {
  #packets: GdbPackets;
  #registers = new Map<string, GdbRegister>();

  private constructor(packets: GdbPackets) {
    this.#packets = packets;
  }

  /**
   * Connects to a stub on the loopback interface, retrying while the port refuses, and reads the
   * target description.
   *
   * @param port TCP port
   * @param timeoutMs bound of the connection and of each later answer
   * @throws Error when nothing answers in time
   */
  static async connect(port: number, timeoutMs = 10_000): Promise<GdbClient> {
    const client = new GdbClient(await GdbPackets.connect(port, timeoutMs));
    await client.#packets.ask("qSupported:multiprocess+;swbreak+;hwbreak+;vContSupported+");
    await client.#packets.noAcknowledge();
    await client.#readDescription();
    return client;
  }

  /** Every register of the target description, by name. */
  get registers(): ReadonlyMap<string, GdbRegister> {
    return this.#registers;
  }

  /** Sends any packet and returns the answer as text. */
  command(packet: string): Promise<string> {
    return this.#packets.ask(packet);
  }

  /**
   * Reads a register as an unsigned number (little-endian target).
   *
   * @throws Error for a name that the description does not list
   */
  async readRegister(name: string): Promise<bigint> {
    const register = this.#register(name);
    const answer = await this.#packets.ask(`p${register.number.toString(16)}`);
    return fromLittleEndian(fromHex(answer, `register ${name}`));
  }

  /** Reads several registers, in the order of the names. */
  async readRegisters(names: readonly string[]): Promise<bigint[]> {
    const values: bigint[] = [];
    for (const name of names) values.push(await this.readRegister(name));
    return values;
  }

  /** Writes a register. QEMU refuses system registers. */
  async writeRegister(name: string, value: bigint): Promise<void> {
    const register = this.#register(name);
    const bytes = new Uint8Array(register.bits / 8);
    for (let i = 0; i < bytes.length; i++) bytes[i] = Number((value >> BigInt(8 * i)) & 0xffn);
    await this.#ok(`P${register.number.toString(16)}=${toHex(bytes)}`);
  }

  /** Reads memory at a virtual address (physical after {@linkcode physicalMemory}). */
  async readMemory(address: bigint | number, length: number): Promise<Uint8Array> {
    const result = new Uint8Array(length);
    for (let done = 0; done < length;) {
      const size = Math.min(MEMORY_CHUNK, length - done);
      const at = (BigInt(address) + BigInt(done)).toString(16);
      const answer = await this.#packets.ask(`m${at},${size.toString(16)}`);
      const bytes = fromHex(answer, `memory at 0x${at}`);
      if (bytes.length === 0) throw new Error(`Cannot read memory at 0x${at}: empty answer`);
      result.set(bytes.subarray(0, size), done);
      done += bytes.length;
    }
    return result;
  }

  /** Writes memory. */
  async writeMemory(address: bigint | number, bytes: Uint8Array): Promise<void> {
    for (let done = 0; done < bytes.length; done += MEMORY_CHUNK) {
      const part = bytes.subarray(done, done + MEMORY_CHUNK);
      const at = (BigInt(address) + BigInt(done)).toString(16);
      await this.#ok(`M${at},${part.length.toString(16)}:${toHex(part)}`);
    }
  }

  /** Makes memory packets take physical addresses, or virtual ones again (QEMU extension). */
  async physicalMemory(on: boolean): Promise<void> {
    await this.#ok(`Qqemu.PhyMemMode:${on ? 1 : 0}`);
  }

  /**
   * Lets interrupts and timers act while single-stepping (QEMU extension). QEMU's default holds
   * both back during a step.
   */
  async interruptsWhileStepping(on: boolean): Promise<void> {
    await this.#ok(`Qqemu.sstep=${on ? "1" : "7"}`);
  }

  /** Executes one instruction of CPU 0 and returns the stop. */
  step(): Promise<GdbStop> {
    return this.#resume("s");
  }

  /** Runs until a breakpoint, a watchpoint, an interruption or the end. */
  continue(): Promise<GdbStop> {
    return this.#resume("c");
  }

  /** Stops a running target; the pending {@linkcode continue} returns. */
  interrupt(): Promise<void> {
    return this.#packets.sendRaw("\x03");
  }

  /** Sets a breakpoint or watchpoint. `length` is 4 for AArch64 breakpoints. */
  async insert(kind: GdbPoint, address: bigint | number, length = 4): Promise<void> {
    await this.#ok(`Z${POINT_TYPE[kind]},${BigInt(address).toString(16)},${length.toString(16)}`);
  }

  /** Removes what {@linkcode insert} set. */
  async remove(kind: GdbPoint, address: bigint | number, length = 4): Promise<void> {
    await this.#ok(`z${POINT_TYPE[kind]},${BigInt(address).toString(16)},${length.toString(16)}`);
  }

  /** Detaches, which lets the target run on, and closes the connection. */
  async detach(): Promise<void> {
    await this.#packets.ask("D");
    this.#packets.close();
  }

  /** Closes the connection without a word. */
  close(): void {
    this.#packets.close();
  }

  #register(name: string): GdbRegister {
    const register = this.#registers.get(name);
    if (register === undefined) throw new Error(`The target description has no register ${name}`);
    return register;
  }

  async #ok(packet: string): Promise<void> {
    const answer = await this.#packets.ask(packet);
    if (answer !== "OK") throw new Error(`GDB stub answered "${answer}" to "${packet}"`);
  }

  async #resume(packet: string): Promise<GdbStop> {
    const answer = await this.#packets.ask(packet, true);
    if (!/^[STWX]/.test(answer)) throw new Error(`GDB stub answered "${answer}" to "${packet}"`);
    return { signal: parseInt(answer.slice(1, 3), 16), packet: answer };
  }

  async #readDescription(): Promise<void> {
    let next = 0;
    const visit = async (name: string): Promise<void> => {
      const xml = await this.#readFeature(name);
      for (const [tag] of xml.matchAll(/<(?:xi:include|reg)\b[^>]*>/g)) {
        if (tag.startsWith("<xi:include")) {
          await visit(attribute(tag, "href") ?? "");
          continue;
        }
        const number = Number(attribute(tag, "regnum") ?? next);
        const register = attribute(tag, "name") ?? "";
        this.#registers.set(register, {
          name: register,
          number,
          bits: Number(attribute(tag, "bitsize")),
        });
        next = number + 1;
      }
    };
    await visit("target.xml");
  }

  async #readFeature(name: string): Promise<string> {
    let text = "";
    for (;;) {
      const range = `${text.length.toString(16)},800`;
      const answer = await this.#packets.ask(`qXfer:features:read:${name}:${range}`);
      if (!/^[ml]/.test(answer)) throw new Error(`GDB stub has no feature ${name}: "${answer}"`);
      text += answer.slice(1);
      if (answer[0] === "l") return text;
    }
  }
}

function attribute(tag: string, name: string): string | undefined {
  return new RegExp(`\\b${name}="([^"]*)"`).exec(tag)?.[1];
}

function fromHex(text: string, what: string): Uint8Array {
  if (!/^([0-9a-f]{2})*$/i.test(text)) throw new Error(`GDB stub cannot give ${what}: "${text}"`);
  const bytes = new Uint8Array(text.length / 2);
  for (let i = 0; i < bytes.length; i++) bytes[i] = parseInt(text.substr(2 * i, 2), 16);
  return bytes;
}

function toHex(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

function fromLittleEndian(bytes: Uint8Array): bigint {
  let value = 0n;
  for (let i = bytes.length - 1; i >= 0; i--) value = (value << 8n) | BigInt(bytes[i]);
  return value;
}
