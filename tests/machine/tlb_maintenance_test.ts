/** Which TLBI instructions there are, and who may execute them, as on the reference. */
import { comparePrivileged, type Experiment } from "./privileged.ts";

/** Every encoding: op1, CRm, op2. */
const ENCODINGS = [0, 4, 6].flatMap((op1) =>
  Array.from({ length: 64 }, (_, n) => [op1, n >> 3, n & 7] as const)
);

function experiments(el: 1 | 2 | 3): Experiment[] {
  return ENCODINGS.map(([op1, crm, op2]) => ({
    name: `TLBI op1 ${op1} CRm ${crm} op2 ${op2}`,
    el,
    code: `mov x1, #0 ; sys #${op1}, c8, c${crm}, #${op2}, x1`,
  }));
}

for (const cpu of ["cortex-a57", "max"] as const) {
  comparePrivileged("TLBI", [...experiments(1), ...experiments(2)], {
    virtualization: true,
    secure: false,
    cpu,
  });
  comparePrivileged("TLBI", experiments(3), {
    virtualization: true,
    secure: true,
    cpu,
  });
}
