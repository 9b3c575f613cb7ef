import { SLOT } from "../state.ts";
import { LAYOUT } from "./layout.ts";
import { markStore } from "./memory_lowering.ts";
import { ACCESS } from "./reasons.ts";
import {
  call,
  type Expression,
  type FunctionBuilder,
  type FunctionReference,
  i32,
  i64,
  load,
  type Local,
  op,
} from "./wasm/function_builder.ts";
import type { ModuleBuilder } from "./wasm/module_builder.ts";

/**
 * The access that missed its lookup entry. What is only unaligned, or a store beside code, is done
 * here; the rest goes to TypeScript. Gives non-zero if the access faulted.
 *
 * Parameters: virtual address, access bits (`ACCESS`). The value is in scratch. Without `access`
 * (translated code has none), non-zero also means what only TypeScript can do.
 */
export function defineSlowAccess(
  m: ModuleBuilder,
  access: FunctionReference | undefined,
  write: boolean,
  storeMarks?: number,
): FunctionReference {
  const { reference, body: f } = m.function(["i64", "i32"], "i32");
  const va = f.parameter(0), kind = f.parameter(1);
  const entry = f.local("i32"),
    host = f.local("i32"),
    size = f.local("i32"),
    where = f.local("i32");
  const page = (address: Expression) => op("i64.and", address, i64(~0xfffn));
  const index = op(
    "i32.and",
    op("i32.wrap_i64", op("i64.shr_u", va, i64(12n))),
    i32(LAYOUT.dataLookupEntries - 1),
  );
  f.set(
    entry,
    op("i32.add", op("i32.shl", index, i32(5)), load("i32.load", i32(0), SLOT.dataLookup)),
  );
  f.if(op("i32.and", kind, i32(ACCESS.unprivileged)), () => {
    f.set(
      entry,
      op("i32.add", op("i32.shl", index, i32(5)), load("i32.load", i32(0), SLOT.dataLookupEl0)),
    );
  });
  f.set(size, op("i32.shl", i32(1), op("i32.and", kind, i32(ACCESS.sizeMask))));
  f.set(where, op("i32.and", op("i32.shr_u", kind, i32(ACCESS.scratchShift)), i32(0xff)));
  const last = op("i64.add", va, op("i64.extend_i32_u", op("i32.sub", size, i32(1))));
  const special = ACCESS.natural | ACCESS.ordered | ACCESS.asWrite;
  const ordinary = op("i32.eqz", op("i32.and", kind, i32(special)));
  const within = op("i64.eq", page(va), page(last));
  f.if(op("i32.and", ordinary, within), () => {
    f.set(host, op("i32.add", op("i32.wrap_i64", va), load("i32.load", entry, 16)));
    const normal = op("i32.and", load("i32.load", entry, 20), i32(1));
    const tag = op("i64.eq", page(va), load("i64.load", entry, write ? 8 : 0));
    f.if(op("i32.and", normal, tag), () => {
      copyBySize(f, size, host, where, write, storeMarks);
      f.return(i32(0));
    });
    if (write) besideCode(f, { va, last, size, entry, host, where, storeMarks });
  });
  if (access) {
    f.store("i64.store", i32(0), va, SLOT.accessAddress);
    f.return(call(access, kind));
  } else f.return(i32(1));
  return reference;
}

/** A store to a page that holds code, if what it hits is not decoded. */
function besideCode(
  f: FunctionBuilder,
  at: {
    va: Expression;
    last: Expression;
    size: Local;
    entry: Local;
    host: Local;
    where: Local;
    storeMarks: number | undefined;
  },
): void {
  const { va, last, size, entry, host, where, storeMarks } = at;
  const tag = op("i64.eq", op("i64.and", va, i64(~0xfffn)), load("i64.load", entry, 24));
  const low = op("i32.and", op("i32.wrap_i64", va), op("i32.sub", size, i32(1)));
  const normal = op("i32.and", load("i32.load", entry, 20), i32(1));
  f.if(op("i32.and", tag, op("i32.or", normal, op("i32.eqz", low))), () => {
    const store = () => {
      copyBySize(f, size, host, where, true, storeMarks);
      f.return(i32(0));
    };
    const words = op("i32.and", load("i32.load", entry, 20), i32(~1));
    const middle = op("i64.add", va, op("i64.extend_i32_u", op("i32.shr_u", size, i32(1))));
    const decoded = [va, middle, last].map((address) => {
      const word = op("i32.shr_u", op("i32.wrap_i64", address), i32(2));
      return load("i32.load8_u", op("i32.add", words, op("i32.and", word, i32(0x3ff))));
    }).reduce((a, b) => op("i32.or", a, b));
    f.if(op("i32.eqz", decoded), store);
  });
}

function copyBySize(
  f: FunctionBuilder,
  size: Expression,
  host: Expression,
  where: Expression,
  write: boolean,
  storeMarks: number | undefined,
): void {
  const kinds: [number, string][] = [[1, "8"], [2, "16"], [4, "32"], [8, ""]];
  for (const [bytes, suffix] of kinds) {
    f.if(op("i32.eq", size, i32(bytes)), () => {
      const loadName = suffix ? `i64.load${suffix}_u` : "i64.load";
      if (write) f.store(`i64.store${suffix}`, host, load(loadName, where, SLOT.scratch));
      else f.store("i64.store", where, load(loadName, host), SLOT.scratch);
      if (write && storeMarks !== undefined) markStore(f, host, bytes, storeMarks);
    });
  }
}
