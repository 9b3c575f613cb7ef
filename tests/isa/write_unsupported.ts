/** `deno task unsupported`: writes `docs/unsupported.md`. */
import { UNSUPPORTED_LIST, unsupportedList } from "./unsupported_list.ts";

Deno.mkdirSync(new URL(".", UNSUPPORTED_LIST), { recursive: true });
Deno.writeTextFileSync(UNSUPPORTED_LIST, unsupportedList());
