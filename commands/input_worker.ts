/// <reference lib="deno.worker" />
/** A thread of its own that reads standard input, because reading waits. */
import { InputRing } from "./input_ring.ts";

self.onmessage = ({ data }: MessageEvent<SharedArrayBuffer>) => {
  const ring = new InputRing(data);
  const buffer = new Uint8Array(256);
  for (;;) {
    const count = readSome(buffer);
    if (count === null) break;
    ring.write(buffer.subarray(0, count));
  }
  ring.end();
};

/** Bytes read; null at the end or where nothing can be read. */
function readSome(buffer: Uint8Array): number | null {
  try {
    return Deno.stdin.readSync(buffer);
  } catch {
    return null;
  }
}
