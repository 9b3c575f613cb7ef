export * from "./expression.ts";
export type { Local } from "./expression_emitter.ts";
export type { FunctionBuilder } from "./function_builder.ts";
export { type LineRow, link, type LinkedImage, type LinkedSymbol } from "./linker.ts";
export { type AssemblyBuilder, type FunctionReference, Program } from "./program.ts";
