/**
 * Framing of the GDB remote serial protocol: `$data#checksum`, acknowledgements, escapes and
 * run-length encoding (GDB manual, E.1 "Overview").
 */

const DOLLAR = 0x24;
const HASH = 0x23;
const ESCAPE = 0x7d;
const REPEAT = 0x2a;

/** A connection that exchanges packets: one question, one answer. */
export class GdbPackets {
  #connection: Deno.Conn;
  #timeoutMs: number;
  #received: number[] = [];
  #buffer = new Uint8Array(65536);
  #acknowledge = true;

  private constructor(connection: Deno.Conn, timeoutMs: number) {
    this.#connection = connection;
    this.#timeoutMs = timeoutMs;
  }

  /** Connects to a port of the loopback interface, retrying until `timeoutMs` has passed. */
  static async connect(port: number, timeoutMs: number): Promise<GdbPackets> {
    const end = Date.now() + timeoutMs;
    for (;;) {
      try {
        const connection = await Deno.connect({ hostname: "127.0.0.1", port });
        // Small packets back and forth: Nagle's algorithm would cost 40 ms each.
        connection.setNoDelay(true);
        return new GdbPackets(connection, timeoutMs);
      } catch (error) {
        if (Date.now() > end) throw error;
        await new Promise((resolve) => setTimeout(resolve, 20));
      }
    }
  }

  /**
   * Sends a packet and waits for the answer.
   *
   * @param resumes whether the packet lets the target run: console packets (`O…`) before the stop are dropped
   */
  async ask(data: string, resumes = false): Promise<string> {
    await this.sendRaw(frame(data));
    for (;;) {
      const answer = await this.#packet();
      if (resumes && answer.startsWith("O") && answer !== "OK") continue;
      return answer;
    }
  }

  /** Switches acknowledgements off (QStartNoAckMode), when the server can. */
  async noAcknowledge(): Promise<void> {
    if (await this.ask("QStartNoAckMode") !== "OK") return;
    await this.sendRaw("+");
    this.#acknowledge = false;
  }

  /** Sends bytes without a frame. */
  async sendRaw(text: string): Promise<void> {
    const bytes = Uint8Array.from(text, (character) => character.charCodeAt(0));
    for (let sent = 0; sent < bytes.length;) {
      sent += await this.#connection.write(bytes.subarray(sent));
    }
  }

  /** Closes the connection. Safe to call twice. */
  close(): void {
    try {
      this.#connection.close();
    } catch {
      // Already closed.
    }
  }

  async #packet(): Promise<string> {
    for (;;) {
      const start = this.#received.indexOf(DOLLAR);
      const end = start < 0 ? -1 : this.#received.indexOf(HASH, start);
      if (end >= 0 && end + 2 < this.#received.length) {
        const payload = this.#received.slice(start + 1, end);
        this.#received = this.#received.slice(end + 3);
        if (this.#acknowledge) await this.sendRaw("+");
        return decode(payload);
      }
      await this.#receive();
    }
  }

  async #receive(): Promise<void> {
    let timer: ReturnType<typeof setTimeout> | undefined;
    const late = new Promise<never>((_, reject) => {
      timer = setTimeout(
        () => reject(new Error(`GDB stub did not answer within ${this.#timeoutMs} ms`)),
        this.#timeoutMs,
      );
    });
    try {
      const count = await Promise.race([this.#connection.read(this.#buffer), late]);
      if (count === null) throw new Error("GDB stub closed the connection");
      for (let i = 0; i < count; i++) this.#received.push(this.#buffer[i]);
    } finally {
      clearTimeout(timer);
    }
  }
}

function frame(data: string): string {
  let sum = 0;
  for (let i = 0; i < data.length; i++) sum = (sum + data.charCodeAt(i)) & 0xff;
  return `$${data}#${sum.toString(16).padStart(2, "0")}`;
}

function decode(payload: readonly number[]): string {
  let text = "";
  for (let i = 0; i < payload.length; i++) {
    if (payload[i] === ESCAPE) text += String.fromCharCode(payload[++i] ^ 0x20);
    else if (payload[i] === REPEAT) text += text[text.length - 1].repeat(payload[++i] - 29);
    else text += String.fromCharCode(payload[i]);
  }
  return text;
}
