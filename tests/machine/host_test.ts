import { SYSTEM_REGISTERS } from "../../core/sysregs_table.ts";
import { comparePrivileged, type Experiment, type Shape } from "./privileged.ts";

// EL2 as a host (FEAT_VHE): what HCR_EL2.E2H and TGE do to registers, traps, calls and exceptions,
// compared with the reference.

type Level = 0 | 1 | 2 | 3;

const SHAPES: readonly Shape[] = [
  { virtualization: true, secure: false, cpu: "max" },
  { virtualization: true, secure: true, cpu: "max" },
];

function levels({ secure }: Shape): Level[] {
  return secure ? [0, 1, 2, 3] : [0, 1, 2];
}

const RW = 31, E2H = 34, TGE = 27;

function hcr(...bits: number[]): string {
  const value = [RW, 40, 41, ...bits].reduce((sum, bit) => sum | 1n << BigInt(bit), 0n);
  return `ldr x0, =0x${value.toString(16)} ; msr hcr_el2, x0`;
}

/** With SCR_EL3.API and APK where there is an EL3. */
function setup(shape: Shape, text: string): string {
  return shape.secure ? `ldr x0, =0x30501 ; msr scr_el3, x0 ; ${text}` : text;
}

const HOSTS: readonly (readonly [name: string, setup: string])[] = [
  ["E2H", hcr(E2H)],
  ["E2H and TGE", hcr(E2H, TGE)],
];

/** Those that can be read or written without an end, and that `max` shows as the reference does. */
const REGISTERS = SYSTEM_REGISTERS.map(({ encoding, name }) => ({
  name,
  text: `s${encoding >> 14}_${encoding >> 11 & 7}_c${encoding >> 7 & 15}_c${encoding >> 3 & 15}_${
    encoding & 7
  }`,
})).filter(({ name }) =>
  !/^(PMU_|RNG_|SP_EL3|CNT.*CT_|CNT\w*TVAL|PMCCNTR|IC[CH]_|CNTHP|CNT\w_CVAL|MDCCINT|PMCEID0)/.test(
    name,
  ) &&
  !/^(ID_|DBG[BW][VC]R[1-9]|PMEV\w+[1-9]_|S3_|MVFR|AP\w\wKey[^I]|LOR[ENC]|L2|CPU|CBAR|PMCEID1|PMXEVCNTR|PMEVCNTR)/
    .test(name)
);
/** Of these a write with all ones changes what the harness needs. */
const READ_ONLY = /^(SCTLR|VBAR|HCR|SCR|SPSR|ELR|CPTR|CPACR|MDCR|SP_|SPSel|DAIF|TTBR|TCR|VT|FPCR)/;

for (const shape of SHAPES) {
  comparePrivileged(
    "registers of a host",
    HOSTS.flatMap(([host, text]) =>
      levels(shape).flatMap((el) =>
        REGISTERS.flatMap(({ name, text: register }): Experiment[] => [
          {
            name: `read ${name}, ${host}`,
            el,
            setup: setup(shape, text),
            code: `mrs x0, ${register}`,
          },
          ...(READ_ONLY.test(name) ? [] : [{
            name: `write ${name}, ${host}`,
            el,
            setup: setup(shape, text),
            code: `mrs x1, ${register} ; mov x0, #-1 ; msr ${register}, x0 ; ` +
              `mrs x2, ${register} ; msr ${register}, xzr ; mrs x3, ${register}`,
          }]),
        ])
      )
    ),
    shape,
  );
}
