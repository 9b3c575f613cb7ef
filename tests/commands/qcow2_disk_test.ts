import { assertEquals, assertThrows } from "@std/assert";
import { openQcow2 } from "../../commands/qcow2_disk.ts";
import { BLOCK_BYTES, readMedium } from "../../core/medium.ts";
import { withFolder } from "./run_cli.ts";

function hasQemuImg(): boolean {
  try {
    return new Deno.Command("qemu-img", { args: ["--version"], stdout: "null" }).outputSync()
      .success;
  } catch {
    return false;
  }
}

function qemuImg(cwd: string, ...args: string[]): void {
  const { success, stderr } = new Deno.Command("qemu-img", { args, cwd }).outputSync();
  if (!success) throw new Error(new TextDecoder().decode(stderr));
}

function open(path: string) {
  const bytes = Deno.readFileSync(path);
  return openQcow2("disk", (offset, length) => bytes.subarray(offset, offset + length));
}

/** Zeros, text that packs well, bytes that do not, and an end within a cluster. */
function contents(): Uint8Array {
  const bytes = new Uint8Array(600 * 1024 + 1024);
  for (let i = 100_000; i < 300_000; i++) bytes[i] = 65 + (i >> 4) % 20;
  let state = 1;
  for (let i = 400_000; i < bytes.length; i++) {
    state = Math.imul(state, 1_103_515_245) + 12_345 | 0;
    bytes[i] = state >>> 24;
  }
  return bytes;
}

const FORMS: readonly (readonly string[])[] = [
  ["-o", "compat=0.10"],
  ["-o", "compat=1.1,cluster_size=512"],
  ["-c"],
  ["-c", "-o", "compression_type=zstd"],
  ["-c", "-o", "cluster_size=2M"],
];

Deno.test({
  name: "openQcow2() reads what qemu-img wrote",
  ignore: !hasQemuImg(),
  fn: () =>
    withFolder((cwd) => {
      const raw = contents();
      Deno.writeFileSync(`${cwd}/raw`, raw);
      for (const form of FORMS) {
        qemuImg(cwd, "convert", "-f", "raw", "-O", "qcow2", ...form, "raw", "disk");
        const disk = open(`${cwd}/disk`);
        assertEquals(disk.size, raw.length, form.join(" "));
        assertEquals(readMedium(disk, 0, raw.length), raw, form.join(" "));
        assertEquals(disk.block(Math.ceil(raw.length / BLOCK_BYTES)), new Uint8Array(BLOCK_BYTES));
      }
      return Promise.resolve();
    }),
});

Deno.test({
  name: "openQcow2() refuses what needs another file, in one line",
  ignore: !hasQemuImg(),
  fn: () =>
    withFolder((cwd) => {
      Deno.writeFileSync(`${cwd}/raw`, new Uint8Array(65536));
      qemuImg(cwd, "create", "-q", "-f", "qcow2", "-b", "raw", "-F", "raw", "backed");
      assertThrows(() => open(`${cwd}/backed`), Error, "the qcow2 image has a backing file");
      qemuImg(cwd, "create", "-q", "-f", "qcow2", "-o", "data_file=other", "external", "64K");
      assertThrows(() => open(`${cwd}/external`), Error, "has an external data file");
      qemuImg(cwd, "create", "-q", "-f", "qcow2", "-o", "extended_l2=on", "extended", "64K");
      assertThrows(() => open(`${cwd}/extended`), Error, "has features 0x10");
      return Promise.resolve();
    }),
});
