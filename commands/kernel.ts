import { KERNEL_BUGS } from "../kernel/bugs.ts";
import { buildKernel } from "../kernel/build.ts";
import { defineCommand } from "./command.ts";
import { STATUS } from "./exit_status.ts";
import { writeFile } from "./files.ts";
import { flag, option } from "./options.ts";
import { hex } from "./output.ts";
import { UsageError } from "./user_error.ts";
import { oneOf, text } from "./values.ts";

/** `kernel`: writes the built-in kernel. */
export default defineCommand({
  description: [
    "The kernel is a small microkernel: frame allocator, page tables, MMU, exception vectors, heap.",
    "The file boots here and, with the same console, in QEMU:",
    "  qemu-system-aarch64 -M virt -cpu cortex-a57 -m 128M -nographic -kernel FILE",
  ],
  operands: [],
  options: {
    output: option("FILE", text, "the ELF file to write", { short: "o" }),
    bug: option("BUG", oneOf(...KERNEL_BUGS), `build in a mistake: ${KERNEL_BUGS.join(", ")}`),
    json: flag("print one JSON object"),
  },
  examples: [
    ["kernel -o kernel.elf", "the kernel that works"],
    ["kernel -o pxn.elf --bug pxn", "its code is mapped as not executable"],
  ],
  run({ output, bug, json }, _operands, { out, err }) {
    if (output === undefined) throw new UsageError("Missing option -o FILE: where to write");
    const { elf, symbols } = buildKernel(bug === undefined ? {} : { bug });
    writeFile(output, elf);
    const start = symbols.find(({ name }) => name === "_start");
    const entry = start === undefined ? null : hex(start.address);
    if (json) out.json({ file: output, bug: bug ?? null, bytes: elf.length, entry });
    else err.line(`Wrote ${output}: ${elf.length} bytes, entry point ${entry}`);
    return STATUS.ok;
  },
});
