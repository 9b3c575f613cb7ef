/** `--machine`: the board as QEMU's `-M` names it. */
import { Expected, type ValueParser } from "./options.ts";

/** The properties of the board that there are here. */
export interface BoardProperties {
  virtualization?: boolean;
  secure?: boolean;
  gic?: 2 | 3;
  its?: boolean;
  highmem?: boolean;
}

/** Properties of QEMU's board that say nothing here, with the settings that mean what there is. */
const WITHOUT_EFFECT: Readonly<Record<string, RegExp>> = {
  accel: /^tcg$/,
  acpi: /^(off|no|false)$/,
  "dtb-kaslr-seed": /^(off|no|false)$/,
  "dtb-randomness": /^(off|no|false)$/,
  "dump-guest-core": /./,
  graphics: /./,
  iommu: /^none$/,
  "mem-merge": /./,
  mte: /^(off|no|false)$/,
  ras: /^(off|no|false)$/,
  usb: /^(off|no|false)$/,
};

/** Properties that are switches. */
const SWITCHED = ["virtualization", "secure", "its", "highmem"] as const;

const SWITCHES: Readonly<Record<string, boolean>> = {
  on: true,
  yes: true,
  true: true,
  off: false,
  no: false,
  false: false,
};

/** `virt`, then properties with commas between them: `virt,virtualization=on,gic-version=3`. */
export const board: ValueParser<BoardProperties> = (value) => {
  const [name, ...properties] = value.split(",");
  if (!["virt", "virt-7.2", "type=virt"].includes(name)) {
    throw new Expected("virt, and properties such as virtualization=on");
  }
  const result: BoardProperties = {};
  for (const property of properties) {
    const [key, setting = "on"] = property.split("=");
    const name = SWITCHED.find((name) => name === key);
    if (name) result[name] = switched(key, setting);
    else if (key === "gic-version") result.gic = gicVersion(setting);
    else if (key in WITHOUT_EFFECT) {
      if (!WITHOUT_EFFECT[key].test(setting)) throw new Expected(`no ${key}=${setting}`);
    } else throw new Expected(`gic-version, ${SWITCHED.join(", ")}, not ${key}`);
  }
  return result;
};

function switched(key: string, setting: string): boolean {
  const value = SWITCHES[setting];
  if (value === undefined) throw new Expected(`${key}=on or ${key}=off`);
  return value;
}

function gicVersion(setting: string): 2 | 3 {
  if (setting === "2") return 2;
  // What the reference takes for the newest that its processor knows.
  if (setting === "3" || setting === "max") return 3;
  throw new Expected("gic-version=2 or gic-version=3");
}
