import { comparePrivileged, type Experiment, SHAPES } from "./privileged.ts";

// Virtual interrupts that HCR_EL2 raises by itself (VI, VF, VSE), compared with the reference.

/** FMO, IMO, AMO, VF, VI, VSE, TGE. */
const ROUTING = [0, 1 << 3, 1 << 4, 1 << 5, 7 << 3];
const RAISED = [1 << 6, 1 << 7, 1 << 8, 7 << 6];
const TGE = 1 << 27;

const EXPERIMENTS: Experiment[] = ([0, 1, 2] as const).flatMap((el) =>
  ROUTING.flatMap((routing) =>
    RAISED.flatMap((raised) =>
      (el === 1 ? [0] : [0, TGE]).flatMap((tge) =>
        (el === 0 ? ["nop"] : [
          ...["nop", "msr daifclr, #15 ; nop", "mrs x0, isr_el1", "wfi"],
          "hint #16 ; mrs x0, s3_0_c12_c1_1 ; msr s3_0_c12_c1_1, xzr ; msr daifclr, #15",
        ]).filter(
          // With TGE nothing virtual is left to end a wait.
          (code) => code !== "wfi" || tge === 0,
        ).map((code) => ({
          name: `HCR ${(routing | raised | tge).toString(16)}, ${code}`,
          el,
          setup: `ldr x0, =${0x8000_0000 + (routing | raised | tge)} ; msr hcr_el2, x0`,
          code,
        }))
      )
    )
  )
);

for (const shape of SHAPES.filter(({ virtualization }) => virtualization)) {
  comparePrivileged("virtual interrupts", EXPERIMENTS, shape);
  // VSESR_EL2 gives the syndrome; ESB defers the error.
  const errors = EXPERIMENTS.map((experiment) => ({
    ...experiment,
    setup: `${experiment.setup} ; mov x0, #0x345 ; msr s3_4_c5_c2_3, x0`,
  }));
  comparePrivileged("virtual interrupts", errors, { ...shape, cpu: "max" });
}
