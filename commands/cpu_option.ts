/** `--cpu`: the processor as QEMU's `-cpu` names it. */
import { CPU_NAMES, type CpuName, isCpuName } from "../core/cpu_models.ts";
import { Expected, type ValueParser } from "./options.ts";

/** Properties of QEMU's processors, with the settings that mean what there is here. */
const WITHOUT_EFFECT: Readonly<Record<string, RegExp>> = {
  aarch64: /^on$/,
  lpa2: /^off$/,
  pauth: /^on$/,
  "pauth-impdef": /^off$/,
  pmu: /^on$/,
  sme: /^off$/,
  sve: /^off$/,
};

/** A name, then properties with commas between them: `max,sve=off`. */
export const cpu: ValueParser<CpuName> = (value) => {
  const [name, ...properties] = value.split(",");
  if (!isCpuName(name)) throw new Expected(CPU_NAMES.join(" or "));
  for (const property of properties) {
    const [key, setting = "on"] = property.split("=");
    if (!WITHOUT_EFFECT[key]?.test(setting)) throw new Expected(`no property ${property}`);
  }
  return name;
};
