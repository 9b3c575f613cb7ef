/** Writes the golden consoles anew from the reference: `deno run -A tests/kernel/update_consoles.ts`. */
import { KERNEL_BUGS } from "../../kernel/mod.ts";
import { CONSOLES, runKernel } from "./run_kernel.ts";

for (const bug of [undefined, ...KERNEL_BUGS]) {
  const { text } = await runKernel(bug ? { bug } : {});
  Deno.writeTextFileSync(new URL(`${bug ?? "good"}.txt`, CONSOLES), text);
}
