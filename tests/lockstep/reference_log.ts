/** The reference, with its log as a stream of entries. */
import { QEMU_PROGRAM, qemuArguments, type QemuOptions } from "../drivers/qemu.ts";
import { type LogEntry, QemuLog } from "./qemu_log.ts";

/** What the log has: block or instruction by block or instruction. */
export interface LogOptions {
  readonly every: "instruction" | "block";
  /** `flow`: addresses only; `vectors`: with FP and SIMD registers, where they are enabled. */
  readonly compare: "flow" | "registers" | "vectors";
}

/** Why the entries ended: the reference exited, or executes nothing more. */
export type LogEnd = "exit" | "quiet";

const LOG_ITEMS = {
  flow: "exec,nochain",
  registers: "exec,nochain,cpu",
  vectors: "exec,nochain,cpu,fpu",
} as const;
/** The reference writes its log all the time; without it for so long it waits for ever. */
const QUIET_MS = 5_000;

/** `-d` of the options. */
export function logItems({ compare }: LogOptions): string {
  return LOG_ITEMS[compare];
}

/** A reference that runs and logs. Make one with the path of an image. */
export class ReferenceLog {
  /** Why there are no more entries. */
  end: LogEnd | null = null;
  /** Called when it was stopped. */
  atStop: () => void = () => {};
  readonly #child: Deno.ChildProcess;
  readonly #reader: ReadableStreamDefaultReader<Uint8Array>;
  readonly #log = new QemuLog();

  /** @param gdbPort where the reference waits for a debugger, which has to turn the log on */
  constructor(image: string | undefined, qemu: QemuOptions, gdbPort: number) {
    // Its standard error is a pipe, which it can open as a file; as such it is buffered.
    const log = ["-D", "/dev/stderr", "-S", "-gdb", `tcp:127.0.0.1:${gdbPort}`];
    const extra = [...qemu.extra ?? [], ...log];
    this.#child = new Deno.Command(QEMU_PROGRAM, {
      args: qemuArguments(image, { ...qemu, extra }),
      stdin: "null",
      stdout: "null",
      stderr: "piped",
    }).spawn();
    this.#reader = this.#child.stderr.getReader();
  }

  /** What it said that is no log. */
  get noise(): readonly string[] {
    return this.#log.noise;
  }

  /** Hands entries to `use` until that gives false or there are no more. */
  async read(use: (entry: LogEntry) => boolean): Promise<void> {
    for (;;) {
      for (let entry = this.#log.next(); entry; entry = this.#log.next()) {
        if (!use(entry)) return;
      }
      if (this.end) return;
      const chunk = await this.#chunk();
      this.#log.push(chunk);
      if (chunk === null) this.end ??= "exit";
    }
  }

  /** Ends the reference. */
  async stop(): Promise<void> {
    try {
      this.#child.kill("SIGKILL");
    } catch {
      // It ended by itself.
    }
    await this.#reader.cancel();
    await this.#child.status;
    this.atStop();
  }

  async #chunk(): Promise<Uint8Array | null> {
    let timer: ReturnType<typeof setTimeout> | undefined;
    const quiet = new Promise<null>((resolve) => {
      timer = setTimeout(() => {
        this.end = "quiet";
        resolve(null);
      }, QUIET_MS);
    });
    const { value } = await Promise.race([
      this.#reader.read(),
      quiet.then(() => ({ value: null })),
    ]);
    clearTimeout(timer);
    return value ?? null;
  }
}
