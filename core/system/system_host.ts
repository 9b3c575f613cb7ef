/**
 * Which register an access reaches where there is FEAT_VHE: `sysregs_host.ts` has the names.
 */

import { isInHost } from "../privilege.ts";
import { EncodingTable } from "./encoding_table.ts";
import type { SystemContext } from "./system_context.ts";
import { ALIASED, REDIRECTED } from "./sysregs_host.ts";
import { SYSTEM_REGISTERS, type SystemRegister, systemRegisterByName } from "./sysregs.ts";

/** By encoding. */
type Meanings = Pick<EncodingTable<SystemRegister>, "get">;

/** What `_EL12` and `_EL02` names stand for. */
const ALIASES = meanings(ALIASED);
/** What names mean at EL0 and EL2 of a host. */
const IN_HOST: Readonly<Record<number, Meanings>> = {
  0: meanings(REDIRECTED.el0),
  2: meanings(REDIRECTED.el2),
};

function meanings(names: ReadonlyMap<string, string>): Meanings {
  const found = new EncodingTable<SystemRegister>();
  for (const { name, encoding } of SYSTEM_REGISTERS) {
    const other = names.get(name);
    const register = other === undefined ? undefined : systemRegisterByName(other);
    if (register) found.set(encoding, register);
  }
  return found;
}

/** The register that an access to `register`, which was allowed, reaches. */
export function reachedRegister(
  { state, levels }: SystemContext,
  register: SystemRegister,
): SystemRegister {
  const { encoding } = register;
  const other = IN_HOST[state.el]?.get(encoding);
  if (other && isInHost(state, levels, state.el)) return other;
  return ALIASES.get(encoding) ?? register;
}
