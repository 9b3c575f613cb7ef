/**
 * Node's compression and hashes, loaded when they are first needed: their import takes 20 ms, and much is
 * done before, or without them.
 */
import type * as Crypto from "node:crypto";
import type * as Zlib from "node:zlib";

/** `node:zlib`. */
export function nodeZlib(): typeof Zlib {
  return globalThis.process.getBuiltinModule("node:zlib");
}

/** `node:crypto`. */
export function nodeCrypto(): typeof Crypto {
  return globalThis.process.getBuiltinModule("node:crypto");
}
