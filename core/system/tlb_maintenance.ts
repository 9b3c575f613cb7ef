import { ANY_ASID, type Tlb } from "../../mmu/tlb.ts";
import { narrow } from "../wide.ts";
import type { TlbInvalidation } from "./system_context.ts";

/**
 * Drops what a TLBI names.
 *
 * @param names.tag regime whose entries go
 * @param names.asid in place of the instruction's
 * @param names.strict by ASID where the instruction says so: the reference drops those of all
 */
export function dropTranslations(
  tlb: Tlb,
  what: TlbInvalidation,
  names: { readonly tag: number; readonly asid: number; readonly strict: boolean },
): void {
  const { scope, va, range } = what;
  const { tag, asid, strict } = names;
  if (range !== undefined && scope !== "ipa") {
    const from = Number(BigInt.asIntN(64, va));
    return tlb.invalidateRange(tag, scope === "va" ? asid : ANY_ASID, from, Number(range.length));
  }
  const [lo, hi] = narrow(va);
  switch (scope) {
    case "all":
      return tlb.invalidateAll(tag);
    case "all-vmids":
      return tlb.invalidateAll(tag, true);
    case "asid":
      if (!strict) return tlb.invalidateAll(tag);
      return tlb.invalidateAsid(tag, asid);
    case "va":
      return tlb.invalidateVa(tag, asid, hi, lo);
    case "va-any":
      return tlb.invalidateVa(tag, ANY_ASID, hi, lo);
    case "ipa":
      // Entries are of both stages together; the invalidation of stage 1 that must follow drops them.
      return;
  }
}
