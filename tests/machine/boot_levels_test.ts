import { assert, assertEquals } from "@std/assert";
import { type BootPlan, loadFirmware, loadImage } from "../../core/loader/mod.ts";
import { Machine } from "../../core/machine.ts";
import { storedRegistersOf } from "../../core/system/sysregs.ts";
import { hasQemu, startQemuGdb } from "../drivers/qemu.ts";
import { code, makeElf } from "../loader/make_elf.ts";
import { SHAPES } from "./privileged.ts";

// Where guests start and what the registers hold, compared with the reference before `#0`.

const LOOP = code([0x14000000], 4096);
const MEMORY = 128 << 20;
const IMAGES: readonly { name: string; image: Uint8Array; isFirmware?: true }[] = [
  {
    name: "an ELF executable",
    image: makeElf(0x40400000n, [{ address: 0x40400000n, bytes: LOOP }]),
  },
  { name: "a flat binary", image: LOOP },
  { name: "firmware", image: LOOP, isFirmware: true },
];
/** Kept otherwise by the reference, or of no meaning to gdb. */
const LEFT_OUT =
  /^(PMU_|PM|SP_EL|CNT|OSLSR|DBG|MDSCR|PAR|VPIDR|VMPIDR|SPSR_|CSSELR|FPEXC|DACR|IFSR)/;

for (const shape of SHAPES) {
  for (const { name, image, isFirmware } of IMAGES) {
    const on = (value: boolean) => value ? "on" : "off";
    const machine = `virtualization=${on(shape.virtualization)},secure=${on(shape.secure)}`;
    Deno.test({
      name: `boot() starts ${name} as the reference does: ${machine}`,
      ignore: !hasQemu(),
      fn: async () => {
        const ours = new Machine({ memoryBytes: MEMORY, ...shape });
        const options = { memory: MEMORY, virtualization: shape.virtualization };
        const plan: BootPlan = isFirmware
          ? loadFirmware(image, { ...options, secure: shape.secure })
          : loadImage(image, options);
        ours.boot(plan);
        const firmware = Deno.makeTempFileSync({ prefix: "unboot-test-" });
        Deno.writeFileSync(firmware, image);
        const extra = isFirmware ? ["-bios", firmware] : [];
        const { gdb, stop } = await startQemuGdb(image, { machine, extra });
        try {
          const { state } = ours.processor;
          const found: [string, bigint][] = [["pc", ours.pc], ["cpsr", state.pstate]];
          for (const { name, slot } of storedRegistersOf(ours.levels, ours.model)) {
            if (!LEFT_OUT.test(name)) found.push([name, state.get64(slot)]);
          }
          const reference: [string, bigint][] = [];
          let compared = 0;
          for (const [register, value] of found) {
            const known = await gdb.readRegister(register).catch(() => undefined);
            if (known !== undefined) compared++;
            reference.push([register, known ?? value]);
          }
          assertEquals(found, reference);
          assert(compared > 20, `only ${compared} registers are known to the debugger`);
        } finally {
          await stop();
          Deno.removeSync(firmware);
        }
      },
    });
  }
}
