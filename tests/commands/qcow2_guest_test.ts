/** A guest that uses a disk in a qcow2 image: on the reference and through the command line. */
import { assertEquals } from "@std/assert";
import { hasQemu, runQemu } from "../drivers/qemu.ts";
import { buildGuest, hasToolchain } from "../guests/toolchain.ts";
import { runCli, withFolder } from "./run_cli.ts";

const SECTORS = 36;
/** Requests in their right order: the host's threads get time between them. */
const DEFINES = ["DEVICE=2", "SLOT_NUMBER=31", "FAULTS=1000000", "SLEEP=1", "ROUNDS=30"];

function qemuImg(cwd: string, ...args: string[]): void {
  const { success, stderr } = new Deno.Command("qemu-img", { args, cwd }).outputSync();
  if (!success) throw new Error(new TextDecoder().decode(stderr));
}

Deno.test({
  name: "record gives a guest the disk of a qcow2 image with compressed clusters",
  ignore: !hasQemu() || !hasToolchain(),
  fn: () =>
    withFolder(async (cwd) => {
      const image = await buildGuest({
        source: "programs/virtio_random.c",
        kind: "elf",
        level: "-O2",
        base: 0x4020_0000,
        defines: [...DEFINES, "SEED=0x9e3779b97f4a7c15UL"],
        flags: [],
        relocates: false,
        bare: false,
      });
      Deno.writeFileSync(`${cwd}/guest.elf`, image);
      const raw = Uint8Array.from({ length: SECTORS * 512 }, (_, i) => 65 + (i >> 5) % 26);
      Deno.writeFileSync(`${cwd}/raw`, raw);
      qemuImg(cwd, "convert", "-c", "-O", "qcow2", "-o", "cluster_size=4k", "raw", "disk");
      qemuImg(cwd, "create", "-q", "-f", "qcow2", "-b", "disk", "-F", "qcow2", "backed");
      const record = (disk: string) =>
        runCli(["record", "guest.elf", "-o", "t.unboot", "--disk", disk], { cwd });
      const ours = await record("disk");
      assertEquals([ours.status, (await runCli(["verify", "t.unboot"], { cwd })).status], [0, 0]);
      const refused = await record("backed");
      assertEquals([refused.status, refused.out], [1, ""]);
      assertEquals(refused.err.trim().split("\n").length, 1, refused.err);
      const { text } = await runQemu(`${cwd}/guest.elf`, {
        extra: [
          ...["-nic", "none", "-drive", `if=none,file=${cwd}/disk,format=qcow2,cache=unsafe,id=d`],
          ...["-device", "virtio-blk-device,drive=d"],
        ],
        realTime: true,
      });
      assertEquals(ours.out, text);
    }),
});
