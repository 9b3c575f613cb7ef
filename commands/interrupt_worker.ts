/// <reference lib="deno.worker" />
/** Counts Ctrl-C in shared memory, for a thread that is too busy to be told. */
self.onmessage = ({ data }: MessageEvent<SharedArrayBuffer>) => {
  const count = new Int32Array(data);
  Deno.addSignalListener("SIGINT", () => void Atomics.add(count, 0, 1));
  self.postMessage("ready");
};
