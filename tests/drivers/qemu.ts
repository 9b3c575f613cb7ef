/**
 * The reference machine: QEMU's `virt` board with a Cortex-A57, always started with the same
 * deterministic command line (icount, no sleeping, virtual clock, no random seeds in the tree).
 */
import { GdbClient } from "./gdb_client.ts";

/** Name of the program; it is looked up on PATH. */
export const QEMU_PROGRAM = "qemu-system-aarch64";

/** How to start the reference. Everything has the default of the `record` command. */
export interface QemuOptions {
  /** RAM as QEMU's `-m`, default `128M`. */
  memory?: string;
  /** Number of CPUs, default 1. */
  cpus?: number;
  /** QEMU's name of the processor, default `cortex-a57`. */
  cpu?: string;
  /** Interrupt controller version, default 2. */
  gic?: 2 | 3;
  /** Initial ramdisk: bytes, or the path of a file. */
  initrd?: Uint8Array | string;
  /** Kernel command line. */
  append?: string;
  /** Device tree blob: bytes, or the path of a file. */
  dtb?: Uint8Array | string;
  /** The guest's clock is the host's: for guests that wait for a device, and print no time. */
  realTime?: boolean;
  /** More properties of the machine, for example `virtualization=on`. */
  machine?: string;
  /** Directory to start it in. */
  cwd?: string;
  /** More arguments, at the end. */
  extra?: readonly string[];
}

/** When {@linkcode runQemu} stops waiting. The first that holds ends the run. */
export interface QemuRunOptions extends QemuOptions {
  /** Wall-clock bound in milliseconds, default 30,000. */
  timeoutMs?: number;
  /** Ends the run once the console contains this text. */
  until?: string;
  /** Ends the run once the console was silent for this many milliseconds (after its first byte). */
  quietMs?: number;
  /** Bytes typed on the console right at the start. */
  input?: Uint8Array;
  /** Presses the power key each time that the guest prints this text, which it waits behind. */
  pressAfter?: string;
}

/** What a run left behind. */
export interface QemuRun {
  /** Every byte that the guest wrote to the console. */
  console: Uint8Array;
  /** The console as text (UTF-8). */
  text: string;
  /** What QEMU itself said on standard error. */
  errors: string;
  /** Exit status of QEMU, or null if it had to be ended. */
  code: number | null;
  /** `exit`: the guest ended by itself. The others name the bound that ended the run. */
  end: "exit" | "timeout" | "until" | "quiet";
}

/** A reference machine that is stopped before its first instruction. */
export interface QemuGdb {
  gdb: GdbClient;
  /** Ends QEMU and removes temporary files. */
  stop(): Promise<void>;
}

/** Whether QEMU is installed; tests that need it are ignored otherwise. */
export function hasQemu(): boolean {
  try {
    return new Deno.Command(QEMU_PROGRAM, { args: ["--version"], stdout: "null", stderr: "null" })
      .outputSync().success;
  } catch {
    return false;
  }
}

/**
 * Arguments of the reference for options whose files are paths.
 *
 * `-cpu` is required: without it QEMU ends silently. Without `sleep=off` and `dtb-randomness=off`
 * two runs differ.
 */
export function qemuArguments(image: string | undefined, options: QemuOptions = {}): string[] {
  const machine = [`virt`, `gic-version=${options.gic ?? 2}`, "dtb-randomness=off"];
  if (options.machine !== undefined) machine.push(options.machine);
  const result = [
    "-M",
    machine.join(","),
    "-cpu",
    options.cpu ?? "cortex-a57",
    "-m",
    options.memory ?? "128M",
  ];
  result.push("-nographic", "-no-reboot");
  if (!options.realTime) result.push("-icount", "shift=0,sleep=off");
  result.push("-rtc", "base=2000-01-01T00:00:00,clock=vm");
  if (options.cpus !== undefined) result.push("-smp", String(options.cpus));
  if (image !== undefined) result.push("-kernel", image);
  if (typeof options.initrd === "string") result.push("-initrd", options.initrd);
  if (typeof options.dtb === "string") result.push("-dtb", options.dtb);
  if (options.append !== undefined) result.push("-append", options.append);
  return [...result, ...options.extra ?? []];
}

/** Boots an image (bytes, or the path of a file) and returns its console. */
export async function runQemu(
  image: Uint8Array | string,
  options: QemuRunOptions = {},
): Promise<QemuRun> {
  const files = new TemporaryFiles();
  const key = options.pressAfter === undefined ? undefined : new PowerKey();
  const extra = [...options.extra ?? [], ...key?.arguments ?? []];
  const stdin = options.input === undefined ? "null" : "piped";
  const child = spawn(files, image, { ...options, extra }, stdin);
  let end: QemuRun["end"] = "exit";
  function stop(reason: QemuRun["end"]): void {
    if (end === "exit") end = reason;
    kill(child);
  }
  const timer = setTimeout(() => stop("timeout"), options.timeoutMs ?? 30_000);
  try {
    if (options.input !== undefined) await typeIn(child, options.input);
    const errors = new Response(child.stderr).text();
    const texts = [
      { text: options.until, then: () => stop("until") },
      { text: options.pressAfter, then: () => key?.press() },
    ];
    const console = await readConsole(child.stdout, options, texts, stop);
    const status = await child.status;
    return {
      console,
      text: new TextDecoder().decode(console),
      errors: await errors,
      code: end === "exit" ? status.code : null,
      end,
    };
  } finally {
    clearTimeout(timer);
    files.remove();
  }
}

/** Starts an image with `-S` and a GDB stub on a free loopback port, and connects to it. */
export async function startQemuGdb(
  image: Uint8Array | string,
  options: QemuOptions = {},
): Promise<QemuGdb> {
  const files = new TemporaryFiles();
  const port = freePort();
  const extra = [...options.extra ?? [], "-S", "-gdb", `tcp:127.0.0.1:${port}`];
  const child = spawn(files, image, { ...options, extra }, "null");
  const errors = new Response(child.stderr).text();
  const output = new Response(child.stdout).bytes();
  let ended = false;
  const status = child.status.then(() => ended = true);
  async function stop(): Promise<void> {
    if (!ended) kill(child);
    await Promise.all([status, errors, output]);
    files.remove();
  }
  try {
    const gdb = await Promise.race([
      GdbClient.connect(port),
      status.then(async () => {
        throw new Error(`QEMU ended before the debugger connected: ${(await errors).trim()}`);
      }),
    ]);
    return {
      gdb,
      stop: () => {
        gdb.close();
        return stop();
      },
    };
  } catch (error) {
    await stop();
    throw error;
  }
}

/** Returns the device tree blob that QEMU makes for these options (`-machine dumpdtb`). */
export async function dumpDeviceTree(
  image: Uint8Array | string | undefined,
  options: QemuOptions = {},
): Promise<Uint8Array> {
  const files = new TemporaryFiles();
  try {
    const path = files.path();
    const dump = `dumpdtb=${path}`;
    const machine = options.machine === undefined ? dump : `${options.machine},${dump}`;
    const child = spawn(files, image, { ...options, machine }, "null");
    const [status, errors] = await Promise.all([
      child.status,
      new Response(child.stderr).text(),
      new Response(child.stdout).bytes(),
    ]);
    if (!status.success) throw new Error(`QEMU gave no device tree: ${errors.trim()}`);
    return Deno.readFileSync(path);
  } finally {
    files.remove();
  }
}

/** Files that QEMU reads by path, made from bytes and removed at the end. */
class TemporaryFiles {
  #paths: string[] = [];

  /** A path that does not clash with others; the file is removed with the rest. */
  path(): string {
    const path = Deno.makeTempFileSync({ prefix: "unboot-qemu-" });
    this.#paths.push(path);
    return path;
  }

  /** The path of a file with these contents; a string is a path already. */
  of(file: Uint8Array | string): string {
    if (typeof file === "string") return file;
    const path = this.path();
    Deno.writeFileSync(path, file);
    return path;
  }

  remove(): void {
    for (const path of this.#paths) Deno.removeSync(path);
    this.#paths = [];
  }
}

function spawn(
  files: TemporaryFiles,
  image: Uint8Array | string | undefined,
  options: QemuOptions,
  stdin: "null" | "piped",
): Deno.ChildProcess {
  const withPaths = { ...options };
  if (options.initrd !== undefined) withPaths.initrd = files.of(options.initrd);
  if (options.dtb !== undefined) withPaths.dtb = files.of(options.dtb);
  const path = image === undefined ? undefined : files.of(image);
  const args = qemuArguments(path, withPaths);
  const { cwd } = options;
  const where = cwd === undefined ? {} : { cwd };
  return new Deno.Command(QEMU_PROGRAM, { args, stdin, stdout: "piped", stderr: "piped", ...where })
    .spawn();
}

/** The power key of a reference machine, pressed through a monitor. */
export class PowerKey {
  readonly #port = freePort();
  #monitor: Promise<Deno.TcpConn> | undefined;

  /** What the machine is to be started with. */
  get arguments(): readonly string[] {
    return ["-monitor", `tcp:127.0.0.1:${this.#port},server=on,wait=off`];
  }

  /** Presses it, as `system_powerdown` does. */
  async press(): Promise<void> {
    const monitor = await (this.#monitor ??= this.#connect());
    await monitor.write(new TextEncoder().encode("system_powerdown\n"));
  }

  /** The connection ends with the machine. */
  async #connect(): Promise<Deno.TcpConn> {
    const monitor = await Deno.connect({ hostname: "127.0.0.1", port: this.#port });
    monitor.readable.pipeTo(new WritableStream()).catch(() => {});
    return monitor;
  }
}

async function readConsole(
  stream: ReadableStream<Uint8Array>,
  options: QemuRunOptions,
  texts: readonly { text: string | undefined; then: () => unknown }[],
  stop: (reason: QemuRun["end"]) => void,
): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  let text = "";
  const longest = Math.max(0, ...texts.map(({ text }) => text?.length ?? 0));
  let quiet: ReturnType<typeof setTimeout> | undefined;
  for await (const chunk of stream) {
    chunks.push(chunk);
    clearTimeout(quiet);
    if (options.quietMs !== undefined) quiet = setTimeout(() => stop("quiet"), options.quietMs);
    if (longest === 0) continue;
    text += new TextDecoder("latin1").decode(chunk);
    for (const each of texts) {
      if (each.text !== undefined && text.includes(each.text)) await each.then();
    }
    text = text.slice(1 - longest || text.length);
  }
  clearTimeout(quiet);
  return new Uint8Array(await new Blob(chunks as BlobPart[]).arrayBuffer());
}

async function typeIn(child: Deno.ChildProcess, input: Uint8Array): Promise<void> {
  const writer = child.stdin.getWriter();
  await writer.write(input);
  await writer.close();
}

function kill(child: Deno.ChildProcess): void {
  try {
    child.kill("SIGKILL");
  } catch {
    // It ended by itself just now.
  }
}

/** A TCP port of the loopback interface that nothing listens on. */
export function freePort(): number {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const port = (listener.addr as Deno.NetAddr).port;
  listener.close();
  return port;
}
